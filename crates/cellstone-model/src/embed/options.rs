//! Which state, how it becomes one vector, and how many tokens go through the network at once.

use crate::{Network, NetworkConfig};
use cellstone_core::{Error, Result};

/// A hidden state of a network with `L` blocks: 0 is what enters the first block, `l` what leaves block `l`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer(i64);

impl Layer {
    /// What leaves the last block.
    pub const LAST: Self = Self(-1);

    /// State `at`; negative ones count from the end, −1 is the last.
    pub fn new(at: i64) -> Self {
        Self(at)
    }

    /// As a user writes it: a number, `geneformer-upstream` (the state that upstream's `emb_layer = -1` means: the second
    /// to last) or `helical` (the one that helical's `emb_layer = -1` means: the last).
    ///
    /// Source: `jkobject/geneformer` : `geneformer/emb_extractor.py`.
    ///
    /// # Errors
    /// For any other text.
    ///
    /// # Examples
    /// ```
    /// use cellstone_model::Layer;
    /// assert_eq!(Layer::parse("-1")?.index(6)?, 6);
    /// assert_eq!(Layer::parse("0")?.index(6)?, 0);
    /// assert_eq!(Layer::parse("geneformer-upstream")?.index(6)?, 5);
    /// assert!(Layer::parse("7")?.index(6).is_err());
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "geneformer-upstream" => Ok(Self(-2)),
            "helical" => Ok(Self::LAST),
            _ => text.parse().map(Self).map_err(|_| {
                Error::config(format!(
                    "layer `{text}`, expected a number (0 is the embedding output, -1 the last), `geneformer-upstream` \
                     or `helical`"
                ))
            }),
        }
    }

    /// The state counted from 0, for a network of `n_layers` blocks.
    ///
    /// # Errors
    /// If there is no such state.
    pub fn index(self, n_layers: usize) -> Result<usize> {
        let n = n_layers as i64;
        let at = if self.0 < 0 { n + 1 + self.0 } else { self.0 };
        if (0..=n).contains(&at) {
            return Ok(at as usize);
        }
        Err(Error::config(format!("layer {}, expected 0 to {n} or -1 to {} ({n} blocks)", self.0, -(n + 1))))
    }
}

/// How the states of a cell become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// The state of the token of the cell, the first one.
    Cls,
    /// The mean over genes: special tokens and phenotypes are left out.
    Mean,
    /// The mean over all tokens.
    MeanAll,
    /// The largest value over genes, by dimension.
    Max,
}

impl Pool {
    /// As a user writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cls => "cls",
            Self::Mean => "mean",
            Self::MeanAll => "mean_all",
            Self::Max => "max",
        }
    }
}

/// How cells are embedded.
///
/// # Parameters
/// | name | meaning |
/// |---|---|
/// | `layer` | which hidden state |
/// | `pool` | how the states of a cell become one vector |
/// | `batch_tokens` | tokens, padding counted, that go through the network at once; a longer cell goes alone |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbedOptions {
    /// Which hidden state.
    pub layer: Layer,
    /// How the states of a cell become one vector.
    pub pool: Pool,
    /// Tokens that go through the network at once.
    pub batch_tokens: usize,
}

/// Tokens of a batch beyond which nothing is gained: matrices are large enough, caches are not.
const USEFUL: usize = 16_384;

/// Tokens that may go through a network at once in `free` bytes of memory, for cells of up to `len` tokens.
///
/// Half of the memory is used: everything that one block holds at a time (stream, three maps of the heads, inner layer,
/// scores of the heads where attention is not fused) and every state behind it, in single precision.
pub fn batch_tokens(network: &Network, len: usize, free: u64) -> usize {
    let [n_layers, d, d_inner, n_heads] = sizes(network.config());
    let per_token = 4 * ((n_layers + 1 + 8) * d + 2 * d_inner + 2 * n_heads * len.max(1));
    let fit = (free / 2 / per_token as u64).min(USEFUL as u64) as usize;
    fit.max(len.max(1))
}

/// Blocks, width, inner width, heads.
pub(crate) fn sizes(config: &NetworkConfig) -> [usize; 4] {
    match config {
        NetworkConfig::Bert(it) => [it.num_hidden_layers, it.hidden_size, it.intermediate_size, it.num_attention_heads],
        NetworkConfig::ScGpt(it) => [it.nlayers, it.embsize, it.d_hid, it.nheads],
        NetworkConfig::PolyGene(it) => [it.n_layers, it.d, it.d_inner, it.n_heads],
    }
}
