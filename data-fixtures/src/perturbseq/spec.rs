//! The parameters of a simulated Perturb-seq experiment and what makes them valid.

use cellstone_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Gene-wise overdispersion: counts of gene `g` with mean `m` have variance `m + m² / θ_g`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispersion {
    /// Median of `θ_g`.
    pub theta_median: f64,
    /// Standard deviation of `ln θ_g`.
    pub theta_sd: f64,
}

/// What one perturbation does, on the scale of log rates.
///
/// `delta_t = Σ_k w_tk · v_k + s_t + self_effect · e_t`: programs `v_k` shared by the targets of a functional group, a
/// sparse effect `s_t` of its own, and the knock-down or activation of the target's transcript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectSpec {
    /// Number of gene programs; target `t` drives program `t mod n_programs`.
    pub n_programs: usize,
    /// Genes in a program, besides the targets that drive it.
    pub genes_per_program: usize,
    /// Standard deviation of the loadings `v_k` of program genes.
    pub program_sd: f64,
    /// Standard deviation of the log strength of a target: some perturbations do much, most do little.
    pub strength_sd: f64,
    /// Genes that respond to one target alone.
    pub genes_per_target: usize,
    /// Standard deviation of `s_t` at those genes.
    pub effect_sd: f64,
    /// Log rate ratio of the target's own transcript: negative for interference, positive for activation.
    pub self_effect: f64,
}

/// How doubles depart from the sum of their singles: `delta_AB = α (delta_A + delta_B) + residual`.
///
/// The targets' own transcripts move by `self_effect` whatever `α`. What is neither buffering nor synergistic is
/// additive, with `α = 1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InteractionSpec {
    /// Share of doubles with `α < 1`.
    pub buffering: f64,
    /// Share of doubles with `α > 1`.
    pub synergistic: f64,
    /// Mean `α` of buffering doubles.
    pub buffering_alpha: f64,
    /// Mean `α` of synergistic doubles.
    pub synergistic_alpha: f64,
    /// Standard deviation of `α` inside a class.
    pub alpha_sd: f64,
    /// Genes with a residual in doubles that are not additive.
    pub residual_genes: usize,
    /// Standard deviation of the residual at those genes.
    pub residual_sd: f64,
}

/// A simulated Perturb-seq experiment: sizes, noise and planted effects.
///
/// A cell of library `L` in batch `b` whose response is condition `c` has counts
/// `x_g ~ NB(mean = L · p_cg · f_bg / Σ_h p_ch f_bh, size = θ_g)`, where `p_c ∝ exp(base + delta_c)`.
///
/// # Examples
/// ```
/// use cellstone_fixtures::PerturbSeqSpec;
/// let spec = PerturbSeqSpec::preset("demo")?.with_size(Some(2_000), None)?;
/// assert_eq!(spec.n_conditions(), 101);
/// let error = spec.with_size(Some(50), None).expect_err("fewer cells than conditions");
/// assert_eq!(
///     error.to_string(),
///     "n_obs is 50, expected at least 404: 4 cells for each of 101 conditions in 1 context"
/// );
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerturbSeqSpec {
    /// Number of cells.
    pub n_obs: usize,
    /// Number of genes; the targets are among them.
    pub n_vars: usize,
    /// Number of targets, each perturbed alone.
    pub n_singles: usize,
    /// Number of pairs of targets perturbed together.
    pub n_doubles: usize,
    /// Names of the contexts; every condition occurs in each.
    pub contexts: Vec<String>,
    /// Number of batches; every condition occurs in each, up to chance.
    pub n_batches: usize,
    /// Standard deviation of the log batch factor of a gene, cut at 2.5 of itself.
    pub batch_sd: f64,
    /// Median number of molecules of a cell.
    pub library_median: f64,
    /// Standard deviation of the log number of molecules.
    pub library_sd: f64,
    /// Overdispersion.
    pub dispersion: Dispersion,
    /// Share of cells that are control.
    pub control_fraction: f64,
    /// Mean share of the cells with a guide in which that guide works; in the others it does nothing.
    pub guide_efficiency: f64,
    /// What single perturbations do.
    pub effects: EffectSpec,
    /// What pairs do besides.
    pub interactions: InteractionSpec,
    /// Correlation of the effects of one target in two contexts.
    pub context_similarity: f64,
    /// Standard deviation of the log baseline of a gene between contexts.
    pub context_sd: f64,
    /// Standard deviation of the log mean expression of genes, used where `genes_per_cell` is none.
    pub expression_sd: f64,
    /// Expected number of non-zero genes in a control cell of median library; sets the spread of expression.
    pub genes_per_cell: Option<f64>,
}

/// Fewest cells a condition gets in each context: two replicate halves of two.
const MIN_CELLS: usize = 4;

impl PerturbSeqSpec {
    /// Number of conditions: control, singles and doubles.
    pub fn n_conditions(&self) -> usize {
        1 + self.n_singles + self.n_doubles
    }

    /// The same experiment with another number of cells or genes; `genes_per_cell` follows the number of genes.
    ///
    /// # Errors
    /// If the new size does not fit the rest of the specification.
    pub fn with_size(mut self, n_obs: Option<usize>, n_vars: Option<usize>) -> Result<Self> {
        self.n_obs = n_obs.unwrap_or(self.n_obs);
        if let Some(n_vars) = n_vars {
            let ratio = n_vars as f64 / self.n_vars as f64;
            self.genes_per_cell = self.genes_per_cell.map(|it| it * ratio);
            self.n_vars = n_vars;
        }
        self.validate()?;
        Ok(self)
    }

    /// Checks that the experiment can be simulated.
    ///
    /// # Errors
    /// Names the field, what it is and what it can be.
    pub fn validate(&self) -> Result<()> {
        self.check_sizes()?;
        self.check_ranges()
    }

    fn check_sizes(&self) -> Result<()> {
        let (conditions, contexts) = (self.n_conditions(), self.contexts.len());
        if contexts == 0 || self.contexts.iter().collect::<BTreeSet<_>>().len() < contexts {
            return Err(Error::config(format!(
                "contexts are {}, expected at least one and no name twice",
                cellstone_core::quoted(&self.contexts)
            )));
        }
        if self.n_singles == 0 || self.n_batches == 0 {
            return Err(Error::config(format!(
                "n_singles is {} and n_batches is {}, expected at least 1 of each",
                self.n_singles, self.n_batches
            )));
        }
        let pairs = self.n_singles * (self.n_singles - 1) / 2;
        if self.n_doubles > pairs {
            return Err(Error::config(format!(
                "n_doubles is {}, expected at most {pairs}: the pairs of {} singles",
                self.n_doubles, self.n_singles
            )));
        }
        let need = MIN_CELLS * conditions * contexts;
        if self.n_obs < need {
            let plural = if contexts == 1 { "context" } else { "contexts" };
            return Err(Error::config(format!(
                "n_obs is {}, expected at least {need}: {MIN_CELLS} cells for each of {conditions} conditions in \
                 {contexts} {plural}",
                self.n_obs
            ))
            .with_hint("ask for more cells, or choose a preset with fewer perturbations"));
        }
        let need = self.n_singles.max(2);
        if self.n_vars < need || u32::try_from(self.n_vars).is_err() {
            return Err(Error::config(format!(
                "n_vars is {}, expected {need} to {}: every one of {} targets is a gene",
                self.n_vars,
                u32::MAX,
                self.n_singles
            ))
            .with_hint("ask for more genes, or choose a preset with fewer perturbations"));
        }
        Ok(())
    }

    fn check_ranges(&self) -> Result<()> {
        let (effects, pairs) = (&self.effects, &self.interactions);
        if effects.n_programs == 0 {
            return Err(Error::config("effects.n_programs is 0, expected at least 1"));
        }
        let positive = [
            ("library_median", self.library_median),
            ("dispersion.theta_median", self.dispersion.theta_median),
            ("genes_per_cell", self.genes_per_cell.unwrap_or(1.0)),
            ("interactions.buffering_alpha", pairs.buffering_alpha),
            ("interactions.synergistic_alpha", pairs.synergistic_alpha),
        ];
        let spread = [
            ("batch_sd", self.batch_sd),
            ("library_sd", self.library_sd),
            ("dispersion.theta_sd", self.dispersion.theta_sd),
            ("effects.program_sd", effects.program_sd),
            ("effects.strength_sd", effects.strength_sd),
            ("effects.effect_sd", effects.effect_sd),
            ("interactions.alpha_sd", pairs.alpha_sd),
            ("interactions.residual_sd", pairs.residual_sd),
            ("context_sd", self.context_sd),
            ("expression_sd", self.expression_sd),
        ];
        let share = [
            ("guide_efficiency", self.guide_efficiency),
            ("context_similarity", self.context_similarity),
            ("interactions.buffering", pairs.buffering),
            ("interactions.synergistic", pairs.synergistic),
            ("interactions.buffering + interactions.synergistic", pairs.buffering + pairs.synergistic),
        ];
        let check = |fields: &[(&str, f64)], low: f64, high: f64, want: &str| match fields
            .iter()
            .find(|(_, it)| !(it.is_finite() && *it >= low && *it <= high))
        {
            Some((name, it)) => Err(Error::config(format!("{name} is {it}, expected {want}"))),
            None => Ok(()),
        };
        check(&positive, f64::MIN_POSITIVE, f64::MAX, "a positive number")?;
        check(&spread, 0.0, 10.0, "0 to 10")?;
        check(&share, 0.0, 1.0, "0 to 1")?;
        check(&[("effects.self_effect", effects.self_effect)], -10.0, 10.0, "-10 to 10")?;
        check(&[("control_fraction", self.control_fraction)], 0.0, 0.95, "0 to 0.95")
    }

    /// Cells of every `(context, condition)`, context by context, control first; they add up to `n_obs`.
    pub(crate) fn cell_counts(&self) -> Vec<usize> {
        let (n_contexts, n_conditions) = (self.contexts.len(), self.n_conditions());
        let spare = self.n_obs - MIN_CELLS * n_contexts * n_conditions;
        let mut counts = vec![MIN_CELLS; n_contexts * n_conditions];
        let wanted = (self.control_fraction * self.n_obs as f64) as usize;
        let controls = wanted.saturating_sub(MIN_CELLS * n_contexts).min(spare);
        spread_evenly(controls, n_contexts, |it| it * n_conditions, &mut counts);
        let perturbed = n_conditions - 1;
        let place = |it: usize| (it / perturbed) * n_conditions + 1 + it % perturbed;
        spread_evenly(spare - controls, n_contexts * perturbed, place, &mut counts);
        counts
    }
}

/// Adds `total` to `n_slots` places of `counts`, as evenly as whole numbers allow.
fn spread_evenly(total: usize, n_slots: usize, place: impl Fn(usize) -> usize, counts: &mut [usize]) {
    for slot in 0..n_slots {
        counts[place(slot)] += total / n_slots + usize::from(slot < total % n_slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_given_a_condition() {
        let mut spec = PerturbSeqSpec::preset("tiny").expect("preset");
        for (n_obs, contexts) in [(400, 1), (401, 2), (93, 2)] {
            spec.n_obs = n_obs;
            spec.contexts = (0..contexts).map(|it| format!("c{it}")).collect();
            let counts = spec.cell_counts();
            assert_eq!(counts.iter().sum::<usize>(), n_obs);
            assert!(counts.iter().all(|it| *it >= MIN_CELLS));
        }
    }

    #[test]
    fn what_cannot_be_simulated_is_named() {
        let check = |change: fn(&mut PerturbSeqSpec), want: &str| {
            let mut spec = PerturbSeqSpec::preset("tiny").expect("preset");
            change(&mut spec);
            let error = spec.validate().expect_err("invalid");
            assert!(error.is_config());
            assert!(error.to_string().contains(want), "{error}");
        };
        check(|it| it.n_vars = 3, "n_vars is 3, expected 6 to");
        check(|it| it.n_doubles = 16, "n_doubles is 16, expected at most 15: the pairs of 6 singles");
        check(|it| it.contexts.clear(), "contexts are none, expected at least one");
        check(|it| it.contexts = vec!["a".into(), "a".into()], "no name twice");
        check(|it| it.guide_efficiency = 1.5, "guide_efficiency is 1.5, expected 0 to 1");
        check(|it| it.library_median = f64::NAN, "library_median is NaN, expected a positive number");
        check(|it| it.interactions.buffering = 0.9, "interactions.buffering + interactions.synergistic is");
        check(|it| it.n_batches = 0, "expected at least 1 of each");
        check(|it| it.effects.n_programs = 0, "effects.n_programs is 0");
    }
}
