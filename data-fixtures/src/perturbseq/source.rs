//! The simulated experiment as a source of counts.

use super::plant::{normal, plant};
use super::sampler::{BatchFactors, Profile};
use super::{PerturbSeqSpec, PlantedTruth};
use cellstone_core::{Column, CountSource, Csr, Error, ObsTable, Result, RowBlock, Scale, Seed, Var};
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;

/// Stored values per block, about: 32 MiB of values and columns.
const BLOCK_VALUES: usize = 4 << 20;

/// Cells that one thread draws at a time.
const CHUNK: usize = 32;

/// A simulated Perturb-seq experiment: a stream of counts of any size with bounded memory.
///
/// The draws of a cell depend on the seed and on the index of the cell alone, so that block length, starting row and
/// threads change nothing. Cells of all conditions are in random order, as in a real file.
///
/// Columns of `obs`: `perturbation` (`control`, `A`, `A+B`), `context`, `batch`, `guide` and `planted_state`, the
/// condition the cell really responds as. Memory: 16 bytes per gene, context and condition, plus one block.
pub struct PerturbSeq {
    name: String,
    spec: PerturbSeqSpec,
    seed: Seed,
    truth: PlantedTruth,
    var: Var,
    obs: ObsTable,
    cells: Vec<Cell>,
    profiles: Vec<Profile>,
    factors: Vec<BatchFactors>,
    block_rows: usize,
}

/// What one cell is.
#[derive(Debug, Clone, Copy)]
struct Cell {
    condition: u32,
    state: u32,
    context: u16,
    batch: u16,
    guide: u8,
}

impl PerturbSeq {
    /// Plants the truth and prepares the draws; no count is drawn yet.
    ///
    /// # Errors
    /// If the specification is not valid: see [`PerturbSeqSpec::validate`].
    pub fn new(spec: PerturbSeqSpec, seed: Seed) -> Result<Self> {
        let (truth, var) = plant(&spec, seed)?;
        if spec.contexts.len() > usize::from(u16::MAX) || spec.n_batches > usize::from(u16::MAX) {
            return Err(Error::config("more than 65,535 contexts or batches cannot be simulated"));
        }
        let cells = assign_cells(&spec, &truth, seed);
        let obs = annotate(&spec, &truth, &cells)?;
        let factors: Vec<BatchFactors> =
            truth.batches.rows().into_iter().map(|it| BatchFactors::new(it.iter().copied())).collect();
        let n_conditions = truth.conditions().len();
        let profiles = (0..spec.contexts.len() * n_conditions)
            .into_par_iter()
            .map(|it| {
                let shares = truth.shares(it / n_conditions, it % n_conditions);
                Profile::new(&shares, truth.theta(), &factors, spec.library_median)
            })
            .collect();
        let genes = spec.genes_per_cell.unwrap_or(spec.n_vars as f64 / 2.0).max(1.0);
        let block_rows = ((BLOCK_VALUES as f64 / genes) as usize).clamp(64, 8192);
        let name = format!("simulated Perturb-seq (seed {})", seed.value());
        Ok(Self { name, spec, seed, truth, var, obs, cells, profiles, factors, block_rows })
    }

    /// The same data in blocks of another length.
    #[must_use]
    pub fn with_block_rows(mut self, block_rows: usize) -> Self {
        self.block_rows = block_rows.max(1);
        self
    }

    /// What was asked for.
    pub fn spec(&self) -> &PerturbSeqSpec {
        &self.spec
    }

    /// What was planted.
    pub fn truth(&self) -> &PlantedTruth {
        &self.truth
    }

    /// Condition of each cell as labelled, an index into [`PlantedTruth::conditions`].
    pub fn labels(&self) -> impl Iterator<Item = usize> + '_ {
        self.cells.iter().map(|it| it.condition as usize)
    }

    fn block(&self, start: usize) -> Result<RowBlock> {
        let end = (start + self.block_rows).min(self.cells.len());
        let n_chunks = (end - start).div_ceil(CHUNK);
        let chunks: Vec<Chunk> = (0..n_chunks)
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
        let x = Csr::new(end - start, self.spec.n_vars, indptr, indices, data)?;
        Ok(RowBlock { start, x })
    }

    fn chunk(&self, start: usize, end: usize, counts: &mut [u32]) -> Chunk {
        let mut chunk = Chunk::default();
        for at in start..end {
            self.draw_cell(at, counts);
            for (gene, count) in counts.iter_mut().enumerate() {
                if *count > 0 {
                    chunk.indices.push(gene as u32);
                    chunk.data.push(*count as f32);
                    *count = 0;
                }
            }
            chunk.ends.push(chunk.indices.len());
        }
        chunk
    }

    fn draw_cell(&self, at: usize, counts: &mut [u32]) {
        let cell = self.cells[at];
        let mut rng = self.seed.derive("cell").derive_index(at as u64).rng();
        let library = self.spec.library_median * (self.spec.library_sd * normal(&mut rng)).exp();
        let profile = &self.profiles[usize::from(cell.context) * self.truth.conditions().len() + cell.state as usize];
        let batch = usize::from(cell.batch);
        let total = profile.total(batch);
        profile.draw(library, &self.factors[batch], total, self.truth.theta(), &mut rng, counts);
    }
}

/// The counts of a few consecutive cells.
#[derive(Default)]
struct Chunk {
    ends: Vec<usize>,
    indices: Vec<u32>,
    data: Vec<f32>,
}

impl CountSource for PerturbSeq {
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
        let starts = (start_row..self.n_obs()).step_by(self.block_rows);
        Ok(Box::new(starts.map(|it| self.block(it))))
    }
}

impl std::fmt::Debug for PerturbSeq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} cells × {} genes", self.name, self.spec.n_obs, self.spec.n_vars)
    }
}

/// Gives each condition its number of cells, shuffles, and draws batch, guide and response of each.
fn assign_cells(spec: &PerturbSeqSpec, truth: &PlantedTruth, seed: Seed) -> Vec<Cell> {
    let n_conditions = spec.n_conditions();
    let mut order = Vec::with_capacity(spec.n_obs);
    for (slot, n_cells) in spec.cell_counts().into_iter().enumerate() {
        order.extend(std::iter::repeat_n(slot as u32, n_cells));
    }
    order.shuffle(&mut seed.derive("order").rng());
    let states: Vec<Vec<(usize, f64)>> = (0..n_conditions).map(|it| truth.states(it)).collect();
    let seed = seed.derive("annotation");
    let draw = |(at, slot): (usize, &u32)| {
        let mut rng = seed.derive_index(at as u64).rng();
        let condition = *slot as usize % n_conditions;
        let batch = rng.random_range(0..spec.n_batches) as u16;
        let guide = rng.random_range(1..=2);
        let state = choose(&states[condition], rng.random()) as u32;
        Cell { condition: condition as u32, state, context: (*slot as usize / n_conditions) as u16, batch, guide }
    };
    order.par_iter().enumerate().map(draw).collect()
}

fn choose(states: &[(usize, f64)], mut level: f64) -> usize {
    for (state, probability) in states {
        if level < *probability {
            return *state;
        }
        level -= probability;
    }
    // Rounding may leave a hair above the last probability: those draws are the most likely state.
    states[0].0
}

fn annotate(spec: &PerturbSeqSpec, truth: &PlantedTruth, cells: &[Cell]) -> Result<ObsTable> {
    let width = cells.len().to_string().len();
    let mut obs = ObsTable::new((1..=cells.len()).map(|it| format!("cell{it:0width$}")).collect());
    let conditions: Vec<String> = truth.conditions().iter().map(|it| it.label.clone()).collect();
    let column = |names: Vec<String>, code: &dyn Fn(&Cell) -> u32| categorical(names, cells.iter().map(code));
    obs.insert("perturbation", column(conditions.clone(), &|it| it.condition))?;
    obs.insert("context", column(spec.contexts.clone(), &|it| it.context.into()))?;
    let batches = (1..=spec.n_batches).map(|it| format!("batch{it}")).collect();
    obs.insert("batch", column(batches, &|it| it.batch.into()))?;
    let guides = conditions.iter().flat_map(|it| [guide_name(it, 1), guide_name(it, 2)]).collect();
    obs.insert("guide", column(guides, &|it| 2 * it.condition + u32::from(it.guide) - 1))?;
    obs.insert("planted_state", column(conditions, &|it| it.state))?;
    Ok(obs)
}

/// Two guides per target: `A_1`, `A_1|B_1`, `nontargeting_1`.
fn guide_name(label: &str, guide: u8) -> String {
    let label = if label == "control" { "nontargeting" } else { label };
    label.split('+').map(|it| format!("{it}_{guide}")).collect::<Vec<_>>().join("|")
}

/// A categorical column whose categories are sorted, as those of pandas are; names that no cell has are left out.
fn categorical(names: Vec<String>, codes: impl Iterator<Item = u32>) -> Column {
    let codes: Vec<u32> = codes.collect();
    let mut used = vec![false; names.len()];
    codes.iter().for_each(|it| used[*it as usize] = true);
    let mut order: Vec<usize> = (0..names.len()).filter(|it| used[*it]).collect();
    order.sort_by(|a, b| names[*a].cmp(&names[*b]));
    let mut rank = vec![0; names.len()];
    for (at, name) in order.iter().enumerate() {
        rank[*name] = at as u32;
    }
    let categories = order.into_iter().map(|it| names[it].clone()).collect();
    Column::Categorical { codes: codes.iter().map(|it| Some(rank[*it as usize])).collect(), categories, ordered: false }
}
