//! From the tokens of cells to vectors, in bounded memory but for the vectors.

use super::memory::available_memory;
use super::rows::CellTokens;
use crate::progress::Progress;
use cellstone_core::{Error, Result, TokenRow};
use cellstone_model::{
    CellStates, Checkpoint, ContextualGenes, Edit, EditEffect, EmbedOptions, GeneStates, Layer, NetworkConfig, Pool,
    TokenKinds, batch_tokens, edit_effects,
};
use ndarray::Array2;

/// How cells are embedded, besides what they are.
///
/// # Parameters
/// | name | meaning |
/// |---|---|
/// | `layer` | which hidden state |
/// | `pool` | how the states of a cell become one vector; of no account for genes |
/// | `batch_tokens` | tokens that go through the network at once; from the free memory unless given |
#[derive(Clone, Copy)]
pub struct EmbedParams<'a> {
    /// Which hidden state.
    pub layer: Layer,
    /// How the states of a cell become one vector.
    pub pool: Pool,
    /// Tokens that go through the network at once.
    pub batch_tokens: Option<usize>,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// Vectors of cells.
#[derive(Debug, Clone)]
pub struct CellVectors {
    /// Rows of the file that have a vector, ascending.
    pub cells: Vec<usize>,
    /// Their vectors, `[n_cells, d]`.
    pub values: Array2<f32>,
    /// Rows of the file without tokens, and why.
    pub without: Vec<(usize, String)>,
    /// What to know about coverage.
    pub warnings: Vec<String>,
}

/// Vectors of genes, averaged over cells.
#[derive(Debug, Clone)]
pub struct GeneVectorsOverCells {
    /// The genes.
    pub genes: ContextualGenes,
    /// Cells that were averaged over.
    pub n_cells: usize,
    /// Cells without tokens.
    pub n_without: usize,
    /// What to know about coverage.
    pub warnings: Vec<String>,
}

/// What one edit did to one cell.
#[derive(Debug, Clone)]
pub struct EditRow {
    /// Row of the file.
    pub cell: usize,
    /// Which edit, counted from 0.
    pub edit: usize,
    /// What it did.
    pub effect: EditEffect,
}

/// Free memory where the system does not tell.
const ASSUMED: u64 = 4 << 30;

fn options(checkpoint: &Checkpoint, params: &EmbedParams<'_>) -> EmbedOptions {
    let len = longest(checkpoint);
    let fit = || batch_tokens(&checkpoint.network, len, available_memory().unwrap_or(ASSUMED));
    EmbedOptions { layer: params.layer, pool: params.pool, batch_tokens: params.batch_tokens.unwrap_or_else(fit) }
}

/// Tokens of the longest row that the network takes, as far as it says.
fn longest(checkpoint: &Checkpoint) -> usize {
    match checkpoint.network.config() {
        NetworkConfig::Bert(it) => it.max_position_embeddings,
        _ => checkpoint.encoder.config.max_len.unwrap_or(2048),
    }
}

/// Vectors of the chosen cells; phenotypes among the tokens are left out.
///
/// # Errors
/// If the file shares too few genes with the vocabulary, no cell has tokens, tokens are of another model, or the
/// network has no such layer.
pub fn embed_cells(tokens: &CellTokens<'_>, checkpoint: &Checkpoint, params: &EmbedParams<'_>) -> Result<CellVectors> {
    let kinds = TokenKinds::of(checkpoint);
    let mut states = CellStates::new(&checkpoint.network, &kinds, options(checkpoint, params))?;
    let (mut cells, mut without) = (Vec::new(), Vec::new());
    let warnings = watched(tokens, params, &mut |(cell, row)| match row {
        Ok(row) => {
            cells.push(cell);
            let done = states.push(kinds.without_phenotypes(row)).map_err(|error| in_cell(tokens, cell, error))?;
            params.progress.advance(done as u64);
            Ok(())
        }
        Err(why) => {
            without.push((cell, why));
            Ok(())
        }
    });
    let values = warnings.and_then(|warnings| Ok((warnings, states.finish()?)));
    params.progress.end();
    let (warnings, values) = values?;
    refuse_none(tokens, &cells, &without)?;
    // A table may hold the cells in another order.
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by_key(|it| cells[*it]);
    let values = values.select(ndarray::Axis(0), &order);
    Ok(CellVectors { cells: order.iter().map(|it| cells[*it]).collect(), values, without, warnings })
}

/// Vectors of genes in their context, averaged over the chosen cells; genes in fewer than `min_cells` are left out.
///
/// # Errors
/// As [`embed_cells`].
pub fn embed_genes_over_cells(
    tokens: &CellTokens<'_>,
    checkpoint: &Checkpoint,
    params: &EmbedParams<'_>,
    min_cells: u64,
) -> Result<GeneVectorsOverCells> {
    let kinds = TokenKinds::of(checkpoint);
    let mut states = GeneStates::new(&checkpoint.network, &kinds, options(checkpoint, params))?;
    let (mut cells, mut without) = (Vec::new(), Vec::new());
    let warnings = watched(tokens, params, &mut |(cell, row)| match row {
        Ok(row) => {
            cells.push(cell);
            let done = states.push(kinds.without_phenotypes(row)).map_err(|error| in_cell(tokens, cell, error))?;
            params.progress.advance(done as u64);
            Ok(())
        }
        Err(why) => {
            without.push((cell, why));
            Ok(())
        }
    });
    let genes = warnings.and_then(|warnings| Ok((warnings, states.finish(min_cells)?)));
    params.progress.end();
    let (warnings, genes) = genes?;
    refuse_none(tokens, &cells, &without)?;
    if genes.names.is_empty() {
        return Err(Error::invalid_input(format!("no gene stands in {min_cells} of {} cells", cells.len()))
            .with_hint("lower --min-cells"));
    }
    Ok(GeneVectorsOverCells { genes, n_cells: cells.len(), n_without: without.len(), warnings })
}

/// Cells whose edits go through the network together.
const EDIT_CELLS: usize = 256;

/// Effects of every edit on every chosen cell, by cell, then by edit. Rows should be whole; they are cut to what the
/// network takes after the edit.
///
/// # Errors
/// As [`embed_cells`].
pub fn insilico_edits(
    tokens: &CellTokens<'_>,
    checkpoint: &Checkpoint,
    params: &EmbedParams<'_>,
    edits: &[Edit],
) -> Result<(Vec<EditRow>, Vec<String>)> {
    let kinds = TokenKinds::of(checkpoint);
    let (options, max_len) = (options(checkpoint, params), longest(checkpoint));
    let mut pending: Vec<(usize, TokenRow)> = Vec::new();
    let (mut out, mut cells, mut without) = (Vec::new(), Vec::new(), Vec::new());
    let flush = |pending: &mut Vec<(usize, TokenRow)>, out: &mut Vec<EditRow>| -> Result<()> {
        let (at, rows): (Vec<usize>, Vec<TokenRow>) = std::mem::take(pending).into_iter().unzip();
        for (edit, it) in edits.iter().enumerate() {
            let effects = edit_effects(&checkpoint.network, &kinds, it, &rows, max_len, options)?;
            out.extend(at.iter().zip(effects).map(|(cell, effect)| EditRow { cell: *cell, edit, effect }));
        }
        params.progress.advance(at.len() as u64);
        Ok(())
    };
    let warnings = watched(tokens, params, &mut |(cell, row)| {
        match row {
            Ok(row) => {
                cells.push(cell);
                pending.push((cell, kinds.without_phenotypes(row)));
            }
            Err(why) => without.push((cell, why)),
        }
        if pending.len() < EDIT_CELLS { Ok(()) } else { flush(&mut pending, &mut out) }
    });
    let warnings = warnings.and_then(|warnings| flush(&mut pending, &mut out).map(|()| warnings));
    params.progress.end();
    let warnings = warnings?;
    refuse_none(tokens, &cells, &without)?;
    out.sort_by_key(|it| (it.cell, it.edit));
    Ok((out, warnings))
}

fn watched(
    tokens: &CellTokens<'_>,
    params: &EmbedParams<'_>,
    take: &mut dyn FnMut(super::rows::CellRow) -> Result<()>,
) -> Result<Vec<String>> {
    params.progress.begin("running cells through the network", Some(tokens.n_chosen() as u64), "cells");
    tokens.each(take).map_err(|error| crate::in_file(error, tokens.cells().name()))
}

fn in_cell(tokens: &CellTokens<'_>, cell: usize, error: Error) -> Error {
    error.context(format!("cell `{}`", tokens.cells().obs().index()[cell]))
}

fn refuse_none(tokens: &CellTokens<'_>, cells: &[usize], without: &[(usize, String)]) -> Result<()> {
    let Some((first, why)) = without.first().filter(|_| cells.is_empty()) else { return Ok(()) };
    Err(Error::invalid_input(format!(
        "`{}`: none of {} cells has tokens; cell `{}`: {why}",
        tokens.cells().name(),
        without.len(),
        tokens.cells().obs().index()[*first]
    ))
    .with_hint("the genes may have other names than in the vocabulary: --gene-table maps them"))
}
