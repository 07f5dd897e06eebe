//! Cells as rows of a matrix, one encoder for each question of the rank-value study.
//!
//! [`RowEncoder`] lists the encoders, [`encode_rows`] makes sparse rows, [`encode_rows_dense`] dense ones. What is
//! estimated from cells ([`ZScore`], [`PearsonResiduals`]) is fitted to training cells first.

mod dense;
mod encoder;
mod fitted;
mod ranks;
mod sparse;

pub use dense::encode_rows_dense;
pub use encoder::{CountRows, Medians, RowEncoder};
pub use fitted::{PearsonResiduals, ZScore};
pub use ranks::average_ranks;
pub use sparse::encode_rows;
