//! Sets of classes that contain the true one with a stated frequency.

mod coverage;
mod fit;
mod scores;

pub use coverage::{Coverage, coverage};
pub use fit::{Conformal, ConformalMode, weighted_quantile};
pub use scores::ConformalScore;
