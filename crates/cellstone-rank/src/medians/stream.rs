//! A pass over a corpus: values of genes, block after block, handed to workers that each own some genes.

use crate::vocab::BoundGenes;
use cellstone_core::{CellInput, CountSource, Csr, Error, Result, Seed};
use rayon::prelude::*;

/// `c / N · 10⁴`.
const TARGET: f64 = 1e4;

/// Values of one block of cells: genes ascend inside a cell.
#[derive(Default)]
pub(super) struct Values {
    genes: Vec<u32>,
    values: Vec<f32>,
    /// Ends of cells.
    ends: Vec<usize>,
    n_empty: u64,
}

impl Values {
    /// Calls `see` with every value of the genes `from..to`, cell by cell in order.
    pub(super) fn each(&self, from: usize, to: usize, mut see: impl FnMut(usize, f32)) {
        let mut start = 0;
        for end in &self.ends {
            let cell = &self.genes[start..*end];
            let skipped = cell.partition_point(|it| (*it as usize) < from);
            for (gene, value) in cell[skipped..].iter().zip(&self.values[start + skipped..*end]) {
                if *gene as usize >= to {
                    break;
                }
                see(*gene as usize, *value);
            }
            start = *end;
        }
    }
}

/// Streams every cell of every source once, in order; returns the number of cells without counts.
pub(super) fn pass(sources: &[&dyn CountSource], bound: &[BoundGenes], mut see: impl FnMut(&Values)) -> Result<u64> {
    let mut n_empty = 0;
    for (source, genes) in sources.iter().zip(bound) {
        for block in source.blocks(0)? {
            let block = block?;
            for values in chunks(source.name(), block.start, &block.x, genes)? {
                see(&values);
                n_empty += values.n_empty;
            }
        }
    }
    Ok(n_empty)
}

/// Values of a block, in pieces of some rows each, made in parallel and kept in order.
fn chunks(name: &str, start: usize, x: &Csr<f32>, genes: &BoundGenes) -> Result<Vec<Values>> {
    let n_rows = x.shape().0;
    let rows = n_rows.div_ceil(rayon::current_num_threads()).max(64);
    let pieces: Vec<usize> = (0..n_rows).step_by(rows).collect();
    pieces.into_par_iter().map(|from| piece(name, start, x, genes, from..(from + rows).min(n_rows))).collect()
}

fn piece(name: &str, start: usize, x: &Csr<f32>, genes: &BoundGenes, rows: std::ops::Range<usize>) -> Result<Values> {
    let (mut out, mut pairs) = (Values::default(), Vec::new());
    for row in rows {
        let (columns, values) = x.row(row);
        if let Some(at) = values.iter().position(|it| !(*it >= 0.0 && it.is_finite())) {
            let (cell, col, value) = (start + row, columns[at], values[at]);
            return Err(Error::invalid_input(format!(
                "`{name}` cell {cell} column {col} holds {value}, expected a count"
            )));
        }
        let total: f64 = values.iter().map(|it| f64::from(*it)).sum();
        let cell = CellInput { columns, values, n_counts: total, phenotypes: &[], seed: Seed::new(0) };
        genes.gather(&cell, &mut pairs);
        out.n_empty += u64::from(total == 0.0);
        for (gene, count) in &pairs {
            out.genes.push(*gene);
            out.values.push(((count / total) * TARGET) as f32);
        }
        out.ends.push(out.genes.len());
    }
    Ok(out)
}

/// Ranges of genes for workers: several for each, since some genes are expressed more than others.
pub(super) fn genes_per_worker(n_genes: usize) -> usize {
    n_genes.div_ceil(rayon::current_num_threads() * 4).max(1)
}
