//! The exact posterior of the type of a cell: what no model can know better.

use super::PhenotypeAtlas;
use super::truth::stage_of;
use cellstone_core::RowBlock;
use rayon::prelude::*;

/// What the counts of a cell say about its type, everything else known.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// Probability of each type.
    pub p: Vec<f64>,
    /// The type that the cell is called.
    pub truth: usize,
}

impl Posterior {
    /// `−Σ p ln p`, nats.
    pub fn entropy(&self) -> f64 {
        -self.p.iter().filter(|it| **it > 0.0).map(|it| it * it.ln()).sum::<f64>()
    }

    /// 1 if the most probable type is the one the cell is called; a tie of several counts as one guess among them.
    pub fn hit(&self) -> f64 {
        let best = self.p.iter().copied().fold(0.0, f64::max);
        let n_best = self.p.iter().filter(|it| **it >= best).count();
        if self.p[self.truth] >= best { 1.0 / n_best as f64 } else { 0.0 }
    }
}

impl PhenotypeAtlas {
    /// The exact posterior of the type of every cell of a block, given its counts, library, tissue and donor:
    /// `P(k | x) ∝ π_k ((1 − β) NB(x; p_k) + β NB(x; p_blurred))`.
    ///
    /// No model knows more, and one that has to find the donor out knows less.
    pub fn posteriors(&self, block: &RowBlock) -> Vec<Posterior> {
        // Means are shared by the cells of a tissue and donor up to the library.
        let spec = &self.spec;
        let logs: Vec<Vec<f64>> = (0..(spec.n_types + 1) * spec.n_tissues * spec.n_donors)
            .into_par_iter()
            .map(|it| {
                let per_kind = spec.n_tissues * spec.n_donors;
                self.truth.shares(it / per_kind, it / spec.n_donors % spec.n_tissues, it % spec.n_donors)
            })
            .collect();
        (0..block.x.shape().0).into_par_iter().map(|row| self.posterior(block, row, &logs)).collect()
    }

    fn posterior(&self, block: &RowBlock, row: usize, shares: &[Vec<f64>]) -> Posterior {
        let (spec, at) = (&self.spec, block.start + row);
        let cell = self.cells[at];
        let (tissue, donor) = (usize::from(cell.tissue), usize::from(cell.donor));
        let (library, _) = self.library(at);
        let counts = block.x.row(row);
        let fit = |kind: usize| {
            let place = (kind * spec.n_tissues + tissue) * spec.n_donors + donor;
            self.log_likelihood(library, &shares[place], counts)
        };
        let fits: Vec<f64> = (0..=spec.n_types).map(fit).collect();
        let best = fits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let likelihood: Vec<f64> = fits.iter().map(|it| (it - best).exp()).collect();
        let blur = spec.blur(stage_of(spec, donor));
        let blurred = likelihood[spec.n_types];
        let prior = self.truth.composition(tissue);
        let joint: Vec<f64> =
            (0..spec.n_types).map(|it| prior[it] * ((1.0 - blur) * likelihood[it] + blur * blurred)).collect();
        let total: f64 = joint.iter().sum();
        Posterior { p: joint.into_iter().map(|it| it / total).collect(), truth: usize::from(cell.kind) }
    }

    /// Logarithm of the probability of the counts, up to what does not depend on the means.
    fn log_likelihood(&self, library: f64, shares: &[f64], (genes, counts): (&[u32], &[f32])) -> f64 {
        let theta = &self.truth.theta;
        let empty: f64 =
            shares.iter().zip(theta).map(|(share, theta)| -theta * (library * share / theta).ln_1p()).sum();
        let odds = |gene: usize| {
            let mean = library * shares[gene];
            (mean / (mean + theta[gene])).ln()
        };
        empty + genes.iter().zip(counts).map(|(gene, n)| f64::from(*n) * odds(*gene as usize)).sum::<f64>()
    }
}
