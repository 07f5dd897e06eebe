//! Encoders that leave zeros alone: rows in parallel, in blocks whose size depends on nothing.

use super::encoder::{CountRows, RowEncoder};
use super::ranks::{Ranker, mean_rank};
use crate::bins::QuantileBins;
use crate::reading::TARGET;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Csr, Error, Result, Seed};

/// Rows that one thread takes at a time.
const BLOCK: usize = 256;

/// Rows of a matrix under an encoder, `[n_obs, n_vars]`. Values that are stored and zero are left out.
///
/// # Errors
/// If a value is negative or not finite, parameters do not fit the matrix, or the encoder makes dense rows
/// ([`encode_rows_dense`](crate::encode_rows_dense) does).
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// use cellstone_rank::{CountRows, RowEncoder, encode_rows};
/// let x = Csr::from_dense(&ndarray::array![[0.0, 5.0, 0.0, 1.0, 1.0]]);
/// let ranks = encode_rows(&CountRows::new(&x), &RowEncoder::RankAll)?;
/// // Ranks 1.5, 5, 1.5, 3.5, 3.5, less the 1.5 of zeros.
/// assert_eq!(ranks.to_dense(), ndarray::array![[0.0, 3.5, 0.0, 2.0, 2.0]]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn encode_rows(cells: &CountRows<'_>, encoder: &RowEncoder) -> Result<Csr<f32>> {
    if encoder.is_dense() {
        return Err(
            Error::config(format!("encoder `{}` makes dense rows", encoder.id())).with_hint("call encode_rows_dense")
        );
    }
    cells.check()?;
    encoder.check(cells)?;
    let (n_obs, n_vars) = cells.x.shape();
    let parts = map_ordered(n_obs.div_ceil(BLOCK), |block| {
        let rows = block * BLOCK..((block + 1) * BLOCK).min(n_obs);
        let mut work = Work::new(encoder);
        let mut part = Part::default();
        for row in rows {
            work.encode(cells, row, &mut part);
            part.ends.push(part.indices.len());
        }
        part
    });
    let mut indptr = Vec::with_capacity(n_obs + 1);
    indptr.push(0);
    let nnz = parts.iter().map(|it| it.indices.len()).sum();
    let (mut indices, mut data) = (Vec::with_capacity(nnz), Vec::with_capacity(nnz));
    for part in parts {
        let before = indices.len();
        indptr.extend(part.ends.iter().map(|it| before + it));
        indices.extend_from_slice(&part.indices);
        data.extend_from_slice(&part.data);
    }
    Csr::new(n_obs, n_vars, indptr, indices, data)
}

/// Rows of one block.
#[derive(Default)]
struct Part {
    ends: Vec<usize>,
    indices: Vec<u32>,
    data: Vec<f32>,
}

impl Part {
    fn push(&mut self, column: u32, value: f32) {
        self.indices.push(column);
        self.data.push(value);
    }
}

/// An encoder with the space it needs.
struct Work<'a> {
    encoder: &'a RowEncoder,
    ranker: Ranker,
    bins: Option<QuantileBins>,
    values: Vec<f32>,
    ranks: Vec<f32>,
    /// Scaled values with the place of their column in the row.
    scaled: Vec<(f64, u32)>,
}

impl<'a> Work<'a> {
    fn new(encoder: &'a RowEncoder) -> Self {
        let bins = match encoder {
            RowEncoder::Bins { n_bins, .. } => QuantileBins::new(*n_bins).ok(),
            _ => None,
        };
        Self { encoder, ranker: Ranker::default(), bins, values: Vec::new(), ranks: Vec::new(), scaled: Vec::new() }
    }

    fn encode(&mut self, cells: &CountRows<'_>, row: usize, part: &mut Part) {
        let (columns, values) = cells.x.row(row);
        let mut each = |value: &dyn Fn(f32) -> f32| {
            let detected = columns.iter().zip(values).filter(|it| *it.1 > 0.0);
            detected.for_each(|(column, it)| part.push(*column, value(*it)));
        };
        match self.encoder {
            RowEncoder::Raw => each(&|it| it),
            RowEncoder::Binary => each(&|_| 1.0),
            RowEncoder::LogNorm { target } => {
                let total = cells.total(row);
                each(&|it| (f64::from(it) / total * target).ln_1p() as f32);
            }
            RowEncoder::RankAll => {
                let n_zero = cells.x.shape().1 - values.iter().filter(|it| **it > 0.0).count();
                // Rank n₀ + r less the rank (n₀ + 1) / 2 of zeros.
                let shift = (n_zero as f32 - 1.0) / 2.0;
                self.ranked(columns, values, part, |rank, _| rank + shift);
            }
            RowEncoder::RankDetected => self.ranked(columns, values, part, |rank, n| rank / n as f32),
            RowEncoder::GeneformerScaled { medians } => {
                let total = cells.total(row);
                for (column, value) in columns.iter().zip(values).filter(|it| *it.1 > 0.0) {
                    if let Some(median) = medians[*column as usize] {
                        part.push(*column, scale(*value, total, median) as f32);
                    }
                }
            }
            RowEncoder::GeneformerRank { medians } => {
                self.scale_row(columns, values, cells.total(row), medians);
                self.rank_scaled(columns, part);
            }
            RowEncoder::TopK { medians, k } => {
                self.scale_row(columns, values, cells.total(row), medians);
                self.first(columns, *k, part);
            }
            RowEncoder::Bins { ties, .. } => {
                let seed = cells.seeds.map_or(Seed::new(0), |it| it[row]);
                let mut rng = seed.derive("scgpt.bin").rng();
                if let Some(bins) = &mut self.bins {
                    bins.fit_from(values.iter().filter(|it| **it > 0.0).map(|it| f64::from(*it)));
                    for (column, value) in columns.iter().zip(values).filter(|it| *it.1 > 0.0) {
                        part.push(*column, bins.bin(f64::from(*value), *ties, &mut rng) as f32);
                    }
                }
            }
            // Refused before any row is read.
            RowEncoder::ZScore(_) | RowEncoder::Pearson(_) => {}
        }
    }

    /// Pushes a value made of each detected gene's rank among them and of their number.
    fn ranked(&mut self, columns: &[u32], values: &[f32], part: &mut Part, value: impl Fn(f32, usize) -> f32) {
        self.values.clear();
        self.values.extend(values.iter().filter(|it| **it > 0.0));
        self.ranker.rank(&self.values, &mut self.ranks);
        let detected = columns.iter().zip(values).filter(|it| *it.1 > 0.0);
        for ((column, _), rank) in detected.zip(&self.ranks) {
            part.push(*column, value(*rank, self.values.len()));
        }
    }

    /// Scaled values of the genes that have a median.
    fn scale_row(&mut self, columns: &[u32], values: &[f32], total: f64, medians: &[Option<f64>]) {
        self.scaled.clear();
        for (at, (column, value)) in columns.iter().zip(values).enumerate() {
            if let (true, Some(median)) = (*value > 0.0, medians[*column as usize]) {
                self.scaled.push((scale(*value, total, median), at as u32));
            }
        }
    }

    fn rank_scaled(&mut self, columns: &[u32], part: &mut Part) {
        self.scaled.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.ranks.clear();
        self.ranks.resize(columns.len(), 0.0);
        let mut below = 0;
        for ties in self.scaled.chunk_by(|a, b| a.0 == b.0) {
            let rank = mean_rank(below, ties.len() as u32);
            ties.iter().for_each(|it| self.ranks[it.1 as usize] = rank);
            below += ties.len() as u32;
        }
        let kept = columns.iter().zip(&self.ranks).filter(|it| *it.1 > 0.0);
        kept.for_each(|(column, rank)| part.push(*column, *rank));
    }

    /// Weights of the first `k` genes.
    fn first(&mut self, columns: &[u32], k: usize, part: &mut Part) {
        let falling = |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if self.scaled.len() > k {
            self.scaled.select_nth_unstable_by(k, falling);
            self.scaled.truncate(k);
        }
        self.scaled.sort_unstable_by(falling);
        for (at, it) in self.scaled.iter_mut().enumerate() {
            it.0 = (k - at) as f64 / k as f64;
        }
        self.scaled.sort_unstable_by_key(|it| it.1);
        self.scaled.iter().for_each(|it| part.push(columns[it.1 as usize], it.0 as f32));
    }
}

/// `((c / N) · 10⁴) / m`, in this order of operations.
fn scale(count: f32, total: f64, median: f64) -> f64 {
    f64::from(count) / total * TARGET / median
}
