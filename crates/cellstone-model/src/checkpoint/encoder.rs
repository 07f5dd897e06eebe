//! What a checkpoint says of the encoder that its network reads.

use super::config::EncoderConfig;
use super::vocab::CheckpointVocab;
use cellstone_core::genes::GeneTable;
use cellstone_core::{Error, Result, Tokenizer};
use cellstone_rank::{EncoderInputs, PolygeneV2, PolygeneV2Options, Truncation, UnknownPhenotype, encoder};
use std::sync::Arc;

/// The encoder of a checkpoint, made again from its files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckpointEncoder {
    /// Id, options and longest row.
    pub config: EncoderConfig,
    /// Non-zero medians of genes over a corpus, where the encoder divides by them.
    pub medians: Option<Vec<(String, f64)>>,
    /// The model's own map from retired ids and other names to its genes, where it has one.
    pub gene_mapping: Option<Vec<(String, String)>>,
}

impl CheckpointEncoder {
    /// The encoder, ready to be bound to the genes of a file. `gene_table` helps where a file uses other names than the
    /// vocabulary.
    ///
    /// # Errors
    /// If the encoder is not in the registry, or cannot be made from vocabulary and options.
    pub fn tokenizer(&self, vocab: &CheckpointVocab, gene_table: Option<Arc<GeneTable>>) -> Result<Arc<dyn Tokenizer>> {
        if let CheckpointVocab::Polygene(_) = vocab {
            return Ok(Arc::new(self.polygene_v2(vocab, gene_table)?));
        }
        let inputs = EncoderInputs {
            vocab: Some(vocab.tokens()),
            medians: self.medians.clone(),
            gene_mapping: self.gene_mapping.clone(),
            gene_table,
            max_len: self.config.max_len,
            options: self.config.options.clone(),
            ..EncoderInputs::default()
        };
        (encoder(&self.config.id)?.make)(&inputs)
    }

    /// The encoder of a PolyGene v2, with what it alone can do.
    ///
    /// # Errors
    /// If the checkpoint is of another architecture or an option is unknown.
    pub fn polygene_v2(&self, vocab: &CheckpointVocab, gene_table: Option<Arc<GeneTable>>) -> Result<PolygeneV2> {
        let mut options = PolygeneV2Options { gene_table, ..PolygeneV2Options::default() };
        if let Some(it) = self.config.max_len {
            options.max_len = it;
        }
        for (name, value) in &self.config.options {
            match (name.as_str(), value.as_str()) {
                ("truncate", "hvg") => options.truncate = Truncation::Hvg,
                ("truncate", "expression") => options.truncate = Truncation::Expression,
                ("truncate", "sample") => options.truncate = Truncation::Sample,
                ("unknown", "reject") => options.unknown = UnknownPhenotype::Reject,
                ("unknown", "mask") => options.unknown = UnknownPhenotype::Mask,
                // Both are part of the vocabulary.
                ("edges" | "edges_scale" | "rule", _) => {}
                (name, value) => {
                    return Err(Error::invalid_input(format!("option `{name}` of encoder polygene_v2 is `{value}`")));
                }
            }
        }
        PolygeneV2::new(vocab.polygene()?.clone(), options)
    }
}
