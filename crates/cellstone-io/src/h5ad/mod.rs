//! `.h5ad`: the file of AnnData, versions 0.5 to today.

mod anndata;
mod annotate;
mod blocks;
mod encode;
mod legacy;
mod matrix;
mod rows;
mod sample;
mod source;
mod table;
mod uns;
mod write;

pub use anndata::AnnData;
pub use annotate::{Additions, Transform, var_table, write_annotated, write_transformed};
pub use matrix::{AnyMatrix, Matrix, MatrixInfo, MatrixKind};
pub(crate) use sample::Sample;
pub use source::H5adSource;
pub(crate) use source::unlike_scale;
pub use uns::Uns;
pub use write::{Extras, H5adWriter, Value, WriteOptions, write_dense};

use crate::h5::{H5File, Node};
use cellstone_core::{Column, Error, ObsTable, Result, Scale, Var};
use legacy::Records;
use matrix::{Located, read_any};
use ndarray::Array2;
use std::path::{Path, PathBuf};

/// Columns of `var` that may hold gene symbols, in order of preference.
const SYMBOL_COLUMNS: [&str; 5] = ["gene_name", "gene_symbol", "gene_symbols", "feature_name", "symbol"];

/// An open `.h5ad` file. Nothing is read before it is asked for.
///
/// Every error of its methods is one of: the file is corrupt or truncated (it names dataset and chunk), the element is
/// missing (it names those that are there), or the element is not what it should be (it names what was found).
#[derive(Clone)]
pub struct H5ad {
    file: H5File,
    path: PathBuf,
}

impl std::fmt::Debug for H5ad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "H5ad(`{}`)", self.path.display())
    }
}

impl H5ad {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read, is not HDF5, is truncated, or holds neither `X` nor `obs`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = H5File::open(path)?;
        let names = file.names("")?;
        if !names.iter().any(|it| it == "obs") || !names.iter().any(|it| it == "var") {
            return Err(Error::invalid_input(format!(
                "`{}` is HDF5 but not AnnData: it has no `obs` and `var` (there: {})",
                path.display(),
                cellstone_core::quoted(&names)
            ))
            .with_hint("a 10x .h5 file is read as such, whatever its ending"));
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A table, and the columns left out of it.
    pub(crate) fn annotation(&self, name: &str) -> Result<(ObsTable, Vec<String>)> {
        table::read_table(&self.file, name)
    }

    /// The annotation of the cells. Names may repeat: see [`ObsTable::first_duplicate`].
    ///
    /// # Errors
    /// See [`H5ad`].
    pub fn obs(&self) -> Result<ObsTable> {
        Ok(table::read_table(&self.file, "obs")?.0)
    }

    /// The annotation of the genes as a table. Names may repeat.
    ///
    /// # Errors
    /// See [`H5ad`].
    pub fn var_table(&self) -> Result<ObsTable> {
        Ok(table::read_table(&self.file, "var")?.0)
    }

    /// The genes: the row names of `var` are their ids; symbols come from the first of the columns `gene_name`,
    /// `gene_symbol`, `gene_symbols`, `feature_name`, `symbol` that is there.
    ///
    /// # Errors
    /// See [`H5ad`]; also if an id repeats.
    pub fn var(&self) -> Result<Var> {
        self.to_var(&self.var_table()?, "var")
    }

    /// The genes of `raw.X`.
    ///
    /// # Errors
    /// As [`H5ad::var`].
    pub fn raw_var(&self) -> Result<Var> {
        self.to_var(&self.raw_var_table()?, "raw.var")
    }

    /// The annotation of the genes of `raw.X`.
    ///
    /// # Errors
    /// See [`H5ad`].
    pub fn raw_var_table(&self) -> Result<ObsTable> {
        let name = if self.file.node("raw.var")?.is_some() { "raw.var" } else { "raw/var" };
        Ok(table::read_table(&self.file, name)?.0)
    }

    fn to_var(&self, table: &ObsTable, name: &str) -> Result<Var> {
        let symbols = SYMBOL_COLUMNS.iter().find_map(|it| table.get(it)).map(|column| symbols(table, column));
        Var::new(table.index().to_vec(), symbols).map_err(|it| it.context(self.file.label(name)))
    }

    /// Names in a group (`layers`, `obsm`, `varm`, `obsp`, `varp`, `uns`, `obs`, …); none where it is absent.
    pub fn keys(&self, group: &str) -> Vec<String> {
        match self.file.node(group) {
            Ok(Some(Node::Group(_))) => self.file.names(group).unwrap_or_default(),
            Ok(Some(Node::Dataset(it))) => match Records::read(&self.file, group, &it) {
                Ok(Some(records)) => records.names().map(str::to_owned).collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Whether the file holds a matrix.
    pub fn has(&self, matrix: &Matrix) -> bool {
        matches!(self.file.node(&self.name_of(matrix)), Ok(Some(_)))
    }

    fn name_of(&self, matrix: &Matrix) -> String {
        match matrix {
            // One flat name in AnnData before 0.7.
            Matrix::RawX if matches!(self.file.node("raw.X"), Ok(Some(_))) => "raw.X".to_owned(),
            _ => matrix.to_string(),
        }
    }

    fn locate(&self, matrix: &Matrix) -> Result<Located> {
        Located::find(&self.file, &self.name_of(matrix)).map_err(|error| {
            if *matrix != Matrix::X || self.has(matrix) {
                return error;
            }
            let layers = self.keys("layers");
            if layers.is_empty() {
                error
            } else {
                error.with_hint(format!("there are layers: {}", cellstone_core::quoted(&layers)))
            }
        })
    }

    /// What the file says about a matrix, without reading its values.
    ///
    /// # Errors
    /// See [`H5ad`].
    pub fn matrix_info(&self, matrix: &Matrix) -> Result<MatrixInfo> {
        Ok(self.locate(matrix)?.info())
    }

    /// A matrix as a stream of row blocks, each checked against `scale`.
    ///
    /// # Errors
    /// See [`H5ad`]; also if a cell or gene id repeats or the shapes of matrix, obs and var do not fit.
    pub fn source(&self, matrix: Matrix, scale: Scale) -> Result<H5adSource> {
        let var = if matrix == Matrix::RawX { self.raw_var()? } else { self.var()? };
        let obs = self.obs()?;
        if let Some((name, first, second)) = obs.first_duplicate() {
            return Err(Error::invalid_input(format!(
                "cell `{name}` of `{}` stands at obs rows {first} and {second}, expected once",
                self.path.display()
            ))
            .with_hint("in Python: adata.obs_names_make_unique()"));
        }
        H5adSource::new(self.path.display().to_string(), self.locate(&matrix)?, obs, var, scale)
    }

    /// A whole matrix of cells × genes, absent entries of a sparse one as 0.
    ///
    /// # Errors
    /// See [`H5ad`].
    pub fn dense(&self, matrix: &Matrix) -> Result<Array2<f64>> {
        self.locate(matrix)?.dense()
    }

    /// A dense element of `obsm` (an embedding of the cells), `[n_obs, d]`.
    ///
    /// # Errors
    /// See [`H5ad`]; also if it is a table.
    pub fn obsm(&self, key: &str) -> Result<Array2<f64>> {
        let name = format!("obsm/{key}");
        match self.element(&name)? {
            AnyMatrix::Dense(it) => Ok(it),
            AnyMatrix::DenseF32(it) => Ok(it.mapv(f64::from)),
            AnyMatrix::Csr(it) => Ok(it.to_dense().mapv(f64::from)),
            AnyMatrix::Csc(it) => Ok(it.to_csr().to_dense().mapv(f64::from)),
            AnyMatrix::Table(_) => {
                Err(Error::invalid_input(format!("{} is a table, expected numbers", self.file.label(&name))))
            }
        }
    }

    /// Any two-dimensional element by its path: `obsm/X_pca`, `obsp/connectivities`, `varm/PCs`, `layers/counts`, `X`.
    ///
    /// # Errors
    /// See [`H5ad`].
    pub fn element(&self, path: &str) -> Result<AnyMatrix> {
        read_any(&self.file, path)
    }

    /// The unstructured annotation; an empty group where there is none.
    ///
    /// # Errors
    /// See [`H5ad`].
    pub fn uns(&self) -> Result<Uns> {
        uns::read_uns(&self.file, "uns")
    }
}

/// Symbols in the order of the table; a gene without one keeps its id.
fn symbols(table: &ObsTable, column: &Column) -> Vec<String> {
    (0..table.n_rows()).map(|row| column.text(row).unwrap_or_else(|| table.index()[row].clone())).collect()
}
