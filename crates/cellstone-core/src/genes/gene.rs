//! One gene as an annotation lists it, and how its id is spelled.

use crate::{Error, Result};

/// A gene of an annotation: a stable id without its version, and what goes with it.
///
/// # References
/// An Ensembl id is `ENS`, letters of the species, `G` and eleven digits, with a version behind a full stop; GENCODE
/// marks the copy on Y of a gene in the pseudoautosomal regions with `_PAR_Y` behind the version, and repeats the id
/// in place of a symbol where a gene has none: <https://www.gencodegenes.org/pages/data_format.html>.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gene {
    id: String,
    symbol: Option<String>,
    version: Option<u32>,
    length: Option<u64>,
    biotype: Option<String>,
}

impl Gene {
    /// A gene from its id and symbol.
    ///
    /// An id that begins with `ENS` is written in capitals and without its version, which is kept apart
    /// (`ensg00000141510.20` is `ENSG00000141510`, version 20; `ENSG00000182378.15_PAR_Y` is
    /// `ENSG00000182378_PAR_Y`, version 15). A symbol that is empty or the id itself stands for none.
    ///
    /// # Errors
    /// If the id is empty.
    pub fn new(id: &str, symbol: &str) -> Result<Self> {
        let (id, symbol) = (id.trim(), symbol.trim());
        if id.is_empty() {
            return Err(Error::invalid_input("an empty gene id, expected an Ensembl id such as `ENSG00000141510`"));
        }
        let (upper, shouted) = (id.to_ascii_uppercase(), symbol.to_ascii_uppercase());
        let (id, version, is_id) = if upper.starts_with("ENS") {
            let spelling = Spelling::of(&upper);
            (spelling.without_version(), spelling.version, Spelling::of(&shouted).stem == spelling.stem)
        } else {
            (id.to_owned(), None, shouted == upper)
        };
        let symbol = (!symbol.is_empty() && !is_id).then(|| symbol.to_owned());
        Ok(Self { id, symbol, version, length: None, biotype: None })
    }

    /// The same gene in this version of its annotation.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// The same gene with its length in bases.
    #[must_use]
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// The same gene with its biotype, such as `protein_coding`.
    #[must_use]
    pub fn with_biotype(mut self, biotype: impl Into<String>) -> Self {
        self.biotype = Some(biotype.into());
        self
    }

    /// The id, without version.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The symbol, where the gene has one.
    pub fn symbol(&self) -> Option<&str> {
        self.symbol.as_deref()
    }

    /// The symbol, or the id of a gene without one.
    pub fn label(&self) -> &str {
        self.symbol().unwrap_or(&self.id)
    }

    /// Version of the annotation of this gene.
    pub fn version(&self) -> Option<u32> {
        self.version
    }

    /// Length in bases, as the annotation counts it.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Kind of gene, such as `protein_coding`.
    pub fn biotype(&self) -> Option<&str> {
        self.biotype.as_deref()
    }
}

/// The parts of an id in capitals: `STEM`, `.VERSION`, `_PAR_Y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spelling<'a> {
    pub(super) stem: &'a str,
    pub(super) version: Option<u32>,
    pub(super) par_y: bool,
}

impl<'a> Spelling<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let body = text.strip_suffix("_PAR_Y");
        let par_y = body.is_some();
        let body = body.unwrap_or(text);
        let split = body.rsplit_once('.').and_then(|(stem, digits)| {
            let plain = digits.bytes().all(|it| it.is_ascii_digit());
            Some((stem, digits.parse().ok().filter(|_| plain)?))
        });
        match split {
            Some((stem, version)) => Self { stem, version: Some(version), par_y },
            None => Self { stem: body, version: None, par_y },
        }
    }

    pub(super) fn without_version(&self) -> String {
        format!("{}{}", self.stem, if self.par_y { "_PAR_Y" } else { "" })
    }
}
