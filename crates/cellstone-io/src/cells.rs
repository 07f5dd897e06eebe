//! Cells under construction: the checks that every sparse text and 10x reader shares.

use crate::memory::check_start;
use cellstone_core::{Csr, Error, Result};
use std::collections::BTreeMap;

/// Rows being filled one entry at a time; entries of a row may come in any order.
#[derive(Debug)]
pub(crate) struct RowsBuilder {
    n_cols: usize,
    indptr: Vec<usize>,
    indices: Vec<u32>,
    data: Vec<f32>,
    sorted: bool,
    scratch: Vec<(u32, f32)>,
}

impl RowsBuilder {
    pub(crate) fn new(n_cols: usize) -> Self {
        let (indices, data, scratch) = (Vec::new(), Vec::new(), Vec::new());
        Self { n_cols, indptr: vec![0], indices, data, sorted: true, scratch }
    }

    pub(crate) fn with_capacity(n_cols: usize, n_rows: usize, nnz: usize) -> Self {
        let mut rows = Self::new(n_cols);
        rows.indptr.reserve(n_rows);
        rows.indices.reserve(nnz);
        rows.data.reserve(nnz);
        rows
    }

    /// Adds an entry to the open row. A stored zero says nothing and is dropped.
    pub(crate) fn push(&mut self, col: u32, value: f32) {
        if value == 0.0 {
            return;
        }
        let open = *self.indptr.last().expect("invariant: indptr starts with 0");
        self.sorted &= self.indices.len() == open || self.indices[self.indices.len() - 1] < col;
        self.indices.push(col);
        self.data.push(value);
    }

    /// Closes the open row; the error is a column that stands in it twice.
    pub(crate) fn end_row(&mut self) -> std::result::Result<(), u32> {
        if !self.sorted {
            self.sort_open_row()?;
            self.sorted = true;
        }
        self.indptr.push(self.indices.len());
        Ok(())
    }

    fn sort_open_row(&mut self) -> std::result::Result<(), u32> {
        let open = *self.indptr.last().expect("invariant: indptr starts with 0");
        self.scratch.clear();
        self.scratch.extend(self.indices[open..].iter().copied().zip(self.data[open..].iter().copied()));
        self.scratch.sort_unstable_by_key(|it| it.0);
        if let Some(pair) = self.scratch.windows(2).find(|it| it[0].0 == it[1].0) {
            return Err(pair[0].0);
        }
        for (at, (col, value)) in self.scratch.iter().enumerate() {
            self.indices[open + at] = *col;
            self.data[open + at] = *value;
        }
        Ok(())
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.indptr.len() - 1
    }

    pub(crate) fn finish(self) -> Result<Csr<f32>> {
        Csr::new(self.indptr.len() - 1, self.n_cols, self.indptr, self.indices, self.data)
    }
}

/// Refuses cell ids that stand twice.
pub(crate) fn check_unique_cells(name: &str, ids: &[String]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (row, id) in ids.iter().enumerate() {
        if let Some(first) = seen.insert(id.as_str(), row) {
            return Err(Error::invalid_input(format!(
                "`{name}`: cell id `{id}` stands at rows {first} and {row}, expected once"
            ))
            .with_hint("when several runs are joined, prefix each barcode with the name of its run"));
        }
    }
    Ok(())
}

/// Blocks of whole rows with at most `max_entries` entries (or one row), from `start_row` to the end.
pub(crate) fn plan_blocks(
    name: &str,
    indptr: &[u64],
    start_row: usize,
    max_rows: usize,
    max_entries: u64,
) -> Result<Vec<(usize, usize)>> {
    let n_rows = indptr.len() - 1;
    check_start(name, start_row, n_rows)?;
    let (mut blocks, mut start) = (Vec::new(), start_row);
    while start < n_rows {
        let mut end = start + 1;
        while end < n_rows && end - start < max_rows && indptr[end + 1] - indptr[start] <= max_entries {
            end += 1;
        }
        blocks.push((start, end));
        start = end;
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_repeats_found() {
        let mut rows = RowsBuilder::new(4);
        for (col, value) in [(3, 1.0), (0, 2.0), (1, 0.0)] {
            rows.push(col, value);
        }
        rows.end_row().expect("no repeat");
        rows.end_row().expect("empty row");
        rows.push(2, 1.0);
        rows.push(2, 1.0);
        assert_eq!(rows.end_row(), Err(2));
        let mut rows = RowsBuilder::new(4);
        rows.push(3, 1.0);
        rows.push(0, 2.0);
        rows.end_row().expect("no repeat");
        assert_eq!(rows.finish().expect("valid").row(0), (&[0_u32, 3][..], &[2.0_f32, 1.0][..]));
    }

    #[test]
    fn blocks_hold_whole_rows() {
        let indptr = [0, 3, 3, 10, 11, 12];
        assert_eq!(plan_blocks("x", &indptr, 0, 9, 4).expect("plan"), [(0, 2), (2, 3), (3, 5)]);
        assert_eq!(plan_blocks("x", &indptr, 3, 1, 4).expect("plan"), [(3, 4), (4, 5)]);
        assert!(plan_blocks("x", &indptr, 5, 1, 4).expect("plan").is_empty());
    }
}
