//! From statistics to the table, a few groups at a time.

use super::adjust::adjust_into;
use super::design::Design;
use super::params::{Adjust, Level, PSEUDOCOUNT};
use super::table::DeTable;
use cellstone_core::{Error, Result};
use ndarray::Array2;
use rayon::prelude::*;
use std::ops::Range;

/// Groups that one core finishes at once: their records of a gene share cache lines.
const GROUPS: usize = 8;

/// The outcome of one test.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Verdict {
    pub(super) statistic: f64,
    pub(super) pvalue: f64,
    pub(super) lfc: f64,
    pub(super) mean_group: f64,
    pub(super) mean_reference: f64,
}

/// Statistics from which tests follow.
pub(super) trait Tests: Sync {
    /// One test; the p-value may be left to [`Tests::complete`].
    fn verdict(&self, group: usize, gene: usize) -> Verdict;

    /// Does for several tests what is quicker for several.
    fn complete(&self, _verdicts: &mut [Verdict]) {}
}

impl Level {
    /// `log2((a + 1e-9) / (b + 1e-9))` from two means.
    pub(super) fn lfc(self, group: f64, reference: f64) -> f64 {
        ((self.of_mean(group) + PSEUDOCOUNT) / (self.of_mean(reference) + PSEUDOCOUNT)).log2()
    }
}

/// The table under construction, `[k, n_genes]` each.
pub(super) struct Output {
    n_genes: usize,
    statistic: Vec<f64>,
    pvalue: Vec<f64>,
    lfc: Vec<f64>,
    mean_group: Vec<f64>,
    mean_reference: Vec<f64>,
}

impl Output {
    pub(super) fn new(k: usize, n_genes: usize) -> Self {
        let zeros = || vec![0.0; k * n_genes];
        Self {
            n_genes,
            statistic: zeros(),
            pvalue: zeros(),
            lfc: zeros(),
            mean_group: zeros(),
            mean_reference: zeros(),
        }
    }

    /// Fills in the tests of some genes.
    pub(super) fn fill(&mut self, genes: Range<usize>, tests: &impl Tests) {
        let width = self.n_genes;
        let step = (GROUPS * width).max(1);
        (
            self.statistic.par_chunks_mut(step),
            self.pvalue.par_chunks_mut(step),
            self.lfc.par_chunks_mut(step),
            self.mean_group.par_chunks_mut(step),
            self.mean_reference.par_chunks_mut(step),
        )
            .into_par_iter()
            .enumerate()
            .for_each(|(tile, (statistic, pvalue, lfc, mean_group, mean_reference))| {
                let n_groups = statistic.len() / width;
                let mut verdicts = [Verdict::default(); GROUPS];
                let verdicts = &mut verdicts[..n_groups];
                for gene in genes.clone() {
                    for (group, verdict) in verdicts.iter_mut().enumerate() {
                        *verdict = tests.verdict(tile * GROUPS + group, gene);
                    }
                    tests.complete(verdicts);
                    for (group, verdict) in verdicts.iter().enumerate() {
                        let at = group * width + gene;
                        statistic[at] = verdict.statistic;
                        pvalue[at] = verdict.pvalue;
                        lfc[at] = verdict.lfc;
                        mean_group[at] = verdict.mean_group;
                        mean_reference[at] = verdict.mean_reference;
                    }
                }
            });
    }

    /// Adjusts the p-values and names everything.
    pub(super) fn table(self, design: Design, genes: Vec<String>, adjust: Adjust) -> Result<DeTable> {
        let mut padj = vec![0.0; self.pvalue.len()];
        match adjust {
            Adjust::PerGroup => {
                let rows = self.n_genes.max(1);
                padj.par_chunks_mut(rows).zip(self.pvalue.par_chunks(rows)).for_each(|(out, p)| adjust_into(p, out));
            }
            Adjust::AllTests => adjust_into(&self.pvalue, &mut padj),
        }
        let k = design.k();
        let shape = (k, self.n_genes);
        let matrix =
            |values: Vec<f64>| Array2::from_shape_vec(shape, values).map_err(|it| Error::invalid_input(it.to_string()));
        Ok(DeTable {
            n_group: design.sizes[..k].to_vec(),
            n_reference: (0..k).map(|it| design.n_reference(it)).collect(),
            groups: design.names,
            genes,
            statistic: matrix(self.statistic)?,
            pvalue: matrix(self.pvalue)?,
            padj: matrix(padj)?,
            lfc: matrix(self.lfc)?,
            mean_group: matrix(self.mean_group)?,
            mean_reference: matrix(self.mean_reference)?,
            skipped: design.skipped,
        })
    }
}
