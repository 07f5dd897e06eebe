//! A whole file in memory.

use super::write::{Extras, WriteOptions, Written, write_rest};
use super::{AnyMatrix, H5ad, Matrix, Uns, encode};
use crate::h5::write::H5Out;
use cellstone_core::{ObsTable, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Cells × genes with their annotation, in memory: for files that fit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnnData {
    /// The main matrix; a file of annotation alone has none.
    pub x: Option<AnyMatrix>,
    /// Annotation of the cells.
    pub obs: ObsTable,
    /// Annotation of the genes.
    pub var: ObsTable,
    /// Everything else.
    pub extras: Extras,
}

impl AnnData {
    /// Writes the file; see [`super::H5adWriter`] for files that do not fit into memory.
    ///
    /// # Errors
    /// Names the element whose shape does not fit, or the path if it exists or cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        let mut out = H5Out::create(path.as_ref(), options.overwrite, options.gzip_level)?;
        let x = match &self.x {
            Some(it) => Some((encode::any(&mut out, it)?, it.shape())),
            None => None,
        };
        write_rest(out, x, &Written::default(), &self.obs, &self.var, &self.extras)
    }
}

impl H5ad {
    /// Reads everything into memory. Sparse values come as 32-bit floats.
    ///
    /// # Errors
    /// See [`H5ad`].
    pub fn read_all(&self) -> Result<AnnData> {
        let raw = if self.has(&Matrix::RawX) {
            Some((self.element(&self.name_of(&Matrix::RawX))?, self.raw_var_table()?))
        } else {
            None
        };
        Ok(AnnData {
            x: if self.has(&Matrix::X) { Some(self.element("X")?) } else { None },
            obs: self.obs()?,
            var: self.var_table()?,
            extras: Extras { layers: self.group("layers")?, raw, ..self.annotation_of_axes()? },
        })
    }

    /// Everything besides `X`, `obs`, `var`, layers and `raw`: what is small beside them.
    pub(crate) fn annotation_of_axes(&self) -> Result<Extras> {
        let uns = match self.uns()? {
            Uns::Group(it) => it,
            other => BTreeMap::from([("uns".to_owned(), other)]),
        };
        Ok(Extras {
            obsm: self.group("obsm")?,
            varm: self.group("varm")?,
            obsp: self.group("obsp")?,
            varp: self.group("varp")?,
            uns,
            ..Extras::default()
        })
    }

    fn group(&self, name: &str) -> Result<BTreeMap<String, AnyMatrix>> {
        let keys = self.keys(name).into_iter();
        keys.map(|key| Ok((key.clone(), self.element(&format!("{name}/{key}"))?))).collect()
    }
}
