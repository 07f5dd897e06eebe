//! Folds over contexts: can a method carry what it learned to another cell line?

use super::conditions::SplitCondition;
use super::genes::gene_folds;
use super::norman::chosen;
use super::protocol::{Draw, SplitParams, folds};
use crate::mt19937::truncated;
use cellstone_core::{ContextId, Error, Part, Perturbation, Result, Split, nearest};
use std::collections::BTreeSet;

const VARIANTS: [&str; 3] = ["zero_shot", "few_shot", "gene_and_context"];

/// One split a context: its perturbations are test, those of the other contexts train.
///
/// `few_shot` lets the fraction of its conditions that `choice` draws from the sorted raw names train.
/// `gene_and_context` goes fold by fold over target genes: tested are the conditions of the context with a target in
/// the fold; conditions of other contexts with such a target, and the other conditions of the context, are left out.
/// With `k = 1` the fold is every gene of the context.
pub(super) fn leave_one_out(conditions: &[SplitCondition], params: &SplitParams, draw: Draw) -> Result<Vec<Split>> {
    let contexts: BTreeSet<&ContextId> =
        conditions.iter().filter(|it| !it.condition.is_control()).map(|it| &it.context).collect();
    if contexts.len() < 2 {
        return Err(Error::invalid_input(format!(
            "leave_one_context_out needs 2 contexts with perturbed cells or more, found {}",
            contexts.len()
        ))
        .with_hint("name the column of cell lines or cell types with data.context_col"));
    }
    match params.variant.as_deref().unwrap_or(VARIANTS[0]) {
        "zero_shot" => contexts.into_iter().map(|it| few_shot(conditions, it, 0.0, "zero_shot", draw)).collect(),
        "few_shot" => {
            if !(params.fraction > 0.0 && params.fraction < 1.0) {
                return Err(Error::config(format!(
                    "fraction of few_shot is {}, expected between 0 and 1",
                    params.fraction
                )));
            }
            contexts.into_iter().map(|it| few_shot(conditions, it, params.fraction, "few_shot", draw)).collect()
        }
        "gene_and_context" => {
            let mut splits = Vec::new();
            for context in contexts {
                splits.extend(gene_and_context(conditions, context, params, draw)?);
            }
            Ok(splits)
        }
        other => {
            let error = Error::config(format!(
                "unknown variant `{other}` of leave_one_context_out, expected {}",
                VARIANTS.map(|it| format!("`{it}`")).join(", ")
            ));
            Err(match nearest(other, VARIANTS) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            })
        }
    }
}

fn few_shot(
    conditions: &[SplitCondition],
    held_out: &ContextId,
    fraction: f64,
    variant: &str,
    draw: Draw,
) -> Result<Split> {
    let mut split = draw.split("leave_one_context_out", &format!("_{variant}_{held_out}"));
    let own: BTreeSet<&str> = perturbed_in(conditions).filter(|it| it.0 == held_out).map(|(_, _, raw)| raw).collect();
    let drawn = draw.restart().choice(own.len(), truncated(own.len(), fraction));
    for (raw, train) in own.iter().zip(chosen(own.len(), &drawn)) {
        split.assign_in(held_out, *raw, if train { Part::Train } else { Part::Test })?;
    }
    for (context, _, raw) in perturbed_in(conditions).filter(|it| it.0 != held_out) {
        split.assign_in(context, raw, Part::Train)?;
    }
    Ok(split)
}

fn gene_and_context(
    conditions: &[SplitCondition],
    held_out: &ContextId,
    params: &SplitParams,
    draw: Draw,
) -> Result<Vec<Split>> {
    let genes = if params.k == 1 {
        let own = perturbed_in(conditions).filter(|it| it.0 == held_out);
        vec![own.flat_map(|it| it.1.targets()).map(String::as_str).collect()]
    } else {
        gene_folds(conditions, params.k, draw)?
    };
    let mut splits = Vec::new();
    for fold in folds(params, params.k)? {
        let touched = |it: &Perturbation| it.targets().iter().any(|it| genes[fold].contains(it.as_str()));
        let mut split = draw.split("leave_one_context_out", &format!("_gene_and_context_{held_out}_f{fold}"));
        let mut n_test = 0;
        for (context, perturbation, raw) in perturbed_in(conditions) {
            match (context == held_out, touched(perturbation)) {
                (true, true) => {
                    n_test += 1;
                    split.assign_in(context, raw, Part::Test)?;
                }
                (false, false) => split.assign_in(context, raw, Part::Train)?,
                _ => {}
            }
        }
        // A fold may hold no gene that was perturbed in this context; there is nothing to score then.
        if n_test > 0 {
            splits.push(split);
        }
    }
    Ok(splits)
}

fn perturbed_in(conditions: &[SplitCondition]) -> impl Iterator<Item = (&ContextId, &Perturbation, &str)> {
    conditions.iter().filter_map(|it| Some((&it.context, it.condition.perturbation()?, it.raw.as_str())))
}
