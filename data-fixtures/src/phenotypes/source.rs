//! The simulated phenotype atlas as a source of counts.

use super::names::{SEXES, TISSUES, TYPES};
use super::truth::{dataset_of, plant, sex_of, stage_of};
use super::{PhenotypeSpec, PhenotypeTruth};
use crate::perturbseq::plant::normal;
use crate::perturbseq::sampler::{BatchFactors, Profile};
use cellstone_core::{Column, CountSource, Csr, Error, ObsTable, Result, RowBlock, Scale, Seed, SeedRng, Var};
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;

/// Cells of a block.
const BLOCK_ROWS: usize = 2_048;

/// Cells that one thread draws at a time.
const CHUNK: usize = 32;

/// A simulated phenotype atlas: a stream of counts of any size with bounded memory.
///
/// The draws of a cell depend on the seed and on the index of the cell alone, so that block length, starting row and
/// threads change nothing. Cells of all donors are in random order.
///
/// Columns of `obs`: `cell_type`, `tissue`, `sex`, `development_stage`, each with its `…_ontology_term_id`; `age` in
/// years, one for each donor and inside the decade of its stage; `donor_id`, `dataset_id`.
/// Memory: 16 bytes per gene, type, tissue and donor, the annotation and one block.
pub struct PhenotypeAtlas {
    name: String,
    pub(super) spec: PhenotypeSpec,
    seed: Seed,
    pub(super) truth: PhenotypeTruth,
    var: Var,
    obs: ObsTable,
    pub(super) cells: Vec<Cell>,
    /// One for every type and the blurred cell, tissue and donor.
    profiles: Vec<Profile>,
    unit: BatchFactors,
    block_rows: usize,
}

/// What one cell is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) kind: u8,
    pub(super) tissue: u8,
    pub(super) donor: u16,
    pub(super) blurred: bool,
}

impl PhenotypeAtlas {
    /// Plants the truth and prepares the draws; no count is drawn yet.
    ///
    /// # Errors
    /// If the specification is not valid: see [`PhenotypeSpec::validate`].
    pub fn new(spec: PhenotypeSpec, seed: Seed) -> Result<Self> {
        let mut truth = plant(&spec, seed)?;
        let cells = assign_cells(&spec, &truth, seed);
        for (at, stage) in truth.stages.iter_mut().enumerate() {
            stage.n_cells = cells.iter().filter(|it| stage_of(&spec, usize::from(it.donor)) == at).count();
            stage.n_donors = (0..spec.n_donors).filter(|it| stage_of(&spec, *it) == at).count();
        }
        let obs = annotate(&spec, &truth, &cells, seed)?;
        let unit = BatchFactors::new(std::iter::repeat_n(0.0, spec.n_vars));
        let (n_tissues, n_donors) = (spec.n_tissues, spec.n_donors);
        let profiles = (0..(spec.n_types + 1) * n_tissues * n_donors)
            .into_par_iter()
            .map(|it| {
                let shares = truth.shares(it / (n_tissues * n_donors), it / n_donors % n_tissues, it % n_donors);
                Profile::new(&shares, &truth.theta, std::slice::from_ref(&unit), spec.library_median)
            })
            .collect();
        let width = spec.n_vars.to_string().len().max(5);
        let var = Var::from_ids((1..=spec.n_vars).map(|it| format!("G{it:0width$}")))?;
        let name = format!("simulated phenotype atlas (seed {})", seed.value());
        Ok(Self { name, spec, seed, truth, var, obs, cells, profiles, unit, block_rows: BLOCK_ROWS })
    }

    /// The same data in blocks of another length.
    #[must_use]
    pub fn with_block_rows(mut self, block_rows: usize) -> Self {
        self.block_rows = block_rows.max(1);
        self
    }

    /// What was asked for.
    pub fn spec(&self) -> &PhenotypeSpec {
        &self.spec
    }

    /// What was planted.
    pub fn truth(&self) -> &PhenotypeTruth {
        &self.truth
    }

    /// Whether each cell is blurred.
    pub fn blurred(&self) -> Vec<bool> {
        self.cells.iter().map(|it| it.blurred).collect()
    }

    /// Stage of a cell, 0 the youngest.
    pub fn stage(&self, cell: usize) -> usize {
        stage_of(&self.spec, usize::from(self.cells[cell].donor))
    }

    /// The library of a cell, and its generator for what follows.
    pub(super) fn library(&self, at: usize) -> (f64, SeedRng) {
        let mut rng = self.seed.derive("cell").derive_index(at as u64).rng();
        let library = self.spec.library_median * (self.spec.library_sd * normal(&mut rng)).exp();
        (library, rng)
    }

    fn block(&self, start: usize) -> Result<RowBlock> {
        let end = (start + self.block_rows).min(self.cells.len());
        let chunks: Vec<Vec<Vec<(u32, f32)>>> = (0..(end - start).div_ceil(CHUNK))
            .into_par_iter()
            .map_init(
                || vec![0; self.spec.n_vars],
                |counts, it| {
                    let (from, to) = (start + it * CHUNK, (start + (it + 1) * CHUNK).min(end));
                    (from..to).map(|at| self.draw_cell(at, counts)).collect()
                },
            )
            .collect();
        let mut indptr = vec![0];
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for (gene, count) in chunks.into_iter().flatten().flat_map(|row| {
            indptr.push(indptr[indptr.len() - 1] + row.len());
            row
        }) {
            indices.push(gene);
            data.push(count);
        }
        Ok(RowBlock { start, x: Csr::new(end - start, self.spec.n_vars, indptr, indices, data)? })
    }

    fn draw_cell(&self, at: usize, counts: &mut [u32]) -> Vec<(u32, f32)> {
        let cell = self.cells[at];
        let (library, mut rng) = self.library(at);
        let kind = if cell.blurred { self.spec.n_types } else { usize::from(cell.kind) };
        let place =
            (kind * self.spec.n_tissues + usize::from(cell.tissue)) * self.spec.n_donors + usize::from(cell.donor);
        let profile = &self.profiles[place];
        profile.draw(library, &self.unit, profile.total(0), &self.truth.theta, &mut rng, counts);
        let found = counts.iter_mut().enumerate().filter(|it| *it.1 > 0);
        found.map(|(gene, count)| (gene as u32, std::mem::take(count) as f32)).collect()
    }
}

impl CountSource for PhenotypeAtlas {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_obs(&self) -> usize {
        self.cells.len()
    }

    fn var(&self) -> &Var {
        &self.var
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        Scale::Counts
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        if start_row > self.n_obs() {
            return Err(Error::invalid_input(format!(
                "{}: cannot start at row {start_row}, there are {} cells",
                self.name,
                self.n_obs()
            )));
        }
        Ok(Box::new((start_row..self.n_obs()).step_by(self.block_rows).map(|it| self.block(it))))
    }
}

impl std::fmt::Debug for PhenotypeAtlas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} cells × {} genes", self.name, self.spec.n_obs, self.spec.n_vars)
    }
}

/// Gives each donor its number of cells, shuffles, and draws tissue, type and blur of each.
fn assign_cells(spec: &PhenotypeSpec, truth: &PhenotypeTruth, seed: Seed) -> Vec<Cell> {
    let mut donors: Vec<u16> = (0..spec.n_obs).map(|it| (it % spec.n_donors) as u16).collect();
    donors.shuffle(&mut seed.derive("order").rng());
    let seed = seed.derive("annotation");
    let draw = |(at, donor): (usize, &u16)| {
        let mut rng = seed.derive_index(at as u64).rng();
        let tissue = rng.random_range(0..spec.n_tissues);
        let mut level = rng.random::<f64>();
        let kind = truth.composition[tissue].iter().position(|it| {
            level -= it;
            level < 0.0
        });
        let blurred = rng.random::<f64>() < spec.blur(stage_of(spec, usize::from(*donor)));
        // Rounding may leave the level behind the last type.
        let kind = kind.unwrap_or(spec.n_types - 1) as u8;
        Cell { kind, tissue: tissue as u8, donor: *donor, blurred }
    };
    donors.par_iter().enumerate().map(draw).collect()
}

fn annotate(spec: &PhenotypeSpec, truth: &PhenotypeTruth, cells: &[Cell], seed: Seed) -> Result<ObsTable> {
    let width = cells.len().to_string().len();
    let mut obs = ObsTable::new((1..=cells.len()).map(|it| format!("cell{it:0width$}")).collect());
    let kinds = |it: &Cell| usize::from(it.kind);
    let tissues = |it: &Cell| usize::from(it.tissue);
    let donor = |it: &Cell| usize::from(it.donor);
    put(&mut obs, "cell_type", &TYPES[..spec.n_types], cells.iter().map(kinds))?;
    put(&mut obs, "tissue", &TISSUES[..spec.n_tissues], cells.iter().map(tissues))?;
    put(&mut obs, "sex", &SEXES, cells.iter().map(|it| sex_of(spec, donor(it))))?;
    let stages: Vec<(&str, &str)> = truth.stages.iter().map(|it| (it.stage.as_str(), it.term.as_str())).collect();
    put(&mut obs, "development_stage", &stages, cells.iter().map(|it| stage_of(spec, donor(it))))?;
    let age = |donor: usize| {
        let inside = seed.derive("age").derive_index(donor as u64).rng().random_range(0..10);
        f64::from(truth.stages[stage_of(spec, donor)].from_year + inside)
    };
    let ages: Vec<f64> = (0..spec.n_donors).map(age).collect();
    obs.insert("age", Column::Float(cells.iter().map(|it| ages[donor(it)]).collect()))?;
    let numbered = |what: &str, n: usize| -> Vec<String> {
        let width = n.to_string().len();
        (1..=n).map(|it| format!("{what}{it:0width$}")).collect()
    };
    obs.insert("donor_id", categorical(numbered("donor", spec.n_donors), cells.iter().map(donor)))?;
    let datasets = cells.iter().map(|it| dataset_of(spec, donor(it)));
    obs.insert("dataset_id", categorical(numbered("dataset", spec.n_datasets), datasets))?;
    Ok(obs)
}

/// A column of names and one of ids.
fn put(obs: &mut ObsTable, name: &str, values: &[(&str, &str)], codes: impl Iterator<Item = usize>) -> Result<()> {
    let codes: Vec<usize> = codes.collect();
    let names = values.iter().map(|it| it.0.to_owned()).collect();
    let terms = values.iter().map(|it| it.1.to_owned()).collect();
    obs.insert(name, categorical(names, codes.iter().copied()))?;
    obs.insert(format!("{name}_ontology_term_id"), categorical(terms, codes.into_iter()))
}

fn categorical(categories: Vec<String>, codes: impl Iterator<Item = usize>) -> Column {
    Column::Categorical { codes: codes.map(|it| Some(it as u32)).collect(), categories, ordered: false }
}
