//! What every predictor of perturbations must do.

use super::harness::{Check, Harness, ensure, guarded, is_snake, permutation, unexpected, with_threads};
use super::{ExampleShape, Failure, example_bulk, example_split};
use cellstone_core::{
    Embedding, FitCtx, FittedPredictor, Part, PerturbationPredictor, Prediction, Priors, Pseudobulk, QueryView, Seed,
    Split, TrainView, views,
};
use ndarray::{Array2, Axis};
use rand_distr::{Distribution, StandardNormal};
use std::sync::atomic::AtomicBool;

/// What the method is given and which checks do not apply to it.
///
/// The check `gene_order` is left out for methods whose id says `random`: what they draw belongs to a position.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of checks that do not apply, each to be justified where it is skipped.
    pub skip: Vec<&'static str>,
    /// Prior knowledge for the fits.
    pub priors: Priors,
}

impl Options {
    /// Leaves out a check.
    #[must_use]
    pub fn skipping(mut self, check: &'static str) -> Self {
        self.skip.push(check);
        self
    }

    /// Adds an embedding of that name and width with a random vector for nearly every gene of the example.
    ///
    /// # Panics
    /// If `width` is zero: this is for tests.
    #[must_use]
    pub fn with_embedding(mut self, name: &str, width: usize) -> Self {
        assert!(width > 0, "an embedding needs at least one dimension");
        let bulk = example_bulk(&ExampleShape::default(), Seed::new(0));
        // One target has no vector, so that the fallback is exercised.
        let ids: Vec<String> = bulk.var().ids().iter().filter(|it| *it != "T06").cloned().collect();
        let mut rng = Seed::new(11).derive(name).rng();
        let values = Array2::from_shape_simple_fn((ids.len(), width), || -> f64 { StandardNormal.sample(&mut rng) });
        let embedding = Embedding::new(name, ids, values).expect("invariant: ids are distinct and values finite");
        self.priors = self.priors.with(embedding);
        self
    }
}

/// Checks a predictor on small examples with two contexts, unseen singles and doubles.
///
/// | check | expectation |
/// |---|---|
/// | `info` | complete, the same twice, id in lower snake case |
/// | `repeat` | fitting twice with one seed gives the same bits |
/// | `threads` | so does another number of threads |
/// | `shape` | one finite profile `[n_vars]` and one origin per query row |
/// | `query_order` | permuting the query permutes the prediction (1e-9) |
/// | `duplicates` | a row asked for twice is answered twice, alike (1e-9) |
/// | `empty_query` | no row asked for: no row, or a clean error |
/// | `train_order` | permuting train rows changes predictions by 1e-9 at most |
/// | `gene_order` | permuting genes permutes the prediction (1e-8) |
/// | `leakage` | the held-out truth changes no bit |
/// | `cancel` | a fit that is stopped before it starts says so |
/// | `small_data` | one condition, one gene, empty genes, constant data: finite, or a clean error; no panic |
///
/// Sending it to another thread is a bound of the trait. Panics inside a check are reported as its failure.
///
/// # Examples
/// ```no_run
/// # let my_method: &dyn cellstone_core::PerturbationPredictor = unimplemented!();
/// use cellstone_fixtures::conformance::{self, predictor};
/// let options = predictor::Options::default().with_embedding("go", 8);
/// conformance::assert_conforms("my_method", &predictor::check(my_method, &options));
/// ```
pub fn check(predictor: &dyn PerturbationPredictor, options: &Options) -> Vec<Failure> {
    let mut skip = options.skip.clone();
    if guarded(|| predictor.info().id.contains("random")).unwrap_or(false) {
        skip.push("gene_order");
    }
    let suite = Suite::new(predictor, &options.priors);
    let mut harness = Harness::new(&skip);
    harness.check("info", || suite.info());
    harness.check("repeat", || suite.repeat());
    harness.check("threads", || suite.threads());
    harness.check("shape", || suite.shape());
    harness.check("query_order", || suite.query_order());
    harness.check("duplicates", || suite.duplicates());
    harness.check("empty_query", || suite.empty_query());
    harness.check("train_order", || suite.train_order());
    harness.check("gene_order", || suite.gene_order());
    harness.check("leakage", || suite.leakage());
    harness.check("cancel", || suite.cancel());
    harness.check("small_data", || suite.small_data());
    harness.finish()
}

struct Suite<'a> {
    predictor: &'a dyn PerturbationPredictor,
    priors: &'a Priors,
    bulk: Pseudobulk,
    split: Split,
    train: TrainView,
    query: QueryView,
}

impl<'a> Suite<'a> {
    fn new(predictor: &'a dyn PerturbationPredictor, priors: &'a Priors) -> Self {
        let shape = ExampleShape::default();
        let (bulk, split) = (example_bulk(&shape, Seed::new(20)), example_split(&shape));
        let (train, query, _) = cut(&bulk, &split);
        Self { predictor, priors, bulk, split, train, query }
    }

    fn fit(&self, train: &TrainView) -> cellstone_core::Result<Box<dyn FittedPredictor>> {
        self.predictor.fit(train, &mut FitCtx::new(Seed::new(7), self.priors))
    }

    fn run(&self, train: &TrainView, query: &QueryView) -> Result<Prediction, String> {
        let fitted = self.fit(train).map_err(|it| unexpected("fitting", &it))?;
        fitted.predict(query).map_err(|it| unexpected("predicting", &it))
    }

    fn profiles(&self, train: &TrainView, query: &QueryView) -> Result<Array2<f64>, String> {
        Ok(self.run(train, query)?.profiles().clone())
    }

    fn info(&self) -> Check {
        let info = self.predictor.info().clone();
        ensure(is_snake(&info.id), || format!("id `{}` is not lower snake case", info.id))?;
        ensure(!info.name.is_empty() && !info.summary.is_empty(), || "name or summary is empty".into())?;
        ensure(info == *self.predictor.info(), || "two calls differ".into())
    }

    fn repeat(&self) -> Check {
        let (first, again) = (self.run(&self.train, &self.query)?, self.run(&self.train, &self.query)?);
        same_bits(first.profiles(), again.profiles(), "fitting twice with one seed")?;
        ensure(first.native() == again.native(), || "fitting twice gives other origins".into())
    }

    fn threads(&self) -> Check {
        let one = with_threads(1, || self.profiles(&self.train, &self.query))??;
        let three = with_threads(3, || self.profiles(&self.train, &self.query))??;
        same_bits(&one, &three, "one thread against three")
    }

    fn shape(&self) -> Check {
        let prediction = self.run(&self.train, &self.query)?;
        let (found, expected) =
            (prediction.profiles().dim(), (self.query.rows().len(), self.train.controls().var.len()));
        ensure(found == expected, || format!("profiles have shape {found:?}, expected {expected:?}"))?;
        finite(prediction.profiles())
    }

    fn query_order(&self) -> Check {
        let base = self.profiles(&self.train, &self.query)?;
        let order = permutation(base.nrows());
        let other = self.profiles(&self.train, &reordered(&self.query, &order))?;
        close(&base.select(Axis(0), &order), &other, 1e-9, "permuting the query")
    }

    fn duplicates(&self) -> Check {
        let base = self.profiles(&self.train, &self.query)?;
        let order: Vec<usize> = (0..base.nrows()).flat_map(|it| [it, it]).collect();
        let other = self.profiles(&self.train, &reordered(&self.query, &order))?;
        close(&base.select(Axis(0), &order), &other, 1e-9, "asking twice for every row")
    }

    fn empty_query(&self) -> Check {
        let fitted = self.fit(&self.train).map_err(|it| unexpected("fitting", &it))?;
        match fitted.predict(&reordered(&self.query, &[])) {
            Ok(it) => ensure(it.profiles().nrows() == 0, || format!("{} rows for none", it.profiles().nrows())),
            Err(error) => clean(&error),
        }
    }

    fn train_order(&self) -> Check {
        let base = self.profiles(&self.train, &self.query)?;
        let order = permutation(self.train.rows().len());
        let other = self.profiles(&self.train.subset(&order), &self.query)?;
        close(&base, &other, 1e-9, "permuting train rows")
    }

    fn gene_order(&self) -> Check {
        let base = self.profiles(&self.train, &self.query)?;
        let order = permutation(self.bulk.var().len());
        let (train, query, _) = cut(&permuted_genes(&self.bulk, &order), &self.split);
        let other = self.profiles(&train, &query)?;
        close(&base.select(Axis(1), &order), &other, 1e-8, "permuting genes")
    }

    fn leakage(&self) -> Check {
        let base = self.profiles(&self.train, &self.query)?;
        let mut profiles = self.bulk.profiles().clone();
        for (row, mut profile) in self.bulk.rows().iter().zip(profiles.rows_mut()) {
            if self.split.part(&row.context, &row.raw) == Some(Part::Test) {
                profile.mapv_inplace(|it| 9.0 - it);
            }
        }
        let (train, query, _) = cut(&rebuilt(&self.bulk, profiles), &self.split);
        same_bits(&base, &self.profiles(&train, &query)?, "changing the held-out truth")
    }

    fn cancel(&self) -> Check {
        let stop = AtomicBool::new(true);
        let mut ctx = FitCtx::new(Seed::new(7), self.priors).with_cancel(&stop);
        match self.predictor.fit(&self.train, &mut ctx) {
            Ok(_) => Err("the fit went on after the caller asked to stop: call `ctx.check_cancelled()?`".into()),
            Err(error) => ensure(error.is_cancelled(), || unexpected("a stopped fit", &error)),
        }
    }

    fn small_data(&self) -> Check {
        let shape =
            |n_singles, n_doubles, n_vars, n_contexts| ExampleShape { n_singles, n_doubles, n_vars, n_contexts };
        let case = |name: &str, bulk: &Pseudobulk, split: &Split| {
            guarded(|| self.survives(bulk, split)).and_then(|it| it).map_err(|it| format!("{name}: {it}"))
        };
        for (name, shape) in [
            ("one train condition", shape(2, 0, 8, 1)),
            ("two genes", shape(6, 4, 2, 1)),
            ("one gene", shape(6, 0, 1, 1)),
        ] {
            // Targets that are no genes of the data are part of the trial: there are more targets than genes.
            let bulk = example_bulk(&shape, Seed::new(3));
            let mut split = example_split(&shape);
            if shape.n_singles == 2 {
                split = Split::new("example", "by_hand", 0);
                split
                    .assign("T01", Part::Train)
                    .and_then(|()| split.assign("T02", Part::Test))
                    .map_err(|it| it.to_string())?;
            }
            case(name, &bulk, &split)?;
        }
        let all_zero = self.bulk.profiles().mapv(|_| 0.0);
        let mut some_zero = self.bulk.profiles().clone();
        some_zero.column_mut(0).fill(0.0);
        some_zero.column_mut(4).fill(0.0);
        let constant = self.bulk.profiles().mapv(|_| 1.5);
        case("genes that are zero everywhere", &rebuilt(&self.bulk, some_zero), &self.split)?;
        case("nothing but zeros", &rebuilt(&self.bulk, all_zero), &self.split)?;
        case("every profile alike", &rebuilt(&self.bulk, constant), &self.split)
    }

    fn survives(&self, bulk: &Pseudobulk, split: &Split) -> Check {
        let (train, query, _) = cut(bulk, split);
        match self.fit(&train).and_then(|it| it.predict(&query)) {
            Ok(prediction) => finite(prediction.profiles()),
            Err(error) => clean(&error),
        }
    }
}

fn cut(bulk: &Pseudobulk, split: &Split) -> (TrainView, QueryView, cellstone_core::TruthView) {
    views(bulk, split, &[Part::Test]).expect("invariant: the example split has train and test conditions")
}

fn rebuilt(bulk: &Pseudobulk, profiles: Array2<f64>) -> Pseudobulk {
    let new = Pseudobulk::new(bulk.var().clone(), bulk.scale(), bulk.averaging(), bulk.rows().to_vec(), profiles);
    let variance = bulk.sampling_var().cloned().expect("invariant: the example has variances");
    new.and_then(|it| it.with_sampling_var(variance)).expect("invariant: shapes are those of the example")
}

fn permuted_genes(bulk: &Pseudobulk, order: &[usize]) -> Pseudobulk {
    let var = bulk.var().select(order).expect("invariant: a permutation repeats no gene");
    let profiles = bulk.profiles().select(Axis(1), order);
    let new = Pseudobulk::new(var, bulk.scale(), bulk.averaging(), bulk.rows().to_vec(), profiles);
    let variance = bulk.sampling_var().expect("invariant: the example has variances").select(Axis(1), order);
    new.and_then(|it| it.with_sampling_var(variance)).expect("invariant: shapes are those of the example")
}

fn reordered(query: &QueryView, order: &[usize]) -> QueryView {
    QueryView::new(query.controls().clone(), order.iter().map(|it| query.rows()[*it].clone()).collect())
}

fn clean(error: &cellstone_core::Error) -> Check {
    ensure(!error.to_string().trim().is_empty(), || "fails without a message".into())
}

fn finite(values: &Array2<f64>) -> Check {
    match values.indexed_iter().find(|(_, it)| !it.is_finite()) {
        Some(((row, col), value)) => Err(format!("row {row} gene {col} is {value}")),
        None => Ok(()),
    }
}

fn same_bits(a: &Array2<f64>, b: &Array2<f64>, what: &str) -> Check {
    ensure(a.dim() == b.dim(), || format!("{what} gives shape {:?}, expected {:?}", b.dim(), a.dim()))?;
    let differing = a.iter().zip(b).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    ensure(differing == 0, || format!("{what} changes {differing} of {} values, expected none", a.len()))
}

fn close(expected: &Array2<f64>, found: &Array2<f64>, tolerance: f64, what: &str) -> Check {
    ensure(expected.dim() == found.dim(), || {
        format!("{what} gives shape {:?}, expected {:?}", found.dim(), expected.dim())
    })?;
    let far = expected.iter().zip(found).map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(0.0, f64::max);
    let bad = expected.iter().zip(found).any(|(a, b)| (a - b).is_nan());
    ensure(!bad && far <= tolerance, || format!("{what} moves a value by {far:.1e}, expected at most {tolerance:.0e}"))
}
