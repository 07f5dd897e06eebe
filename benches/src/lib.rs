//! What the benches share: wall time, peak memory, and data of a stated size.
//!
//! ```
//! let (sum, cost) = cellstone_bench::measure(|| (0..1_000_u64).sum::<u64>());
//! assert_eq!(sum, 499_500);
//! assert!(cost.seconds >= 0.0);
//! ```
//!
//! What is not here: thresholds. A run is a record; whether it is good enough is judged by who reads it.

#![forbid(unsafe_code)]

mod data;
mod measure;
mod program;

pub use data::{labels, prepared, profiles, spec};
pub use measure::{Cost, cpu_time, measure, peak_memory};
pub use program::run_program;
