//! One pass over blocks of cells: sums of each cell, sums of each gene.

use super::gene_sets::GeneSets;
use super::metrics::{CellQc, GeneQc, QcMetrics, SetQc};
use super::tops::Tally;
use crate::expression::{Expression, add_by_gene, check_counts};
use cellstone_core::{Csr, Error, Result, Scale};
use rayon::prelude::*;

/// Parameters of [`calculate_qc_metrics`].
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `percent_top` | 50, 100, 200, 500 | numbers of highest genes whose share is measured | 1 to the number of genes |
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QcParams {
    /// Numbers of highest genes of a cell whose share of its counts is measured.
    pub percent_top: Vec<usize>,
}

impl Default for QcParams {
    fn default() -> Self {
        Self { percent_top: vec![50, 100, 200, 500] }
    }
}

/// Measures cells and genes of counts in one pass.
///
/// With `N_cg` the counts, of a cell: `n_genes = #{g: N_cg > 0}`, `total = Σ_g N_cg`, the percentage of `total` in its
/// `n` highest genes and in each gene set; of a gene: `n_cells = #{c: N_cg > 0}`, `total = Σ_c N_cg`, mean and dropout.
/// The percentages of a cell without counts are 0.
///
/// # Errors
/// If the values are not counts, the sets speak about other genes, a number in `percent_top` is out of range, or the
/// source cannot be read.
///
/// # Examples
/// ```
/// use cellstone_core::{Counts, Csr, Var};
/// use cellstone_prep::{GeneSets, QcParams, calculate_qc_metrics};
/// use ndarray::array;
/// let var = Var::from_ids(["MT-CO1", "CD3E", "ACTB"])?;
/// let counts = Counts::new(Csr::from_dense(&array![[1.0, 0.0, 3.0], [0.0, 0.0, 2.0]]), var.clone())?;
/// let params = QcParams { percent_top: vec![1] };
/// let qc = calculate_qc_metrics(&(&counts).into(), &GeneSets::standard(&var), &params)?;
/// assert_eq!(qc.cells.n_genes_by_counts, [2, 1]);
/// assert_eq!(qc.cells.pct_counts_in_top_genes, [(1, vec![75.0, 100.0])]);
/// assert_eq!(qc.cells.set("mt").unwrap().pct_counts, [25.0, 0.0]);
/// assert_eq!(qc.genes.mean_counts(), [0.5, 0.0, 2.5]);
/// assert_eq!(qc.genes.pct_dropout_by_counts(), [50.0, 100.0, 0.0]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Golden: `scanpy.pp.calculate_qc_metrics` of scanpy 1.11.5.
// DIVERGES(qc-empty-cell): scanpy divides zero by zero.
pub fn calculate_qc_metrics(x: &Expression<'_>, sets: &GeneSets, params: &QcParams) -> Result<QcMetrics> {
    if x.scale() != Scale::Counts {
        return Err(Error::invalid_input(format!("`{}` holds {}, quality control needs counts", x.name(), x.scale()))
            .with_hint("point to the layer that holds the counts"));
    }
    if sets.n_vars() != x.var().len() {
        return Err(Error::invalid_input(format!(
            "gene sets over {} genes for `{}` with {}",
            sets.n_vars(),
            x.name(),
            x.var().len()
        )));
    }
    let mut sums = QcAccumulator::new(sets.clone(), params)?;
    x.each(&mut |start, block| {
        check_counts(block, start, x.var())?;
        sums.add(block)
    })?;
    Ok(sums.finish())
}

/// The sums behind [`calculate_qc_metrics`], to be fed with blocks of cells by whoever reads them anyway.
#[derive(Debug, Clone)]
pub struct QcAccumulator {
    sets: GeneSets,
    tops: Vec<usize>,
    /// Per cell: genes, total, one share a top, one sum a set.
    cells: Vec<f64>,
    /// Per gene: cells, total.
    genes: Vec<[f64; 2]>,
}

impl QcAccumulator {
    /// No cells yet.
    ///
    /// # Errors
    /// If a number in `percent_top` is 0 or beyond the number of genes.
    pub fn new(sets: GeneSets, params: &QcParams) -> Result<Self> {
        let n_vars = sets.n_vars();
        let mut tops = params.percent_top.clone();
        tops.sort_unstable();
        tops.dedup();
        if let Some(it) = tops.iter().find(|it| **it == 0 || **it > n_vars) {
            return Err(Error::config(format!("percent_top holds {it}, expected numbers from 1 to {n_vars} genes"))
                .with_hint("shorten percent_top where there are few genes"));
        }
        Ok(Self { tops, cells: Vec::new(), genes: vec![[0.0; 2]; n_vars], sets })
    }

    fn width(&self) -> usize {
        2 + self.tops.len() + self.sets.names().len()
    }

    /// Adds the next cells, `[n_rows, n_vars]`: whole numbers, which whoever reads them has checked.
    ///
    /// # Errors
    /// If the number of columns is another.
    pub fn add(&mut self, x: &Csr<f32>) -> Result<()> {
        let (n_rows, n_vars) = x.shape();
        if n_vars != self.sets.n_vars() {
            return Err(Error::invalid_input(format!("block of {n_vars} genes, expected {}", self.sets.n_vars())));
        }
        let (from, width) = (self.cells.len(), self.width());
        self.cells.resize(from + n_rows * width, 0.0);
        let (tops, bits) = (&self.tops, self.sets.bits());
        self.cells[from..].par_chunks_mut(width).with_min_len(32).enumerate().for_each_init(
            Tally::new,
            |tally, (row, out)| {
                let (cols, values) = x.row(row);
                measure(cols, values, tops, bits, tally, out);
            },
        );
        add_by_gene(x, &mut self.genes, 1, None, |sums, _, _, value| {
            let [cells, total] = &mut sums[0];
            *cells += f64::from(u8::from(value != 0.0));
            *total += f64::from(value);
        });
        Ok(())
    }

    /// What was measured.
    pub fn finish(self) -> QcMetrics {
        let width = self.width();
        let of = |at: usize| self.cells.iter().skip(at).step_by(width).copied().collect::<Vec<f64>>();
        let total_counts = of(1);
        let set = |(at, name): (usize, &String)| {
            let total = of(2 + self.tops.len() + at);
            let pct_counts = total.iter().zip(&total_counts).map(|(part, all)| percent(*part, *all)).collect();
            SetQc { name: name.clone(), total_counts: total, pct_counts }
        };
        let cells = CellQc {
            n_genes_by_counts: of(0).into_iter().map(|it| it as u32).collect(),
            pct_counts_in_top_genes: self.tops.iter().enumerate().map(|(at, n)| (*n, of(2 + at))).collect(),
            sets: self.sets.names().iter().enumerate().map(set).collect(),
            total_counts,
        };
        let genes = GeneQc {
            n_obs: cells.total_counts.len(),
            n_cells_by_counts: self.genes.iter().map(|it| it[0] as u32).collect(),
            total_counts: self.genes.iter().map(|it| it[1]).collect(),
        };
        QcMetrics { cells, genes }
    }
}

fn percent(part: f64, all: f64) -> f64 {
    if all > 0.0 { part / all * 100.0 } else { 0.0 }
}

/// Fills the row of a cell. `tally` is scratch.
fn measure(cols: &[u32], values: &[f32], tops: &[usize], bits: &[u32], tally: &mut Tally, out: &mut [f64]) {
    let (head, sets) = out.split_at_mut(2 + tops.len());
    let total = crate::normalize::library_size(values);
    tally.count(values);
    head[0] = tally.n_above_zero() as f64;
    head[1] = total;
    tally.sums(tops, |at, sum| head[2 + at] = percent(sum, total));
    if sets.is_empty() {
        return;
    }
    for (col, value) in cols.iter().zip(values) {
        let mut left = bits[*col as usize];
        while left != 0 {
            sets[left.trailing_zeros() as usize] += f64::from(*value);
            left &= left - 1;
        }
    }
}
