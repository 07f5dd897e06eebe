//! The simulated atlas as a source of counts.

use super::truth::plant;
use super::{AtlasSpec, AtlasTruth};
use crate::perturbseq::plant::normal;
use crate::perturbseq::sampler::{BatchFactors, Profile};
use cellstone_core::{Column, CountSource, Csr, Error, ObsTable, Result, RowBlock, Scale, Seed, Var};
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;

/// Stored values per block, about: 32 MiB of values and columns.
const BLOCK_VALUES: usize = 4 << 20;

/// Cells that one thread draws at a time.
const CHUNK: usize = 32;

/// A simulated atlas: a stream of counts of any size with bounded memory.
///
/// The draws of a cell depend on the seed and on the index of the cell alone, so that block length, starting row and
/// threads change nothing. Cells of all types are in random order, as in a real file.
///
/// Columns of `obs`: `cell_type`, `cell_type_ontology_term_id` (of [`super::TypeTree::to_obo`]), `donor`, `dataset`.
/// Memory: 16 bytes per gene, type and donor, plus 4 bytes a cell, the annotation and one block.
pub struct Atlas {
    name: String,
    spec: AtlasSpec,
    seed: Seed,
    truth: AtlasTruth,
    var: Var,
    obs: ObsTable,
    cells: Vec<Cell>,
    /// One for every type and donor, type by type.
    profiles: Vec<Profile>,
    /// What floats about in each data set.
    ambient: Vec<Profile>,
    /// Donor and data set are part of the profile, so the sampler's own factor is one.
    unit: BatchFactors,
    block_rows: usize,
}

/// What one cell is.
#[derive(Debug, Clone, Copy)]
struct Cell {
    kind: u16,
    donor: u16,
}

impl Atlas {
    /// Plants the truth and prepares the draws; no count is drawn yet.
    ///
    /// # Errors
    /// If the specification is not valid: see [`AtlasSpec::validate`].
    pub fn new(spec: AtlasSpec, seed: Seed) -> Result<Self> {
        let truth = plant(&spec, seed)?;
        if spec.n_types > usize::from(u16::MAX) {
            return Err(Error::config("more than 65,535 types cannot be simulated"));
        }
        let cells = assign_cells(&spec, seed);
        let obs = annotate(&spec, &truth, &cells)?;
        let unit = BatchFactors::new(std::iter::repeat_n(0.0, spec.n_vars));
        let profile =
            |shares: &[f64], library: f64| Profile::new(shares, &truth.theta, std::slice::from_ref(&unit), library);
        let profiles = (0..spec.n_types * spec.n_donors)
            .into_par_iter()
            .map(|it| profile(&truth.shares(it / spec.n_donors, it % spec.n_donors), spec.library_median))
            .collect();
        let ambient = (0..spec.n_batches)
            .map(|batch| profile(&batch_mean(&spec, &truth, batch), spec.library_median * spec.ambient.max(1e-3)))
            .collect();
        let block_rows = ((BLOCK_VALUES as f64 / spec.genes_per_cell.max(1.0)) as usize).clamp(64, 8192);
        let width = spec.n_vars.to_string().len().max(5);
        let var = Var::from_ids((1..=spec.n_vars).map(|it| format!("G{it:0width$}")))?;
        let name = format!("simulated atlas (seed {})", seed.value());
        Ok(Self { name, spec, seed, truth, var, obs, cells, profiles, ambient, unit, block_rows })
    }

    /// The same data in blocks of another length.
    #[must_use]
    pub fn with_block_rows(mut self, block_rows: usize) -> Self {
        self.block_rows = block_rows.max(1);
        self
    }

    /// What was asked for.
    pub fn spec(&self) -> &AtlasSpec {
        &self.spec
    }

    /// What was planted.
    pub fn truth(&self) -> &AtlasTruth {
        &self.truth
    }

    fn block(&self, start: usize) -> Result<RowBlock> {
        let end = (start + self.block_rows).min(self.cells.len());
        let chunks: Vec<Chunk> = (0..(end - start).div_ceil(CHUNK))
            .into_par_iter()
            .map_init(
                || vec![0; self.spec.n_vars],
                |counts, it| self.chunk(start + it * CHUNK, (start + (it + 1) * CHUNK).min(end), counts),
            )
            .collect();
        let n_values = chunks.iter().map(|it| it.indices.len()).sum();
        let mut indptr = Vec::with_capacity(end - start + 1);
        indptr.push(0);
        let (mut indices, mut data) = (Vec::with_capacity(n_values), Vec::with_capacity(n_values));
        for chunk in chunks {
            let before = indices.len();
            indptr.extend(chunk.ends.iter().map(|it| before + it));
            indices.extend_from_slice(&chunk.indices);
            data.extend_from_slice(&chunk.data);
        }
        Ok(RowBlock { start, x: Csr::new(end - start, self.spec.n_vars, indptr, indices, data)? })
    }

    fn chunk(&self, start: usize, end: usize, counts: &mut [u32]) -> Chunk {
        let mut chunk = Chunk::default();
        for at in start..end {
            self.draw_cell(at, counts);
            for (gene, count) in counts.iter_mut().enumerate().filter(|it| *it.1 > 0) {
                chunk.indices.push(gene as u32);
                chunk.data.push(*count as f32);
                *count = 0;
            }
            chunk.ends.push(chunk.indices.len());
        }
        chunk
    }

    fn draw_cell(&self, at: usize, counts: &mut [u32]) {
        let Cell { kind, donor } = self.cells[at];
        let (kind, donor) = (usize::from(kind), usize::from(donor));
        let batch = donor % self.spec.n_batches;
        let mut rng = self.seed.derive("cell").derive_index(at as u64).rng();
        let depth = self.truth.batch_depth[batch] * self.truth.type_depth[kind];
        let library = self.spec.library_median * depth * (self.spec.library_sd * normal(&mut rng)).exp();
        // Ambient shares differ from cell to cell: uniform from nothing to twice the mean.
        let ambient = 2.0 * self.spec.ambient * rng.random::<f64>();
        let theta = &self.truth.theta;
        let own = &self.profiles[kind * self.spec.n_donors + donor];
        own.draw((1.0 - ambient) * library, &self.unit, own.total(0), theta, &mut rng, counts);
        if ambient > 0.0 {
            let soup = &self.ambient[batch];
            soup.draw(ambient * library, &self.unit, soup.total(0), theta, &mut rng, counts);
        }
    }
}

/// The counts of a few consecutive cells.
#[derive(Default)]
struct Chunk {
    ends: Vec<usize>,
    indices: Vec<u32>,
    data: Vec<f32>,
}

impl CountSource for Atlas {
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

impl std::fmt::Debug for Atlas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} cells × {} genes", self.name, self.spec.n_obs, self.spec.n_vars)
    }
}

/// Gives each type its number of cells, shuffles, and draws the donor of each.
fn assign_cells(spec: &AtlasSpec, seed: Seed) -> Vec<Cell> {
    let mut kinds = Vec::with_capacity(spec.n_obs);
    for (kind, n_cells) in spec.cell_counts().into_iter().enumerate() {
        kinds.extend(std::iter::repeat_n(kind as u16, n_cells));
    }
    kinds.shuffle(&mut seed.derive("order").rng());
    let seed = seed.derive("annotation");
    let draw = |(at, kind): (usize, &u16)| {
        let mut rng = seed.derive_index(at as u64).rng();
        Cell { kind: *kind, donor: rng.random_range(0..spec.n_donors) as u16 }
    };
    kinds.par_iter().enumerate().map(draw).collect()
}

/// The mean of the shares of all types and donors of a data set.
fn batch_mean(spec: &AtlasSpec, truth: &AtlasTruth, batch: usize) -> Vec<f64> {
    let donors: Vec<usize> = (batch..spec.n_donors).step_by(spec.n_batches).collect();
    let n = (spec.n_types * donors.len()) as f64;
    let mut mean = vec![0.0; spec.n_vars];
    for kind in 0..spec.n_types {
        for donor in &donors {
            mean.iter_mut().zip(truth.shares(kind, *donor)).for_each(|(sum, it)| *sum += it / n);
        }
    }
    mean
}

fn annotate(spec: &AtlasSpec, truth: &AtlasTruth, cells: &[Cell]) -> Result<ObsTable> {
    let width = cells.len().to_string().len();
    let mut obs = ObsTable::new((1..=cells.len()).map(|it| format!("cell{it:0width$}")).collect());
    let kinds = || cells.iter().map(|it| usize::from(it.kind));
    let terms: Vec<String> = (0..spec.n_types).map(|it| truth.tree.term_id(truth.tree.depth(), it)).collect();
    obs.insert("cell_type", categorical(truth.types.clone(), kinds()))?;
    obs.insert("cell_type_ontology_term_id", categorical(terms, kinds()))?;
    let numbered = |what: &str, n: usize| -> Vec<String> {
        let width = n.to_string().len();
        (1..=n).map(|it| format!("{what}{it:0width$}")).collect()
    };
    let donors = || cells.iter().map(|it| usize::from(it.donor));
    obs.insert("donor", categorical(numbered("donor", spec.n_donors), donors()))?;
    obs.insert("dataset", categorical(numbered("dataset", spec.n_batches), donors().map(|it| it % spec.n_batches)))?;
    Ok(obs)
}

/// A categorical column whose names are sorted already.
fn categorical(categories: Vec<String>, codes: impl Iterator<Item = usize>) -> Column {
    Column::Categorical { codes: codes.map(|it| Some(it as u32)).collect(), categories, ordered: false }
}
