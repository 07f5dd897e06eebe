//! Entropy of groups of cells: life stages, tissues, cell types.

use super::super::bootstrap::{BootstrapParams, Interval, check_finite, donor_mean_interval};
use super::super::input::{Donors, Weighting, check_cells};
use crate::stats::quantile;
use cellstone_core::Result;

/// Cells of a group below which it is shown hollow.
const MIN_CELLS: usize = 50;
/// Donors of a group below which it is shown hollow.
const MIN_DONORS: usize = 3;

/// Entropy of one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupRow {
    /// The group's code.
    pub group: u32,
    /// Number of cells.
    pub n_obs: usize,
    /// Number of donors.
    pub n_donors: usize,
    /// Mean over cells.
    pub mean: f64,
    /// Mean over donors of their means.
    pub donor_mean: f64,
    /// Median over cells.
    pub median: f64,
    /// Interval of the mean over cells, donors being resampled.
    pub interval: Interval,
    /// Fewer than 3 donors or 50 cells: drawn hollow and left out of tests.
    pub hollow: bool,
}

/// Entropy by group, groups ascending by code; any value per cell will do.
///
/// # Errors
/// If lengths differ or a value is not finite.
pub fn group_entropy(h: &[f64], donor: &[u32], group: &[u32], params: &BootstrapParams) -> Result<Vec<GroupRow>> {
    check_cells("donors", donor.len(), h.len())?;
    check_cells("groups", group.len(), h.len())?;
    check_finite("value", h)?;
    let groups = Donors::new(group);
    let mut rows = Vec::new();
    for (at, members) in groups.members().into_iter().enumerate() {
        let values: Vec<f64> = members.iter().map(|it| h[*it as usize]).collect();
        let donors: Vec<u32> = members.iter().map(|it| donor[*it as usize]).collect();
        // The draws of a group must not depend on which other groups there are.
        let seeded = BootstrapParams { seed: params.seed.derive_index(u64::from(groups.ids[at])), ..*params };
        let interval = donor_mean_interval(&values, &donors, Weighting::Cell, &seeded)?;
        let pairs: Vec<(u32, f64)> = donors.iter().copied().zip(values.iter().copied()).collect();
        let means = crate::stats::cluster_means(&pairs);
        let n_donors = means.len();
        rows.push(GroupRow {
            group: groups.ids[at],
            n_obs: values.len(),
            n_donors,
            mean: crate::kernels::sum(&values) / values.len() as f64,
            donor_mean: means.iter().map(|it| it.1).sum::<f64>() / n_donors as f64,
            median: quantile(&values, 0.5).unwrap_or_default(),
            interval,
            hollow: n_donors < MIN_DONORS || values.len() < MIN_CELLS,
        });
    }
    Ok(rows)
}
