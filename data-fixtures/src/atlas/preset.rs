//! Named atlases.

use super::AtlasSpec;
use crate::Dispersion;
use cellstone_core::{Error, Result, nearest, quoted};

/// Name, what it is, how it is made.
type Preset = (&'static str, &'static str, fn() -> AtlasSpec);

const PRESETS: [Preset; 2] = [
    (
        "atlas",
        "89 types × 500 cells × 2,435 genes, 6 donors in 3 data sets: the size of the published rank study",
        atlas,
    ),
    ("atlas_tiny", "8 types × 40 cells × 200 genes, 4 donors in 2 data sets: for tests", atlas_tiny),
];

impl AtlasSpec {
    /// The atlas of that name.
    ///
    /// # Errors
    /// Names the presets there are.
    pub fn preset(name: &str) -> Result<Self> {
        if let Some((_, _, make)) = PRESETS.iter().find(|it| it.0 == name) {
            return Ok(make());
        }
        let names: Vec<String> = PRESETS.iter().map(|it| it.0.to_owned()).collect();
        let error = Error::config(format!("preset `{name}` not found (presets: {})", quoted(&names)));
        Err(match nearest(name, PRESETS.iter().map(|it| it.0)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        })
    }

    /// Names and one-line descriptions of the presets.
    pub fn presets() -> impl Iterator<Item = (&'static str, &'static str)> {
        PRESETS.iter().map(|it| (it.0, it.1))
    }
}

/// Depth and sparsity of highly variable genes in a droplet atlas: about one gene in six is seen in a cell.
fn atlas() -> AtlasSpec {
    AtlasSpec {
        n_obs: 89 * 500,
        n_vars: 2_435,
        n_types: 89,
        tree_depth: 4,
        n_donors: 6,
        n_batches: 3,
        edge_share: 0.06,
        edge_sd: 0.9,
        donor_sd: 0.15,
        batch_sd: 0.25,
        batch_depth_sd: 0.5,
        type_depth_sd: 0.3,
        ambient: 0.05,
        library_median: 1_500.0,
        library_sd: 0.4,
        genes_per_cell: 400.0,
        dispersion: Dispersion { theta_median: 2.0, theta_sd: 0.5 },
    }
}

fn atlas_tiny() -> AtlasSpec {
    let mut spec = atlas();
    (spec.n_obs, spec.n_vars, spec.n_types, spec.tree_depth) = (320, 200, 8, 3);
    (spec.n_donors, spec.n_batches) = (4, 2);
    spec.edge_share = 0.1;
    spec.library_median = 400.0;
    spec.genes_per_cell = 70.0;
    spec
}
