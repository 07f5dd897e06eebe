//! What a token table is made from, and what is said of it when it is there.

use super::manifest::EncoderFile;
use super::scale::DetectedScale;
use super::tally::CoverageReport;
use crate::progress::Progress;
use cellstone_core::Seed;
use cellstone_rank::CoverageRule;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Where the total of a cell comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NCounts {
    /// The sum over all features of the matrix.
    #[default]
    Computed,
    /// The column `n_counts` of obs: for a matrix that lacks features of the raw data.
    Obs,
}

/// What a token table is made from, besides the cells and the encoder.
///
/// # Parameters
/// | name | meaning |
/// |---|---|
/// | `input`, `matrix` | where the cells come from, for the manifest and for resuming |
/// | `files` | files the encoder was made from |
/// | `dataset_id` | names the data set in every row; random draws are keyed by it |
/// | `obs` | columns of obs that rows carry along as `obs.NAME` |
/// | `phenotypes` | `(category, column)` where a phenotype of the encoder has another name in obs |
/// | `seed` | of every random draw, together with the name of the cell |
/// | `rule` | how much of the file must be found in the vocabulary; strict also fails on more than 5 % rejected cells |
/// | `n_counts` | where the total of a cell comes from |
/// | `low_medians` | genes whose corpus median is near 0: the report counts the cells that express them |
/// | `detected` | what a sample of the values looked like, for the manifest |
/// | `row_group_size` | cells of a row group, 65,536 at most |
/// | `resume`, `force` | whether a part of a table is continued, whether what is there is replaced |
pub struct TokenizeOptions<'a> {
    /// The file of the cells.
    pub input: PathBuf,
    /// The matrix of the file.
    pub matrix: String,
    /// Files the encoder was made from.
    pub files: Vec<EncoderFile>,
    /// Names the data set.
    pub dataset_id: String,
    /// Columns of obs to carry along.
    pub obs: Vec<String>,
    /// Columns of obs that hold phenotypes under another name.
    pub phenotypes: Vec<(String, String)>,
    /// Seed of every random draw.
    pub seed: Seed,
    /// How coverage is judged.
    pub rule: CoverageRule,
    /// Where totals come from.
    pub n_counts: NCounts,
    /// Genes whose corpus median is near 0.
    pub low_medians: Vec<(String, f64)>,
    /// What a sample of the values looked like.
    pub detected: Option<DetectedScale>,
    /// Cells of a row group.
    pub row_group_size: usize,
    /// Whether a part of a table is continued.
    pub resume: bool,
    /// Whether what is there is replaced.
    pub force: bool,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Asks the run to stop; it can then be resumed.
    pub cancel: &'a AtomicBool,
}

/// A finished table.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenizeOutcome {
    /// Rows with tokens.
    pub n_rows: u64,
    /// Cells without tokens, for another reason than that the file marks them as filtered out.
    pub n_rejected: u64,
    /// Cells that the file marks as filtered out.
    pub n_filtered: u64,
    /// Tokens of all rows.
    pub n_tokens: u64,
    /// The first row that this run encoded; 0 unless it continued another.
    pub first_row: usize,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// How file and vocabulary fit; `None` if the table was complete already.
    pub coverage: Option<CoverageReport>,
}
