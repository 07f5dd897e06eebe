//! Named experiments.

use super::{Dispersion, EffectSpec, InteractionSpec, PerturbSeqSpec};
use cellstone_core::{Error, Result, nearest};

/// Name, what it is, how it is made.
type Preset = (&'static str, &'static str, fn() -> PerturbSeqSpec);

const PRESETS: [Preset; 5] = [
    ("tiny", "400 cells × 60 genes, 6 singles, 4 doubles: for tests", tiny),
    ("demo", "6,000 cells × 600 genes, 40 singles, 60 doubles, buffering dominates", demo),
    ("norman", "84,986 cells × 19,264 genes, control + 99 singles + 124 doubles, about 3,000 genes per cell", norman),
    (
        "papalexi_like",
        "20,729 cells × 18,649 genes, 25 singles, three batches, knock-out with partial efficiency",
        papalexi,
    ),
    ("replogle_like", "60,000 cells × 8,000 genes, 500 singles, two contexts", replogle),
];

impl PerturbSeqSpec {
    /// The experiment of that name.
    ///
    /// # Errors
    /// Names the presets there are.
    pub fn preset(name: &str) -> Result<Self> {
        if let Some((_, _, make)) = PRESETS.iter().find(|it| it.0 == name) {
            return Ok(make());
        }
        let names: Vec<String> = PRESETS.iter().map(|it| it.0.to_owned()).collect();
        let error = Error::config(format!("preset `{name}` not found (presets: {})", cellstone_core::quoted(&names)));
        Err(match nearest(name, PRESETS.iter().map(|it| it.0)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        })
    }

    /// Names and one-line descriptions of the presets.
    pub fn presets() -> impl Iterator<Item = (&'static str, &'static str)> {
        PRESETS.iter().map(|it| (it.0, it.1))
    }
}

/// The experiment of the demonstration; the other presets say what they change.
fn demo() -> PerturbSeqSpec {
    PerturbSeqSpec {
        n_obs: 6_000,
        n_vars: 600,
        n_singles: 40,
        n_doubles: 60,
        contexts: vec!["simulated".into()],
        n_batches: 2,
        batch_sd: 0.1,
        library_median: 3_000.0,
        library_sd: 0.3,
        dispersion: Dispersion { theta_median: 4.0, theta_sd: 0.5 },
        control_fraction: 0.1,
        guide_efficiency: 0.85,
        effects: EffectSpec {
            n_programs: 8,
            genes_per_program: 150,
            program_sd: 0.6,
            strength_sd: 0.4,
            genes_per_target: 30,
            effect_sd: 0.6,
            self_effect: 1.5,
        },
        interactions: InteractionSpec {
            buffering: 0.7,
            synergistic: 0.1,
            buffering_alpha: 0.65,
            synergistic_alpha: 1.3,
            alpha_sd: 0.08,
            residual_genes: 20,
            residual_sd: 0.4,
        },
        context_similarity: 0.7,
        context_sd: 0.5,
        expression_sd: 1.2,
        genes_per_cell: None,
    }
}

fn tiny() -> PerturbSeqSpec {
    let mut spec = demo();
    (spec.n_obs, spec.n_vars, spec.n_singles, spec.n_doubles) = (400, 60, 6, 4);
    spec.library_median = 400.0;
    spec.effects.n_programs = 3;
    spec.effects.genes_per_program = 15;
    spec.effects.genes_per_target = 6;
    spec.interactions.buffering = 0.5;
    spec.interactions.synergistic = 0.25;
    spec.interactions.residual_genes = 5;
    spec
}

/// The size of the activation screen of Norman et al. 2019 (doi:10.1126/science.aax4438) as published methods use it.
///
/// 224 conditions: control, 99 singles and 124 doubles, so that the published split of 124 doubles applies.
fn norman() -> PerturbSeqSpec {
    let mut spec = demo();
    (spec.n_obs, spec.n_vars, spec.n_singles, spec.n_doubles) = (84_986, 19_264, 99, 124);
    spec.contexts = vec!["K562".into()];
    spec.n_batches = 8;
    spec.batch_sd = 0.08;
    spec.library_median = 12_000.0;
    spec.library_sd = 0.4;
    spec.dispersion.theta_median = 5.0;
    spec.control_fraction = 0.08;
    spec.effects.n_programs = 12;
    spec.effects.genes_per_program = 3_000;
    spec.effects.program_sd = 0.35;
    spec.effects.genes_per_target = 300;
    spec.effects.effect_sd = 0.4;
    spec.effects.self_effect = 2.0;
    spec.interactions.residual_genes = 200;
    spec.interactions.residual_sd = 0.3;
    spec.genes_per_cell = Some(3_000.0);
    spec
}

/// The size of the knock-out screen of Papalexi et al. 2021 (doi:10.1038/s41588-021-00778-2).
fn papalexi() -> PerturbSeqSpec {
    let mut spec = norman();
    (spec.n_obs, spec.n_vars, spec.n_singles, spec.n_doubles) = (20_729, 18_649, 25, 0);
    spec.contexts = vec!["THP1".into()];
    spec.n_batches = 3;
    spec.batch_sd = 0.15;
    spec.control_fraction = 0.115;
    spec.guide_efficiency = 0.55;
    spec.effects.n_programs = 5;
    spec.effects.self_effect = -0.7;
    spec.genes_per_cell = Some(3_200.0);
    spec
}

/// Many interference perturbations in the two lines of Replogle et al. 2022 (doi:10.1016/j.cell.2022.05.013).
fn replogle() -> PerturbSeqSpec {
    let mut spec = norman();
    (spec.n_obs, spec.n_vars, spec.n_singles, spec.n_doubles) = (60_000, 8_000, 500, 0);
    spec.contexts = vec!["K562".into(), "RPE1".into()];
    spec.n_batches = 6;
    spec.control_fraction = 0.05;
    spec.guide_efficiency = 0.9;
    spec.effects.n_programs = 25;
    spec.effects.genes_per_program = 1_200;
    spec.effects.genes_per_target = 120;
    spec.effects.self_effect = -2.0;
    spec.genes_per_cell = Some(2_600.0);
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_survive_a_round_trip() {
        for (name, _) in PerturbSeqSpec::presets() {
            let spec = PerturbSeqSpec::preset(name).expect("listed");
            spec.validate().expect("valid");
            let json = serde_json::to_string(&spec).expect("serialisable");
            assert_eq!(serde_json::from_str::<PerturbSeqSpec>(&json).expect("readable"), spec);
        }
        assert_eq!(PerturbSeqSpec::preset("norman").expect("listed").n_conditions(), 224);
    }

    #[test]
    fn an_unknown_preset_is_answered_with_the_nearest() {
        let error = PerturbSeqSpec::preset("norma").expect_err("unknown");
        assert!(error.to_string().starts_with("preset `norma` not found (presets: `tiny`, `demo`"), "{error}");
        assert_eq!(error.hints(), ["did you mean `norman`?"]);
    }
}
