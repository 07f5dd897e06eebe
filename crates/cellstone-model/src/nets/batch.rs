//! Cells of one length or padded to one length, as networks take them.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use cellstone_core::{Error, Result, TokenRow};

/// Rows of tokens, padded on the right to one length.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenBatch {
    n: usize,
    len: usize,
    input_ids: Vec<i32>,
    type_ids: Option<Vec<i32>>,
    values: Option<Vec<f32>>,
    /// True where a row has ended or a token is hidden.
    padded: Vec<bool>,
}

impl TokenBatch {
    /// Pads rows to the longest of them with `pad` and `pad_value`.
    ///
    /// # Errors
    /// If there is no row, a row is empty, or some rows have types or values and others have not.
    pub fn new(rows: &[TokenRow], pad: u32, pad_value: f32) -> Result<Self> {
        let len = rows.iter().map(|it| it.input_ids.len()).max().unwrap_or(0);
        if let Some(row) = rows.iter().position(|it| it.input_ids.is_empty()) {
            return Err(Error::invalid_input(format!("row {row} of the batch has no token")));
        }
        if rows.is_empty() {
            return Err(Error::invalid_input("a batch without rows"));
        }
        let ids = padded(rows, len, "input ids", pad as i32, |it| Some(it.input_ids.iter().map(|id| *id as i32)))?;
        let kinds = padded(rows, len, "types", 0, |it| Some(it.type_ids.as_ref()?.iter().map(|id| *id as i32)))?;
        let values = padded(rows, len, "values", pad_value, |it| Some(it.values.as_ref()?.iter().copied()))?;
        let ended = rows.iter().flat_map(|it| (0..len).map(|at| at >= it.input_ids.len())).collect();
        let Some(input_ids) = ids else { return Err(Error::invalid_input("a batch without tokens")) };
        Ok(Self { n: rows.len(), len, input_ids, type_ids: kinds, values, padded: ended })
    }

    /// Number of rows and their padded length.
    pub fn dims(&self) -> [usize; 2] {
        [self.n, self.len]
    }

    /// True where a row has ended or a token is hidden, `[n · len]`.
    pub fn padded(&self) -> &[bool] {
        &self.padded
    }

    /// Hides a position from every other one, as if it were padding: a phenotype that was dropped.
    ///
    /// # Errors
    /// If there is no such position.
    pub fn hide(&mut self, row: usize, at: usize) -> Result<()> {
        if row >= self.n || at >= self.len {
            return Err(Error::invalid_input(format!(
                "position {at} of row {row} in a batch of {} rows of {} tokens",
                self.n, self.len
            )));
        }
        self.padded[row * self.len + at] = true;
        Ok(())
    }

    /// Number of tokens that are no padding.
    pub fn n_tokens(&self) -> usize {
        self.padded.iter().filter(|it| !**it).count()
    }

    /// The largest id.
    pub fn max_id(&self) -> u32 {
        self.input_ids.iter().max().map_or(0, |it| *it as u32)
    }

    /// Ids and types of all places, padding counted, `[n · len]`.
    pub(crate) fn streams(&self) -> (&[i32], Option<&[i32]>) {
        (&self.input_ids, self.type_ids.as_deref())
    }

    pub(crate) fn ids(&self, device: &Device) -> Tensor<2, Int> {
        Tensor::from_data(TensorData::new(self.input_ids.clone(), self.dims()), device)
    }

    pub(crate) fn types(&self, device: &Device) -> Option<Tensor<2, Int>> {
        let types = self.type_ids.clone()?;
        Some(Tensor::from_data(TensorData::new(types, self.dims()), device))
    }

    pub(crate) fn values(&self, device: &Device) -> Option<Tensor<2>> {
        let values = self.values.clone()?;
        Some(Tensor::from_data(TensorData::new(values, self.dims()), device))
    }

    /// The mask of padding, or none where all rows are of one length: attention without a mask is faster.
    pub(crate) fn hidden(&self, device: &Device) -> Option<Tensor<2, Bool>> {
        self.padded
            .contains(&true)
            .then(|| Tensor::from_data(TensorData::new(self.padded.clone(), self.dims()), device))
    }
}

/// One stream of all rows, each filled up to `len`.
fn padded<'a, T: Copy, I: Iterator<Item = T> + 'a>(
    rows: &'a [TokenRow],
    len: usize,
    what: &str,
    pad: T,
    stream: impl Fn(&'a TokenRow) -> Option<I>,
) -> Result<Option<Vec<T>>> {
    let having = rows.iter().filter(|it| stream(it).is_some()).count();
    if having == 0 {
        return Ok(None);
    }
    if having < rows.len() {
        return Err(Error::invalid_input(format!("{having} of {} rows of the batch have {what}", rows.len())));
    }
    let mut out = Vec::with_capacity(rows.len() * len);
    for (row, it) in rows.iter().enumerate() {
        out.extend(stream(it).into_iter().flatten());
        let n = out.len() - row * len;
        if n != it.input_ids.len() {
            return Err(Error::invalid_input(format!(
                "row {row} of the batch has {n} {what} for {} tokens",
                it.input_ids.len()
            )));
        }
        out.resize((row + 1) * len, pad);
    }
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ids: &[u32]) -> TokenRow {
        TokenRow { input_ids: ids.to_vec(), ..TokenRow::default() }
    }

    #[test]
    fn rows_are_padded_on_the_right() {
        let batch = TokenBatch::new(&[row(&[5, 6, 7]), row(&[8])], 1, 0.0).expect("a batch");
        assert_eq!(batch.dims(), [2, 3]);
        assert_eq!(batch.input_ids, [5, 6, 7, 8, 1, 1]);
        assert_eq!(batch.padded(), [false, false, false, false, true, true]);
        assert_eq!((batch.n_tokens(), batch.max_id()), (4, 8));
        assert!(batch.hidden(&Device::flex()).is_some());
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        assert!(TokenBatch::new(&[], 0, 0.0).is_err());
        assert!(TokenBatch::new(&[row(&[])], 0, 0.0).is_err());
        let valued = TokenRow { values: Some(vec![1.0]), ..row(&[1]) };
        let error = TokenBatch::new(&[valued, row(&[1])], 0, 0.0).expect_err("one has none");
        assert_eq!(error.to_string(), "1 of 2 rows of the batch have values");
        let short = TokenRow { values: Some(vec![1.0]), ..row(&[1, 2]) };
        assert!(TokenBatch::new(&[short], 0, 0.0).is_err());
    }
}
