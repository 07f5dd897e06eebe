//! The traits by which layers meet: object-safe, host arrays and our own ids in the signatures.

mod attribution;
mod embedder;
mod metric;
mod predictor;
mod selector;
mod source;
mod tokenizer;

pub use attribution::{Attribution, Attributions};
pub use embedder::{Embedder, GeneVectors};
pub use metric::{CeilingRule, Direction, Mask, Metric, MetricInfo, MetricInput, MetricLevel, Scores};
pub use predictor::{FittedPredictor, Native, PerturbationPredictor, Prediction, PredictorInfo, Role};
pub use selector::{GeneRanking, GeneSelector, LabelledCells};
pub use source::CountSource;
pub use tokenizer::{
    BoundTokenizer, CellInput, Encoded, InputScale, SpecialTokens, TokenCoverage, Tokenizer, TokenizerInfo, cell_seed,
};
