//! Means that came from a file: no cells, no variance, no replicates.

use cellstone_core::{Averaging, Condition, Pseudobulk, PseudobulkRow, Result, Scale, Var};
use ndarray::{Array2, Axis, concatenate};
use std::collections::BTreeSet;

/// Condition means or effect vectors from a file, with the control at the origin where the file has none.
///
/// `profiles` is `[n_rows, n_vars]`; every context without a control row gets one of zeros, called `control`.
/// The scale is [`Scale::Effect`], the averaging [`Averaging::Given`].
///
/// # Errors
/// As [`Pseudobulk::new`].
///
/// # Examples
/// ```
/// use cellstone_core::{Condition, ContextId, Perturbation, PseudobulkRow, Var};
/// let row = PseudobulkRow {
///     context: ContextId::default_context(),
///     condition: Condition::Perturbed(Perturbation::new(["KLF1"]).unwrap()),
///     raw: "KLF1".into(), n_cells: 0, n_batches: 1,
/// };
/// let bulk = cellstone_prep::pseudobulk_from_means(Var::from_ids(["pc1", "pc2"])?, vec![row], ndarray::array![[1.0, 2.0]])?;
/// assert_eq!(bulk.profiles(), ndarray::array![[1.0, 2.0], [0.0, 0.0]]);
/// assert_eq!(bulk.rows()[1].raw, "control");
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn pseudobulk_from_means(var: Var, mut rows: Vec<PseudobulkRow>, mut profiles: Array2<f64>) -> Result<Pseudobulk> {
    let with_control: BTreeSet<_> =
        rows.iter().filter(|it| it.condition.is_control()).map(|it| it.context.clone()).collect();
    let lacking: BTreeSet<_> =
        rows.iter().map(|it| it.context.clone()).filter(|it| !with_control.contains(it)).collect();
    if !lacking.is_empty() && profiles.nrows() == rows.len() {
        let origin = Array2::zeros((lacking.len(), profiles.ncols()));
        profiles = concatenate![Axis(0), profiles, origin];
        rows.extend(lacking.into_iter().map(|context| PseudobulkRow {
            context,
            condition: Condition::Control,
            raw: "control".to_owned(),
            n_cells: 0,
            n_batches: 1,
        }));
    }
    Pseudobulk::new(var, Scale::Effect, Averaging::Given, rows, profiles)
}
