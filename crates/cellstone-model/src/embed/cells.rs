//! One vector for every cell, as rows of tokens come.

use super::batches::batches;
use super::kinds::TokenKinds;
use super::options::{EmbedOptions, Pool};
use crate::{Network, TokenBatch};
use cellstone_core::{Error, Result, TokenRow};
use ndarray::{Array2, Axis};

/// Batches whose rows are sorted by length together: enough that most batches hold rows of one length.
pub(super) const WINDOW: usize = 32;

/// Collects rows of tokens and makes vectors of them, some thousand at a time.
///
/// Vectors depend neither on the batches nor on the other cells, but for the order in which sums are taken (1e-5).
///
/// # Examples
/// See [`ModelEmbedder`](crate::ModelEmbedder).
pub struct CellStates<'a> {
    network: &'a Network,
    kinds: &'a TokenKinds,
    options: EmbedOptions,
    layer: usize,
    pending: Vec<TokenRow>,
    n_tokens: usize,
    out: Vec<f32>,
}

impl<'a> CellStates<'a> {
    /// Nothing yet.
    ///
    /// # Errors
    /// If the network has no such layer.
    pub fn new(network: &'a Network, kinds: &'a TokenKinds, options: EmbedOptions) -> Result<Self> {
        let layer = options.layer.index(network.n_layers())?;
        Ok(Self { network, kinds, options, layer, pending: Vec::new(), n_tokens: 0, out: Vec::new() })
    }

    /// Takes the next cell. Returns how many cells were finished on this occasion: mostly none.
    ///
    /// # Errors
    /// If the row has no token of the cell or no gene where the pooling needs one, or holds what the network does not
    /// know.
    pub fn push(&mut self, row: TokenRow) -> Result<usize> {
        match self.options.pool {
            Pool::Cls => self.kinds.check_cls(&row)?,
            Pool::Mean | Pool::Max if (0..row.input_ids.len()).all(|it| self.kinds.gene(&row, it).is_none()) => {
                return Err(Error::invalid_input("a row of tokens without a gene, expected at least one"));
            }
            _ => {}
        }
        self.kinds.check_types(&row)?;
        self.n_tokens += row.input_ids.len();
        self.pending.push(row);
        if self.n_tokens < WINDOW * self.options.batch_tokens {
            return Ok(0);
        }
        self.flush()
    }

    /// Vectors of all cells in the order in which they came, `[n, d]`.
    ///
    /// # Errors
    /// If the network cannot be run on what is left.
    pub fn finish(mut self) -> Result<Array2<f32>> {
        self.flush()?;
        let d = self.network.width();
        Array2::from_shape_vec((self.out.len() / d, d), self.out).map_err(|it| Error::invalid_input(it.to_string()))
    }

    fn flush(&mut self) -> Result<usize> {
        let (d, n) = (self.network.width(), self.pending.len());
        let rows = std::mem::take(&mut self.pending);
        self.n_tokens = 0;
        let from = self.out.len();
        self.out.resize(from + n * d, 0.0);
        let lengths: Vec<usize> = rows.iter().map(|it| it.input_ids.len()).collect();
        for members in batches(&lengths, self.options.batch_tokens) {
            let chosen: Vec<TokenRow> = members.iter().map(|it| rows[*it].clone()).collect();
            let vectors = self.pooled(&chosen)?;
            for (row, vector) in members.iter().zip(vectors.rows()) {
                let at = from + row * d;
                for (to, value) in self.out[at..at + d].iter_mut().zip(vector) {
                    *to = *value;
                }
            }
        }
        match self.out[from..].iter().position(|it| !it.is_finite()) {
            None => Ok(n),
            Some(at) => Err(Error::invalid_input(format!("cell {} has a vector that is not finite", (from + at) / d))),
        }
    }

    fn pooled(&self, rows: &[TokenRow]) -> Result<Array2<f32>> {
        let batch = self.kinds.batch(rows)?;
        if self.options.pool == Pool::Max {
            return self.largest(rows, &batch);
        }
        self.network.weighted(&batch, self.layer, weights(rows, &batch, self.kinds, self.options.pool, |_| true))
    }

    fn largest(&self, rows: &[TokenRow], batch: &TokenBatch) -> Result<Array2<f32>> {
        let states = self.network.state(batch, self.layer)?;
        let mut out = Array2::from_elem((rows.len(), self.network.width()), f32::NEG_INFINITY);
        for (at, row) in rows.iter().enumerate() {
            let mut largest = out.row_mut(at);
            for place in (0..row.input_ids.len()).filter(|it| self.kinds.gene(row, *it).is_some()) {
                let state = states.index_axis(Axis(0), at);
                largest.zip_mut_with(&state.index_axis(Axis(0), place), |a, b| *a = a.max(*b));
            }
        }
        Ok(out)
    }
}

/// What each place of a batch adds to the vector of its row, `[n · len]`; genes that `counts` leaves out add nothing.
pub(crate) fn weights(
    rows: &[TokenRow],
    batch: &TokenBatch,
    kinds: &TokenKinds,
    pool: Pool,
    counts: impl Fn(u32) -> bool,
) -> Vec<f32> {
    let [n, len] = batch.dims();
    let mut out = vec![0.0; n * len];
    for (row, out) in rows.iter().zip(out.chunks_mut(len)) {
        let takes = |at: usize| match pool {
            Pool::Cls => at == 0,
            Pool::MeanAll => kinds.gene(row, at).is_none_or(&counts),
            Pool::Mean | Pool::Max => kinds.gene(row, at).is_some_and(&counts),
        };
        let places: Vec<usize> = (0..row.input_ids.len()).filter(|it| takes(*it)).collect();
        for at in &places {
            out[*at] = 1.0 / places.len() as f32;
        }
    }
    out
}
