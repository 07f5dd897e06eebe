//! Named phenotype atlases.

use super::PhenotypeSpec;
use crate::Dispersion;
use cellstone_core::{Error, Result, nearest, quoted};

/// Name, what it is, how it is made.
type Preset = (&'static str, &'static str, fn() -> PhenotypeSpec);

const PRESETS: [Preset; 2] = [
    (
        "phenotypes",
        "6 types × 3 tissues × 4 life stages, 72 donors × 83 cells × 600 genes; entropy grows with the stage",
        phenotypes,
    ),
    ("phenotypes_tiny", "3 types × 2 tissues × 2 stages, 12 donors × 20 cells × 80 genes: for tests", phenotypes_tiny),
];

impl PhenotypeSpec {
    /// The phenotype atlas of that name.
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

fn phenotypes() -> PhenotypeSpec {
    PhenotypeSpec {
        n_obs: 6_000,
        n_vars: 600,
        n_types: 6,
        n_tissues: 3,
        n_stages: 4,
        n_donors: 72,
        n_datasets: 3,
        program_share: 0.1,
        type_sd: 1.0,
        tissue_sd: 0.7,
        stage_sd: 0.7,
        sex_effect: 1.5,
        composition_sd: 0.0,
        donor_sd: 0.1,
        dataset_sd: 0.15,
        blur_first: 0.05,
        blur_last: 0.65,
        library_median: 1_200.0,
        library_sd: 0.3,
        genes_per_cell: 200.0,
        dispersion: Dispersion { theta_median: 4.0, theta_sd: 0.5 },
    }
}

fn phenotypes_tiny() -> PhenotypeSpec {
    PhenotypeSpec {
        n_obs: 240,
        n_vars: 80,
        n_types: 3,
        n_tissues: 2,
        n_stages: 2,
        n_donors: 12,
        n_datasets: 2,
        library_median: 400.0,
        genes_per_cell: 40.0,
        ..phenotypes()
    }
}
