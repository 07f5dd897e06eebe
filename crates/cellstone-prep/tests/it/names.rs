//! However a condition is spelled, it has one canonical key.

use cellstone_prep::{ParseOptions, Parsed, parse_condition};
use proptest::prelude::*;

const GENES: [&str; 8] = ["KLF1", "MAP2K3", "SLC38A2", "HLA-A", "B2M", "NKX2-5", "Gm_1", "RP11.5"];
const CONTROLS: [&str; 8] =
    ["ctrl", "CONTROL", "non-targeting", "NT", "Neg_Ctrl", "NTg3", "dmso", "non-targeting_00012"];

fn key(raw: &str) -> String {
    match parse_condition(raw, &|it| GENES.contains(&it), &ParseOptions::default()) {
        Ok(Parsed::Condition(it)) => it.to_string(),
        other => panic!("{raw}: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn aliases_have_one_canonical_key(
        targets in prop::sample::subsequence(GENES.to_vec(), 0..=3),
        controls in prop::collection::vec(prop::sample::select(CONTROLS.to_vec()), 0..3),
        order in any::<prop::sample::Index>(),
        separator in prop::sample::select(vec!["+", " + ", "_", "|", "&", "; ", ","]),
        upper in any::<bool>(),
    ) {
        prop_assume!(!targets.is_empty() || !controls.is_empty());
        let mut pieces: Vec<String> = targets.iter().map(ToString::to_string).collect();
        pieces.extend(controls.iter().map(|it| if upper { it.to_uppercase() } else { (*it).to_owned() }));
        let shift = order.index(pieces.len());
        pieces.rotate_left(shift);
        let mut sorted = targets.clone();
        sorted.sort_unstable();
        let want = if sorted.is_empty() { "control".to_owned() } else { sorted.join("+") };
        prop_assert_eq!(key(&pieces.join(separator)), want);
    }
}
