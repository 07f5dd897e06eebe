//! A method of one's own in a built-in experiment: `cargo run -p cellstone-lab --example own_predictor`.

use cellstone_core::{
    FitCtx, FittedPredictor, Native, PerturbationPredictor, Prediction, PredictorInfo, QueryView, Result, Role,
    TrainView,
};
use cellstone_fixtures::{PerturbSeqSpec, simulate_to_h5ad};
use cellstone_lab::{Entry, PredictorEntry, Registry, RunOptions, Silent, parse_config, resolve, run};
use ndarray::{Array1, Array2, Axis};
use std::sync::{Arc, atomic::AtomicBool};

/// Half of the mean training delta.
struct HalfMean(PredictorInfo);
struct Fitted(Array1<f64>);

impl PerturbationPredictor for HalfMean {
    fn info(&self) -> &PredictorInfo {
        &self.0
    }

    fn fit(&self, train: &TrainView, _: &mut FitCtx<'_>) -> Result<Box<dyn FittedPredictor>> {
        let mean = train.deltas().mean_axis(Axis(0)).expect("invariant: a train view is never empty");
        Ok(Box::new(Fitted(mean / 2.0)))
    }
}

impl FittedPredictor for Fitted {
    fn predict(&self, query: &QueryView) -> Result<Prediction> {
        let n = query.rows().len();
        let deltas = Array2::from_shape_fn((n, self.0.len()), |(_, gene)| self.0[gene]);
        Prediction::from_deltas(query, deltas, vec![Native::Yes; n])
    }
}

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("cellstone-own-predictor-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|error| cellstone_core::Error::io(&dir, error))?;
    let spec = PerturbSeqSpec::preset("tiny")?;
    let write = cellstone_io::WriteOptions { overwrite: true, ..cellstone_io::WriteOptions::default() };
    simulate_to_h5ad(spec, cellstone_core::Seed::new(1), &dir.join("cells.h5ad"), &write, &mut |_, _| ())?;

    let info = PredictorInfo {
        id: "half_mean".into(),
        name: "Half the mean".into(),
        role: Role::Model,
        summary: "control + half of the mean training delta".into(),
        source: "".into(),
        needs_singles: false,
    };
    let registry = Registry::builtin().with(Entry::Predictor(PredictorEntry::fixed(Arc::new(HalfMean(info)))));
    let text = "schema = 1\nid = \"own\"\nquestion = \"Is half of the mean enough?\"\nseeds = [1]\n\
        [data]\npath = \"cells.h5ad\"\nscale = \"counts\"\n[split]\nprotocol = \"norman_doubles\"\n\
        [metrics]\ndraws = 200\nflips = 200\n[[baseline]]\nid = \"additive\"\n[[model]]\nid = \"half_mean\"\n";
    let config = resolve(parse_config(text, &[])?, &dir, &registry)?;
    let cancel = AtomicBool::new(false);
    let options = RunOptions {
        out: Some(dir.join("run")),
        resume: false,
        force: true,
        progress: &Silent,
        cancel: &cancel,
        threads: 2,
        device: "cpu".to_owned(),
    };
    say(&run(&config, &registry, &options)?.report.display().to_string());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example speaks")]
fn say(text: &str) {
    println!("{text}");
}
