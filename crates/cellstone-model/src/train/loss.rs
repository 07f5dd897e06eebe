//! What is minimized: cross-entropy of masked tokens, over the ids that can stand there.

use crate::nets::batch::TokenBatch;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use cellstone_core::{Error, Result};
use std::ops::Range;

/// Tokens of which some are hidden, and what they were.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskedBatch {
    /// The tokens as the network sees them.
    pub tokens: TokenBatch,
    /// Positions that are to be predicted, `row · len + position`, ascending.
    pub positions: Vec<u32>,
    /// The id at each of them.
    pub labels: Vec<u32>,
}

impl MaskedBatch {
    /// A checked batch.
    ///
    /// # Errors
    /// If positions are not ascending, lie outside the batch or on padding, or labels do not match them.
    pub fn new(tokens: TokenBatch, positions: Vec<u32>, labels: Vec<u32>) -> Result<Self> {
        if positions.len() != labels.len() {
            return Err(Error::invalid_input(format!(
                "{} positions are masked but {} labels are given",
                positions.len(),
                labels.len()
            )));
        }
        if let Some([before, after]) = positions.array_windows().find(|[a, b]| a >= b) {
            return Err(Error::invalid_input(format!("masked position {after} follows {before}, expected ascending")));
        }
        let hidden = tokens.padded();
        match positions.iter().find(|it| hidden.get(**it as usize) != Some(&false)) {
            None => Ok(Self { tokens, positions, labels }),
            Some(it) => Err(Error::invalid_input(format!("masked position {it} is padding or outside the batch"))),
        }
    }
}

/// Ids that compete for a position: those of one phenotype, or the bins of genes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Slot {
    /// Name of the category, or `bins`.
    pub name: String,
    /// Its ids.
    pub ids: Range<u32>,
}

/// The masked positions of one slot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SlotTargets {
    /// Rows of the masked states.
    pub(crate) rows: Vec<i32>,
    /// Labels counted from the first id of the slot.
    pub(crate) labels: Vec<i32>,
}

/// Splits masked positions by slot.
///
/// # Errors
/// If a label lies in no slot.
pub(crate) fn by_slot(labels: &[u32], slots: &[Slot]) -> Result<Vec<SlotTargets>> {
    let mut targets = vec![SlotTargets { rows: Vec::new(), labels: Vec::new() }; slots.len()];
    for (row, label) in labels.iter().enumerate() {
        let Some(at) = slots.iter().position(|it| it.ids.contains(label)) else {
            return Err(Error::invalid_input(format!("label {label} belongs to no phenotype and is no bin")));
        };
        targets[at].rows.push(row as i32);
        targets[at].labels.push((label - slots[at].ids.start) as i32);
    }
    Ok(targets)
}

/// States at the masked positions, `[n_masked, d]`.
pub(crate) fn at_positions(states: Tensor<3>, positions: &[u32], device: &Device) -> Tensor<2> {
    let [n, len, d] = states.dims();
    states.reshape([n * len, d]).select(0, indices(positions.iter().map(|it| *it as i32).collect(), device))
}

pub(crate) fn indices(it: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let n = it.len();
    Tensor::from_data(TensorData::new(it, [n]), device)
}

/// Sum over rows of `−ln softmax(scores)[label]`, with smoothing `a`: the target is `1 − a` on the label and `a / n`
/// on all of the `n` ids.
pub(crate) fn cross_entropy_sum(scores: Tensor<2>, labels: Vec<i32>, smoothing: f64, device: &Device) -> Tensor<1> {
    let [n, n_ids] = scores.dims();
    let logs = log_softmax(scores, 1);
    let own = logs.clone().gather(1, indices(labels, device).reshape([n, 1])).sum();
    if smoothing == 0.0 {
        return own.neg();
    }
    (own * (1.0 - smoothing) + logs.sum() * (smoothing / n_ids as f64)).neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::TokenRow;

    #[test]
    fn cross_entropy_by_hand() {
        let device = Device::flex();
        let scores = Tensor::<2>::from_data(TensorData::new(vec![0.0_f32, 2.0_f32.ln(), 0.0, 0.0], [2, 2]), &device);
        let value = |smoothing| cross_entropy_sum(scores.clone(), vec![1, 0], smoothing, &device).into_scalar::<f32>();
        // Shares 1/3, 2/3 and 1/2, 1/2.
        let plain = -(2.0_f32 / 3.0).ln() - 0.5_f32.ln();
        assert!((value(0.0) - plain).abs() < 1e-6);
        let uniform = -0.5 * ((1.0_f32 / 3.0).ln() + (2.0_f32 / 3.0).ln()) - 0.5_f32.ln();
        assert!((value(0.2) - (0.8 * plain + 0.2 * uniform)).abs() < 1e-6);
    }

    #[test]
    fn labels_find_their_slot() {
        let slots = [Slot { name: "sex".into(), ids: 4..6 }, Slot { name: "bins".into(), ids: 6..10 }];
        let targets = by_slot(&[9, 4, 6], &slots).expect("all have one");
        assert_eq!((&targets[0].rows[..], &targets[0].labels[..]), (&[1][..], &[0][..]));
        assert_eq!((&targets[1].rows[..], &targets[1].labels[..]), (&[0, 2][..], &[3, 0][..]));
        assert!(by_slot(&[3], &slots).is_err());
    }

    #[test]
    fn masks_are_checked() {
        let rows = [vec![5, 6], vec![7]].map(|input_ids| TokenRow { input_ids, ..TokenRow::default() });
        let tokens = TokenBatch::new(&rows, 0, 0.0).expect("a batch");
        let make = |positions: &[u32]| MaskedBatch::new(tokens.clone(), positions.to_vec(), vec![1; positions.len()]);
        assert!(make(&[0, 2]).is_ok());
        assert!(make(&[2, 0]).is_err());
        assert!(make(&[3]).expect_err("padding").to_string().contains("masked position 3 is padding"));
        assert!(make(&[4]).is_err());
    }
}
