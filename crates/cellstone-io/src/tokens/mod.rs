//! Token tables: one row per cell, as Parquet that Python reads too, written while cells are read.
//!
//! A table that is being written lives in a folder beside its final name and gets that name when it is complete. A run
//! that was stopped, however it was stopped, is continued from its last commit to the same bytes.

mod buffer;
mod partial;
mod pq;
mod read;
mod writer;

pub use buffer::ObsValues;
pub use read::{TokenBatch, TokenFile};
pub use writer::{Sidecars, Start, TokenCell, TokenTable, TokenWriter};
