//! What a network predicts for a phenotype of a cell.

use crate::run::{Net, Network, host2};
use crate::train::{at_positions, masked_tokens};
use burn::tensor::Tensor;
use cellstone_core::{Error, Result, TokenRow};
use cellstone_rank::{EvaluationCondition, MaskedRow, PolygeneVocab, condition_row};
use ndarray::{Array2, Axis};

/// Tokens of a batch, padding counted: what bounds the memory of a query.
const TOKENS: usize = 8_192;

/// What is asked of a network about cells.
#[derive(Debug, Clone, Copy)]
pub struct PhenotypeQuery<'a> {
    /// The vocabulary of the checkpoint.
    pub vocab: &'a PolygeneVocab,
    /// The category to predict, by its place among [`PolygeneVocab::categories`].
    pub category: usize,
    /// What is shown of the other categories.
    pub condition: EvaluationCondition,
}

/// Scores of every value id at the slot of a category, `[n_cells, n_values]`, in the order of the cells.
///
/// The category itself is always `[mask]`. [`EvaluationCondition::Visible`] shows the others,
/// [`EvaluationCondition::Masked`] masks them too, [`EvaluationCondition::Dropped`] makes them `[pad]` of type 0 without
/// attention. A probability over the values of the category is the softmax over
/// [`PolygeneVocab::category_ids`] of a row. Cells are run in batches of similar length; a result does not depend on
/// its neighbours but for rounding.
///
/// # Errors
/// If the network is no PolyGene v2, a row has no token of the category, or an id is not of this network.
pub fn phenotype_logits(network: &Network, query: &PhenotypeQuery<'_>, cells: &[TokenRow]) -> Result<Array2<f32>> {
    let Net::PolyGene(net) = &network.net else {
        return Err(Error::config(format!("phenotypes are predicted by a PolyGene v2, not by {:?}", network.config)));
    };
    let kind = query.vocab.category_type(query.category);
    let mut logits = Array2::zeros((cells.len(), query.vocab.n_values() as usize));
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by_key(|it| cells[*it].input_ids.len());
    let mut from = 0;
    while from < order.len() {
        let n = fitting(&order[from..], cells);
        let chosen = &order[from..from + n];
        let shown = chosen.iter().map(|it| condition_row(query.vocab, &cells[*it], query.category, query.condition));
        let shown: Vec<MaskedRow> = shown.collect::<Result<_>>()?;
        let batch = masked_tokens(&shown, PolygeneVocab::PAD)?;
        network.check(&batch)?;
        let len = batch.dims()[1];
        let positions: Vec<u32> = shown.iter().enumerate().filter_map(|(row, it)| slot(it, kind, row, len)).collect();
        let states: Tensor<3> = net.last_state(&batch, &network.device)?;
        let scores = host2(net.logits(at_positions(states, &positions, &network.device)))?;
        if scores.ncols() != logits.ncols() {
            return Err(Error::invalid_input(format!(
                "the vocabulary has {} value ids, the network {}: they are of two models",
                logits.ncols(),
                scores.ncols()
            )));
        }
        for (cell, row) in chosen.iter().zip(scores.rows()) {
            logits.index_axis_mut(Axis(0), *cell).assign(&row);
        }
        from += n;
    }
    Ok(logits)
}

/// The first cells that make a batch together, at least one; lengths ascend.
fn fitting(order: &[usize], cells: &[TokenRow]) -> usize {
    let fits = |n: usize| (n + 1) * cells[order[n]].input_ids.len() <= TOKENS;
    (1..order.len()).find(|it| !fits(*it)).unwrap_or(order.len())
}

fn slot(row: &MaskedRow, kind: u32, at: usize, len: usize) -> Option<u32> {
    row.type_ids.iter().position(|it| *it == kind).map(|it| (at * len + it) as u32)
}
