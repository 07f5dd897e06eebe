//! Cells as sentences: cell2sentence with its inverse, and the sentences of GenePT.

mod encode;
mod inverse;
mod read;

pub use encode::{Cell2Sentence, GenePtSentence, SentenceOptions, SentenceTies};
pub use inverse::{RankFit, fit_rank_inverse};
pub use read::{ReadSentence, read_sentence};
