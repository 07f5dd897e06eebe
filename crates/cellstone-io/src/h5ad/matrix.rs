//! Matrices in a file: finding them, describing them, reading them whole.

use super::legacy::Records;
use super::table::read_table;
use crate::h5::{Carry, H5File, Kind, Node, Stored, Target};
use cellstone_core::{Csc, Csr, Error, ObsTable, Result};
use ndarray::{Array2, Axis};
use std::fmt;

/// Which matrix of cells × genes of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matrix {
    /// `X`.
    X,
    /// A layer, by name.
    Layer(String),
    /// `raw.X`, whose genes are those of `raw.var`.
    RawX,
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X => f.write_str("X"),
            Self::Layer(name) => write!(f, "layers/{name}"),
            Self::RawX => f.write_str("raw/X"),
        }
    }
}

/// How a matrix is laid out in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatrixKind {
    /// Every value, row by row.
    Dense,
    /// Compressed sparse rows.
    Csr,
    /// Compressed sparse columns.
    Csc,
}

/// What a file says about a matrix, without reading its values.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MatrixInfo {
    /// Number of cells.
    pub n_obs: usize,
    /// Number of genes.
    pub n_vars: usize,
    /// Its layout.
    pub kind: MatrixKind,
    /// NumPy's name of the type of its values.
    pub dtype: String,
    /// Number of stored values, where it is sparse.
    pub nnz: Option<u64>,
    /// The filters of its values, in the order they were applied.
    pub compression: Option<String>,
    /// Extents of a chunk of values, where they are chunked.
    pub chunk: Option<Vec<usize>>,
}

/// A two-dimensional element of a file, in memory, in the precision it is stored in.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyMatrix {
    /// Every value, 64-bit.
    Dense(Array2<f64>),
    /// Every value, 32-bit.
    DenseF32(Array2<f32>),
    /// Compressed sparse rows.
    Csr(Csr<f32>),
    /// Compressed sparse columns.
    Csc(Csc<f32>),
    /// Named columns.
    Table(ObsTable),
}

impl AnyMatrix {
    /// `(n_rows, n_cols)`.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Dense(it) => it.dim(),
            Self::DenseF32(it) => it.dim(),
            Self::Csr(it) => it.shape(),
            Self::Csc(it) => it.shape(),
            Self::Table(it) => (it.n_rows(), it.names().len()),
        }
    }

    /// The given rows and columns (ascending), all where `None`; a table keeps its columns.
    #[must_use]
    pub fn select(&self, rows: Option<&[usize]>, columns: Option<&[usize]>) -> Self {
        fn dense<T: Clone>(x: &Array2<T>, rows: Option<&[usize]>, columns: Option<&[usize]>) -> Array2<T> {
            let x = rows.map_or_else(|| x.clone(), |it| x.select(Axis(0), it));
            columns.map_or_else(|| x.clone(), |it| x.select(Axis(1), it))
        }
        let sparse = |x: &Csr<f32>| {
            let x = rows.map_or_else(|| x.clone(), |it| x.select_rows(it));
            columns.map_or_else(|| x.clone(), |it| x.select_cols(it))
        };
        match self {
            Self::Dense(it) => Self::Dense(dense(it, rows, columns)),
            Self::DenseF32(it) => Self::DenseF32(dense(it, rows, columns)),
            Self::Csr(it) => Self::Csr(sparse(it)),
            Self::Csc(it) => Self::Csc(sparse(&it.to_csr()).to_csc()),
            Self::Table(it) => Self::Table(rows.map_or_else(|| it.clone(), |rows| it.select_rows(rows))),
        }
    }
}

/// A matrix found in a file.
pub(crate) struct Located {
    /// How messages call it.
    pub(crate) label: String,
    pub(crate) kind: MatrixKind,
    pub(crate) shape: (usize, usize),
    pub(crate) data: Stored,
    pub(crate) pattern: Option<Pattern>,
}

/// Where the values of a sparse matrix belong.
pub(crate) struct Pattern {
    pub(crate) indices: Stored,
    pub(crate) indptr: Vec<usize>,
}

impl Located {
    /// Finds a matrix; reads its row (or column) boundaries and no values.
    pub(crate) fn find(file: &H5File, name: &str) -> Result<Self> {
        let label = file.label(name);
        let node = file.node(name)?.ok_or_else(|| file.missing(name))?;
        if let Node::Dataset(_) = node {
            let data = file.stored(name)?;
            let shape = match data.shape() {
                [n, m] => (*n, *m),
                // AnnData before 0.7 wrote a matrix with one column without that axis.
                [n] => (*n, 1),
                other => {
                    return Err(Error::invalid_input(format!("{label} has shape {other:?}, expected two dimensions")));
                }
            };
            return Ok(Self { label, kind: MatrixKind::Dense, shape, data, pattern: None });
        }
        let attrs = file.attrs(name, &node)?;
        let text = |key: &str| attrs.get(key).and_then(|it| it.as_str());
        let kind = match (text("encoding-type"), text("h5sparse_format")) {
            (Some("csr_matrix"), _) | (None, Some("csr")) => MatrixKind::Csr,
            (Some("csc_matrix"), _) | (None, Some("csc")) => MatrixKind::Csc,
            (encoding, _) => {
                return Err(Error::invalid_input(format!(
                    "{label} is a group with encoding `{}`, expected csr_matrix or csc_matrix",
                    encoding.unwrap_or("none")
                )));
            }
        };
        let shape =
            ["shape", "h5sparse_shape"].iter().find_map(|it| attrs.get(*it)).and_then(hdf5_pure::AttrValue::to_i64s);
        let shape = match shape.as_deref() {
            Some([n, m]) if *n >= 0 && *m >= 0 => (*n as usize, *m as usize),
            other => {
                return Err(Error::invalid_input(format!("{label} has shape {other:?}, expected two whole numbers")));
            }
        };
        if shape.0.max(shape.1) > u32::MAX as usize {
            return Err(Error::invalid_input(format!("{label} has shape {shape:?}, expected below 2^32 a side")));
        }
        let data = file.stored(&format!("{name}/data"))?;
        let indices = file.stored(&format!("{name}/indices"))?;
        if indices.ty().kind == Kind::Float {
            return Err(Error::invalid_input(format!(
                "{} has elements of type {}, expected whole numbers",
                indices.label(),
                indices.ty().name()
            )));
        }
        let indptr: Vec<usize> = file.stored(&format!("{name}/indptr"))?.read_all()?;
        let lines = if kind == MatrixKind::Csr { shape.0 } else { shape.1 };
        check_indptr(&indptr, lines, data.len(), indices.len()).map_err(|it| it.context(label.clone()))?;
        Ok(Self { label, kind, shape, data, pattern: Some(Pattern { indices, indptr }) })
    }

    pub(crate) fn info(&self) -> MatrixInfo {
        MatrixInfo {
            n_obs: self.shape.0,
            n_vars: self.shape.1,
            kind: self.kind,
            dtype: self.data.ty().name(),
            nnz: self.pattern.is_some().then(|| self.data.len() as u64),
            compression: self.data.compression().map(str::to_owned),
            chunk: self.data.chunk().map(<[usize]>::to_vec),
        }
    }

    /// Pattern of a sparse matrix.
    pub(crate) fn pattern(&self) -> &Pattern {
        self.pattern.as_ref().expect("invariant: a sparse matrix has a pattern")
    }

    /// Every value as rows of numbers; absent entries of a sparse matrix are 0.
    pub(crate) fn dense<T: Target>(&self) -> Result<Array2<T>> {
        let values: Vec<T> = self.data.read_all()?;
        let Some(pattern) = &self.pattern else {
            return Array2::from_shape_vec(self.shape, values)
                .map_err(|it| Error::invalid_input(format!("{}: {it}", self.label)));
        };
        let indices: Vec<u32> = pattern.indices.read_all()?;
        let lines = pattern.indptr.len() - 1;
        let (across, name) = if self.kind == MatrixKind::Csr { (self.shape.1, "cell") } else { (self.shape.0, "gene") };
        let mut dense = Array2::default(self.shape);
        for line in 0..lines {
            let range = pattern.indptr[line]..pattern.indptr[line + 1];
            let mut own = indices[range.clone()].to_vec();
            own.sort_unstable();
            check_line(line, name, &own, across).map_err(|it| it.context(self.label.clone()))?;
            for at in range {
                let cell = if self.kind == MatrixKind::Csr {
                    [line, indices[at] as usize]
                } else {
                    [indices[at] as usize, line]
                };
                dense[cell] = values[at];
            }
        }
        Ok(dense)
    }

    /// The whole matrix, in the layout of the file; entries of a row (or column) that are out of order are sorted.
    pub(crate) fn any(&self) -> Result<AnyMatrix> {
        let context = |it: Error| it.context(self.label.clone());
        let sparse = |pattern: &Pattern| -> Result<(Vec<usize>, Vec<u32>, Vec<f32>)> {
            let (mut indices, mut data) = (pattern.indices.read_all()?, self.data.read_all()?);
            sort_lanes(&pattern.indptr, &mut indices, &mut data);
            Ok((pattern.indptr.clone(), indices, data))
        };
        let (n, m) = self.shape;
        Ok(match self.kind {
            MatrixKind::Csr => {
                let (indptr, indices, data) = sparse(self.pattern())?;
                AnyMatrix::Csr(Csr::new(n, m, indptr, indices, data).map_err(context)?)
            }
            MatrixKind::Csc => {
                let (indptr, indices, data) = sparse(self.pattern())?;
                AnyMatrix::Csc(Csc::new(n, m, indptr, indices, data).map_err(context)?)
            }
            MatrixKind::Dense if self.data.ty().kind == Kind::Float && self.data.ty().size <= 4 => {
                AnyMatrix::DenseF32(self.dense()?)
            }
            MatrixKind::Dense => AnyMatrix::Dense(self.dense()?),
        })
    }

    /// Values and columns of a window of rows of a CSR matrix, unchecked.
    pub(crate) fn csr_rows(
        &self,
        rows: std::ops::Range<usize>,
        carry: &mut (Carry, Carry),
    ) -> Result<(Vec<usize>, Vec<u32>, Vec<f32>)> {
        let pattern = self.pattern();
        let bounds = &pattern.indptr[rows.start..=rows.end];
        let window = bounds[0]..bounds[bounds.len() - 1];
        let indices = pattern.indices.read_rows(window.clone(), &mut carry.0)?;
        let data = self.data.read_rows(window, &mut carry.1)?;
        Ok((bounds.iter().map(|it| it - bounds[0]).collect(), indices, data))
    }
}

/// Reads a two-dimensional element of `obsm`, `varm`, `obsp`, `varp` or `layers`, tables included.
pub(crate) fn read_any(file: &H5File, name: &str) -> Result<AnyMatrix> {
    match file.node(name)? {
        Some(node @ Node::Group(_)) => {
            let attrs = file.attrs(name, &node)?;
            if attrs.get("encoding-type").and_then(|it| it.as_str()) == Some("dataframe") {
                return Ok(AnyMatrix::Table(read_table(file, name)?.0));
            }
        }
        Some(Node::Dataset(_)) => {}
        None => {
            // Before 0.7 the whole of `obsm` is one compound dataset.
            if let Some((group, field)) = name.rsplit_once('/')
                && let Some(Node::Dataset(it)) = file.node(group)?
                && let Some(records) = Records::read(file, group, &it)?
                && let Some(values) = records.matrix(file, field)?
            {
                return Ok(AnyMatrix::Dense(values));
            }
            return Err(file.missing(name));
        }
    }
    Located::find(file, name)?.any()
}

/// For a sparse matrix whose parts do not fit together.
const REWRITE: &str = "the sparse matrix is damaged or was built wrongly: make it again, for instance from its (row, column, value) triples";

fn check_indptr(indptr: &[usize], lines: usize, n_data: usize, n_indices: usize) -> Result<()> {
    let wrong = |what: String| Err(Error::invalid_input(what).with_hint(REWRITE));
    if indptr.len() != lines + 1 {
        return wrong(format!("indptr has {} entries, expected {} for {lines} rows", indptr.len(), lines + 1));
    }
    if n_data != n_indices {
        return wrong(format!("{n_indices} indices but {n_data} values"));
    }
    if indptr[0] != 0 || indptr[lines] != n_data {
        return wrong(format!("indptr runs from {} to {}, expected 0 to {n_data}", indptr[0], indptr[lines]));
    }
    match (0..lines).find(|it| indptr[*it] > indptr[it + 1]) {
        Some(line) => wrong(format!("indptr falls from {} to {} at row {line}", indptr[line], indptr[line + 1])),
        None => Ok(()),
    }
}

/// Checks that the indices of one row (or column) are in range and strictly increasing.
pub(crate) fn check_line(line: usize, name: &str, indices: &[u32], across: usize) -> Result<()> {
    if let Some(it) = indices.iter().find(|it| **it as usize >= across) {
        return Err(
            Error::invalid_input(format!("{name} {line} has index {it}, expected below {across}")).with_hint(REWRITE)
        );
    }
    if let Some(pair) = indices.windows(2).find(|it| it[0] >= it[1]) {
        let what = if pair[0] == pair[1] { "repeated" } else { "unsorted" };
        return Err(Error::invalid_input(format!("{name} {line} has {what} indices ({} then {})", pair[0], pair[1]))
            .with_hint("in Python: adata.X.sum_duplicates(); adata.X.sort_indices(), then write again"));
    }
    Ok(())
}

/// Sorts the entries of every lane by index where they are not: many tools leave them in any order, which carries
/// nothing. Boundaries that do not fit are left for the check that names them.
pub(crate) fn sort_lanes(indptr: &[usize], indices: &mut [u32], data: &mut [f32]) {
    if indices.len() != data.len() {
        return;
    }
    for lane in indptr.windows(2) {
        let (Some(own), Some(values)) = (indices.get_mut(lane[0]..lane[1]), data.get_mut(lane[0]..lane[1])) else {
            return;
        };
        if own.is_sorted() {
            continue;
        }
        let mut entries: Vec<(u32, f32)> = own.iter().copied().zip(values.iter().copied()).collect();
        entries.sort_by_key(|it| it.0);
        for (at, (index, value)) in entries.into_iter().enumerate() {
            own[at] = index;
            values[at] = value;
        }
    }
}
