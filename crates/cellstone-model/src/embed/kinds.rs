//! What the tokens of a checkpoint stand for: genes, or anything else.

use crate::NetworkConfig;
use crate::checkpoint::{Checkpoint, CheckpointVocab};
use crate::nets::TokenBatch;
use cellstone_core::{Error, Result, TokenRow};
use cellstone_rank::PolygeneVocab;

/// Which ids of a checkpoint are genes, and how its rows are padded.
///
/// A gene is known by its *key*: its id, or for two streams its id in the second.
#[derive(Debug, Clone)]
pub struct TokenKinds {
    /// Names of genes by key; `None` for what is no gene.
    names: Vec<Option<String>>,
    two_streams: bool,
    cls: Option<u32>,
    eos: Option<u32>,
    pad: u32,
    pad_value: f32,
    top_bin: Option<f32>,
}

impl TokenKinds {
    /// From the vocabulary of a checkpoint. Where a Geneformer has none, its published order is taken for granted:
    /// special tokens first (two in the first series, four in the second), then genes without names.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        match &checkpoint.vocab {
            CheckpointVocab::Polygene(it) => Self::of_polygene(it),
            CheckpointVocab::Tokens(it) if it.is_empty() => {
                let n_specials = if checkpoint.encoder.config.id == "geneformer_v1" { 2 } else { 4 };
                let specials = ["<pad>", "<mask>", "<cls>", "<eos>"].into_iter().take(n_specials);
                let mut tokens: Vec<(String, u32)> = specials.map(str::to_owned).zip(0..).collect();
                let n = crate::import::n_ids(checkpoint.network.config()) as u32;
                tokens.extend((n_specials as u32..n).map(|it| (format!("token {it}"), it)));
                Self::of_tokens(&tokens, checkpoint)
            }
            CheckpointVocab::Tokens(it) => Self::of_tokens(it, checkpoint),
        }
    }

    fn of_polygene(vocab: &PolygeneVocab) -> Self {
        let gene = |key: u32| vocab.gene_of(key).and_then(|_| vocab.type_name(key)).map(str::to_owned);
        Self {
            names: (0..vocab.n_types()).map(gene).collect(),
            two_streams: true,
            cls: Some(PolygeneVocab::CLS),
            eos: Some(PolygeneVocab::EOS),
            pad: PolygeneVocab::PAD,
            pad_value: 0.0,
            top_bin: None,
        }
    }

    fn of_tokens(tokens: &[(String, u32)], checkpoint: &Checkpoint) -> Self {
        let n = tokens.iter().map(|it| it.1 as usize + 1).max().unwrap_or(0);
        let mut names = vec![None; n];
        for (name, id) in tokens.iter().filter(|it| !is_special(&it.0)) {
            names[*id as usize] = Some(name.clone());
        }
        let id = |name: &str| tokens.iter().find(|it| it.0 == name).map(|it| it.1);
        let (pad, pad_value, top_bin) = match checkpoint.network.config() {
            NetworkConfig::Bert(it) => (it.pad_token_id, 0.0, None),
            NetworkConfig::ScGpt(it) => {
                let n_bins = checkpoint.encoder.config.options.get("n_bins").and_then(|it| it.parse::<f32>().ok());
                (id("<pad>").unwrap_or(0), it.pad_value, Some(n_bins.unwrap_or(51.0) - 1.0))
            }
            NetworkConfig::PolyGene(_) => (id("<pad>").unwrap_or(0), 0.0, None),
        };
        Self { names, two_streams: false, cls: id("<cls>"), eos: id("<eos>"), pad, pad_value, top_bin }
    }

    /// The key of the gene at a place of a row; `None` if something else stands there.
    pub fn gene(&self, row: &TokenRow, at: usize) -> Option<u32> {
        let stream = if self.two_streams { row.type_ids.as_ref()? } else { &row.input_ids };
        let key = *stream.get(at)?;
        self.names.get(key as usize)?.as_ref().map(|_| key)
    }

    /// The name of a gene.
    pub fn name(&self, key: u32) -> Option<&str> {
        self.names.get(key as usize)?.as_deref()
    }

    /// The key of a gene by its name, as the vocabulary spells it.
    pub fn key(&self, name: &str) -> Option<u32> {
        self.names.iter().position(|it| it.as_deref() == Some(name)).map(|it| it as u32)
    }

    /// Every gene and its key.
    pub fn genes(&self) -> impl Iterator<Item = (u32, &str)> {
        self.names.iter().enumerate().filter_map(|(key, it)| Some((key as u32, it.as_deref()?)))
    }

    /// One more than the largest key.
    pub fn n_keys(&self) -> usize {
        self.names.len()
    }

    /// Whether rows have a second stream.
    pub fn has_two_streams(&self) -> bool {
        self.two_streams
    }

    pub(crate) fn specials(&self) -> (Option<u32>, Option<u32>) {
        (self.cls, self.eos)
    }

    /// The highest bin of expression, for encoders with bins beside the genes.
    pub(crate) fn top_bin(&self) -> Option<f32> {
        self.top_bin
    }

    /// Refuses ids of the second stream that the vocabulary does not have; those of the first the network checks.
    pub(crate) fn check_types(&self, row: &TokenRow) -> Result<()> {
        let types = row.type_ids.as_ref().filter(|_| self.two_streams);
        match types.and_then(|it| it.iter().find(|it| **it as usize >= self.names.len())) {
            None => Ok(()),
            Some(id) => Err(Error::invalid_input(format!(
                "type {id} of a vocabulary of {}, expected ids below that",
                self.names.len()
            ))
            .with_hint("the tokens may be made with the vocabulary of another model")),
        }
    }

    /// Refuses a row that does not begin with the token of the cell.
    pub(crate) fn check_cls(&self, row: &TokenRow) -> Result<()> {
        if self.cls.is_some() && row.input_ids.first().copied() == self.cls {
            return Ok(());
        }
        Err(Error::config("the rows of this model do not begin with a token of the cell (`<cls>`)")
            .with_hint("take the mean over genes: --pool mean"))
    }

    /// The row without its phenotypes, so that no vector tells them. One stream has none.
    #[must_use]
    pub fn without_phenotypes(&self, row: TokenRow) -> TokenRow {
        let Some(types) = row.type_ids.as_ref().filter(|_| self.two_streams) else { return row };
        // Type 0 is that of special tokens.
        let keep: Vec<bool> = (0..types.len()).map(|it| types[it] == 0 || self.gene(&row, it).is_some()).collect();
        kept(row, |at| keep[at])
    }

    pub(crate) fn batch(&self, rows: &[TokenRow]) -> Result<TokenBatch> {
        TokenBatch::new(rows, self.pad, self.pad_value)
    }
}

/// The places of a row that stay.
pub(crate) fn kept(row: TokenRow, stays: impl Fn(usize) -> bool) -> TokenRow {
    fn some<T>(it: Vec<T>, stays: &impl Fn(usize) -> bool) -> Vec<T> {
        it.into_iter().enumerate().filter(|it| stays(it.0)).map(|it| it.1).collect()
    }
    TokenRow {
        input_ids: some(row.input_ids, &stays),
        values: row.values.map(|it| some(it, &stays)),
        type_ids: row.type_ids.map(|it| some(it, &stays)),
        ..row
    }
}

fn is_special(name: &str) -> bool {
    name.starts_with('<') && name.ends_with('>')
}
