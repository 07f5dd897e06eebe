//! What the planted phenotypes are called: names and ids of the ontologies that real files use.

/// Name, and id in the Cell Ontology.
pub(super) const TYPES: [(&str, &str); 8] = [
    ("T cell", "CL:0000084"),
    ("B cell", "CL:0000236"),
    ("natural killer cell", "CL:0000623"),
    ("monocyte", "CL:0000576"),
    ("dendritic cell", "CL:0000451"),
    ("fibroblast", "CL:0000057"),
    ("endothelial cell", "CL:0000115"),
    ("epithelial cell", "CL:0000066"),
];

/// Name, and id in UBERON.
pub(super) const TISSUES: [(&str, &str); 5] = [
    ("blood", "UBERON:0000178"),
    ("lung", "UBERON:0002048"),
    ("liver", "UBERON:0002107"),
    ("kidney", "UBERON:0002113"),
    ("spleen", "UBERON:0002106"),
];

/// Name, id in PATO.
pub(super) const SEXES: [(&str, &str); 2] = [("female", "PATO:0000383"), ("male", "PATO:0000384")];

/// Name, id in HsapDv, first year of the decade.
pub(super) const STAGES: [(&str, &str, u32); 8] = [
    ("second decade stage", "HsapDv:0000236", 10),
    ("third decade stage", "HsapDv:0000237", 20),
    ("fourth decade stage", "HsapDv:0000238", 30),
    ("fifth decade stage", "HsapDv:0000239", 40),
    ("sixth decade stage", "HsapDv:0000240", 50),
    ("seventh decade stage", "HsapDv:0000241", 60),
    ("eighth decade stage", "HsapDv:0000242", 70),
    ("ninth decade stage", "HsapDv:0000243", 80),
];

/// Which of [`STAGES`] an atlas with `n` stages has: as far apart as they can be, the last one the oldest.
pub(super) fn stage_places(n: usize) -> Vec<usize> {
    let step = if n < 2 { 1 } else { (STAGES.len() - 1) / (n - 1) };
    (0..n).map(|it| STAGES.len() - 1 - step * (n - 1 - it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_spread_over_life() {
        let years = |n: usize| stage_places(n).into_iter().map(|it| STAGES[it].2).collect::<Vec<_>>();
        assert_eq!(years(4), [20, 40, 60, 80]);
        assert_eq!(years(8), [10, 20, 30, 40, 50, 60, 70, 80]);
        assert_eq!(years(1), [80]);
    }
}
