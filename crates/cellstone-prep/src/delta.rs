//! Shifts from control: differences on the stored scale, and log2 fold changes of linear means.

use cellstone_core::{Error, Pseudobulk, Result, Scale};
use ndarray::Array2;

/// The shift of every row from the control of its context, `[n_rows, n_vars]`, on the scale of the profiles.
///
/// `delta = profile − control`. Under a matched averaging (PB3, PB4) the profiles are stored as control plus matched
/// difference, so the same subtraction gives the matched delta. Rows of controls are zero.
///
/// # Examples
/// ```
/// # use cellstone_core::{Condition, ContextId, Perturbation, PseudobulkRow, Var};
/// # let row = PseudobulkRow {
/// #     context: ContextId::default_context(), condition: Condition::Perturbed(Perturbation::new(["A"]).unwrap()),
/// #     raw: "A".into(), n_cells: 0, n_batches: 1,
/// # };
/// let bulk = cellstone_prep::pseudobulk_from_means(Var::from_ids(["x", "y"])?, vec![row], ndarray::array![[1.0, 2.0]])?;
/// assert_eq!(cellstone_prep::delta(&bulk), ndarray::array![[1.0, 2.0], [0.0, 0.0]]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn delta(bulk: &Pseudobulk) -> Array2<f64> {
    shift_from_control(bulk, |profile, control| profile - control)
}

/// The log2 fold change of every row against the control of its context, `[n_rows, n_vars]`.
///
/// `lfc = log2(mean + pseudocount) − log2(control + pseudocount)` on means of counts or counts per million. Rows of
/// controls are zero. A difference of mean logarithms is a delta, not this.
///
/// # Errors
/// If the means are not linear or the pseudocount is not a positive number.
pub fn lfc(bulk: &Pseudobulk, pseudocount: f64) -> Result<Array2<f64>> {
    if !matches!(bulk.scale(), Scale::Counts | Scale::Cpm) {
        return Err(Error::invalid_input(format!(
            "a fold change needs means of counts or of counts per million, but the scale is {}",
            bulk.scale()
        ))
        .with_hint("average with log1p = false and target_sum = 1e6, or use delta"));
    }
    if !(pseudocount > 0.0 && pseudocount.is_finite()) {
        return Err(Error::config(format!("pseudocount is {pseudocount}, expected a positive number")));
    }
    Ok(shift_from_control(bulk, |profile, control| (profile + pseudocount).log2() - (control + pseudocount).log2()))
}

fn shift_from_control(bulk: &Pseudobulk, shift: impl Fn(f64, f64) -> f64) -> Array2<f64> {
    let mut shifts = bulk.profiles().clone();
    for (row, mut values) in bulk.rows().iter().zip(shifts.rows_mut()) {
        let control = bulk.control(&row.context).expect("invariant: every row's context has a control");
        values.zip_mut_with(&control, |it, control| *it = shift(*it, *control));
    }
    shifts
}
