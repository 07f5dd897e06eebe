//! What was planted in an atlas: the tree, the effects of its edges, donors and data sets.

use super::{AtlasSpec, TypeTree};
use crate::perturbseq::plant::{choose_genes, normal, normals, solve_spread};
use cellstone_core::{Result, Seed};
use ndarray::Array2;
use serde::Serialize;

/// Everything that was planted in a simulated atlas.
#[derive(Debug, Clone, Serialize)]
pub struct AtlasTruth {
    /// The tree of types: the true similarity.
    pub(crate) tree: TypeTree,
    /// Names of the types, in tree order.
    pub(crate) types: Vec<String>,
    /// Edges between types, row by row.
    pub(crate) distances: Vec<Vec<usize>>,
    /// Depth factor of each data set.
    pub(crate) batch_depth: Vec<f64>,
    /// Depth factor of each type.
    pub(crate) type_depth: Vec<f64>,
    /// Standard deviation of log mean expression that was used.
    pub(crate) expression_sd: f64,
    /// Overdispersion of each gene.
    #[serde(skip)]
    pub(crate) theta: Vec<f64>,
    /// Log expression of each type up to a constant, `[n_types, n_vars]`.
    #[serde(skip)]
    pub(crate) log_types: Array2<f64>,
    /// Log effect of each donor, that of its data set included, `[n_donors, n_vars]`.
    #[serde(skip)]
    pub(crate) log_donors: Array2<f64>,
}

impl AtlasTruth {
    /// The tree of types.
    pub fn tree(&self) -> &TypeTree {
        &self.tree
    }

    /// Names of the types, in tree order.
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// Depth factor of each data set: its cells have so many times the molecules.
    pub fn batch_depth(&self) -> &[f64] {
        &self.batch_depth
    }

    /// Depth factor of each type.
    pub fn type_depth(&self) -> &[f64] {
        &self.type_depth
    }

    /// `θ_g` of each gene: counts with mean `m` have variance `m + m² / θ_g`.
    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// Expected share of the molecules of a cell that each gene has, ambient molecules left out.
    pub fn shares(&self, kind: usize, donor: usize) -> Vec<f64> {
        let log = |(a, b): (&f64, &f64)| (a + b).exp();
        let rates: Vec<f64> = self.log_types.row(kind).iter().zip(self.log_donors.row(donor)).map(log).collect();
        let total: f64 = rates.iter().sum();
        rates.into_iter().map(|it| it / total).collect()
    }

    /// The tree, the types, their distances and depths as JSON.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("invariant: numbers and names always serialise");
        text.push('\n');
        text
    }
}

/// Draws everything that is planted.
pub(crate) fn plant(spec: &AtlasSpec, seed: Seed) -> Result<AtlasTruth> {
    spec.validate()?;
    let tree = TypeTree::new(spec.n_types, spec.tree_depth);
    let mut rng = seed.derive("theta").rng();
    let theta: Vec<f64> = (0..spec.n_vars)
        .map(|_| spec.dispersion.theta_median * (spec.dispersion.theta_sd * normal(&mut rng)).exp())
        .collect();
    let quantiles = normals(&mut seed.derive("expression").rng(), spec.n_vars);
    let expression_sd = solve_spread(&quantiles, &theta, spec.library_median, spec.genes_per_cell)?;
    let factors = |name: &str, n: usize, sd: f64| -> Vec<f64> {
        normals(&mut seed.derive(name).rng(), n).into_iter().map(|it| (sd * it).exp()).collect()
    };
    Ok(AtlasTruth {
        types: (0..spec.n_types).map(|it| tree.type_name(it)).collect(),
        distances: (0..spec.n_types).map(|a| (0..spec.n_types).map(|b| tree.distance(a, b)).collect()).collect(),
        batch_depth: factors("batch_depth", spec.n_batches, spec.batch_depth_sd),
        type_depth: factors("type_depth", spec.n_types, spec.type_depth_sd),
        log_types: draw_types(spec, &tree, &quantiles, expression_sd, seed),
        log_donors: draw_donors(spec, seed),
        expression_sd,
        theta,
        tree,
    })
}

/// Every edge of the tree changes a few genes; a type is the sum of the edges above it.
fn draw_types(spec: &AtlasSpec, tree: &TypeTree, quantiles: &[f64], expression_sd: f64, seed: Seed) -> Array2<f64> {
    let n_changed = (spec.edge_share * spec.n_vars as f64).round() as usize;
    let mut types = Array2::from_shape_fn((spec.n_types, spec.n_vars), |(_, gene)| expression_sd * quantiles[gene]);
    for level in 1..=tree.depth() {
        let seed = seed.derive("edge").derive_index(level as u64);
        for node in 0..tree.n_nodes(level) {
            let mut rng = seed.derive_index(node as u64).rng();
            let genes = choose_genes(&mut rng, spec.n_vars, n_changed);
            let effects = normals(&mut rng, genes.len());
            for kind in (0..spec.n_types).filter(|it| tree.above(*it, level) == node) {
                for (gene, effect) in genes.iter().zip(&effects) {
                    types[[kind, *gene as usize]] += spec.edge_sd * effect;
                }
            }
        }
    }
    types
}

fn draw_donors(spec: &AtlasSpec, seed: Seed) -> Array2<f64> {
    let draw = |name: &str, at: usize, sd: f64| -> Vec<f64> {
        let mut rng = seed.derive(name).derive_index(at as u64).rng();
        normals(&mut rng, spec.n_vars).into_iter().map(|it| sd * it).collect()
    };
    let batches: Vec<Vec<f64>> = (0..spec.n_batches).map(|it| draw("batch", it, spec.batch_sd)).collect();
    let mut donors = Array2::zeros((spec.n_donors, spec.n_vars));
    for (donor, mut row) in donors.rows_mut().into_iter().enumerate() {
        let own = draw("donor", donor, spec.donor_sd);
        for ((slot, own), batch) in row.iter_mut().zip(own).zip(&batches[donor % spec.n_batches]) {
            *slot = own + batch;
        }
    }
    donors
}
