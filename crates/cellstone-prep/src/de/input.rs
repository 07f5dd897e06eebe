//! Where the values come from: a matrix in memory or a stream of cells.

use crate::normalize::{Normalize, Target, nonzero_median, normalize_block, source_libraries};
use cellstone_core::{CountSource, Csc, Csr, Error, Result, Scale};
use ndarray::{ArrayView2, Axis, Slice};
use rayon::prelude::*;

/// Rows of a dense matrix that are made sparse at once.
const DENSE_ROWS: usize = 4096;

/// Values in memory, `[n_obs, n_vars]`.
#[derive(Debug, Clone, Copy)]
pub enum DeValues<'a> {
    /// By cell.
    Csr(&'a Csr<f32>),
    /// By gene: nothing has to be turned around.
    Csc(&'a Csc<f32>),
    /// Dense.
    Dense(ArrayView2<'a, f32>),
}

impl<'a> From<&'a Csr<f32>> for DeValues<'a> {
    fn from(x: &'a Csr<f32>) -> Self {
        Self::Csr(x)
    }
}

impl<'a> From<&'a Csc<f32>> for DeValues<'a> {
    fn from(x: &'a Csc<f32>) -> Self {
        Self::Csc(x)
    }
}

impl<'a> From<ArrayView2<'a, f32>> for DeValues<'a> {
    fn from(x: ArrayView2<'a, f32>) -> Self {
        Self::Dense(x)
    }
}

impl DeValues<'_> {
    pub(super) fn shape(&self) -> (usize, usize) {
        match self {
            Self::Csr(x) => x.shape(),
            Self::Csc(x) => x.shape(),
            Self::Dense(x) => x.dim(),
        }
    }

    /// Refuses values that have no rank.
    pub(super) fn check_finite(&self) -> Result<()> {
        let found = match self {
            Self::Csr(x) => return check_finite(x, 0),
            Self::Csc(x) => (0..x.shape().1).into_par_iter().find_map_first(|gene| {
                let (rows, values) = x.col(gene);
                let at = values.iter().position(|it| !it.is_finite())?;
                Some((rows[at] as usize, gene, values[at]))
            }),
            Self::Dense(x) => (0..x.nrows()).into_par_iter().find_map_first(|cell| {
                let row = x.row(cell);
                let gene = row.iter().position(|it| !it.is_finite())?;
                Some((cell, gene, row[gene]))
            }),
        };
        found.map_or(Ok(()), |(cell, gene, value)| Err(not_finite(cell, gene, value)))
    }
}

fn check_finite(x: &Csr<f32>, start: usize) -> Result<()> {
    if x.data().par_chunks(1 << 16).all(|it| it.iter().all(|it| it.is_finite())) {
        return Ok(());
    }
    for row in 0..x.shape().0 {
        let (cols, values) = x.row(row);
        if let Some(at) = values.iter().position(|it| !it.is_finite()) {
            return Err(not_finite(start + row, cols[at] as usize, values[at]));
        }
    }
    Ok(())
}

fn not_finite(cell: usize, gene: usize, value: f32) -> Error {
    Error::invalid_input(format!("cell {cell} gene {gene} holds {value}, expected a finite number"))
}

/// What the passes read.
pub(super) enum Feed<'a> {
    Memory(DeValues<'a>),
    Stream {
        source: &'a dyn CountSource,
        /// Library size to bring cells to, and whether a logarithm follows.
        normalize: Option<(Option<f64>, bool)>,
        progress: &'a (dyn Fn(usize) + Sync),
    },
}

impl<'a> Feed<'a> {
    /// A stream whose counts become values on the way, and the scale of these.
    pub(super) fn stream(
        source: &'a dyn CountSource,
        groups: &[Option<u32>],
        normalize: Option<Normalize>,
        progress: &'a (dyn Fn(usize) + Sync),
    ) -> Result<(Self, Scale)> {
        let Some(normalize) = normalize else {
            return Ok((Self::Stream { source, normalize: None, progress }, source.scale()));
        };
        normalize.check()?;
        if source.scale() != Scale::Counts {
            return Err(Error::invalid_input(format!(
                "normalization needs counts, but the values of `{}` are {}",
                source.name(),
                source.scale()
            ))
            .with_hint("leave normalization out: the file already holds normalized values"));
        }
        let target = match normalize.target {
            Target::Sum(it) => Some(it),
            Target::None => None,
            Target::Median => {
                let libraries = source_libraries(source)?;
                let labeled = libraries.iter().zip(groups).filter(|it| it.1.is_some()).map(|it| *it.0);
                Some(nonzero_median(&labeled.collect::<Vec<f64>>()).ok_or_else(|| {
                    Error::invalid_input(format!("every labeled cell of `{}` is empty", source.name()))
                })?)
            }
        };
        let scale = normalize.scale(target.unwrap_or_default())?;
        Ok((Self::Stream { source, normalize: Some((target, normalize.log1p)), progress }, scale))
    }

    pub(super) fn shape(&self) -> (usize, usize) {
        match self {
            Self::Memory(x) => x.shape(),
            Self::Stream { source, .. } => (source.n_obs(), source.var().len()),
        }
    }

    /// Calls `work(cells, index of the first)` for all cells in order.
    pub(super) fn each(&self, mut work: impl FnMut(&Csr<f32>, usize) -> Result<()>) -> Result<()> {
        match self {
            Self::Memory(DeValues::Csr(x)) => work(x, 0)?,
            Self::Memory(DeValues::Csc(x)) => work(&x.to_csr(), 0)?,
            Self::Memory(DeValues::Dense(x)) => {
                for start in (0..x.nrows()).step_by(DENSE_ROWS) {
                    let rows = Slice::from(start..x.nrows().min(start + DENSE_ROWS));
                    work(&Csr::from_dense(&x.slice_axis(Axis(0), rows).to_owned()), start)?;
                }
            }
            Self::Stream { source, normalize, progress } => {
                let (n_obs, n_vars) = (source.n_obs(), source.var().len());
                let mut next = 0;
                for block in source.blocks(0)? {
                    let mut block = block?;
                    if block.start != next || block.x.shape().1 != n_vars {
                        return Err(Error::invalid_input(format!(
                            "`{}` hands on row {} with {} genes where row {next} with {n_vars} was expected",
                            source.name(),
                            block.start,
                            block.x.shape().1
                        )));
                    }
                    check_finite(&block.x, block.start)?;
                    next += block.x.shape().0;
                    if next > n_obs {
                        break;
                    }
                    if let Some((target, log1p)) = normalize {
                        normalize_block(&mut block, *target, *log1p);
                    }
                    work(&block.x, block.start)?;
                    progress(next);
                }
                if next != n_obs {
                    return Err(Error::invalid_input(format!(
                        "`{}` handed on {next} rows, expected {n_obs}",
                        source.name()
                    )));
                }
            }
        }
        Ok(())
    }
}
