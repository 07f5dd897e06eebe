//! Which inputs carry an output: the seam for attribution methods, and how token values become gene rankings.
//!
//! A method implements [`Attribution`]; [`gene_ranking`] sums the absolute values of a gene's tokens over cells.
//!
//! ```
//! use cellstone_attribution::{Attributions, gene_ranking};
//! use cellstone_core::TokenRow;
//! let cells = [TokenRow { input_ids: vec![2, 0], ..TokenRow::default() }];
//! let attributions = Attributions { values: vec![vec![-3.0, 1.0]], completeness_gap: None };
//! assert_eq!(gene_ranking(&cells, &attributions, 3).top(2), [2, 0]);
//! ```
//!
//! What is not here yet: the methods themselves, which need networks to attribute.

#![forbid(unsafe_code)]

mod ranking;

pub use cellstone_core::{Attribution, Attributions, GeneRanking};
pub use ranking::gene_ranking;
