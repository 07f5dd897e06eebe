//! How each row is scaled, and which rows have no similarity.

use super::cells::Cells;
use super::options::{Rows, Similarity};
use super::pair::rank_offsets;
use super::prepare::multiplies_sparse;
use cellstone_core::{Error, Result};
use rayon::prelude::*;

/// Whether each row has no similarity with any other: zero for cosine, constant for correlations.
///
/// # Errors
/// If a value is not finite.
pub(super) fn undefined(rows: &Rows<'_>, similarity: Similarity) -> Result<Vec<bool>> {
    let (n, n_genes) = rows.shape();
    let found: Vec<Result<bool>> = (0..n)
        .into_par_iter()
        .map(|row| {
            let (first, shape) = match rows {
                Rows::Dense(x) => shape_of(x.row(row).iter().copied(), n_genes),
                Rows::Sparse(x) => shape_of(x.row(row).1.iter().copied(), n_genes),
            };
            match shape {
                Shape::NotFinite(value, at) => {
                    let gene = match rows {
                        Rows::Dense(_) => at,
                        Rows::Sparse(x) => x.row(row).0[at] as usize,
                    };
                    Err(Error::invalid_input(format!("row {row} has {value} at gene {gene}, expected a finite value"))
                        .with_hint("drop such rows, or look for a logarithm of a negative value in the step before"))
                }
                Shape::Constant => Ok(match similarity {
                    Similarity::Euclidean => false,
                    Similarity::Cosine => first == 0.0,
                    Similarity::Pearson | Similarity::Spearman => true,
                }),
                Shape::Varies => Ok(false),
            }
        })
        .collect();
    // The first error by row, whatever thread was first.
    found.into_iter().collect()
}

enum Shape {
    NotFinite(f32, usize),
    Constant,
    Varies,
}

/// First value and shape of a row of `n` values of which those not given are 0.
fn shape_of(values: impl ExactSizeIterator<Item = f32>, n: usize) -> (f32, Shape) {
    let mut first = if values.len() < n { Some(0.0) } else { None };
    let mut varies = false;
    for (at, value) in values.enumerate() {
        if !value.is_finite() {
            return (value, Shape::NotFinite(value, at));
        }
        varies |= *first.get_or_insert(value) != value;
    }
    (first.unwrap_or(0.0), if varies { Shape::Varies } else { Shape::Constant })
}

/// How rows are scaled.
pub(super) struct Scale {
    similarity: Similarity,
    n_genes: usize,
    /// What is subtracted from every row for distances of dense rows: nothing changes but the rounding.
    centre: Vec<f32>,
    /// Largest length of a row for distances, else 1.
    pub(super) radius: f64,
}

/// Buffers for one row.
#[derive(Default)]
pub(super) struct Scratch {
    genes: Vec<u32>,
    stored: Vec<f32>,
    keys: Vec<u64>,
    pub(super) offsets: Vec<f64>,
}

/// A row is `(offset − mean) / norm`, with offset 0 where nothing is stored.
struct Form {
    mean: f64,
    norm: f64,
}

impl Form {
    fn centre(&self, n_genes: usize) -> f64 {
        (n_genes as f64).sqrt() * self.mean / self.norm
    }
}

impl Scale {
    pub(super) fn new(rows: &Rows<'_>, similarity: Similarity, cells: &Cells) -> Self {
        let mut scale = Self { similarity, n_genes: rows.shape().1, centre: Vec::new(), radius: 1.0 };
        if similarity != Similarity::Euclidean {
            return scale;
        }
        if !matches!(rows, Rows::Sparse(x) if multiplies_sparse(x)) {
            scale.centre = mean_row(rows, cells);
        }
        // Every row as if it were sparse, so that both kinds of rows give the same bits.
        let of_zeros: f64 = scale.centre.iter().map(|it| gap(0.0, *it)).sum();
        let more_than_zero = |gene: usize, value: f32| {
            let centre = scale.centre.get(gene).copied().unwrap_or(0.0);
            gap(value, centre) - gap(0.0, centre)
        };
        let squared = |row: &u32| -> f64 {
            let stored: f64 = match rows {
                Rows::Dense(x) => {
                    let stored = x.row(*row as usize).into_iter().enumerate().filter(|it| *it.1 != 0.0);
                    stored.map(|(gene, value)| more_than_zero(gene, *value)).sum()
                }
                Rows::Sparse(x) => {
                    let (genes, values) = x.row(*row as usize);
                    genes.iter().zip(values).map(|(gene, value)| more_than_zero(*gene as usize, *value)).sum()
                }
            };
            of_zeros + stored
        };
        let largest = cells.order.par_iter().map(squared).reduce(|| 0.0, f64::max).sqrt();
        scale.radius = if largest > 0.0 { largest } else { 1.0 };
        scale
    }

    /// A centred row into `out`; returns the square root of what centring takes from its product with itself.
    pub(super) fn dense(&self, rows: &Rows<'_>, row: usize, out: &mut [f32], scratch: &mut Scratch) -> f64 {
        scratch.genes.clear();
        scratch.stored.clear();
        match rows {
            Rows::Dense(x) => {
                for (gene, value) in x.row(row).iter().enumerate().filter(|it| *it.1 != 0.0) {
                    scratch.genes.push(gene as u32);
                    scratch.stored.push(*value);
                }
            }
            Rows::Sparse(x) => {
                let (genes, values) = x.row(row);
                scratch.genes.extend_from_slice(genes);
                scratch.stored.extend_from_slice(values);
            }
        }
        if self.similarity == Similarity::Euclidean {
            let place = |value: f32, centre: f32| ((f64::from(value) - f64::from(centre)) / self.radius) as f32;
            out.iter_mut().zip(&self.centre).for_each(|(it, centre)| *it = place(0.0, *centre));
            for (gene, value) in scratch.genes.iter().zip(&scratch.stored) {
                out[*gene as usize] = place(*value, self.centre[*gene as usize]);
            }
            return 0.0;
        }
        let form = self.form(&scratch.stored, &mut scratch.keys, &mut scratch.offsets);
        out.fill((-form.mean / form.norm) as f32);
        for (gene, offset) in scratch.genes.iter().zip(&scratch.offsets) {
            out[*gene as usize] = ((offset - form.mean) / form.norm) as f32;
        }
        form.centre(self.n_genes)
    }

    /// Stored values of a sparse row, scaled, into `scratch.offsets`; returns what [`Scale::dense`] does,
    /// although nothing is centred here.
    pub(super) fn sparse(&self, stored: &[f32], scratch: &mut Scratch) -> f64 {
        let form = self.form(stored, &mut scratch.keys, &mut scratch.offsets);
        scratch.offsets.iter_mut().for_each(|it| *it /= form.norm);
        form.centre(self.n_genes)
    }

    fn form(&self, stored: &[f32], keys: &mut Vec<u64>, offsets: &mut Vec<f64>) -> Form {
        if self.similarity == Similarity::Spearman {
            let form = rank_offsets(stored, self.n_genes, keys, offsets);
            return Form { mean: form.mean, norm: form.scatter.sqrt() };
        }
        offsets.clear();
        offsets.extend(stored.iter().map(|it| f64::from(*it)));
        let n = self.n_genes as f64;
        match self.similarity {
            Similarity::Pearson => {
                let mean = offsets.iter().sum::<f64>() / n;
                let zeros = (n - offsets.len() as f64) * mean * mean;
                let scatter: f64 = offsets.iter().map(|it| (it - mean) * (it - mean)).sum();
                Form { mean, norm: (scatter + zeros).sqrt() }
            }
            Similarity::Euclidean => Form { mean: 0.0, norm: self.radius },
            _ => Form {
                mean: offsets.iter().sum::<f64>() / n,
                norm: offsets.iter().map(|it| it * it).sum::<f64>().sqrt(),
            },
        }
    }
}

fn gap(a: f32, b: f32) -> f64 {
    let gap = f64::from(a) - f64::from(b);
    gap * gap
}

/// Mean of every gene, rounded so that the order of the rows does not show.
fn mean_row(rows: &Rows<'_>, cells: &Cells) -> Vec<f32> {
    let mut sums = vec![0.0_f64; rows.shape().1];
    for row in &cells.order {
        match rows {
            Rows::Dense(x) => sums.iter_mut().zip(x.row(*row as usize)).for_each(|(it, v)| *it += f64::from(*v)),
            Rows::Sparse(x) => {
                let (genes, values) = x.row(*row as usize);
                genes.iter().zip(values).for_each(|(gene, v)| sums[*gene as usize] += f64::from(*v));
            }
        }
    }
    sums.iter().map(|it| (it / cells.len() as f64) as f32).collect()
}
