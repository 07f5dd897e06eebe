//! Differential expression: which genes differ between groups of cells, by rank sums or by t-tests.
//!
//! What is not here: choosing genes for a panel, metrics on the tables, and writing them to files.

mod adjust;
mod columns;
mod design;
mod finish;
mod groups;
mod input;
mod moments;
mod params;
mod ranks;
mod run;
mod sort;
mod spill;
mod table;
mod tails;

pub use adjust::benjamini_hochberg;
pub use groups::DeGroups;
pub use input::DeValues;
pub use params::{Adjust, DeMethod, DeParams, DeReference, LfcConvention, SmallGroups};
pub use run::{de, de_stream};
pub use table::{DeRow, DeTable};
pub use tails::{normal_two_sided, t_two_sided};
