//! The names that span the grid of a study: encoders, metrics, projections, gene sets.

use cellstone_core::{Error, Result, nearest};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How the counts of a cell become a row of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EncoderName {
    /// E1: the counts.
    Raw,
    /// E2: `ln(1 + 1e4 c / N)`.
    LogNorm,
    /// E3: E2 standardised per gene, moments from training cells, cut at ±10.
    ZScore,
    /// E4: average ranks over all genes, zeros one tie.
    RankAll,
    /// E5: rank among detected genes over their number.
    RankDetected,
    /// E6: ranks of `c / (N m_g)` among detected genes.
    Geneformer,
    /// E6s: `c / (N m_g)` itself.
    GeneformerScaled,
    /// E7k: linear weights on the first `k` of E6.
    TopK(usize),
    /// E8: quantile bins as scGPT has them.
    Bins,
    /// E9: detected or not.
    Binary,
    /// E10: Pearson residuals.
    Pearson,
}

const ENCODERS: [(&str, &str, EncoderName); 10] = [
    ("raw", "E1", EncoderName::Raw),
    ("lognorm", "E2", EncoderName::LogNorm),
    ("zscore", "E3", EncoderName::ZScore),
    ("rank_all", "E4", EncoderName::RankAll),
    ("rank_detected", "E5", EncoderName::RankDetected),
    ("geneformer_rank", "E6", EncoderName::Geneformer),
    ("geneformer_scaled", "E6s", EncoderName::GeneformerScaled),
    ("bins", "E8", EncoderName::Bins),
    ("binary", "E9", EncoderName::Binary),
    ("pearson_residuals", "E10", EncoderName::Pearson),
];

impl EncoderName {
    /// The id of the protocol: `E1` to `E10`, `E6s`, `E7_100`.
    pub fn code(self) -> String {
        match self {
            Self::TopK(k) => format!("E7_{k}"),
            other => ENCODERS.iter().find(|it| it.2 == other).map_or_else(String::new, |it| it.1.to_owned()),
        }
    }

    /// Whether it needs a median for every gene.
    pub fn needs_medians(self) -> bool {
        matches!(self, Self::Geneformer | Self::GeneformerScaled | Self::TopK(_))
    }
}

impl FromStr for EncoderName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(found) = ENCODERS.iter().find(|it| it.0 == text || it.1 == text) {
            return Ok(found.2);
        }
        for prefix in ["top_", "E7_"] {
            if let Some(k) = text.strip_prefix(prefix).and_then(|it| it.parse().ok()).filter(|it| *it > 0) {
                return Ok(Self::TopK(k));
            }
        }
        Err(unknown("encoder", text, ENCODERS.iter().map(|it| it.0).chain(["top_100"])))
    }
}

impl fmt::Display for EncoderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopK(k) => write!(f, "top_{k}"),
            other => f.write_str(ENCODERS.iter().find(|it| it.2 == *other).map_or("", |it| it.0)),
        }
    }
}

/// How two rows are compared; larger is more alike, distances enter with their sign turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PairMetric {
    /// M1: negative Euclidean distance.
    Euclidean,
    /// M2 (M9 on E6): cosine.
    Cosine,
    /// M3: Pearson's correlation; on E4 it is Spearman's.
    Pearson,
    /// M4: Spearman's correlation of the rows, zeros one tie.
    Spearman,
    /// M5: Kendall's tau-b, on sampled pairs.
    Kendall,
    /// M6: rank-biased overlap of token lists, on sampled pairs.
    RankBiasedOverlap,
    /// M7: weighted tau, on sampled pairs.
    WeightedTau,
    /// M8: share of the first tokens that two lists have in common, on sampled pairs.
    TopOverlap,
    /// M10: Spearman's correlation on genes detected in both, on sampled pairs.
    SpearmanCodetected,
}

const METRICS: [(&str, &str, PairMetric); 9] = [
    ("euclidean", "M1", PairMetric::Euclidean),
    ("cosine", "M2", PairMetric::Cosine),
    ("pearson", "M3", PairMetric::Pearson),
    ("spearman", "M4", PairMetric::Spearman),
    ("kendall", "M5", PairMetric::Kendall),
    ("rbo", "M6", PairMetric::RankBiasedOverlap),
    ("weighted_tau", "M7", PairMetric::WeightedTau),
    ("top_overlap", "M8", PairMetric::TopOverlap),
    ("spearman_codetected", "M10", PairMetric::SpearmanCodetected),
];

impl PairMetric {
    /// The id of the protocol.
    pub fn code(self) -> &'static str {
        METRICS.iter().find(|it| it.2 == self).map_or("", |it| it.1)
    }

    /// Whether it is cheap enough for all pairs; the others are taken on sampled ones.
    pub fn takes_all_pairs(self) -> bool {
        matches!(self, Self::Euclidean | Self::Cosine | Self::Pearson | Self::Spearman)
    }

    /// Whether it compares lists of tokens, most expressed first, and not rows of numbers.
    pub fn takes_tokens(self) -> bool {
        matches!(self, Self::RankBiasedOverlap | Self::TopOverlap)
    }
}

impl FromStr for PairMetric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = METRICS.iter().find(|it| it.0 == text || it.1 == text);
        found.map(|it| it.2).ok_or_else(|| unknown("metric", text, METRICS.iter().map(|it| it.0)))
    }
}

impl fmt::Display for PairMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(METRICS.iter().find(|it| it.2 == *self).map_or("", |it| it.0))
    }
}

/// What is done to the rows of an encoder before they are compared; the same for every encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Projection {
    /// Nothing.
    None,
    /// The first so many principal components, centred.
    Pca(usize),
    /// So many random directions: the control of [`Projection::Pca`].
    Random(usize),
    /// A UMAP layout of so many dimensions: what the published figure shows.
    Umap(usize),
}

impl FromStr for Projection {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |prefix: &str| text.strip_prefix(prefix).and_then(|it| it.parse().ok()).filter(|it| *it > 0);
        if text == "none" {
            return Ok(Self::None);
        }
        if let Some(k) = number("pca_") {
            return Ok(Self::Pca(k));
        }
        if let Some(k) = number("random_") {
            return Ok(Self::Random(k));
        }
        match number("umap_") {
            Some(k) if k <= 5 => Ok(Self::Umap(k)),
            _ => Err(unknown("projection", text, ["none", "pca_50", "random_50", "umap_5"])),
        }
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Pca(k) => write!(f, "pca_{k}"),
            Self::Random(k) => write!(f, "random_{k}"),
            Self::Umap(k) => write!(f, "umap_{k}"),
        }
    }
}

/// The genes that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GeneSet {
    /// Every gene that a cell of the sample has.
    All,
    /// So many highly variable genes by `seurat_v3`, from training cells.
    Hvg(usize),
}

impl FromStr for GeneSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "all" {
            return Ok(Self::All);
        }
        let n = text.strip_prefix("hvg_").and_then(|it| it.parse().ok()).filter(|it| *it > 1);
        n.map(Self::Hvg).ok_or_else(|| unknown("gene set", text, ["all", "hvg_2000"]))
    }
}

impl fmt::Display for GeneSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Hvg(n) => write!(f, "hvg_{n}"),
        }
    }
}

fn unknown<'a>(what: &str, text: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Error {
    let names: Vec<String> = known.clone().into_iter().map(str::to_owned).collect();
    let error = Error::config(format!("unknown {what} `{text}`, expected one of {}", names.join(", ")));
    match nearest(text, known) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|error: Error| {
                    let hints: String = error.hints().iter().map(|it| format!("; {it}")).collect();
                    serde::de::Error::custom(format!("{error}{hints}"))
                })
            }
        }
    )+};
}

as_text!(EncoderName, PairMetric, Projection, GeneSet);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_they_are_written() {
        let encoders = ENCODERS.iter().map(|it| it.2).chain([EncoderName::TopK(512)]);
        for it in encoders {
            assert_eq!(it.to_string().parse::<EncoderName>().expect("a name"), it);
            assert_eq!(it.code().parse::<EncoderName>().expect("a code"), it);
        }
        for (name, code, metric) in METRICS {
            assert_eq!((name.parse().ok(), code.parse().ok()), (Some(metric), Some(metric)));
            assert_eq!((metric.to_string().as_str(), metric.code()), (name, code));
        }
        for text in ["none", "pca_50", "random_20", "umap_5"] {
            assert_eq!(text.parse::<Projection>().expect("a name").to_string(), text);
        }
        for text in ["all", "hvg_2435"] {
            assert_eq!(text.parse::<GeneSet>().expect("a name").to_string(), text);
        }
    }

    #[test]
    fn unknown_names_come_with_the_nearest() {
        let error = "lognrom".parse::<EncoderName>().expect_err("unknown");
        assert_eq!(error.hints(), ["did you mean `lognorm`?"]);
        for error in ["umap_9", "pca_0", "pca"].map(|it| it.parse::<Projection>().expect_err("unknown")) {
            assert!(error.to_string().contains("expected one of none, pca_50, random_50, umap_5"), "{error}");
        }
        assert!("hvg_x".parse::<GeneSet>().is_err() && "top_0".parse::<EncoderName>().is_err());
    }
}
