//! One door to every format that holds cells x genes.

use crate::delim::read_count_table;
use crate::embed::ending;
use crate::h5ad::{H5ad, Matrix};
use crate::parquet::read_parquet_counts;
use crate::table::{AnnotatedSource, read_obs_table};
use crate::tenx::{TenxChoice, TenxH5, TenxMtx};
use cellstone_core::{CountSource, Error, Result, Scale};
use std::path::{Path, PathBuf};

/// How a file is to be read.
///
/// # Parameters
/// | name | default | meaning |
/// |---|---|---|
/// | `scale` | counts | what the numbers are; every block is checked against it |
/// | `matrix` | `X` | `.h5ad`: `X`, `raw` or `layers/NAME` |
/// | `genome` | none | 10x: which of several genomes |
/// | `feature_type` | `Gene Expression` | 10x: which features are kept |
/// | `transpose` | no | mtx, csv, tsv, parquet: the file has genes and cells the other way round |
/// | `obs` | none | a csv, tsv or parquet table whose rows are joined to the cells by name |
#[derive(Debug, Clone, PartialEq)]
pub struct OpenOptions {
    /// What the numbers are.
    pub scale: Scale,
    /// Which matrix of an `.h5ad` file.
    pub matrix: Option<String>,
    /// Which genome of a 10x file.
    pub genome: Option<String>,
    /// Which features of a 10x file.
    pub feature_type: Option<String>,
    /// Whether rows and columns are exchanged: genes x cells in tables, cells x genes in mtx.
    pub transpose: bool,
    /// A table to annotate the cells with.
    pub obs: Option<PathBuf>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { scale: Scale::Counts, matrix: None, genome: None, feature_type: None, transpose: false, obs: None }
    }
}

/// What a path can be read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    H5ad,
    TenxH5,
    TenxMtx,
    Text,
    Parquet,
}

/// Opens cells x genes in any format the project reads, told by the ending (a folder is a 10x mtx folder).
///
/// # Errors
/// If the path is missing or of no known kind, if an option does not apply to its kind, or as the reader of that kind.
///
/// # Examples
/// ```
/// use cellstone_io::{OpenOptions, open_source};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("counts.tsv");
/// std::fs::write(&path, "\tg1\tg2\na\t1\t0\nb\t0\t2\n").unwrap();
/// let source = open_source(&path, &OpenOptions::default())?;
/// assert_eq!((source.n_obs(), source.var().len()), (2, 2));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn open_source(path: &Path, options: &OpenOptions) -> Result<Box<dyn CountSource>> {
    let format = format_of(path)?;
    options.check(path, format)?;
    let choice = TenxChoice { genome: options.genome.clone(), feature_type: options.feature_type.clone() };
    let source: Box<dyn CountSource> = match format {
        Format::H5ad => Box::new(H5ad::open(path)?.source(parse_matrix(options.matrix.as_deref())?, options.scale)?),
        Format::TenxH5 => Box::new(TenxH5::open(path, &choice)?),
        Format::TenxMtx => Box::new(TenxMtx::open_transposed(path, &choice, options.transpose)?),
        Format::Text => Box::new(read_count_table(path, options.scale, options.transpose)?),
        Format::Parquet => Box::new(read_parquet_counts(path, options.scale, options.transpose)?),
    };
    match &options.obs {
        Some(obs) => Ok(Box::new(AnnotatedSource::new(source, &read_obs_table(obs)?)?)),
        None => Ok(source),
    }
}

impl OpenOptions {
    /// Refuses options that would silently do nothing.
    fn check(&self, path: &Path, format: Format) -> Result<()> {
        let tenx = matches!(format, Format::TenxH5 | Format::TenxMtx);
        let refuse =
            |what: &str, why: &str| Err(Error::config(format!("{what} does not apply to `{}`: {why}", path.display())));
        if format != Format::H5ad && self.matrix.as_deref().is_some_and(|it| it != "X") {
            return refuse("the choice of a matrix", "only .h5ad files hold several");
        }
        if !tenx && (self.genome.is_some() || self.feature_type.is_some()) {
            return refuse("the choice of genome or feature type", "only 10x files have them");
        }
        if self.transpose && matches!(format, Format::H5ad | Format::TenxH5) {
            return refuse("transpose", "the format says which axis holds the cells");
        }
        if tenx && self.scale != Scale::Counts {
            return refuse(&format!("the scale {}", self.scale), "10x files hold counts");
        }
        Ok(())
    }
}

fn format_of(path: &Path) -> Result<Format> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if metadata.is_dir() {
        return Ok(Format::TenxMtx);
    }
    match ending(path).as_str() {
        "h5ad" => Ok(Format::H5ad),
        "h5" | "hdf5" => Ok(Format::TenxH5),
        "mtx" => Ok(Format::TenxMtx),
        "csv" | "tsv" | "txt" => Ok(Format::Text),
        "parquet" | "pq" => Ok(Format::Parquet),
        _ => Err(Error::config(format!(
            "`{}` is of no known kind, expected .h5ad, 10x .h5, a 10x mtx folder or its matrix.mtx, .csv, .tsv (also .gz) or .parquet",
            path.display()
        ))),
    }
}

fn parse_matrix(name: Option<&str>) -> Result<Matrix> {
    match name {
        None | Some("X") => Ok(Matrix::X),
        Some("raw" | "raw/X" | "raw.X") => Ok(Matrix::RawX),
        Some(other) => match other.strip_prefix("layers/") {
            Some(layer) if !layer.is_empty() => Ok(Matrix::Layer(layer.to_owned())),
            _ => Err(Error::config(format!("matrix `{other}` is not known, expected `X`, `raw` or `layers/NAME`"))
                .with_hint(format!("for a layer, write layers/{other}"))),
        },
    }
}
