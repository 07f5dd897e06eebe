//! Small condition means with structure: what the predictor suite trains on, and handy for other tests.

use cellstone_core::{
    Averaging, Condition, ContextId, Part, Perturbation, Pseudobulk, PseudobulkRow, Scale, Seed, SeedRng, Split, Var,
};
use ndarray::{Array1, Array2};
use rand_distr::{Distribution, StandardNormal};

/// The size of an [`example_bulk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleShape {
    /// Number of targets, each perturbed alone; they are the first genes.
    pub n_singles: usize,
    /// Number of pairs perturbed together.
    pub n_doubles: usize,
    /// Number of genes.
    pub n_vars: usize,
    /// Number of contexts; every condition occurs in each.
    pub n_contexts: usize,
}

impl Default for ExampleShape {
    fn default() -> Self {
        Self { n_singles: 12, n_doubles: 12, n_vars: 30, n_contexts: 2 }
    }
}

/// Log-normalised condition means with low-rank single effects and nearly additive doubles, and their noise.
///
/// Targets and genes are called `T01`, `T02`, …; contexts `c1`, `c2`, …. All values are positive.
pub fn example_bulk(shape: &ExampleShape, seed: Seed) -> Pseudobulk {
    let rng = &mut seed.derive("example_bulk").rng();
    let n_vars = shape.n_vars;
    let normals = |rng: &mut SeedRng, rows: usize, cols: usize| {
        Array2::from_shape_simple_fn((rows, cols), || -> f64 { StandardNormal.sample(rng) })
    };
    let rank = 3;
    let singles = normals(rng, shape.n_singles, rank).dot(&normals(rng, rank, n_vars)) * 0.3;
    let mut rows = Vec::new();
    let mut profiles = Vec::new();
    for context in 1..=shape.n_contexts {
        let context = ContextId::new(format!("c{context}"));
        let control: Array1<f64> = normals(rng, 1, n_vars).row(0).mapv(|it| 3.0 + it.abs());
        let mut push = |rng: &mut SeedRng, condition: Condition, delta: Array1<f64>| {
            let noise = normals(rng, 1, n_vars).row(0).mapv(|it| 0.03 * it);
            profiles.push((&control + &delta + &noise).mapv(|it| it.max(0.01)));
            let raw = condition.to_string();
            rows.push(PseudobulkRow { context: context.clone(), condition, raw, n_cells: 50, n_batches: 1 });
        };
        push(rng, Condition::Control, Array1::zeros(n_vars));
        for target in 0..shape.n_singles {
            push(rng, perturbed(&[target]), singles.row(target).to_owned());
        }
        for (a, b) in pairs(shape) {
            push(rng, perturbed(&[a, b]), (&singles.row(a) + &singles.row(b)) * 0.8);
        }
    }
    let mut values = Array2::zeros((rows.len(), n_vars));
    for (mut to, from) in values.rows_mut().into_iter().zip(&profiles) {
        to.assign(from);
    }
    let variance = Array2::from_elem(values.dim(), 0.03 * 0.03);
    let var = Var::from_ids((0..n_vars).map(gene)).expect("invariant: numbers do not repeat");
    Pseudobulk::new(var, Scale::LogNorm { target_sum: Some(1e4) }, Averaging::Cells, rows, values)
        .and_then(|it| it.with_sampling_var(variance))
        .expect("invariant: one control per context, conditions unique, values finite")
}

/// A split of an [`example_bulk`]: every third single is unseen, and every second double.
///
/// The test part holds singles that were never seen and doubles with none, one or both targets seen.
pub fn example_split(shape: &ExampleShape) -> Split {
    let mut split = Split::new("example", "by_position", 0);
    let part = |test: bool| if test { Part::Test } else { Part::Train };
    let mut assign = |condition: &Condition, test: bool| {
        split.assign(condition.to_string(), part(test)).expect("invariant: conditions are unique");
    };
    for target in 0..shape.n_singles {
        assign(&perturbed(&[target]), target % 3 == 2);
    }
    for (at, (a, b)) in pairs(shape).into_iter().enumerate() {
        assign(&perturbed(&[a, b]), at % 2 == 1);
    }
    split
}

fn gene(index: usize) -> String {
    format!("T{:02}", index + 1)
}

fn perturbed(targets: &[usize]) -> Condition {
    let it = Perturbation::new(targets.iter().map(|it| gene(*it)));
    Condition::Perturbed(it.expect("invariant: targets are distinct"))
}

/// Pairs in order of their distance, so that every target is in several.
fn pairs(shape: &ExampleShape) -> Vec<(usize, usize)> {
    let n = shape.n_singles;
    (1..n).flat_map(|step| (0..n - step).map(move |a| (a, a + step))).take(shape.n_doubles).collect()
}
