//! A cell of a sparse matrix as one side of a pair, and the checks that every measure begins with.

use cellstone_core::{Csr, Error, Result, Why};

/// The stored genes of one cell: ascending columns and their values, of `len` genes in all.
///
/// What is not stored is 0; a stored 0 counts as 0.
#[derive(Debug, Clone, Copy)]
pub struct SparseRow<'a> {
    indices: &'a [u32],
    values: &'a [f32],
    len: usize,
}

impl<'a> SparseRow<'a> {
    /// A checked row.
    ///
    /// # Errors
    /// If there is not one value per index, or if indices do not ascend below `len`.
    ///
    /// # Examples
    /// ```
    /// use cellstone_neighbors::SparseRow;
    /// assert!(SparseRow::new(&[1, 4], &[2.0, 1.0], 5).is_ok());
    /// let error = SparseRow::new(&[4, 1], &[2.0, 1.0], 5).unwrap_err();
    /// assert_eq!(error.to_string(), "gene 1 follows gene 4 in a sparse row, expected ascending genes below 5");
    /// ```
    pub fn new(indices: &'a [u32], values: &'a [f32], len: usize) -> Result<Self> {
        if indices.len() != values.len() {
            return Err(Error::invalid_input(format!(
                "{} genes but {} values in a sparse row",
                indices.len(),
                values.len()
            )));
        }
        if let Some([before, gene]) = indices.array_windows::<2>().find(|[a, b]| a >= b) {
            return Err(Error::invalid_input(format!(
                "gene {gene} follows gene {before} in a sparse row, expected ascending genes below {len}"
            )));
        }
        if indices.last().is_some_and(|it| *it as usize >= len) {
            return Err(Error::invalid_input(format!(
                "gene {} in a sparse row of {len} genes",
                indices[indices.len() - 1]
            )));
        }
        Ok(Self { indices, values, len })
    }

    /// A row of a matrix, which is checked already.
    ///
    /// # Panics
    /// If the matrix has no such row.
    pub fn of(x: &'a Csr<f32>, row: usize) -> Self {
        let (indices, values) = x.row(row);
        Self { indices, values, len: x.shape().1 }
    }

    /// Number of genes, stored or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no genes at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Stored values.
    pub(super) fn values(&self) -> &'a [f32] {
        self.values
    }

    /// Positions of the genes that both rows store: `(in self, in other)`.
    pub(super) fn shared(&self, other: &Self) -> impl Iterator<Item = (usize, usize)> {
        let (a, b) = (self.indices, other.indices);
        let (mut i, mut j) = (0, 0);
        std::iter::from_fn(move || {
            while i < a.len() && j < b.len() {
                let at = (i, j);
                i += usize::from(a[at.0] <= b[at.1]);
                j += usize::from(b[at.1] <= a[at.0]);
                if a[at.0] == b[at.1] {
                    return Some(at);
                }
            }
            None
        })
    }

    /// Values of every gene that either row stores: `(own, other's)`.
    pub(super) fn union(&self, other: &Self) -> Vec<(f64, f64)> {
        let mut out = Vec::with_capacity(self.indices.len() + other.indices.len());
        let (mut i, mut j) = (0, 0);
        while i < self.indices.len() || j < other.indices.len() {
            let (a, b) = (self.indices.get(i).copied(), other.indices.get(j).copied());
            let gene = a.unwrap_or(u32::MAX).min(b.unwrap_or(u32::MAX));
            let mut pair = (0.0, 0.0);
            if a == Some(gene) {
                pair.0 = f64::from(self.values[i]);
                i += 1;
            }
            if b == Some(gene) {
                pair.1 = f64::from(other.values[j]);
                j += 1;
            }
            out.push(pair);
        }
        out
    }
}

/// Why two dense rows have no similarity at all.
///
/// # Errors
/// If they have different lengths.
pub(super) fn check_dense(a: &[f64], b: &[f64], at_least: usize) -> Result<Option<Why>> {
    let finite = a.iter().chain(b).all(|it| it.is_finite());
    check(a.len(), b.len(), at_least, finite)
}

/// As [`check_dense`].
pub(super) fn check_sparse(a: &SparseRow<'_>, b: &SparseRow<'_>, at_least: usize) -> Result<Option<Why>> {
    let finite = a.values.iter().chain(b.values).all(|it| it.is_finite());
    check(a.len, b.len, at_least, finite)
}

fn check(a: usize, b: usize, at_least: usize, finite: bool) -> Result<Option<Why>> {
    if a != b {
        return Err(Error::invalid_input(format!("rows of {a} and {b} genes have no similarity"))
            .with_hint("bring both cells to the same genes first"));
    }
    Ok(if a < at_least {
        Some(Why::TooFewGenes)
    } else if !finite {
        Some(Why::NotFinite)
    } else {
        None
    })
}
