//! The counts of the cells that a study takes, over the genes that all its files share.

use super::cells::Cells;
use crate::progress::Progress;
use cellstone_core::{Csr, Error, Result, Var};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Counts of chosen cells.
pub(crate) struct CellCounts {
    /// Counts, `[cells, genes]`, rows in the order asked for.
    pub(crate) x: Csr<f32>,
    /// The genes.
    pub(crate) var: Var,
    /// Total of each cell over all features of its file.
    pub(crate) totals: Vec<f64>,
}

impl CellCounts {
    /// Reads the given cells (ascending places in `cells`).
    ///
    /// # Errors
    /// As the readers say; if the files share no gene, a cell is empty, or the user asked to stop.
    pub(crate) fn read(cells: &Cells, wanted: &[usize], progress: &dyn Progress, cancel: &AtomicBool) -> Result<Self> {
        let (var, columns) = shared_genes(cells)?;
        let mut parts = Parts { indptr: vec![0], ..Parts::default() };
        let n_obs: usize = cells.sources.iter().map(|it| it.n_obs()).sum();
        progress.begin("reading counts", Some(n_obs as u64), "cells");
        let mut wanted = wanted.iter().map(|it| cells.places[*it]).peekable();
        for (file, source) in cells.sources.iter().enumerate() {
            for block in source.blocks(0)? {
                if cancel.load(Ordering::Relaxed) {
                    progress.end();
                    return Err(Error::new(cellstone_core::ErrorKind::Cancelled, "stopped on request")
                        .with_hint("--resume goes on from here"));
                }
                let block = block?;
                let end = block.start + block.x.shape().0;
                while let Some((_, row)) = wanted.next_if(|it| it.0 == file && it.1 < end) {
                    parts.push(block.x.row(row - block.start), &columns[file]);
                }
                progress.advance(block.x.shape().0 as u64);
            }
        }
        progress.end();
        let n_cells = parts.totals.len();
        let x = Csr::new(n_cells, var.len(), parts.indptr, parts.indices, parts.data)?;
        Ok(Self { x, var, totals: parts.totals })
    }

    /// Some of the cells, in the given order.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self {
            x: self.x.select_rows(rows),
            var: self.var.clone(),
            totals: rows.iter().map(|it| self.totals[*it]).collect(),
        }
    }
}

#[derive(Default)]
struct Parts {
    indptr: Vec<usize>,
    indices: Vec<u32>,
    data: Vec<f32>,
    totals: Vec<f64>,
    row: Vec<(u32, f32)>,
}

impl Parts {
    fn push(&mut self, (genes, counts): (&[u32], &[f32]), columns: &[Option<u32>]) {
        self.row.clear();
        let found = genes.iter().zip(counts).filter(|it| *it.1 > 0.0);
        self.row.extend(found.filter_map(|(gene, count)| columns[*gene as usize].map(|it| (it, *count))));
        // The order of genes is that of the first file.
        self.row.sort_unstable_by_key(|it| it.0);
        self.indices.extend(self.row.iter().map(|it| it.0));
        self.data.extend(self.row.iter().map(|it| it.1));
        self.indptr.push(self.indices.len());
        self.totals.push(counts.iter().map(|it| f64::from(*it)).sum());
    }
}

/// The genes that every file has, in the order of the first, and the place of each column of each file among them.
fn shared_genes(cells: &Cells) -> Result<(Var, Vec<Vec<Option<u32>>>)> {
    let [first, others @ ..] = cells.sources.as_slice() else {
        return Err(Error::config("a study needs a file"));
    };
    let sets: Vec<std::collections::BTreeSet<&String>> =
        others.iter().map(|it| it.var().ids().iter().collect()).collect();
    let kept: Vec<usize> =
        (0..first.var().len()).filter(|it| sets.iter().all(|set| set.contains(&first.var().ids()[*it]))).collect();
    if kept.is_empty() {
        let example = first.var().ids().first().cloned().unwrap_or_default();
        return Err(Error::invalid_input(format!(
            "the {} files share no gene (`{example}` of the first is not in the others)",
            cells.sources.len()
        ))
        .with_hint("all files must name genes the same way"));
    }
    let var = first.var().select(&kept)?;
    let places: BTreeMap<&String, u32> = var.ids().iter().zip(0..).collect();
    let of_var = |it: &Var| it.ids().iter().map(|id| places.get(id).copied()).collect();
    let columns = cells.sources.iter().map(|it| of_var(it.var())).collect();
    Ok((var, columns))
}
