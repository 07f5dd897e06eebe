//! Life stages as years: what a term of HsapDv says about age, and the bins of the tables.

mod bins;
mod cam;
mod label;
mod table;

pub use bins::{AgeBin, age_bin, age_bin_of_years};
pub use cam::{cam_age, cam_bin};
pub use label::stage;
pub use table::{Stage, StageKind, stage_ids};
