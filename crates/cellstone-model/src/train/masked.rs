//! From masked rows to batches that a network learns from.

use super::loss::MaskedBatch;
use crate::nets::batch::TokenBatch;
use cellstone_core::{Result, TokenRow};
use cellstone_rank::MaskedRow;

/// Rows padded to one length with `pad`: positions whose label is not negative are to be predicted, tokens without
/// attention are hidden from all others. Rows without types (one stream) have an empty `type_ids`.
///
/// # Errors
/// If a row is empty, or some rows have types and others have not.
///
/// # Examples
/// ```
/// use cellstone_model::masked_batch;
/// use cellstone_rank::{IGNORE_LABEL, MaskedRow};
/// let row = MaskedRow {
///     input_ids: vec![0, 2, 9], type_ids: vec![], labels: vec![IGNORE_LABEL, 7, IGNORE_LABEL], attention: vec![1, 1, 0],
///     n_negatives: 0, n_missed: 0,
/// };
/// let batch = masked_batch(&[row], 3)?;
/// assert_eq!((batch.positions, batch.labels, batch.tokens.n_tokens()), (vec![1], vec![7], 2));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn masked_batch(rows: &[MaskedRow], pad: u32) -> Result<MaskedBatch> {
    let tokens = masked_tokens(rows, pad)?;
    let len = tokens.dims()[1];
    let (mut positions, mut labels) = (Vec::new(), Vec::new());
    for (row, it) in rows.iter().enumerate() {
        for (at, label) in it.labels.iter().enumerate().filter(|it| *it.1 >= 0) {
            positions.push((row * len + at) as u32);
            labels.push(*label as u32);
        }
    }
    MaskedBatch::new(tokens, positions, labels)
}

/// Rows as a network reads them: padded, tokens without attention hidden.
pub(crate) fn masked_tokens(rows: &[MaskedRow], pad: u32) -> Result<TokenBatch> {
    let plain = |it: &MaskedRow| TokenRow {
        input_ids: it.input_ids.clone(),
        type_ids: (!it.type_ids.is_empty()).then(|| it.type_ids.clone()),
        ..TokenRow::default()
    };
    let mut batch = TokenBatch::new(&rows.iter().map(plain).collect::<Vec<_>>(), pad, 0.0)?;
    for (row, it) in rows.iter().enumerate() {
        for at in it.attention.iter().enumerate().filter(|it| *it.1 == 0).map(|it| it.0) {
            batch.hide(row, at)?;
        }
    }
    Ok(batch)
}
