//! Methods that say how much each token or gene contributed to an output of a model.

use crate::{Result, TokenRow};

/// One value per token of each cell, and how well the values add up.
#[derive(Debug, Clone, PartialEq)]
pub struct Attributions {
    /// Attribution of each token, cell by cell.
    pub values: Vec<Vec<f32>>,
    /// `|Σ attributions − (output − baseline output)|` relative to the latter, for path methods.
    pub completeness_gap: Option<Vec<f64>>,
}

/// An attribution method bound to a model.
pub trait Attribution: Send + Sync {
    /// Lower snake case, unique in a registry.
    fn id(&self) -> &str;

    /// Attributes the output `target` to the tokens of each cell.
    ///
    /// # Errors
    /// If the model has no such output or the device fails.
    fn attribute(&self, cells: &[TokenRow], target: u32) -> Result<Attributions>;
}
