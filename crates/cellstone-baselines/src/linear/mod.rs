//! The linear model `Y ≈ G W Pᵀ + b`: genes by a gene embedding G, conditions by a perturbation embedding P.

mod forms;
mod input;
mod joint;
mod published;

pub use forms::LinearSystem;
pub(crate) use joint::{Joint, PARAMS as JOINT_PARAMS};
pub(crate) use published::{PARAMS as PUBLISHED_PARAMS, Published};
