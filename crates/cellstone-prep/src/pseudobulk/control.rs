//! Two controls from one: half of the control cells for methods, the other half for the truth.

use cellstone_core::{Averaging, Error, Pseudobulk, Result};

/// Splits the control of every context: the first means have the first half of its cells as control, for methods, the
/// second means the other half, for the deltas of the truth.
///
/// A shared control puts one error into what a method learns and into what it is scored on, where it cancels in profiles
/// and passes for skill in deltas. Profiles of conditions stay as they are. The halves are those of replicate `replicate`
/// of `bulk`; the sampling variance of a half is that of the whole times `n / n_half`.
///
/// # Errors
/// If the means have no such replicate, a control has fewer than two cells, or conditions are matched with the control of
/// their batch (PB3, PB4), which leaves no second control.
///
/// # Examples
/// ```
/// use cellstone_core::Averaging;
/// use cellstone_prep::{pseudobulk_from_means, split_control};
/// # use cellstone_core::{Condition, ContextId, Perturbation, PseudobulkRow, Var};
/// # let row = PseudobulkRow {
/// #     context: ContextId::default_context(), condition: Condition::Perturbed(Perturbation::new(["A"]).unwrap()),
/// #     raw: "A".into(), n_cells: 0, n_batches: 1,
/// # };
/// // Means from a file come without cells, so there is nothing to split.
/// let bulk = pseudobulk_from_means(Var::from_ids(["g"])?, vec![row], ndarray::array![[1.0]])?;
/// assert!(split_control(&bulk, 0).is_err());
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn split_control(bulk: &Pseudobulk, replicate: usize) -> Result<(Pseudobulk, Pseudobulk)> {
    if matches!(bulk.averaging(), Averaging::BatchesMatched | Averaging::CellsMatched) {
        return Err(Error::config("a control matched by batch cannot be split into two")
            .with_hint("choose averaging cells, batches or bulk, or leave control_split out"));
    }
    let halves = bulk.replicates().get(replicate).ok_or_else(|| {
        Error::config(format!("replicate {replicate} asked for, but the means have {}", bulk.replicates().len()))
            .with_hint("control_split takes its halves from the replicates: set n_replicates to 1 or more")
    })?;
    let half = |first: bool| -> Result<Pseudobulk> {
        let (from, counts) = if first { (&halves.first, &halves.n_first) } else { (&halves.second, &halves.n_second) };
        let (mut rows, mut profiles) = (bulk.rows().to_vec(), bulk.profiles().clone());
        let mut var = bulk.sampling_var().cloned();
        for context in bulk.contexts() {
            let at = bulk.control_row(context).expect("invariant: every context has a control");
            let (n, n_half) = (rows[at].n_cells, counts[at]);
            if n < 2 || n_half == 0 {
                return Err(Error::invalid_input(format!(
                    "the control of context `{context}` has {n} cells, expected 2 or more to split it"
                )));
            }
            profiles.row_mut(at).assign(&from.row(at));
            rows[at].n_cells = n_half;
            if let Some(var) = &mut var {
                var.row_mut(at).mapv_inplace(|it| it * n as f64 / n_half as f64);
            }
        }
        let mut out = Pseudobulk::new(bulk.var().clone(), bulk.scale(), bulk.averaging(), rows, profiles)?;
        if let Some(var) = var {
            out = out.with_sampling_var(var)?;
        }
        out.with_replicates(bulk.replicates().to_vec())
    };
    Ok((half(true)?, half(false)?))
}
