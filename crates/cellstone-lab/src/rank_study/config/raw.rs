//! What a person types in the file of a rank study; every key is optional that can have a default.

use super::names::{EncoderName, GeneSet, PairMetric, Projection};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One file of a rank study as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStudy {
    /// Version of this format; 1.
    pub schema: u32,
    /// `rank_study`.
    pub kind: String,
    /// Lower snake case; names the folder of the runs.
    pub id: String,
    /// One sentence.
    pub question: String,
    /// Seeds of the subsamples.
    #[serde(default = "five_seeds")]
    pub seeds: Vec<u64>,
    /// The input.
    pub data: RawData,
    /// The graph of cell types.
    pub ontology: Option<RawOntology>,
    /// Which cells are taken.
    #[serde(default)]
    pub subsample: RawSubsample,
    /// What is compared: every block is multiplied out.
    #[serde(default)]
    pub grid: Vec<RawGrid>,
    /// Pairs for the costly metrics and for comparing metrics.
    #[serde(default)]
    pub pairs: RawPairs,
    /// Numbers of neighbours.
    pub k: Option<Vec<usize>>,
    /// Bootstrap draws.
    pub bootstrap: Option<usize>,
    /// Down-sampling of counts; left out unless it stands in the file.
    pub thinning: Option<RawThinning>,
    /// Labels from one data set to another; left out unless it stands in the file.
    pub transfer: Option<RawTransfer>,
    /// A known degree of likeness; left out unless it stands in the file.
    pub graded: Option<RawGraded>,
}

fn five_seeds() -> Vec<u64> {
    vec![1, 2, 3, 4, 5]
}

/// The input files and the meaning of their columns.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawData {
    /// A cell file with counts; relative to the study file.
    pub path: Option<PathBuf>,
    /// Several cell files in place of one; each is a data set.
    #[serde(default)]
    pub file: Vec<RawFile>,
    /// `X`, `raw` or `layers/NAME`.
    pub matrix: Option<String>,
    /// Column of obs with the type of a cell.
    pub type_col: Option<String>,
    /// Column of obs with the id of the type in the ontology.
    pub term_col: Option<String>,
    /// Types and their ids in the ontology, where no column has them.
    #[serde(default)]
    pub terms: BTreeMap<String, String>,
    /// Types from measured proteins, where no column has them.
    #[serde(default)]
    pub gate: Vec<RawGate>,
    /// Key of `obsm` with the proteins.
    pub protein_key: Option<String>,
    /// Key of `uns` with their names.
    pub protein_names: Option<String>,
    /// Column of obs with the donor.
    pub donor_col: Option<String>,
    /// Column of obs with the data set or batch; the file where there are several.
    pub batch_col: Option<String>,
    /// What other-stratum pairs differ in: `donor` or `batch`.
    pub stratum: Option<String>,
    /// Donors or batches from which genes, moments and medians are taken; seeded halves when empty.
    #[serde(default)]
    pub train: Vec<String>,
    /// Column of obs to the values that are kept.
    #[serde(default)]
    pub keep: BTreeMap<String, Vec<String>>,
    /// Where the data come from.
    pub citation: Option<String>,
}

/// One of several cell files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawFile {
    /// Name of the data set.
    pub name: String,
    /// The file; relative to the study file.
    pub path: PathBuf,
}

/// A type by its proteins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawGate {
    /// Name of the type.
    pub name: String,
    /// Proteins that a cell of it has.
    #[serde(default)]
    pub high: Vec<String>,
    /// Proteins that it has not.
    #[serde(default)]
    pub low: Vec<String>,
}

/// The graph of cell types.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawOntology {
    /// An OBO file; relative to the study file.
    pub obo: PathBuf,
    /// Terms that, with all above them, say nothing when they are shared.
    pub roots: Option<Vec<String>>,
    /// Types at this distance or nearer are biologically similar.
    pub similar_distance: Option<u32>,
    /// Types with this hierarchical F or more are biologically similar.
    pub similar_f: Option<f64>,
}

/// Which cells are taken.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSubsample {
    /// Cells of a type.
    pub n_per_type: Option<usize>,
    /// Types with fewer are left out and listed.
    pub min_per_type: Option<usize>,
    /// Largest share of a type from one donor, where it has three.
    pub max_donor_share: Option<f64>,
}

/// A block of the grid: all combinations of its lists.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawGrid {
    /// Encoders.
    pub encoders: Vec<EncoderName>,
    /// Metrics.
    pub metrics: Vec<PairMetric>,
    /// Projections; `none` unless said.
    pub projections: Option<Vec<Projection>>,
    /// Gene sets.
    pub genes: Vec<GeneSet>,
}

/// Pairs for the costly metrics.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPairs {
    /// Pairs of every two types.
    pub between: Option<usize>,
    /// Pairs inside every type.
    pub within: Option<usize>,
    /// Persistence of rank-biased overlap.
    pub rbo_p: Option<f64>,
    /// Length of the lists of top-k overlap.
    pub top_k: Option<usize>,
}

/// Down-sampling of counts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawThinning {
    /// Shares of the molecules that are kept.
    pub rates: Option<Vec<f64>>,
    /// Thinned cells that look for themselves among all.
    pub queries: Option<usize>,
    /// Encoders; every one that stands in the grid with no projection and a metric for all pairs unless said.
    pub encoders: Option<Vec<EncoderName>>,
}

/// Labels from one data set to another.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTransfer {
    /// Neighbours that vote.
    pub k: Option<usize>,
}

/// A known degree of likeness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawGraded {
    /// Numeric columns of obs: the true likeness of two cells is the negative Euclidean distance of these.
    pub columns: Vec<String>,
}
