//! Writing `.h5ad`: rows as they come, then everything else, in the encodings of AnnData 0.8 and later.

use super::encode::{self, encoded};
use super::rows::RowsOut;
use super::{AnyMatrix, MatrixKind, Uns};
use crate::h5::write::{Attr, H5Out, Links};
use cellstone_core::{Csr, Error, ObsTable, Result};
use ndarray::{ArrayBase, Data, Ix2};
use std::collections::BTreeMap;
use std::path::Path;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// Whether a file of that name is replaced.
    pub overwrite: bool,
    /// Level 0 to 9 of gzip (with byte shuffling), or `None` for no compression.
    pub gzip_level: Option<u32>,
}

impl Default for WriteOptions {
    /// No overwriting, gzip level 4.
    fn default() -> Self {
        Self { overwrite: false, gzip_level: Some(4) }
    }
}

/// Everything of a file besides `X`, `obs` and `var`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras {
    /// Matrices of the shape of `X`.
    pub layers: BTreeMap<String, AnyMatrix>,
    /// A row per cell.
    pub obsm: BTreeMap<String, AnyMatrix>,
    /// A row per gene.
    pub varm: BTreeMap<String, AnyMatrix>,
    /// Cells × cells.
    pub obsp: BTreeMap<String, AnyMatrix>,
    /// Genes × genes.
    pub varp: BTreeMap<String, AnyMatrix>,
    /// `raw.X` and `raw.var`.
    pub raw: Option<(AnyMatrix, ObsTable)>,
    /// Unstructured annotation.
    pub uns: BTreeMap<String, Uns>,
}

/// Writes a file whose `X` comes as blocks of sparse rows, in bounded memory.
///
/// The file appears under its name when [`H5adWriter::finish`] returns; before, and after any failure, nothing of that
/// name was touched. Chunks are compressed on all cores.
///
/// # Examples
/// ```
/// use cellstone_core::{Csr, ObsTable};
/// use cellstone_io::{Extras, H5ad, H5adWriter, Matrix, WriteOptions};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("cells.h5ad");
/// let names = |stem: &str, n: usize| ObsTable::new((0..n).map(|it| format!("{stem}{it}")).collect());
/// let mut writer = H5adWriter::create(&path, &WriteOptions::default(), 3)?;
/// writer.write_rows(&Csr::from_dense(&ndarray::array![[0.0_f32, 1.0, 0.0], [2.0, 0.0, 3.0]]))?;
/// writer.finish(&names("cell", 2), &names("gene", 3), &Extras::default())?;
/// assert_eq!(H5ad::open(&path)?.dense(&Matrix::X)?, ndarray::array![[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub struct H5adWriter {
    out: H5Out,
    x: RowsOut,
}

impl H5adWriter {
    /// Starts a file with `n_vars` genes.
    ///
    /// # Errors
    /// If the file exists and may not be replaced, or its folder cannot be written to.
    pub fn create(path: impl AsRef<Path>, options: &WriteOptions, n_vars: usize) -> Result<Self> {
        Ok(Self {
            out: H5Out::create(path.as_ref(), options.overwrite, options.gzip_level)?,
            x: RowsOut::new(MatrixKind::Csr, n_vars),
        })
    }

    /// Appends cells.
    ///
    /// # Errors
    /// If the block has another number of genes, or writing fails.
    pub fn write_rows(&mut self, rows: &Csr<f32>) -> Result<()> {
        if rows.shape().1 != self.x.n_cols() {
            return Err(Error::invalid_input(format!(
                "`{}`: a block of rows has {} columns, expected {}",
                self.out.path().display(),
                rows.shape().1,
                self.x.n_cols()
            )));
        }
        self.x.push(&mut self.out, rows)
    }

    /// Number of cells appended so far.
    pub fn n_rows(&self) -> usize {
        self.x.n_rows()
    }

    /// Writes the annotation and gives the file its name.
    ///
    /// # Errors
    /// Names the element whose shape does not fit, or the path if writing fails.
    pub fn finish(mut self, obs: &ObsTable, var: &ObsTable, extras: &Extras) -> Result<()> {
        let x = self.x.finish(&mut self.out)?;
        write_rest(self.out, Some(x), &Written::default(), obs, var, extras)
    }
}

/// A float that is written as it is.
pub trait Value: Copy {
    #[doc(hidden)]
    fn bytes(values: &[Self]) -> Vec<u8>;
    #[doc(hidden)]
    fn is_f64() -> bool;
}

impl Value for f32 {
    fn bytes(values: &[Self]) -> Vec<u8> {
        values.iter().flat_map(|it| it.to_le_bytes()).collect()
    }
    fn is_f64() -> bool {
        false
    }
}

impl Value for f64 {
    fn bytes(values: &[Self]) -> Vec<u8> {
        values.iter().flat_map(|it| it.to_le_bytes()).collect()
    }
    fn is_f64() -> bool {
        true
    }
}

/// Writes a file whose `X` is dense, `[n_obs, n_vars]`.
///
/// # Errors
/// As [`H5adWriter::create`] and [`H5adWriter::finish`].
pub fn write_dense<T: Value, S: Data<Elem = T>>(
    path: impl AsRef<Path>,
    options: &WriteOptions,
    x: &ArrayBase<S, Ix2>,
    obs: &ObsTable,
    var: &ObsTable,
    extras: &Extras,
) -> Result<()> {
    let mut out = H5Out::create(path.as_ref(), options.overwrite, options.gzip_level)?;
    let address = encode::dense(&mut out, x)?;
    write_rest(out, Some((address, x.dim())), &Written::default(), obs, var, extras)
}

/// Large elements that stand in the file already.
#[derive(Default)]
pub(crate) struct Written {
    /// Layers of the shape of `X`.
    pub(crate) layers: Links,
    /// `raw.X`, and `raw.var`.
    pub(crate) raw: Option<(u64, ObsTable)>,
}

/// Writes everything but `X` and what is written already, and closes the file.
pub(crate) fn write_rest(
    mut out: H5Out,
    x: Option<(u64, (usize, usize))>,
    written: &Written,
    obs: &ObsTable,
    var: &ObsTable,
    extras: &Extras,
) -> Result<()> {
    let shape = (obs.n_rows(), var.n_rows());
    let path = out.path().display().to_string();
    if let Some((_, got)) = x
        && got != shape
    {
        return Err(Error::invalid_input(format!(
            "`{path}`: X has shape {} × {}, but obs has {} rows and var {}",
            got.0, got.1, shape.0, shape.1
        )));
    }
    check(extras, shape).map_err(|it| it.context(format!("`{path}`")))?;
    let out_ref = &mut out;
    let mut links: Links = x.map(|it| ("X".to_owned(), it.0)).into_iter().collect();
    links.push(("obs".to_owned(), encode::table(out_ref, obs)?));
    links.push(("var".to_owned(), encode::table(out_ref, var)?));
    let groups = [
        ("layers", &extras.layers),
        ("obsm", &extras.obsm),
        ("varm", &extras.varm),
        ("obsp", &extras.obsp),
        ("varp", &extras.varp),
    ];
    for (name, members) in groups {
        let mut inner = if name == "layers" { written.layers.clone() } else { Links::new() };
        for (key, value) in members {
            inner.push((key.clone(), encode::any(out_ref, value)?));
        }
        links.push((name.to_owned(), out_ref.group(&inner, &encoded("dict", "0.1.0"))?));
    }
    let raw = match (&extras.raw, &written.raw) {
        (Some((x, var)), _) => Some((encode::any(out_ref, x)?, var)),
        (None, written) => written.as_ref().map(|it| (it.0, &it.1)),
    };
    if let Some((x, var)) = raw {
        let inner = vec![
            ("X".to_owned(), x),
            ("var".to_owned(), encode::table(out_ref, var)?),
            ("varm".to_owned(), out_ref.group(&Links::new(), &encoded("dict", "0.1.0"))?),
        ];
        links.push(("raw".to_owned(), out_ref.group(&inner, &encoded("raw", "0.1.0"))?));
    }
    links.push(("uns".to_owned(), encode::uns_group(out_ref, &extras.uns)?));
    let root = out_ref.group(&links, &encoded("anndata", "0.1.0"))?;
    out.finish(root)
}

fn check(extras: &Extras, (n, m): (usize, usize)) -> Result<()> {
    let raw_genes = extras.raw.as_ref().map(|it| it.1.n_rows());
    let all = |group: &'static str, of: &'_ BTreeMap<String, AnyMatrix>| {
        of.iter().map(|(key, it)| (format!("{group}/{key}"), it.shape())).collect::<Vec<_>>()
    };
    let fits = [
        (all("layers", &extras.layers), Some(n), Some(m)),
        (all("obsm", &extras.obsm), Some(n), None),
        (all("varm", &extras.varm), Some(m), None),
        (all("obsp", &extras.obsp), Some(n), Some(n)),
        (all("varp", &extras.varp), Some(m), Some(m)),
        (extras.raw.iter().map(|it| ("raw/X".to_owned(), it.0.shape())).collect(), Some(n), raw_genes),
    ];
    for (members, rows, cols) in fits {
        for (name, (r, c)) in members {
            if rows.is_some_and(|it| it != r) || cols.is_some_and(|it| it != c) {
                let show = |it: Option<usize>| it.map_or("any".to_owned(), |it| it.to_string());
                return Err(Error::invalid_input(format!(
                    "{name} has shape {r} × {c}, expected {} × {}",
                    show(rows),
                    show(cols)
                )));
            }
        }
    }
    Ok(())
}

/// An attribute list with the encoding of a node.
pub(crate) type Attrs<'a> = Vec<(&'a str, Attr)>;
