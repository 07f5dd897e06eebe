//! Compressed sparse rows and columns, checked once at construction.

use crate::{Error, Result};
use ndarray::Array2;

/// A matrix in compressed sparse row form; rows are cells.
///
/// Invariants, checked by [`Csr::new`]: `indptr` starts at 0, never falls and ends at `indices.len()`;
/// column indices are below `n_cols` and strictly increasing inside a row; `data` has one value per index.
#[derive(Debug, Clone, PartialEq)]
pub struct Csr<T> {
    n_rows: usize,
    n_cols: usize,
    indptr: Vec<usize>,
    indices: Vec<u32>,
    data: Vec<T>,
}

/// A matrix in compressed sparse column form: the transpose of a [`Csr`] with the roles exchanged.
#[derive(Debug, Clone, PartialEq)]
pub struct Csc<T>(Csr<T>);

impl<T: Copy + Default> Csr<T> {
    /// A checked matrix.
    ///
    /// # Errors
    /// Names the row and what is wrong with it.
    pub fn new(n_rows: usize, n_cols: usize, indptr: Vec<usize>, indices: Vec<u32>, data: Vec<T>) -> Result<Self> {
        if indptr.len() != n_rows + 1 {
            return Err(Error::invalid_input(format!(
                "indptr has {} entries, expected {} for {n_rows} rows",
                indptr.len(),
                n_rows + 1
            )));
        }
        if indices.len() != data.len() {
            return Err(Error::invalid_input(format!("{} indices but {} values", indices.len(), data.len())));
        }
        if indptr[0] != 0 || indptr[n_rows] != indices.len() {
            return Err(Error::invalid_input(format!(
                "indptr runs from {} to {}, expected 0 to {}",
                indptr[0],
                indptr[n_rows],
                indices.len()
            )));
        }
        if let Some(row) = (0..n_rows).find(|it| indptr[*it] > indptr[it + 1]) {
            return Err(Error::invalid_input(format!(
                "indptr falls from {} to {} at row {row}",
                indptr[row],
                indptr[row + 1]
            )));
        }
        for row in 0..n_rows {
            check_row(row, &indices[indptr[row]..indptr[row + 1]], n_cols)?;
        }
        Ok(Self { n_rows, n_cols, indptr, indices, data })
    }

    /// The rows of a dense matrix, zeros dropped.
    pub fn from_dense(dense: &Array2<T>) -> Self
    where
        T: PartialEq,
    {
        let (n_rows, n_cols) = dense.dim();
        let mut indptr = Vec::with_capacity(n_rows + 1);
        indptr.push(0);
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for row in dense.rows() {
            for (col, value) in row.iter().enumerate() {
                if *value != T::default() {
                    indices.push(col as u32);
                    data.push(*value);
                }
            }
            indptr.push(indices.len());
        }
        Self { n_rows, n_cols, indptr, indices, data }
    }

    /// `(n_rows, n_cols)`.
    pub fn shape(&self) -> (usize, usize) {
        (self.n_rows, self.n_cols)
    }

    /// Number of stored entries.
    pub fn nnz(&self) -> usize {
        self.data.len()
    }

    /// Row boundaries, `n_rows + 1` long.
    pub fn indptr(&self) -> &[usize] {
        &self.indptr
    }

    /// Column of each stored entry.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Stored values.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// Stored values, to be changed in place; the pattern stays.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// Columns and values of one row.
    pub fn row(&self, row: usize) -> (&[u32], &[T]) {
        let range = self.indptr[row]..self.indptr[row + 1];
        (&self.indices[range.clone()], &self.data[range])
    }

    /// Columns and mutable values of one row.
    pub fn row_mut(&mut self, row: usize) -> (&[u32], &mut [T]) {
        let range = self.indptr[row]..self.indptr[row + 1];
        (&self.indices[range.clone()], &mut self.data[range])
    }

    /// The same matrix, dense.
    pub fn to_dense(&self) -> Array2<T> {
        let mut dense = Array2::default((self.n_rows, self.n_cols));
        for row in 0..self.n_rows {
            let (cols, values) = self.row(row);
            for (col, value) in cols.iter().zip(values) {
                dense[[row, *col as usize]] = *value;
            }
        }
        dense
    }

    /// The same matrix by columns. O(nnz).
    pub fn to_csc(&self) -> Csc<T> {
        Csc(self.transposed())
    }

    /// The transpose. O(nnz).
    pub fn transposed(&self) -> Self {
        let mut indptr = vec![0; self.n_cols + 1];
        for col in &self.indices {
            indptr[*col as usize + 1] += 1;
        }
        for col in 0..self.n_cols {
            indptr[col + 1] += indptr[col];
        }
        let mut next = indptr.clone();
        let mut indices = vec![0; self.nnz()];
        let mut data = vec![T::default(); self.nnz()];
        for row in 0..self.n_rows {
            let (cols, values) = self.row(row);
            for (col, value) in cols.iter().zip(values) {
                let slot = &mut next[*col as usize];
                indices[*slot] = row as u32;
                data[*slot] = *value;
                *slot += 1;
            }
        }
        Self { n_rows: self.n_cols, n_cols: self.n_rows, indptr, indices, data }
    }

    /// The chosen rows, in the given order.
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        let mut indptr = Vec::with_capacity(rows.len() + 1);
        indptr.push(0);
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for row in rows {
            let (cols, values) = self.row(*row);
            indices.extend_from_slice(cols);
            data.extend_from_slice(values);
            indptr.push(indices.len());
        }
        Self { n_rows: rows.len(), n_cols: self.n_cols, indptr, indices, data }
    }

    /// The chosen columns, which must ascend: `[n_rows, columns.len()]`.
    pub fn select_cols(&self, columns: &[usize]) -> Self {
        let mut place = vec![u32::MAX; self.n_cols];
        columns.iter().enumerate().for_each(|(at, it)| place[*it] = at as u32);
        let mut indptr = Vec::with_capacity(self.indptr.len());
        indptr.push(0);
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for row in 0..self.n_rows {
            let (cols, values) = self.row(row);
            for (col, value) in cols.iter().zip(values) {
                if place[*col as usize] != u32::MAX {
                    indices.push(place[*col as usize]);
                    data.push(*value);
                }
            }
            indptr.push(indices.len());
        }
        Self { n_rows: self.n_rows, n_cols: columns.len(), indptr, indices, data }
    }

    /// The pattern and values as parts: `(indptr, indices, data)`.
    pub fn into_parts(self) -> (Vec<usize>, Vec<u32>, Vec<T>) {
        (self.indptr, self.indices, self.data)
    }
}

impl<T: Copy + Default> Csc<T> {
    /// A checked matrix from column boundaries and row indices.
    ///
    /// # Errors
    /// As [`Csr::new`], with rows and columns exchanged.
    pub fn new(n_rows: usize, n_cols: usize, indptr: Vec<usize>, indices: Vec<u32>, data: Vec<T>) -> Result<Self> {
        Csr::new(n_cols, n_rows, indptr, indices, data).map(Self)
    }

    /// `(n_rows, n_cols)`.
    pub fn shape(&self) -> (usize, usize) {
        let (n_cols, n_rows) = self.0.shape();
        (n_rows, n_cols)
    }

    /// Rows and values of one column.
    pub fn col(&self, col: usize) -> (&[u32], &[T]) {
        self.0.row(col)
    }

    /// Number of stored entries.
    pub fn nnz(&self) -> usize {
        self.0.nnz()
    }

    /// The same matrix by rows. O(nnz).
    pub fn to_csr(&self) -> Csr<T> {
        self.0.transposed()
    }
}

#[expect(clippy::needless_bitwise_bool, reason = "a branch per value keeps the loop from being vectorised")]
fn check_row(row: usize, indices: &[u32], n_cols: usize) -> Result<()> {
    // One branch-free pass decides; rising indices are all below the last.
    let rises = indices.iter().zip(indices.iter().skip(1)).fold(true, |ok, (a, b)| ok & (a < b));
    if rises && indices.last().is_none_or(|it| (*it as usize) < n_cols) {
        return Ok(());
    }
    if let Some(col) = indices.iter().find(|it| **it as usize >= n_cols) {
        return Err(Error::invalid_input(format!("row {row} has column index {col}, expected below {n_cols}")));
    }
    if let Some(pair) = indices.windows(2).find(|it| it[0] >= it[1]) {
        let what = if pair[0] == pair[1] { "repeated" } else { "unsorted" };
        return Err(Error::invalid_input(format!(
            "row {row} has {what} column indices ({} then {})",
            pair[0], pair[1]
        ))
        .with_hint("in Python: adata.X.sum_duplicates(); adata.X.sort_indices()"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    #[test]
    fn bad_patterns_are_named() {
        let check = |indptr: Vec<usize>, indices: Vec<u32>, want: &str| {
            let n = indices.len();
            let error = Csr::new(2, 3, indptr, indices, vec![1.0_f32; n]).expect_err("bad pattern");
            assert!(error.to_string().contains(want), "{error}");
        };
        check(vec![0, 1], vec![0], "indptr has 2 entries, expected 3");
        check(vec![0, 2, 1], vec![0], "indptr falls from 2 to 1 at row 1");
        check(vec![0, 1, 2], vec![0, 3], "row 1 has column index 3, expected below 3");
        check(vec![0, 2, 2], vec![1, 0], "row 0 has unsorted column indices (1 then 0)");
        check(vec![0, 2, 2], vec![1, 1], "row 0 has repeated column indices");
        check(vec![0, 1, 5], vec![1, 1], "indptr runs from 0 to 5, expected 0 to 2");
    }

    #[test]
    fn by_columns_and_back() {
        let dense = array![[0, 1, 0], [2, 0, 3]];
        let csr = Csr::from_dense(&dense);
        assert_eq!(csr.to_csc().col(2), (&[1_u32][..], &[3][..]));
        assert_eq!(csr.to_csc().to_csr(), csr);
    }

    proptest! {
        #[test]
        fn dense_and_sparse_agree(values in prop::collection::vec(0_i32..3, 12)) {
            let dense = Array2::from_shape_vec((3, 4), values).expect("shape");
            let csr = Csr::from_dense(&dense);
            prop_assert_eq!(csr.to_dense(), dense);
            prop_assert_eq!(csr.to_csc().to_csr(), csr);
        }
    }
}
