//! Gene vocabularies and the encoders that turn counts into tokens.
//!
//! Encoders live behind [`Tokenizer`]: it is bound to the genes of a file once, where coverage is checked, and then
//! encodes cells without a way to fail. Random draws are keyed on seed and cell, so that tokens depend neither on
//! chunking nor on threads.
//!
//! ```
//! use cellstone_core::{Seed, TokenRow, Var};
//! use cellstone_rank::{BoundTokenizer, rank_order};
//! // The order every rank encoder starts from: largest value first, ties by file position.
//! assert_eq!(rank_order(&[5, 2, 9], &[1.0, 3.0, 3.0]), [2, 9, 5]);
//! ```
//!
//! What is not here yet: the encoders of published models and their vocabularies.

#![forbid(unsafe_code)]

mod order;

pub use cellstone_core::{BoundTokenizer, TokenRow, Tokenizer, TokenizerInfo};
pub use order::rank_order;
