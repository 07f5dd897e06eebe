//! Rows of tokens from a file, a piece at a time: bounded memory, any order of pieces, the same rows.

use super::config::PretrainConfig;
use super::corpus::{Corpus, Part};
use super::table::TokenRows;
use cellstone_core::{CellInput, Encoded, Error, Result, Seed, TokenRow, cell_seed};
use cellstone_rank::{BoundPolygene, PolygeneVocab};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// Cells that are read at once.
const CHUNK: usize = 1024;

/// One cell as tokens.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// Keyed on run, data set and cell.
    pub(crate) seed: Seed,
    /// Its tokens.
    pub(crate) tokens: TokenRow,
    /// Ranks of expressed genes that the row lacks; `None` where the table does not say.
    pub(crate) cut: Option<Vec<u32>>,
}

/// Where rows come from.
pub(crate) enum Rows {
    /// A file of cells through the encoder.
    Cells {
        /// The cells.
        corpus: Box<Corpus>,
        /// The encoder.
        bound: Box<BoundPolygene>,
        /// Seed of the run.
        seed: Seed,
        /// Name of the data set: draws depend on it.
        dataset: String,
    },
    /// A token table.
    Tokens(Box<TokenRows>),
}

impl Rows {
    /// What each row is for.
    pub(crate) fn parts(&self) -> &[Option<Part>] {
        match self {
            Self::Cells { corpus, .. } => &corpus.parts,
            Self::Tokens(it) => &it.parts,
        }
    }

    /// The name of a row.
    pub(crate) fn id(&self, row: usize) -> &str {
        match self {
            Self::Cells { corpus, .. } => &corpus.source.obs().index()[row],
            Self::Tokens(it) => it.id(row),
        }
    }

    /// The seed of a row's cell, for the seed of the run.
    pub(crate) fn seed(&self, row: usize, run: Seed) -> Seed {
        match self {
            Self::Cells { dataset, .. } => cell_seed(run, dataset, self.id(row)),
            Self::Tokens(it) => it.cell_seed(row),
        }
    }

    /// Pieces in the order of the file.
    pub(crate) fn chunks(&self) -> Vec<Range<usize>> {
        let n = self.parts().len();
        match self {
            Self::Cells { .. } => (0..n).step_by(CHUNK).map(|it| it..(it + CHUNK).min(n)).collect(),
            Self::Tokens(it) => it.groups.clone(),
        }
    }

    /// The cells of a piece that are for `part`, in the order of the file; those without tokens are left out.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read(&self, chunk: &Range<usize>, part: Part) -> Result<Vec<Cell>> {
        Ok(self.read_all(chunk, &|it| it == part)?.into_iter().map(|it| it.1).collect())
    }

    /// As [`Rows::read`] for several parts at once.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read_all(
        &self,
        chunk: &Range<usize>,
        wanted: &(dyn Fn(Part) -> bool + Sync),
    ) -> Result<Vec<(Part, Cell)>> {
        let (corpus, bound, seed, dataset) = match self {
            Self::Tokens(it) => return it.read(chunk, wanted),
            Self::Cells { corpus, bound, seed, dataset } => (corpus, bound, *seed, dataset),
        };
        let mut cells = Vec::with_capacity(chunk.len());
        for block in corpus.source.blocks(chunk.start)? {
            let block = block?;
            let n = block.x.shape().0.min(chunk.end - block.start);
            let encode = |row: usize| {
                let at = block.start + row;
                let part = corpus.parts[at].filter(|it| wanted(*it))?;
                Some((part, encode(corpus, bound, cell_seed(seed, dataset, self.id(at)), block.x.row(row), at)?))
            };
            let made: Vec<Option<(Part, Cell)>> = (0..n).into_par_iter().map(encode).collect();
            cells.extend(made.into_iter().flatten());
            if block.start + n >= chunk.end {
                break;
            }
        }
        Ok(cells)
    }
}

fn encode(
    corpus: &Corpus,
    bound: &BoundPolygene,
    seed: Seed,
    (columns, values): (&[u32], &[f32]),
    at: usize,
) -> Option<Cell> {
    let n_counts = values.iter().map(|it| f64::from(*it)).sum();
    let phenotypes = corpus.phenotypes(at);
    let mut cut = Vec::new();
    let cell = CellInput { columns, values, n_counts, phenotypes: &phenotypes, seed };
    match bound.encode_with_cut(&cell, &mut cut) {
        Encoded::Row(tokens) => Some(Cell { seed, tokens, cut: Some(cut) }),
        Encoded::Rejected { .. } => None,
    }
}

/// What is counted over all cells before training.
#[derive(Debug, Clone, Default)]
pub(crate) struct Census {
    /// Cells with tokens by part: train, validation, held out.
    pub(crate) cells: [u64; 3],
    /// Their tokens.
    pub(crate) tokens: [u64; 3],
    /// Cells that are wanted and have no tokens.
    pub(crate) rejected: u64,
    /// Training cells that express the gene of each rank.
    pub(crate) detected: Vec<u64>,
    /// Training cells by their phenotypes: value ids in the order of the categories, `None` where masked.
    pub(crate) combinations: BTreeMap<Vec<Option<u32>>, u64>,
}

impl Census {
    /// Counts, in one pass.
    ///
    /// # Errors
    /// If the file cannot be read, or no training cell has tokens.
    pub(crate) fn take(rows: &Rows, vocab: &PolygeneVocab, advance: &dyn Fn(u64)) -> Result<Self> {
        let n_categories = vocab.categories().len();
        let mut census = Self { detected: vec![0; vocab.genes().len()], ..Self::default() };
        for chunk in rows.chunks() {
            for (part, cell) in rows.read_all(&chunk, &|_| true)? {
                census.cells[part as usize] += 1;
                census.tokens[part as usize] += cell.tokens.input_ids.len() as u64;
                if part != Part::Train {
                    continue;
                }
                let types = cell.tokens.type_ids.as_deref().unwrap_or_default();
                let shown = types.iter().filter_map(|it| vocab.gene_of(*it));
                shown.chain(cell.cut.iter().flatten().copied()).for_each(|it| census.detected[it as usize] += 1);
                *census.combinations.entry(phenotype_ids(&cell.tokens, vocab, n_categories)).or_default() += 1;
            }
            advance(chunk.len() as u64);
        }
        let wanted = rows.parts().iter().flatten().count() as u64;
        census.rejected = wanted - census.cells.iter().sum::<u64>();
        if census.cells[0] == 0 {
            return Err(Error::invalid_input(format!(
                "none of {} training cells expresses a gene of the vocabulary",
                rows.parts().iter().filter(|it| **it == Some(Part::Train)).count()
            ))
            .with_hint(
                "the vocabulary may name genes otherwise than the file: `cargo xtask inspect FILE` shows its genes",
            ));
        }
        Ok(census)
    }
}

/// The value ids of the phenotypes of a row, in the order of the categories; `None` where masked or not there.
pub(crate) fn phenotype_ids(row: &TokenRow, vocab: &PolygeneVocab, n: usize) -> Vec<Option<u32>> {
    let mut ids = vec![None; n];
    let types = row.type_ids.as_deref().unwrap_or_default();
    // Phenotypes stand behind the first token.
    for (id, kind) in row.input_ids.iter().zip(types).take(n + 1) {
        if let Some(at) = vocab.category_of(*kind).filter(|_| *id != PolygeneVocab::MASK) {
            ids[at] = Some(*id);
        }
    }
    ids
}

/// The seed of everything random of a run.
pub(crate) fn root(config: &PretrainConfig) -> Seed {
    Seed::new(config.seed).derive("pretrain")
}
