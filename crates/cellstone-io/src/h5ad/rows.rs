//! Matrices that are written row block by row block.

use super::MatrixKind;
use super::encode::{self, dims, encoded};
use crate::h5::write::{Chunks, Elem, H5Out};
use cellstone_core::{Csr, Result};

/// A matrix on its way into a file: sparse rows stay sparse, dense ones dense, both in bounded memory.
pub(crate) enum RowsOut {
    Csr { data: Chunks, indices: Chunks, indptr: Vec<i64>, n_cols: usize },
    Dense { values: Chunks, n_rows: usize, n_cols: usize, line: Vec<f32> },
}

impl RowsOut {
    /// A matrix of `n_cols` columns without rows. What is stored by columns becomes rows: they arrive as rows.
    pub(crate) fn new(kind: MatrixKind, n_cols: usize) -> Self {
        match kind {
            MatrixKind::Dense => {
                Self::Dense { values: Chunks::new(Elem::F32, n_cols), n_rows: 0, n_cols, line: vec![0.0; n_cols] }
            }
            MatrixKind::Csr | MatrixKind::Csc => Self::Csr {
                data: Chunks::new(Elem::F32, 1),
                indices: Chunks::new(Elem::I32, 1),
                indptr: vec![0],
                n_cols,
            },
        }
    }

    /// Number of rows so far.
    pub(crate) fn n_rows(&self) -> usize {
        match self {
            Self::Csr { indptr, .. } => indptr.len() - 1,
            Self::Dense { n_rows, .. } => *n_rows,
        }
    }

    /// Number of columns.
    pub(crate) fn n_cols(&self) -> usize {
        match self {
            Self::Csr { n_cols, .. } | Self::Dense { n_cols, .. } => *n_cols,
        }
    }

    /// Appends rows, whose number of columns the caller has checked.
    pub(crate) fn push(&mut self, out: &mut H5Out, rows: &Csr<f32>) -> Result<()> {
        match self {
            Self::Csr { data, indices, indptr, .. } => {
                data.push_all(out, rows.data(), f32::to_le_bytes)?;
                indices.push_all(out, rows.indices(), |it| (it as i32).to_le_bytes())?;
                let base = indptr[indptr.len() - 1];
                indptr.extend(rows.indptr()[1..].iter().map(|it| base + *it as i64));
            }
            Self::Dense { values, n_rows, line, .. } => {
                for row in 0..rows.shape().0 {
                    line.fill(0.0);
                    let (columns, stored) = rows.row(row);
                    columns.iter().zip(stored).for_each(|(column, value)| line[*column as usize] = *value);
                    values.push_all(out, line, f32::to_le_bytes)?;
                }
                *n_rows += rows.shape().0;
            }
        }
        Ok(())
    }

    /// Writes what is left; returns the address of the matrix and its shape.
    pub(crate) fn finish(self, out: &mut H5Out) -> Result<(u64, (usize, usize))> {
        self.finish_as(out, MatrixKind::Csr)
    }

    /// The same for sparse lines that are the columns of the matrix.
    pub(crate) fn finish_as(self, out: &mut H5Out, lines: MatrixKind) -> Result<(u64, (usize, usize))> {
        let (n_lines, n_cols) = (self.n_rows(), self.n_cols());
        let (encoding, shape) = match lines {
            MatrixKind::Csc => ("csc_matrix", (n_cols, n_lines)),
            MatrixKind::Csr | MatrixKind::Dense => ("csr_matrix", (n_lines, n_cols)),
        };
        let address = match self {
            Self::Csr { data, indices, indptr, .. } => {
                let nnz = [indptr[n_lines] as usize];
                let links = vec![
                    ("data".to_owned(), data.finish(out, &nnz, &[])?),
                    ("indices".to_owned(), indices.finish(out, &nnz, &[])?),
                    ("indptr".to_owned(), encode::indptr(out, &indptr)?),
                ];
                let mut attrs = encoded(encoding, "0.1.0");
                attrs.push(("shape", dims(shape)));
                out.group(&links, &attrs)?
            }
            Self::Dense { values, .. } => values.finish(out, &[shape.0, shape.1], &encoded("array", "0.2.0"))?,
        };
        Ok((address, shape))
    }
}
