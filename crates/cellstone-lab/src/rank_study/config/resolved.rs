//! A complete study: every default written out, every name checked. It is stored in the run.

use super::names::{EncoderName, GeneSet, PairMetric, Projection};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that determines the tables of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyConfig {
    /// Version of this format.
    pub schema: u32,
    /// `rank_study`.
    pub kind: String,
    /// Names the folder of the runs.
    pub id: String,
    /// One sentence.
    pub question: String,
    /// Seeds of the subsamples.
    pub seeds: Vec<u64>,
    /// Numbers of neighbours, ascending.
    pub k: Vec<usize>,
    /// Bootstrap draws.
    pub bootstrap: usize,
    /// The input.
    pub data: StudyData,
    /// The graph of cell types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ontology: Option<OntologyConfig>,
    /// Which cells are taken.
    pub subsample: Subsample,
    /// Pairs for the costly metrics.
    pub pairs: SampledPairs,
    /// Down-sampling of counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinning: Option<Thinning>,
    /// Labels from one data set to another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// A known degree of likeness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graded: Option<Graded>,
    /// Combinations of the grid that were left out, and why.
    pub skipped: Vec<String>,
    /// The grid, multiplied out, in the order of the tables.
    pub unit: Vec<Unit>,
}

/// What other-stratum pairs differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stratum {
    /// The donor.
    Donor,
    /// The data set or batch.
    Batch,
}

impl Stratum {
    /// The word in tables and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Donor => "donor",
            Self::Batch => "batch",
        }
    }
}

/// The input files and the meaning of their columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyData {
    /// `X`, `raw` or `layers/NAME`.
    pub matrix: String,
    /// Column of obs with the type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_col: Option<String>,
    /// Column of obs with the term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term_col: Option<String>,
    /// Column of obs with the donor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub donor_col: Option<String>,
    /// Column of obs with the data set or batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_col: Option<String>,
    /// Key of `obsm` with the proteins.
    pub protein_key: String,
    /// Key of `uns` with their names.
    pub protein_names: String,
    /// What other-stratum pairs differ in; none where there is neither donor nor batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stratum: Option<Stratum>,
    /// Strata from which genes, moments and medians are taken.
    pub train: Vec<String>,
    /// Where the data come from.
    pub citation: String,
    /// Column of obs to the values that are kept.
    pub keep: BTreeMap<String, Vec<String>>,
    /// Types and their ids in the ontology.
    pub terms: BTreeMap<String, String>,
    /// Types from measured proteins.
    pub gate: Vec<Gate>,
    /// The files; one without a name, or several with one each.
    pub file: Vec<DataFile>,
}

/// One cell file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Name of the data set; empty where there is one file.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

/// A type by its proteins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Name of the type.
    pub name: String,
    /// Proteins that a cell of it has.
    pub high: Vec<String>,
    /// Proteins that it has not.
    pub low: Vec<String>,
}

/// The graph of cell types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OntologyConfig {
    /// An OBO file.
    pub obo: PathBuf,
    /// Terms that, with all above them, say nothing when they are shared.
    pub roots: Vec<String>,
    /// Types at this distance or nearer are biologically similar.
    pub similar_distance: u32,
    /// Types with this hierarchical F or more are biologically similar.
    pub similar_f: f64,
}

/// Which cells are taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Subsample {
    /// Cells of a type.
    pub n_per_type: usize,
    /// Types with fewer are left out and listed.
    pub min_per_type: usize,
    /// Largest share of a type from one donor, where it has three.
    pub max_donor_share: f64,
}

/// Pairs for the costly metrics.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SampledPairs {
    /// Pairs of every two types.
    pub between: usize,
    /// Pairs inside every type.
    pub within: usize,
    /// Persistence of rank-biased overlap.
    pub rbo_p: f64,
    /// Length of the lists of top-k overlap.
    pub top_k: usize,
}

/// Down-sampling of counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thinning {
    /// Shares of the molecules that are kept, descending.
    pub rates: Vec<f64>,
    /// Thinned cells that look for themselves among all.
    pub queries: usize,
    /// Encoders with the metric they are compared by: their first in the grid for all pairs without a projection.
    pub units: Vec<Unit>,
}

/// Labels from one data set to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Neighbours that vote.
    pub k: usize,
}

/// A known degree of likeness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graded {
    /// Numeric columns of obs.
    pub columns: Vec<String>,
}

/// One cell of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unit {
    /// The genes.
    pub genes: GeneSet,
    /// The rows.
    pub encoder: EncoderName,
    /// What is done to them.
    pub projection: Projection,
    /// How they are compared.
    pub metric: PairMetric,
}

impl Unit {
    /// Its name in state folders: `hvg_2000-lognorm-none-cosine`.
    pub fn name(&self) -> String {
        format!("{}-{}-{}-{}", self.genes, self.encoder, self.projection, self.metric)
    }
}

impl StudyConfig {
    /// The configuration as TOML, every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("invariant: a resolved configuration has string keys only")
    }

    /// Units whose metric takes all pairs.
    pub fn all_pair_units(&self) -> impl Iterator<Item = &Unit> {
        self.unit.iter().filter(|it| it.metric.takes_all_pairs())
    }

    /// The largest number of neighbours that is needed.
    pub fn max_k(&self) -> usize {
        self.k.iter().copied().max().unwrap_or(15).max(15)
    }
}
