//! What makes labels unusable, and what a person should be told about them.

use super::cells::CellLabels;
use super::columns::MODIFIERS;
use cellstone_core::{ContextId, Error, ObsTable, Result, Var, quoted};
use std::collections::{BTreeMap, BTreeSet};

/// Refuses a context with perturbed cells but no control cell.
pub(super) fn require_controls(labels: &CellLabels, file: &str) -> Result<()> {
    let with_control: BTreeSet<&ContextId> =
        labels.groups.iter().filter(|it| it.condition.is_control()).map(|it| &it.context).collect();
    let Some(lacking) = labels.groups.iter().find(|it| !with_control.contains(&it.context)) else { return Ok(()) };
    let n_cells = labels.n_cells();
    let mut own: Vec<(u64, &str)> = labels
        .groups
        .iter()
        .zip(&n_cells)
        .filter(|(it, _)| it.context == lacking.context)
        .map(|(it, n)| (*n, it.raw.as_str()))
        .collect();
    own.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let frequent: Vec<String> = own.iter().take(5).map(|it| it.1.to_owned()).collect();
    let error = Error::invalid_input(format!(
        "context `{}` of `{file}` has {} perturbed cells but no control cell (column `{}`; most frequent: {})",
        lacking.context,
        own.iter().map(|it| it.0).sum::<u64>(),
        labels.columns.pert,
        quoted(&frequent)
    ));
    Err(if with_control.is_empty() {
        error.with_hint("name the label of the control cells with control_pert")
    } else {
        error.with_hint("drop the context, name its control label with control_pert, or choose another context column")
    })
}

/// Targets that no gene of the file carries, sorted.
pub(super) fn unmapped(labels: &CellLabels, var: &Var) -> Vec<String> {
    let targets: BTreeSet<&String> =
        labels.groups.iter().filter_map(|it| it.condition.perturbation()).flat_map(|it| it.targets()).collect();
    targets.into_iter().filter(|it| var.columns_of(it).is_empty()).cloned().collect()
}

/// Few cells, few controls, batches without control, conditions that mix doses, unmapped targets.
pub(super) fn warnings(labels: &CellLabels, obs: &ObsTable, min_cells: u64) -> Vec<String> {
    let n_cells = labels.n_cells();
    let mut warnings = Vec::new();
    let few: Vec<String> = labels
        .groups
        .iter()
        .zip(&n_cells)
        .filter(|(_, n)| **n < min_cells)
        .map(|(it, _)| format!("{} in {}", it.raw, it.context))
        .collect();
    if !few.is_empty() {
        warnings.push(format!("{} conditions have fewer than {min_cells} cells: {}", few.len(), quoted(&few)));
    }
    warnings.extend(few_controls(labels, &n_cells));
    warnings.extend(batches_without_control(labels));
    warnings.extend(mixed_modifiers(labels, obs));
    if !labels.unmapped.is_empty() {
        warnings.push(format!(
            "{} targets are no gene of the file, their conditions stay: {}",
            labels.unmapped.len(),
            quoted(&labels.unmapped)
        ));
    }
    warnings
}

fn few_controls(labels: &CellLabels, n_cells: &[u64]) -> Vec<String> {
    let mut share: BTreeMap<&ContextId, (u64, u64)> = BTreeMap::new();
    for (group, n) in labels.groups.iter().zip(n_cells) {
        let slot = share.entry(&group.context).or_default();
        slot.1 += n;
        if group.condition.is_control() {
            slot.0 += n;
        }
    }
    let low = share.into_iter().filter(|(_, (control, all))| control * 100 < *all);
    low.map(|(context, (control, all))| format!("context `{context}` has {control} control cells of {all}, under 1 %"))
        .collect()
}

fn batches_without_control(labels: &CellLabels) -> Vec<String> {
    let Some(batch_of) = &labels.batch_of else { return Vec::new() };
    let mut has_control: BTreeMap<(&ContextId, u32), bool> = BTreeMap::new();
    for (group, batch) in labels.group_of.iter().zip(batch_of) {
        let Some(group) = group.map(|it| &labels.groups[it as usize]) else { continue };
        *has_control.entry((&group.context, *batch)).or_default() |= group.condition.is_control();
    }
    let mut lacking: BTreeMap<&ContextId, Vec<String>> = BTreeMap::new();
    for ((context, batch), _) in has_control.into_iter().filter(|it| !it.1) {
        lacking.entry(context).or_default().push(labels.batches[batch as usize].clone());
    }
    let text = |(context, it): (&ContextId, Vec<String>)| {
        format!("context `{context}` has {} batches without a control cell: {}", it.len(), quoted(&it))
    };
    lacking.into_iter().map(text).collect()
}

/// Doses, times and modalities belong to the condition; here they are pooled, which is worth a word where they differ.
fn mixed_modifiers(labels: &CellLabels, obs: &ObsTable) -> Vec<String> {
    let mut warnings = Vec::new();
    for name in obs.names().iter().filter(|it| MODIFIERS.contains(&it.to_lowercase().as_str())) {
        let Some(column) = obs.get(name) else { continue };
        let (codes, _) = column.to_codes();
        let mut first: Vec<Option<Option<u32>>> = vec![None; labels.groups.len()];
        let mut mixed: BTreeSet<u32> = BTreeSet::new();
        for (group, code) in labels.group_of.iter().zip(&codes) {
            let Some(group) = group else { continue };
            if first[*group as usize].get_or_insert(*code) != code
                && !labels.groups[*group as usize].condition.is_control()
            {
                mixed.insert(*group);
            }
        }
        if !mixed.is_empty() {
            let raws: Vec<String> = mixed.iter().map(|it| labels.groups[*it as usize].raw.clone()).collect();
            warnings.push(format!(
                "{} conditions pool several values of column `{name}`: {} (select one with keep)",
                raws.len(),
                quoted(&raws)
            ));
        }
    }
    warnings
}
