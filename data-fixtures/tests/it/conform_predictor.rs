//! A broken predictor fails the check that is meant for its fault, and a sound one none.

use cellstone_core::{
    FitCtx, FittedPredictor, Native, PerturbationPredictor, Prediction, PredictorInfo, QueryView, Result, Role,
    TrainView,
};
use cellstone_fixtures::conformance::predictor::{Options, check};
use ndarray::{Array1, Array2, Axis};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    BadId,
    Counts,
    Threads,
    Transposes,
    NotANumber,
    Reverses,
    DependsOnNeighbors,
    FirstRowOnly,
    KnowsColumns,
    IgnoresCancel,
    PanicsOnOneGene,
    PanicsOnNothing,
}

/// Control plus the mean train delta, with a fault.
struct MeanDelta {
    fault: Fault,
    info: PredictorInfo,
    fits: AtomicU64,
}

struct Fitted {
    fault: Fault,
    delta: Array1<f64>,
}

fn method(fault: Fault) -> MeanDelta {
    let id = if fault == Fault::BadId { "Mean-Delta" } else { "mean_delta" };
    let info = PredictorInfo {
        id: id.into(),
        name: "mean".into(),
        role: Role::Floor,
        summary: "control + mean train delta".into(),
        source: "".into(),
        needs_singles: false,
    };
    MeanDelta { fault, info, fits: AtomicU64::new(0) }
}

impl PerturbationPredictor for MeanDelta {
    fn info(&self) -> &PredictorInfo {
        &self.info
    }

    fn fit(&self, train: &TrainView, ctx: &mut FitCtx<'_>) -> Result<Box<dyn FittedPredictor>> {
        if self.fault != Fault::IgnoresCancel {
            ctx.check_cancelled()?;
        }
        assert!(self.fault != Fault::PanicsOnOneGene || train.var().len() > 1, "too few genes");
        let deltas = train.deltas();
        let mut delta = deltas.mean_axis(Axis(0)).expect("invariant: a train view has rows");
        match self.fault {
            Fault::Counts => delta += 1e-15 + self.fits.fetch_add(1, Ordering::Relaxed) as f64,
            Fault::Threads => delta += rayon::current_num_threads() as f64,
            Fault::FirstRowOnly => delta = deltas.row(0).to_owned(),
            Fault::KnowsColumns => delta[0] += 1.0,
            // A variance as a denominator: not a number where the data are constant.
            Fault::NotANumber => delta.mapv_inplace(|it| it / deltas.std(0.0).min(1.0) * deltas.std(0.0).min(1.0)),
            _ => {}
        }
        Ok(Box::new(Fitted { fault: self.fault, delta }))
    }
}

impl FittedPredictor for Fitted {
    fn predict(&self, query: &QueryView) -> Result<Prediction> {
        let n = query.rows().len();
        assert!(self.fault != Fault::PanicsOnNothing || n > 0, "nothing to predict");
        let deltas = Array2::from_shape_fn((n, self.delta.len()), |(row, col)| {
            let extra = match self.fault {
                Fault::Reverses => (n - row) as f64,
                Fault::DependsOnNeighbors => n as f64,
                _ => 0.0,
            };
            self.delta[col] + extra
        });
        let native = vec![Native::Yes; n];
        if self.fault == Fault::Transposes {
            let profiles = Prediction::from_deltas(query, deltas, native)?.profiles().t().to_owned();
            let native = vec![Native::Yes; profiles.nrows()];
            return Prediction::new(profiles, native);
        }
        Prediction::from_deltas(query, deltas, native)
    }
}

fn failed(fault: Fault) -> Vec<&'static str> {
    check(&method(fault), &Options::default()).iter().map(|it| it.check).collect()
}

#[test]
fn every_fault_is_caught_by_its_check() {
    assert_eq!(failed(Fault::None), [""; 0]);
    for (fault, want) in [
        (Fault::BadId, "info"),
        (Fault::Counts, "repeat"),
        (Fault::Counts, "leakage"),
        (Fault::Threads, "threads"),
        (Fault::Transposes, "shape"),
        (Fault::NotANumber, "small_data"),
        (Fault::Reverses, "query_order"),
        (Fault::DependsOnNeighbors, "duplicates"),
        (Fault::FirstRowOnly, "train_order"),
        (Fault::KnowsColumns, "gene_order"),
        (Fault::IgnoresCancel, "cancel"),
        (Fault::PanicsOnOneGene, "small_data"),
        (Fault::PanicsOnNothing, "empty_query"),
    ] {
        let found = failed(fault);
        assert!(found.contains(&want), "{fault:?}: failed {found:?}, expected `{want}` among them");
    }
}

#[test]
fn a_skipped_check_is_not_run() {
    let options = Options::default().skipping("cancel").with_embedding("go", 4);
    assert_eq!(check(&method(Fault::IgnoresCancel), &options), []);
    assert_eq!(options.priors.embedding("go").expect("given").width(), 4);
}
