//! Reading the inputs and options of one encoder.

use super::list::{EncoderInputs, Need, OptionInfo};
use crate::polygene::PhenotypeCategory;
use crate::uce::GeneLocation;
use cellstone_core::genes::GeneTable;
use cellstone_core::{Error, Result, nearest, quoted};
use std::str::FromStr;
use std::sync::Arc;

/// What a maker of an encoder reads from.
pub(super) struct Reader<'a> {
    id: &'static str,
    inputs: &'a EncoderInputs,
}

impl<'a> Reader<'a> {
    /// Checks that every option is known.
    pub(super) fn new(id: &'static str, inputs: &'a EncoderInputs, known: &[OptionInfo]) -> Result<Self> {
        for name in inputs.options.keys() {
            if known.iter().any(|it| it.name == name) {
                continue;
            }
            let names: Vec<String> = known.iter().map(|it| it.name.to_owned()).collect();
            let options =
                if names.is_empty() { "it has none".to_owned() } else { format!("options: {}", quoted(&names)) };
            let error = Error::config(format!("encoder `{id}` has no option `{name}` ({options})"));
            return Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(it) => error.with_hint(format!("did you mean `{it}`?")),
                None => error,
            });
        }
        Ok(Self { id, inputs })
    }

    fn missing(&self, need: Need) -> Error {
        Error::config(format!("encoder `{}` needs {}", self.id, need.as_str()))
    }

    pub(super) fn vocab(&self) -> Result<Vec<(String, u32)>> {
        self.inputs.vocab.clone().ok_or_else(|| self.missing(Need::Vocab))
    }

    pub(super) fn medians(&self) -> Result<Vec<(String, f64)>> {
        self.inputs.medians.clone().ok_or_else(|| self.missing(Need::Medians))
    }

    pub(super) fn locations(&self) -> Result<Vec<GeneLocation>> {
        self.inputs.gene_locations.clone().ok_or_else(|| self.missing(Need::Locations))
    }

    pub(super) fn phenotypes(&self) -> Result<Vec<PhenotypeCategory>> {
        let given = self.inputs.phenotype_vocab.clone().ok_or_else(|| self.missing(Need::Phenotypes))?;
        Ok(given.into_iter().map(|(name, values)| PhenotypeCategory::from_labels(name, values)).collect())
    }

    /// Genes by the rank or place that the vocabulary gives them.
    pub(super) fn ranked_genes(&self) -> Result<Vec<String>> {
        let mut genes = self.vocab()?;
        genes.sort_by_key(|it| it.1);
        if let Some((at, it)) = genes.iter().enumerate().find(|it| it.0 as u32 != it.1.1) {
            return Err(Error::invalid_input(format!(
                "the vocabulary of `{}` has `{}` at {} and no gene at {at}, expected ranks without gaps from 0",
                self.id, it.0, it.1
            )));
        }
        Ok(genes.into_iter().map(|it| it.0).collect())
    }

    pub(super) fn gene_table(&self) -> Option<Arc<GeneTable>> {
        self.inputs.gene_table.clone()
    }

    pub(super) fn gene_mapping(&self) -> Vec<(String, String)> {
        self.inputs.gene_mapping.clone().unwrap_or_default()
    }

    /// The longest row that was asked for.
    pub(super) fn max_len(&self) -> Option<usize> {
        self.inputs.max_len
    }

    /// For encoders whose rows have one length.
    pub(super) fn refuse_max_len(&self) -> Result<()> {
        match self.inputs.max_len {
            None => Ok(()),
            Some(it) => Err(Error::config(format!("encoder `{}` cuts nothing, but max_len is {it}", self.id))),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.inputs.options.get(name).map(String::as_str)
    }

    /// A number, a flag or anything else that is read from text.
    pub(super) fn parse<T: FromStr>(&self, name: &str, default: T) -> Result<T> {
        let Some(text) = self.text(name) else { return Ok(default) };
        text.parse().map_err(|_| {
            let what = std::any::type_name::<T>();
            Error::config(format!("option `{name}` of encoder `{}` is `{text}`, expected {}", self.id, kind(what)))
        })
    }

    /// One of several words.
    pub(super) fn choice<T: Copy + Default>(&self, name: &str, words: &[(&str, T)]) -> Result<T> {
        let Some(text) = self.text(name) else { return Ok(T::default()) };
        if let Some(it) = words.iter().find(|it| it.0 == text) {
            return Ok(it.1);
        }
        let names: Vec<String> = words.iter().map(|it| it.0.to_owned()).collect();
        let error = Error::config(format!(
            "option `{name}` of encoder `{}` is `{text}`, expected one of {}",
            self.id,
            quoted(&names)
        ));
        Err(match nearest(text, words.iter().map(|it| it.0)) {
            Some(it) => error.with_hint(format!("did you mean `{it}`?")),
            None => error,
        })
    }
}

/// What a type is called in a message.
fn kind(type_name: &str) -> &'static str {
    match type_name {
        "bool" => "`true` or `false`",
        "usize" | "u32" | "u64" => "a whole number",
        _ => "a number",
    }
}
