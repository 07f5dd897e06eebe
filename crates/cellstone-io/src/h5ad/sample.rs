//! A few values of a matrix, to say what they look like.

use super::matrix::{Located, MatrixKind, check_line};
use super::{H5ad, Matrix, MatrixInfo};
use crate::h5::Carry;
use cellstone_core::{Error, Result};
use std::ops::Range;

/// Values in one window.
const WINDOW: usize = 1 << 16;

/// Values from the start, the middle and the end of a matrix.
pub(crate) struct Sample {
    pub(crate) values: Vec<f64>,
    /// The first fault of the pattern of the sampled rows.
    pub(crate) broken: Option<Error>,
}

impl H5ad {
    /// Describes a matrix and samples its values.
    pub(crate) fn sample(&self, matrix: &Matrix) -> Result<(MatrixInfo, Sample)> {
        let located = self.locate(matrix)?;
        let mut sample = Sample { values: Vec::new(), broken: None };
        // Of a sparse matrix, the stored values; of a dense one, whole rows.
        let (n, window) = match located.kind {
            MatrixKind::Dense => (located.shape.0, (WINDOW / located.shape.1.max(1)).max(1)),
            _ => (located.data.len(), WINDOW),
        };
        for range in windows(n, window) {
            sample.values.extend(located.data.read_rows::<f64>(range, &mut Carry::default())?);
        }
        if located.kind != MatrixKind::Dense {
            sample.broken = broken_pattern(&located)?;
        }
        Ok((located.info(), sample))
    }
}

/// At most three disjoint windows: first, middle, last.
fn windows(n: usize, window: usize) -> Vec<Range<usize>> {
    if n <= 3 * window {
        return std::iter::once(0..n).filter(|it| !it.is_empty()).collect();
    }
    let middle = n / 2 - window / 2;
    vec![0..window, middle..middle + window, n - window..n]
}

fn broken_pattern(located: &Located) -> Result<Option<Error>> {
    let pattern = located.pattern();
    let lines = pattern.indptr.len() - 1;
    let (name, across) =
        if located.kind == MatrixKind::Csr { ("cell", located.shape.1) } else { ("gene", located.shape.0) };
    for range in windows(lines, 64) {
        let bounds = &pattern.indptr[range.start..=range.end];
        let values = bounds[0]..bounds[range.len()];
        let indices: Vec<u32> = pattern.indices.read_rows(values, &mut Carry::default())?;
        for line in range.clone() {
            let at = line - range.start;
            let line_indices = &indices[bounds[at] - bounds[0]..bounds[at + 1] - bounds[0]];
            if let Err(error) = check_line(line, name, line_indices, across) {
                return Ok(Some(error));
            }
        }
    }
    Ok(None)
}
