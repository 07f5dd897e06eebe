//! What a protocol splits: named conditions, from labels, from means, or from a list in a file.

use crate::condition::{ParseOptions, Parsed, has_separator, is_control, parse_condition};
use crate::labels::Group;
use cellstone_core::{Condition, Context, ContextId, Perturbation, PseudobulkRow, Result};
use std::collections::BTreeSet;

/// One condition in one context, by the name in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SplitCondition {
    /// Cell line, cell type or donor.
    pub context: ContextId,
    /// What was done.
    pub condition: Condition,
    /// The name in the file; published splits sort these.
    pub raw: String,
}

impl From<&PseudobulkRow> for SplitCondition {
    fn from(row: &PseudobulkRow) -> Self {
        Self { context: row.context.clone(), condition: row.condition.clone(), raw: row.raw.clone() }
    }
}

impl From<&Group> for SplitCondition {
    fn from(group: &Group) -> Self {
        Self { context: group.context.clone(), condition: group.condition.clone(), raw: group.raw.clone() }
    }
}

/// Reads conditions from text with one name a line, all in the default context.
///
/// Blank lines and names of unassigned cells are skipped, repeated names count once. Names that stand alone, or
/// beside a `+`, are taken for genes, so that `A_B` is a pair where `A` and `B` occur.
///
/// # Errors
/// Names the line that does not parse.
///
/// # Examples
/// ```
/// let conditions = cellstone_prep::read_condition_list("ctrl\nKLF1+ctrl\nMAP2K3\nKLF1_MAP2K3\n")?;
/// let keys: Vec<String> = conditions.iter().map(|it| it.condition.to_string()).collect();
/// assert_eq!(keys, ["control", "KLF1", "MAP2K3", "KLF1+MAP2K3"]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn read_condition_list(text: &str) -> Result<Vec<SplitCondition>> {
    let options = ParseOptions::default();
    let never = |_: &str| false;
    let alone: BTreeSet<&str> = text
        .lines()
        .flat_map(|it| it.split('+').map(str::trim))
        .filter(|it| !has_separator(it) && !is_control(it, &never, &options))
        .collect();
    let mut seen = BTreeSet::new();
    let mut conditions = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let raw = line.trim();
        let parsed = parse_condition(raw, &|it| alone.contains(it), &options)
            .context_with(|| format!("line {} of the condition list", at + 1))?;
        if let Parsed::Condition(condition) = parsed
            && seen.insert(raw)
        {
            conditions.push(SplitCondition { context: ContextId::default_context(), condition, raw: raw.to_owned() });
        }
    }
    Ok(conditions)
}

/// Distinct perturbed conditions by raw name, sorted by code point, contexts merged.
pub(super) fn perturbed(conditions: &[SplitCondition]) -> Vec<(&str, &Perturbation)> {
    let distinct: BTreeSet<(&str, &Perturbation)> =
        conditions.iter().filter_map(|it| Some((it.raw.as_str(), it.condition.perturbation()?))).collect();
    distinct.into_iter().collect()
}

/// Raw names of the controls, sorted.
pub(super) fn controls(conditions: &[SplitCondition]) -> BTreeSet<&str> {
    conditions.iter().filter(|it| it.condition.is_control()).map(|it| it.raw.as_str()).collect()
}
