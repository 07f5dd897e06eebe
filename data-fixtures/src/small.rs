//! Small matrices for tests that need counts and no story.

use cellstone_core::{Column, Csr, ObsTable, Seed, Var};
use rand::RngExt;
use rand_distr::{Distribution, Gamma, Poisson};

/// Counts of a few cells with genes `G1…`, and an annotation: `perturbation` (control, two singles, their double),
/// `context` (one) and `batch` (two), in turn.
///
/// Rates of genes are gamma distributed and counts Poisson, so that some genes are empty and some are large. Targets
/// are the genes `G1` and `G2` where there are as many.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// let (x, var, obs) = cellstone_fixtures::small_counts(8, 5, Seed::new(1));
/// assert_eq!(x.shape(), (8, 5));
/// assert_eq!(var.ids()[4], "G5");
/// assert_eq!(obs.get("perturbation").and_then(|it| it.text(3)).as_deref(), Some("G1+G2"));
/// ```
pub fn small_counts(n_obs: usize, n_vars: usize, seed: Seed) -> (Csr<f32>, Var, ObsTable) {
    let mut rng = seed.derive("small_counts").rng();
    let gamma = Gamma::new(0.6, 4.0).expect("invariant: shape and scale are positive");
    let rates: Vec<f64> = (0..n_vars).map(|_| gamma.sample(&mut rng)).collect();
    let mut dense = ndarray::Array2::<f32>::zeros((n_obs, n_vars));
    for mut row in dense.rows_mut() {
        let depth = 0.5 + rng.random::<f64>();
        for (value, rate) in row.iter_mut().zip(&rates) {
            *value = Poisson::new(depth * rate).map_or(0.0, |it| it.sample(&mut rng)) as f32;
        }
    }
    let var = Var::from_ids((1..=n_vars).map(|it| format!("G{it}"))).expect("invariant: numbers do not repeat");
    let mut obs = ObsTable::new((1..=n_obs).map(|it| format!("c{it}")).collect());
    let mut insert = |name: &str, names: &[&str]| {
        let values: Vec<&str> = (0..n_obs).map(|it| names[it % names.len()]).collect();
        obs.insert(name, Column::categorical(&values)).expect("invariant: one value per cell");
    };
    insert("perturbation", &["control", "G1", "G2", "G1+G2"]);
    insert("context", &["default"]);
    insert("batch", &["b1", "b1", "b1", "b1", "b2", "b2", "b2", "b2"]);
    (Csr::from_dense(&dense), var, obs)
}
