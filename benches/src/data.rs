//! Simulated data of a stated size, built outside what is timed.

use cellstone_core::{CountSource, Part, Pseudobulk, QueryView, Result, Seed, Split, TrainView, TruthView, views};
use cellstone_fixtures::{PerturbSeq, PerturbSeqSpec};
use cellstone_prep::{CellLabels, LabelColumns, ParseOptions, PseudobulkParams, pseudobulk};

/// A Norman-like experiment of another size.
///
/// # Errors
/// If there are fewer cells or genes than its 224 conditions need.
pub fn spec(n_obs: usize, n_vars: usize) -> Result<PerturbSeqSpec> {
    PerturbSeqSpec::preset("norman")?.with_size(Some(n_obs), Some(n_vars))
}

/// Condition, context and batch of every simulated cell.
///
/// # Errors
/// Never for simulated annotation; the signature is that of the reader of labels.
pub fn labels(data: &PerturbSeq) -> Result<CellLabels> {
    let columns = LabelColumns { batch: Some("batch".to_owned()), ..LabelColumns::default() };
    CellLabels::from_obs(data.obs(), data.var(), &columns, &ParseOptions::default(), data.name())
}

/// Condition means of simulated cells.
///
/// # Errors
/// As [`spec`] and [`pseudobulk`].
pub fn profiles(n_obs: usize, n_vars: usize) -> Result<Pseudobulk> {
    let data = PerturbSeq::new(spec(n_obs, n_vars)?, Seed::new(1))?;
    let params = PseudobulkParams { n_replicates: 1, ..PseudobulkParams::default() };
    Ok(pseudobulk(&data, &labels(&data)?, &params, &|_| ())?.0)
}

/// Views of the means in which every second double is held out.
///
/// # Errors
/// As [`views`].
pub fn prepared(bulk: &Pseudobulk) -> Result<(TrainView, QueryView, TruthView)> {
    let mut split = Split::new("bench", "every_second_double", 0);
    let mut n_doubles = 0_usize;
    for row in bulk.rows() {
        let Some(perturbation) = row.condition.perturbation() else { continue };
        n_doubles += usize::from(!perturbation.is_single());
        let test = !perturbation.is_single() && n_doubles.is_multiple_of(2);
        split.assign(row.raw.clone(), if test { Part::Test } else { Part::Train })?;
    }
    views(bulk, &split, &[Part::Test])
}
