//! Draws what is planted: baselines, programs, target effects, interactions.

use super::{
    InteractionClass, PerturbSeqSpec, PlantedCondition, PlantedProgram, PlantedTarget, PlantedTruth, SparseEffect,
};
use cellstone_core::{Error, Result, Seed, SeedRng, Var};
use ndarray::Array2;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// Batch factors are cut at this many standard deviations, so that they have a bound the sampler can use.
const BATCH_CUT: f64 = 2.5;

/// The planted truth and the genes.
pub(crate) fn plant(spec: &PerturbSeqSpec, seed: Seed) -> Result<(PlantedTruth, Var)> {
    spec.validate()?;
    let n_vars = spec.n_vars;
    let theta = draw_theta(spec, seed);
    let quantiles = normals(&mut seed.derive("expression").rng(), n_vars);
    let expression_sd = match spec.genes_per_cell {
        Some(genes) => solve_spread(&quantiles, &theta, spec.library_median, genes)?,
        None => spec.expression_sd,
    };
    let base = draw_base(spec, &quantiles, expression_sd, seed);
    let genes = choose_targets(&quantiles, spec.n_singles, seed);
    let mut rng = seed.derive("targets").rng();
    let weights: Vec<Vec<f64>> = (0..spec.n_singles).map(|it| draw_weights(spec, it, &mut rng)).collect();
    let programs = draw_programs(spec, &genes, &weights, seed);
    let targets = (0..spec.n_singles).map(|it| draw_target(spec, it, genes[it], &weights[it], seed)).collect();
    let batches = draw_batches(spec, seed);
    let conditions = draw_conditions(spec, seed);
    let contexts = spec.contexts.clone();
    let var = name_genes(n_vars, &genes)?;
    Ok((PlantedTruth { contexts, conditions, targets, programs, expression_sd, theta, base, batches }, var))
}

pub(crate) fn normal(rng: &mut SeedRng) -> f64 {
    StandardNormal.sample(rng)
}

pub(crate) fn normals(rng: &mut SeedRng, n: usize) -> Vec<f64> {
    (0..n).map(|_| normal(rng)).collect()
}

/// `n` distinct columns below `n_vars`, ascending.
pub(crate) fn choose_genes(rng: &mut SeedRng, n_vars: usize, n: usize) -> Vec<u32> {
    let mut genes: Vec<u32> =
        rand::seq::index::sample(rng, n_vars, n.min(n_vars)).into_iter().map(|it| it as u32).collect();
    genes.sort_unstable();
    genes
}

fn draw_sparse(rng: &mut SeedRng, n_vars: usize, n: usize, sd: f64) -> SparseEffect {
    let genes = choose_genes(rng, n_vars, n);
    let values = genes.iter().map(|_| sd * normal(rng)).collect();
    SparseEffect { genes, values }
}

fn draw_theta(spec: &PerturbSeqSpec, seed: Seed) -> Vec<f64> {
    let mut rng = seed.derive("theta").rng();
    let dispersion = &spec.dispersion;
    (0..spec.n_vars).map(|_| dispersion.theta_median * (dispersion.theta_sd * normal(&mut rng)).exp()).collect()
}

/// The spread of log expression at which a control cell of median library has `genes` non-zero genes.
///
/// More spread puts more molecules on fewer genes, so the number falls as the spread grows: bisection.
pub(crate) fn solve_spread(quantiles: &[f64], theta: &[f64], library: f64, genes: f64) -> Result<f64> {
    let expected = |sd: f64| {
        let total: f64 = quantiles.iter().map(|it| (sd * it).exp()).sum();
        let nonzero = |(z, theta): (&f64, &f64)| {
            let mean = library * (sd * z).exp() / total;
            1.0 - (-theta * (mean / theta).ln_1p()).exp()
        };
        quantiles.iter().zip(theta).map(nonzero).sum::<f64>()
    };
    let (mut low, mut high) = (0.0, 6.0);
    if !(expected(high)..=expected(low)).contains(&genes) {
        return Err(Error::config(format!(
            "genes_per_cell is {genes}, expected {:.0} to {:.0} for {} genes and {library} molecules",
            expected(high).ceil(),
            expected(low).floor(),
            quantiles.len()
        ))
        .with_hint("change genes_per_cell or library_median"));
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if expected(middle) > genes { low = middle } else { high = middle }
    }
    Ok(low)
}

fn draw_base(spec: &PerturbSeqSpec, quantiles: &[f64], expression_sd: f64, seed: Seed) -> Array2<f64> {
    let n_contexts = spec.contexts.len();
    let mut base = Array2::zeros((n_contexts, spec.n_vars));
    for (context, mut row) in base.rows_mut().into_iter().enumerate() {
        let mut rng = seed.derive("context").derive_index(context as u64).rng();
        // One context is its own reference: a shift would only change the spread that was asked for.
        let shift = if n_contexts > 1 { spec.context_sd } else { 0.0 };
        for (value, z) in row.iter_mut().zip(quantiles) {
            *value = expression_sd * z + shift * normal(&mut rng);
        }
        let log_total = row.iter().map(|it| it.exp()).sum::<f64>().ln();
        row -= log_total;
    }
    base
}

fn draw_batches(spec: &PerturbSeqSpec, seed: Seed) -> Array2<f64> {
    let mut batches = Array2::zeros((spec.n_batches, spec.n_vars));
    for (batch, mut row) in batches.rows_mut().into_iter().enumerate() {
        let mut rng = seed.derive("batch").derive_index(batch as u64).rng();
        row.mapv_inplace(|_: f64| spec.batch_sd * normal(&mut rng).clamp(-BATCH_CUT, BATCH_CUT));
    }
    batches
}

/// Targets are drawn from the better expressed half, so that the effect on the own transcript can be seen.
fn choose_targets(quantiles: &[f64], n: usize, seed: Seed) -> Vec<u32> {
    let mut order: Vec<usize> = (0..quantiles.len()).collect();
    order.sort_by(|a, b| quantiles[*b].total_cmp(&quantiles[*a]).then(a.cmp(b)));
    let pool = &order[..n.max(quantiles.len() / 2)];
    let mut rng = seed.derive("target_genes").rng();
    let mut genes: Vec<u32> =
        rand::seq::index::sample(&mut rng, pool.len(), n).into_iter().map(|it| pool[it] as u32).collect();
    genes.sort_unstable();
    genes
}

/// A strong weight on the program of the target's group and a weak one on another.
fn draw_weights(spec: &PerturbSeqSpec, target: usize, rng: &mut SeedRng) -> Vec<f64> {
    let n_programs = spec.effects.n_programs;
    let strength = (spec.effects.strength_sd * normal(rng)).exp();
    let mut weights = vec![0.0; n_programs];
    weights[rng.random_range(0..n_programs)] = 0.3 * strength * normal(rng);
    weights[target % n_programs] = strength * (1.0 + 0.25 * normal(rng));
    weights
}

/// Programs load on random genes and on the targets that drive them: what drives a program moves with it.
fn draw_programs(spec: &PerturbSeqSpec, genes: &[u32], weights: &[Vec<f64>], seed: Seed) -> Vec<PlantedProgram> {
    let draw = |program: usize| {
        let mut rng = seed.derive("program").derive_index(program as u64).rng();
        let drawn = draw_sparse(&mut rng, spec.n_vars, spec.effects.genes_per_program, spec.effects.program_sd);
        let mut loadings: Vec<(u32, f64)> =
            drawn.genes.into_iter().zip(drawn.values).filter(|it| genes.binary_search(&it.0).is_err()).collect();
        for (gene, weights) in genes.iter().zip(weights) {
            if weights[program] != 0.0 {
                loadings.push((*gene, spec.effects.program_sd * weights[program]));
            }
        }
        loadings.sort_unstable_by_key(|it| it.0);
        let (genes, values) = loadings.into_iter().unzip();
        PlantedProgram { loadings: SparseEffect { genes, values } }
    };
    (0..spec.effects.n_programs).map(draw).collect()
}

fn draw_target(spec: &PerturbSeqSpec, index: usize, gene: u32, shared: &[f64], seed: Seed) -> PlantedTarget {
    let seed = seed.derive("target").derive_index(index as u64);
    let effects = &spec.effects;
    let mut rng = seed.derive("specific").rng();
    let common = draw_sparse(&mut rng, spec.n_vars, effects.genes_per_target, effects.effect_sd);
    // Shared and own parts with weights √ρ and √(1−ρ) keep the variance and give correlation ρ between contexts.
    let rho = if spec.contexts.len() > 1 { spec.context_similarity } else { 1.0 };
    let (keep, renew) = (rho.sqrt(), (1.0 - rho).sqrt());
    let strength = shared.iter().map(|it| it * it).sum::<f64>().sqrt();
    let (mut weights, mut specific) = (Vec::new(), Vec::new());
    for context in 0..spec.contexts.len() {
        let mut rng = seed.derive("own").derive_index(context as u64).rng();
        let mut own = vec![0.0; effects.n_programs];
        own[rng.random_range(0..effects.n_programs)] = strength * (1.0 + 0.25 * normal(&mut rng));
        weights.push(shared.iter().zip(&own).map(|(shared, own)| keep * shared + renew * own).collect());
        let mut own = common.clone();
        for value in &mut own.values {
            *value = keep * *value + renew * effects.effect_sd * normal(&mut rng);
        }
        specific.push(own);
    }
    // A guide that fails more often than another: a spread of a third of what is left to one.
    let mut rng = seed.derive("efficiency").rng();
    let room = spec.guide_efficiency.min(1.0 - spec.guide_efficiency) / 3.0;
    let efficiency = spec.guide_efficiency + room * (2.0 * rng.random::<f64>() - 1.0);
    PlantedTarget {
        symbol: symbol(index, spec.n_singles),
        gene,
        group: index % effects.n_programs,
        efficiency,
        self_effect: effects.self_effect,
        weights,
        specific,
    }
}

fn draw_conditions(spec: &PerturbSeqSpec, seed: Seed) -> Vec<PlantedCondition> {
    let plain = |label: String, targets: Vec<usize>, class: InteractionClass| PlantedCondition {
        label,
        targets,
        class,
        alpha: 1.0,
        residual: SparseEffect::default(),
    };
    let name = |it: usize| symbol(it, spec.n_singles);
    let mut conditions = vec![plain("control".to_owned(), Vec::new(), InteractionClass::Control)];
    conditions.extend((0..spec.n_singles).map(|it| plain(name(it), vec![it], InteractionClass::Single)));
    let pairs = choose_pairs(spec, seed);
    let classes = choose_classes(spec, seed);
    for (index, ((a, b), class)) in pairs.into_iter().zip(classes).enumerate() {
        let mut double = plain(format!("{}+{}", name(a), name(b)), vec![a, b], class);
        let rng = &mut seed.derive("double").derive_index(index as u64).rng();
        interact(&mut double, spec, rng);
        conditions.push(double);
    }
    conditions
}

fn interact(double: &mut PlantedCondition, spec: &PerturbSeqSpec, rng: &mut SeedRng) {
    let pairs = &spec.interactions;
    let noise = pairs.alpha_sd * normal(rng);
    double.alpha = match double.class {
        InteractionClass::Buffering => (pairs.buffering_alpha + noise).clamp(0.05, 0.98),
        InteractionClass::Synergistic => (pairs.synergistic_alpha + noise).clamp(1.02, 3.0),
        _ => return,
    };
    double.residual = draw_sparse(rng, spec.n_vars, pairs.residual_genes, pairs.residual_sd);
}

fn choose_pairs(spec: &PerturbSeqSpec, seed: Seed) -> Vec<(usize, usize)> {
    let all: Vec<(usize, usize)> =
        (0..spec.n_singles).flat_map(|a| (a + 1..spec.n_singles).map(move |b| (a, b))).collect();
    let mut rng = seed.derive("pairs").rng();
    let mut pairs: Vec<(usize, usize)> =
        rand::seq::index::sample(&mut rng, all.len(), spec.n_doubles).into_iter().map(|it| all[it]).collect();
    pairs.sort_unstable();
    pairs
}

/// Classes in the asked shares, rounded, in random order.
fn choose_classes(spec: &PerturbSeqSpec, seed: Seed) -> Vec<InteractionClass> {
    let n = spec.n_doubles;
    let buffering = (spec.interactions.buffering * n as f64).round() as usize;
    let synergistic = ((spec.interactions.synergistic * n as f64).round() as usize).min(n - buffering);
    let mut classes = vec![InteractionClass::Additive; n];
    classes[..buffering].fill(InteractionClass::Buffering);
    classes[buffering..buffering + synergistic].fill(InteractionClass::Synergistic);
    let mut rng = seed.derive("classes").rng();
    rand::seq::SliceRandom::shuffle(classes.as_mut_slice(), &mut rng);
    classes
}

/// Zero-padded, so that the order of symbols is that of the targets.
fn symbol(target: usize, n_targets: usize) -> String {
    let width = n_targets.to_string().len().max(3);
    format!("TGT{:0width$}", target + 1)
}

fn name_genes(n_vars: usize, targets: &[u32]) -> Result<Var> {
    let width = n_vars.to_string().len().max(5);
    let ids = (1..=n_vars).map(|it| format!("G{it:0width$}")).collect();
    let mut symbols: Vec<String> = (1..=n_vars).map(|it| format!("GENE{it:0width$}")).collect();
    for (target, gene) in targets.iter().enumerate() {
        symbols[*gene as usize] = symbol(target, targets.len());
    }
    Var::new(ids, Some(symbols))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PerturbSeqSpec;

    fn tiny(change: impl Fn(&mut PerturbSeqSpec)) -> PlantedTruth {
        let mut spec = PerturbSeqSpec::preset("tiny").expect("preset");
        change(&mut spec);
        plant(&spec, Seed::new(5)).expect("valid").0
    }

    #[test]
    fn an_additive_double_is_the_sum_of_its_singles() {
        let truth = tiny(|it| {
            it.interactions.buffering = 0.0;
            it.interactions.synergistic = 0.0;
        });
        let double = truth.conditions().iter().position(|it| it.targets.len() == 2).expect("doubles");
        let [a, b] = truth.conditions()[double].targets[..] else { panic!("two targets") };
        let (a, b) = (truth.log_delta(0, truth.single(a)), truth.log_delta(0, truth.single(b)));
        for (gene, delta) in truth.log_delta(0, double).iter().enumerate() {
            assert!((delta - a[gene] - b[gene]).abs() < 1e-12);
        }
    }

    #[test]
    fn classes_come_in_the_asked_shares() {
        let truth = tiny(|_| ());
        let count = |class| truth.conditions().iter().filter(|it| it.class == class).count();
        let all = [InteractionClass::Buffering, InteractionClass::Synergistic, InteractionClass::Additive].map(count);
        assert_eq!(all, [2, 1, 1]);
        for it in truth.conditions() {
            match it.class {
                InteractionClass::Buffering => assert!(it.alpha < 1.0),
                InteractionClass::Synergistic => assert!(it.alpha > 1.0),
                _ => assert_eq!(it.alpha, 1.0),
            }
        }
    }

    #[test]
    fn contexts_correlate_as_asked() {
        let truth = tiny(|it| {
            it.n_vars = 20_000;
            it.contexts = vec!["a".into(), "b".into()];
            it.context_similarity = 0.6;
            it.effects.program_sd = 0.0;
            it.effects.self_effect = 0.0;
            it.effects.genes_per_target = 20_000;
        });
        let (a, b) = (truth.log_delta(0, 1), truth.log_delta(1, 1));
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        let correlation = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
        assert!((correlation - 0.6).abs() < 0.03, "{correlation}");
    }

    #[test]
    fn the_states_of_a_condition_are_a_distribution() {
        let truth = tiny(|_| ());
        for condition in 0..truth.conditions().len() {
            let total: f64 = truth.states(condition).iter().map(|it| it.1).sum();
            assert!((total - 1.0).abs() < 1e-12);
            assert!((truth.mean_shares(0, condition).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn an_impossible_number_of_genes_per_cell_is_named() {
        let mut spec = PerturbSeqSpec::preset("tiny").expect("preset");
        spec.genes_per_cell = Some(61.0);
        let error = plant(&spec, Seed::new(1)).map(|_| ()).expect_err("more genes than there are");
        assert!(error.to_string().starts_with("genes_per_cell is 61, expected"), "{error}");
    }
}
