//! What was planted: conditions, targets, programs, and the log rates they add up to.

use cellstone_core::{Embedding, Error, Result};
use ndarray::{Array2, ArrayView1};
use serde::Serialize;

/// Columns and what happens there, columns ascending.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SparseEffect {
    /// Columns of `var`, ascending.
    pub genes: Vec<u32>,
    /// Log rate ratio at each.
    pub values: Vec<f64>,
}

impl SparseEffect {
    /// Adds `factor` times the effect to a dense vector.
    pub fn add_to(&self, factor: f64, dense: &mut [f64]) {
        for (gene, value) in self.genes.iter().zip(&self.values) {
            dense[*gene as usize] += factor * value;
        }
    }
}

/// How a condition relates to its singles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InteractionClass {
    /// Control.
    Control,
    /// One target.
    Single,
    /// `α = 1`, no residual.
    Additive,
    /// `α < 1`.
    Buffering,
    /// `α > 1`.
    Synergistic,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlantedCondition {
    /// `control`, `A` or `A+B`, as in the column `perturbation`.
    pub label: String,
    /// Indices into the targets, ascending; none for control.
    pub targets: Vec<usize>,
    /// How it relates to its singles.
    pub class: InteractionClass,
    /// Factor of the sum of single effects; 1 unless buffering or synergistic.
    pub alpha: f64,
    /// What the factor does not explain.
    pub residual: SparseEffect,
}

/// One perturbed gene.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlantedTarget {
    /// Its symbol, the name of the perturbation.
    pub symbol: String,
    /// Its column of `var`.
    pub gene: u32,
    /// The program it drives: its functional group.
    pub group: usize,
    /// Share of the cells with its guide in which the guide works.
    pub efficiency: f64,
    /// Log rate ratio of its own transcript.
    pub self_effect: f64,
    /// Weight of each program, context by context.
    pub weights: Vec<Vec<f64>>,
    /// What it does alone, context by context.
    pub specific: Vec<SparseEffect>,
}

/// Genes that move together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlantedProgram {
    /// Loading of each gene in it.
    pub loadings: SparseEffect,
}

/// Everything that was planted in a simulated experiment.
///
/// Condition 0 is control; singles and doubles follow. Contexts are numbered as in the specification.
#[derive(Debug, Clone, Serialize)]
pub struct PlantedTruth {
    pub(crate) contexts: Vec<String>,
    pub(crate) conditions: Vec<PlantedCondition>,
    pub(crate) targets: Vec<PlantedTarget>,
    pub(crate) programs: Vec<PlantedProgram>,
    /// Standard deviation of log mean expression that was used.
    pub(crate) expression_sd: f64,
    /// Overdispersion of each gene.
    #[serde(skip)]
    pub(crate) theta: Vec<f64>,
    /// Log share of each gene in control, `[n_contexts, n_vars]`; shares sum to one.
    #[serde(skip)]
    pub(crate) base: Array2<f64>,
    /// Log batch factor, `[n_batches, n_vars]`.
    #[serde(skip)]
    pub(crate) batches: Array2<f64>,
}

impl PlantedTruth {
    /// The context names, in the order of the specification.
    pub fn contexts(&self) -> &[String] {
        &self.contexts
    }

    /// The conditions, control first.
    pub fn conditions(&self) -> &[PlantedCondition] {
        &self.conditions
    }

    /// The targets, in the order of their symbols.
    pub fn targets(&self) -> &[PlantedTarget] {
        &self.targets
    }

    /// The gene programs.
    pub fn programs(&self) -> &[PlantedProgram] {
        &self.programs
    }

    /// `θ_g` of each gene: counts with mean `m` have variance `m + m² / θ_g`.
    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// Standard deviation of log mean expression over genes, as solved for `genes_per_cell`.
    pub fn expression_sd(&self) -> f64 {
        self.expression_sd
    }

    /// Log batch factor of each gene.
    pub fn log_batch(&self, batch: usize) -> ArrayView1<'_, f64> {
        self.batches.row(batch)
    }

    /// Number of genes.
    pub fn n_vars(&self) -> usize {
        self.theta.len()
    }

    /// The condition of that label.
    pub fn condition(&self, label: &str) -> Option<usize> {
        self.conditions.iter().position(|it| it.label == label)
    }

    /// Log rate ratio of every gene against control of the context, before shares are made to sum to one again.
    pub fn log_delta(&self, context: usize, condition: usize) -> Vec<f64> {
        let condition = &self.conditions[condition];
        let mut delta = vec![0.0; self.n_vars()];
        for target in condition.targets.iter().map(|it| &self.targets[*it]) {
            for (weight, program) in target.weights[context].iter().zip(&self.programs) {
                if *weight != 0.0 {
                    program.loadings.add_to(condition.alpha * weight, &mut delta);
                }
            }
            target.specific[context].add_to(condition.alpha, &mut delta);
        }
        condition.residual.add_to(1.0, &mut delta);
        for target in condition.targets.iter().map(|it| &self.targets[*it]) {
            delta[target.gene as usize] += target.self_effect;
        }
        delta
    }

    /// Expected share of each gene among the molecules of a cell in which every guide works, without batch factors.
    pub fn shares(&self, context: usize, condition: usize) -> Vec<f64> {
        let mut shares = self.log_delta(context, condition);
        for (share, base) in shares.iter_mut().zip(self.base.row(context)) {
            *share = (*share + base).exp();
        }
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|it| *it /= total);
        shares
    }

    /// Expected share of each gene among the molecules of all cells of a condition, guides that fail included.
    ///
    /// Guides fail independently, so a double is a mixture of itself, its singles and control.
    pub fn mean_shares(&self, context: usize, condition: usize) -> Vec<f64> {
        let mut mean = vec![0.0; self.n_vars()];
        for (state, probability) in self.states(condition) {
            for (mean, share) in mean.iter_mut().zip(self.shares(context, state)) {
                *mean += probability * share;
            }
        }
        mean
    }

    /// What cells of a condition respond as, and how likely: the condition itself, one of its singles, or control.
    pub fn states(&self, condition: usize) -> Vec<(usize, f64)> {
        let targets = &self.conditions[condition].targets;
        let efficiency = |it: usize| self.targets[targets[it]].efficiency;
        match targets.len() {
            0 => vec![(0, 1.0)],
            1 => vec![(condition, efficiency(0)), (0, 1.0 - efficiency(0))],
            _ => {
                let (a, b) = (efficiency(0), efficiency(1));
                vec![
                    (condition, a * b),
                    (self.single(targets[0]), a * (1.0 - b)),
                    (self.single(targets[1]), b * (1.0 - a)),
                    (0, (1.0 - a) * (1.0 - b)),
                ]
            }
        }
    }

    /// The condition in which a target is perturbed alone.
    pub fn single(&self, target: usize) -> usize {
        1 + target
    }

    /// Program weights of every target in the first context as an embedding, `[n_targets, n_programs]`, by symbol.
    ///
    /// This is prior knowledge that really says what a perturbation does: a method that can use any prior gains from it.
    ///
    /// # Errors
    /// Never for a truth made by a simulator: weights are finite and symbols unique.
    pub fn target_embedding(&self, name: &str) -> Result<Embedding> {
        let width = self.programs.len();
        let flat: Vec<f64> = self.targets.iter().flat_map(|it| it.weights[0].iter().copied()).collect();
        let values = Array2::from_shape_vec((self.targets.len(), width), flat)
            .map_err(|it| Error::invalid_input(format!("program weights: {it}")))?;
        Embedding::new(name, self.targets.iter().map(|it| it.symbol.clone()).collect(), values)
    }

    /// Everything that is needed to rebuild the planted deltas, as JSON: conditions, targets, programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("invariant: numbers, names and lists always serialise")
    }
}
