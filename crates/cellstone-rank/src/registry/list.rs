//! The one list of encoders: what each is, what it needs, how to make it from inputs and options by name.

use super::entries;
use crate::uce::GeneLocation;
use cellstone_core::genes::GeneTable;
use cellstone_core::{Error, Result, Tokenizer, nearest, quoted};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One encoder of the registry.
#[derive(Clone, Copy)]
pub struct EncoderEntry {
    /// Lower snake case, unique.
    pub id: &'static str,
    /// The rule, in one line.
    pub summary: &'static str,
    /// Paper DOI or repository and path.
    pub source: &'static str,
    /// What [`EncoderEntry::make`] cannot do without.
    pub needs: &'static [Need],
    /// Its options by name.
    pub options: &'static [OptionInfo],
    /// Makes it.
    ///
    /// # Errors
    /// If an input is missing or does not fit, an option is unknown (the hint has the nearest name) or out of range.
    pub make: fn(&EncoderInputs) -> Result<Arc<dyn Tokenizer>>,
}

impl fmt::Debug for EncoderEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncoderEntry").field("id", &self.id).field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// An input that an encoder is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// [`EncoderInputs::vocab`].
    Vocab,
    /// [`EncoderInputs::medians`].
    Medians,
    /// [`EncoderInputs::phenotype_vocab`].
    Phenotypes,
    /// [`EncoderInputs::gene_locations`].
    Locations,
}

impl Need {
    /// The input in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vocab => "a vocabulary",
            Self::Medians => "gene medians",
            Self::Phenotypes => "a phenotype vocabulary",
            Self::Locations => "protein rows and locations of genes",
        }
    }
}

/// One option of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionInfo {
    /// Its name.
    pub name: &'static str,
    /// What it is if it is not given.
    pub default: &'static str,
    /// What it may be.
    pub values: &'static str,
    /// What it means.
    pub summary: &'static str,
}

/// Everything that an encoder may be made from.
#[derive(Debug, Clone, Default)]
pub struct EncoderInputs {
    /// Names and ids: genes, and special tokens in angle brackets. For encoders over a list, ids are places in it; for
    /// PolyGene, ranks of the genes.
    pub vocab: Option<Vec<(String, u32)>>,
    /// Non-zero medians of genes over a corpus.
    pub medians: Option<Vec<(String, f64)>>,
    /// The model's own map from retired ids and other names to its genes, where it has one.
    pub gene_mapping: Option<Vec<(String, String)>>,
    /// Gene identity, where files use other names than the vocabulary.
    pub gene_table: Option<Arc<GeneTable>>,
    /// Categories of phenotypes and their values.
    pub phenotype_vocab: Option<Vec<(String, Vec<String>)>>,
    /// Protein rows and locations of genes.
    pub gene_locations: Option<Vec<GeneLocation>>,
    /// Longest row, for encoders that cut.
    pub max_len: Option<usize>,
    /// Options by name.
    pub options: BTreeMap<String, String>,
}

/// Every encoder, in the order of the documentation.
///
/// # Examples
/// ```
/// use cellstone_rank::{EncoderInputs, encoder, encoders};
/// assert!(encoders().iter().any(|it| it.id == "polygene_v2"));
/// let inputs = EncoderInputs {
///     vocab: Some(vec![("CD3D".into(), 0), ("LYZ".into(), 1)]),
///     options: [("tie".to_owned(), "symbol".to_owned())].into(),
///     ..EncoderInputs::default()
/// };
/// let error = (encoder("cell2sentence")?.make)(&inputs).err().expect("no such option");
/// assert_eq!(error.hints(), ["did you mean `ties`?"]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn encoders() -> Vec<EncoderEntry> {
    entries::ENTRIES.to_vec()
}

/// The encoder of that id.
///
/// # Errors
/// If there is none; the hint has the nearest name.
pub fn encoder(id: &str) -> Result<EncoderEntry> {
    if let Some(it) = entries::ENTRIES.iter().find(|it| it.id == id) {
        return Ok(*it);
    }
    let names: Vec<String> = entries::ENTRIES.iter().map(|it| it.id.to_owned()).collect();
    let error = Error::config(format!("no encoder `{id}` (encoders: {})", quoted(&names)));
    Err(match nearest(id, names.iter().map(String::as_str)) {
        Some(it) => error.with_hint(format!("did you mean `{it}`?")),
        None => error,
    })
}
