//! What was planted: programs, composition, blur, and what the exact posterior says of every stage.

use super::PhenotypeSpec;
use super::names::{STAGES, TISSUES, TYPES, stage_places};
use super::spec::SEX_GENES;
use crate::perturbseq::plant::{choose_genes, normal, normals, solve_spread};
use cellstone_core::{Result, Seed};
use ndarray::{Array1, Array2};
use serde::Serialize;

/// Everything that was planted in a simulated phenotype atlas.
#[derive(Debug, Clone, Serialize)]
pub struct PhenotypeTruth {
    /// Names of the types.
    pub(crate) types: Vec<String>,
    /// Names of the tissues.
    pub(crate) tissues: Vec<String>,
    /// Frequency of each type in each tissue, `[n_tissues][n_types]`.
    pub(crate) composition: Vec<Vec<f64>>,
    /// Columns of the genes of each type's program.
    pub(crate) programs: Vec<Vec<u32>>,
    /// The stages, youngest first; filled once the cells are drawn.
    pub(crate) stages: Vec<StageTruth>,
    /// Whether the law of the blur makes the entropy grow with the stage.
    pub(crate) entropy_grows: bool,
    /// Overdispersion of each gene.
    #[serde(skip)]
    pub(crate) theta: Vec<f64>,
    /// Log expression of every type, then of a blurred cell, up to a constant, `[n_types + 1, n_vars]`.
    #[serde(skip)]
    pub(crate) log_types: Array2<f64>,
    /// Log effect of each tissue, `[n_tissues, n_vars]`.
    #[serde(skip)]
    pub(crate) log_tissues: Array2<f64>,
    /// Log effect of each donor, those of its stage, sex and data set included, `[n_donors, n_vars]`.
    #[serde(skip)]
    pub(crate) log_donors: Array2<f64>,
}

/// One life stage: what was planted and what the exact posterior says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageTruth {
    /// Its name.
    pub stage: String,
    /// Its id in HsapDv.
    pub term: String,
    /// Its first year.
    pub from_year: u32,
    /// Planted share of blurred cells.
    pub blur: f64,
    /// Entropy of the law, nats: that of a label about which a blurred cell says nothing and any other cell everything.
    pub law_entropy: f64,
    /// Accuracy of the law: of a classifier that knows every cell but the blurred ones.
    pub law_accuracy: f64,
    /// Cells drawn.
    pub n_cells: usize,
    /// Donors.
    pub n_donors: usize,
    /// Mean entropy of the exact posterior of the type, nats; empty until the cells are drawn.
    pub entropy: Option<f64>,
    /// Accuracy of its most probable type.
    pub accuracy: Option<f64>,
}

impl PhenotypeTruth {
    /// Names of the types.
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// Frequency of the types in a tissue.
    pub fn composition(&self, tissue: usize) -> &[f64] {
        &self.composition[tissue]
    }

    /// The stages, youngest first.
    pub fn stages(&self) -> &[StageTruth] {
        &self.stages
    }

    /// Expected share of the molecules that each gene has; `kind = n_types` is a blurred cell.
    pub fn shares(&self, kind: usize, tissue: usize, donor: usize) -> Vec<f64> {
        let logs = self.log_types.row(kind).to_owned() + self.log_tissues.row(tissue) + self.log_donors.row(donor);
        let rates = logs.mapv(f64::exp);
        let total: f64 = rates.iter().sum();
        rates.iter().map(|it| it / total).collect()
    }

    /// The truth as JSON.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("invariant: numbers and names always serialise");
        text.push('\n');
        text
    }
}

/// Draws everything that is planted.
pub(crate) fn plant(spec: &PhenotypeSpec, seed: Seed) -> Result<PhenotypeTruth> {
    spec.validate()?;
    let mut rng = seed.derive("theta").rng();
    let theta: Vec<f64> = (0..spec.n_vars)
        .map(|_| spec.dispersion.theta_median * (spec.dispersion.theta_sd * normal(&mut rng)).exp())
        .collect();
    let quantiles = normals(&mut seed.derive("expression").rng(), spec.n_vars);
    let spread = solve_spread(&quantiles, &theta, spec.library_median, spec.genes_per_cell)?;
    let base: Array1<f64> = quantiles.iter().map(|it| spread * it).collect();
    let (programs, mut log_types) = programs(spec, "type", spec.n_types, spec.type_sd, seed);
    // A blurred cell has the mean of all types: its genes favour none.
    let mean = log_types.sum_axis(ndarray::Axis(0)) / spec.n_types as f64;
    log_types.push_row(mean.view()).expect("invariant: one width");
    log_types += &base;
    let (_, log_tissues) = self::programs(spec, "tissue", spec.n_tissues, spec.tissue_sd, seed);
    let places = stage_places(spec.n_stages);
    let stages = places.iter().enumerate().map(|(at, place)| stage(spec, at, STAGES[*place])).collect();
    Ok(PhenotypeTruth {
        types: TYPES[..spec.n_types].iter().map(|it| it.0.to_owned()).collect(),
        tissues: TISSUES[..spec.n_tissues].iter().map(|it| it.0.to_owned()).collect(),
        composition: composition(spec, seed),
        programs,
        stages,
        entropy_grows: spec.blur_last > spec.blur_first,
        theta,
        log_types,
        log_tissues,
        log_donors: draw_donors(spec, seed),
    })
}

fn stage(spec: &PhenotypeSpec, at: usize, (name, term, from_year): (&str, &str, u32)) -> StageTruth {
    let (blur, n) = (spec.blur(at), spec.n_types as f64);
    StageTruth {
        stage: name.to_owned(),
        term: term.to_owned(),
        from_year,
        blur,
        law_entropy: blur * n.ln(),
        law_accuracy: 1.0 - blur * (1.0 - 1.0 / n),
        n_cells: 0,
        n_donors: 0,
        entropy: None,
        accuracy: None,
    }
}

/// `n` programs: the genes of each, and its log effects over all genes.
fn programs(spec: &PhenotypeSpec, name: &str, n: usize, sd: f64, seed: Seed) -> (Vec<Vec<u32>>, Array2<f64>) {
    let n_genes = ((spec.program_share * spec.n_vars as f64).round() as usize).max(1);
    let mut effects = Array2::zeros((n, spec.n_vars));
    let mut chosen = Vec::with_capacity(n);
    for at in 0..n {
        let mut rng = seed.derive(name).derive_index(at as u64).rng();
        let genes = choose_genes(&mut rng, spec.n_vars, n_genes);
        for gene in &genes {
            effects[[at, *gene as usize]] = sd * normal(&mut rng);
        }
        chosen.push(genes);
    }
    (chosen, effects)
}

fn composition(spec: &PhenotypeSpec, seed: Seed) -> Vec<Vec<f64>> {
    let tissue = |at: usize| {
        let mut rng = seed.derive("composition").derive_index(at as u64).rng();
        let weights: Vec<f64> = (0..spec.n_types).map(|_| (spec.composition_sd * normal(&mut rng)).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|it| it / total).collect()
    };
    (0..spec.n_tissues).map(tissue).collect()
}

/// Stage of a donor.
pub(super) fn stage_of(spec: &PhenotypeSpec, donor: usize) -> usize {
    donor % spec.n_stages
}

/// Data set of a donor.
pub(super) fn dataset_of(spec: &PhenotypeSpec, donor: usize) -> usize {
    donor / spec.n_stages % spec.n_datasets
}

/// Sex of a donor: both occur in every stage and data set where there are donors enough.
pub(super) fn sex_of(spec: &PhenotypeSpec, donor: usize) -> usize {
    donor / (spec.n_stages * spec.n_datasets) % 2
}

fn draw_donors(spec: &PhenotypeSpec, seed: Seed) -> Array2<f64> {
    let (_, stages) = programs(spec, "stage", spec.n_stages, spec.stage_sd, seed);
    let sex_genes = choose_genes(&mut seed.derive("sex").rng(), spec.n_vars, SEX_GENES);
    let noise = |name: &str, at: usize, sd: f64| -> Array1<f64> {
        let mut rng = seed.derive(name).derive_index(at as u64).rng();
        normals(&mut rng, spec.n_vars).into_iter().map(|it| sd * it).collect()
    };
    let mut donors = Array2::zeros((spec.n_donors, spec.n_vars));
    for (donor, mut row) in donors.rows_mut().into_iter().enumerate() {
        row += &stages.row(stage_of(spec, donor));
        row += &noise("dataset", dataset_of(spec, donor), spec.dataset_sd);
        row += &noise("donor", donor, spec.donor_sd);
        for (at, gene) in sex_genes.iter().enumerate() {
            let up = (at % 2 == 0) == (sex_of(spec, donor) == 0);
            row[*gene as usize] += if up { spec.sex_effect } else { -spec.sex_effect };
        }
    }
    donors
}
