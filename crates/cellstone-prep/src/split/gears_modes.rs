//! The other modes of GEARS, for comparison with numbers that were published under them.

use super::conditions::{SplitCondition, perturbed};
use super::protocol::{Draw, SplitParams};
use crate::mt19937::{NumpyRng, truncated};
use cellstone_core::{Error, Part, Perturbation, Result, Split, nearest};
use std::collections::BTreeSet;

const VARIANTS: [&str; 6] = ["single", "single_only", "combo_seen0", "combo_seen1", "combo_seen2", "no_test"];

/// Share of the singles, or of the combinations, that is drawn for test, and of what is left for val.
const SHARE: f64 = 0.1;

/// A condition by raw name with its targets.
type Named<'a> = (&'a str, &'a Perturbation);

/// Test, then val from what is left, on one running stream.
///
/// `⌊0.1·singles⌋` test genes are drawn **with replacement**, as in the reference, so that fewer may be held out:
///
/// | variant | held out | left out of the split |
/// |---|---|---|
/// | `single` | singles of the test genes | combinations with a test gene |
/// | `single_only` | singles of the test genes | every combination |
/// | `combo_seen0` | their singles, combinations of test genes alone | other combinations with a test gene |
/// | `combo_seen1` | their singles, combinations with at most one other gene | other combinations with a test gene |
/// | `combo_seen2` | `⌊0.1·combinations⌋` combinations, drawn with replacement | nothing |
/// | `no_test` | as `combo_seen2`, once and as val; there is no test part | nothing |
///
/// Combinations are drawn from their sorted names; the reference draws from the order of the file.
// DIVERGES(gears-modes-order)
pub(super) fn modes(conditions: &[SplitCondition], params: &SplitParams, draw: Draw) -> Result<Vec<Split>> {
    let variant = params.variant.as_deref().unwrap_or(VARIANTS[0]);
    if !VARIANTS.contains(&variant) {
        let error = Error::config(format!(
            "unknown variant `{variant}` of gears_modes, expected {}",
            VARIANTS.map(|it| format!("`{it}`")).join(", ")
        ));
        return Err(match nearest(variant, VARIANTS) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        });
    }
    let all = perturbed(conditions);
    let mut split = draw.split("gears_modes", &format!("_{variant}"));
    let mut rng = draw.restart();
    let parts = if variant == "no_test" { &[Part::Val][..] } else { &[Part::Test, Part::Val] };
    let mut left = all;
    for part in parts {
        let (held_out, train) = stage(&left, variant, &mut rng);
        if held_out.is_empty() {
            return Err(Error::invalid_input(format!(
                "gears_modes draws nothing for {part} from {} conditions",
                left.len()
            ))
            .with_hint("a tenth of the singles, or of the combinations, must be one or more"));
        }
        for raw in held_out {
            split.assign(raw, *part)?;
        }
        left = train;
    }
    if left.is_empty() {
        return Err(Error::invalid_input(format!("gears_modes with variant `{variant}` leaves nothing to train on")));
    }
    for (raw, _) in left {
        split.assign(raw, Part::Train)?;
    }
    Ok(vec![split])
}

/// What is held out, and what trains. `all` is sorted by raw name.
fn stage<'a>(all: &[Named<'a>], variant: &str, rng: &mut NumpyRng) -> (BTreeSet<&'a str>, Vec<Named<'a>>) {
    let genes: Vec<&str> = {
        let distinct: BTreeSet<&str> = all.iter().flat_map(|it| it.1.targets()).map(String::as_str).collect();
        distinct.into_iter().collect()
    };
    let combos: Vec<&str> = all.iter().filter(|it| !it.1.is_single()).map(|it| it.0).collect();
    // Drawn in every mode, also where it is not used: the stream goes on from here.
    let n_singles = all.len() - combos.len();
    let drawn: BTreeSet<&str> =
        rng.choice_with_replacement(genes.len(), truncated(n_singles, SHARE)).into_iter().map(|it| genes[it]).collect();
    let others = |it: &Perturbation| it.targets().iter().filter(|it| !drawn.contains(it.as_str())).count();
    let touched = |it: &Perturbation| others(it) < it.targets().len();
    let by_condition = matches!(variant, "combo_seen2" | "no_test");
    let drawn_combos: BTreeSet<&str> = if by_condition {
        let picks = rng.choice_with_replacement(combos.len(), truncated(combos.len(), SHARE));
        picks.into_iter().map(|it| combos[it]).collect()
    } else {
        BTreeSet::new()
    };
    let (mut held_out, mut train) = (BTreeSet::new(), Vec::new());
    for (raw, perturbation) in all {
        let (single, touched) = (perturbation.is_single(), touched(perturbation));
        let part = match variant {
            _ if by_condition => Some(drawn_combos.contains(raw)),
            _ if single => Some(touched),
            "single_only" => None,
            "combo_seen0" if touched && others(perturbation) == 0 => Some(true),
            "combo_seen1" if touched && others(perturbation) <= 1 => Some(true),
            _ if touched => None,
            _ => Some(false),
        };
        match part {
            Some(true) => {
                held_out.insert(*raw);
            }
            Some(false) => train.push((*raw, *perturbation)),
            None => {}
        }
    }
    (held_out, train)
}
