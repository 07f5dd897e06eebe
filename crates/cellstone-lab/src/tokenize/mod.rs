//! Token tables from files of cells, and gene medians of a corpus: reading, encoding and writing at the same time.

mod cells;
mod driver;
mod gene_ids;
mod manifest;
mod medians;
mod options;
mod recover;
mod scale;
mod tally;

pub use driver::tokenize;
pub use gene_ids::with_gene_ids;
pub use manifest::{EncoderFile, InputFile};
pub use medians::{MediansOptions, medians};
pub use options::{NCounts, TokenizeOptions, TokenizeOutcome};
pub use recover::RecoveredCounts;
pub use scale::{DetectedScale, detect_scale, open_for, sample_scale, scale_for};
pub use tally::{CoverageReport, HeavyFeature, LowMedian};
