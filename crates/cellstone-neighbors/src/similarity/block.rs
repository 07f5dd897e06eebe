//! Goes over all pairs block by block; each block is computed by one thread, looked at, and dropped.

use super::cells::{Cells, Task};
use super::prepare::{Prepared, Space};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Values of the pairs of a task.
pub(super) struct Block<'a> {
    pub(super) task: &'a Task,
    values: &'a [f32],
    stride: usize,
}

impl<'a> Block<'a> {
    /// Values of one position with those of `cols` that come after it, and the first of these.
    #[inline(always)]
    pub(super) fn after(&self, row: usize, cols: &Range<usize>) -> (usize, &'a [f32]) {
        let first = cols.start.max(row + 1).min(cols.end);
        let line = (row - self.task.rows.start) * self.stride;
        let at = |col: usize| line + col - self.task.cols.start;
        (first, &self.values[at(first)..at(cols.end)])
    }
}

/// Computes every task for each of `measures` and hands the blocks, one per measure, to `visit` together with what
/// `local` made for the thread. `done` hears the pairs of every finished task.
///
/// Which thread gets which task is left to chance: what `visit` writes must not depend on it.
pub(super) fn for_each_block<L>(
    cells: &Cells,
    measures: &[&Prepared],
    block_rows: usize,
    local: impl Fn() -> L + Sync,
    visit: impl Fn(&mut L, &[Block<'_>]) + Sync,
    done: &(dyn Fn(u64) + Sync),
) {
    let tasks = cells.tasks(block_rows);
    let next = AtomicUsize::new(0);
    let n_workers = rayon::current_num_threads().min(tasks.len());
    // One worker per thread with its own buffers, each taking the next task: blocks cost much the same, and a parallel
    // iterator over them would make buffers anew for every piece it splits off.
    (0..n_workers).into_par_iter().with_max_len(1).for_each(|_| {
        let mut local = local();
        let mut spaces: Vec<Space> = measures.iter().map(|_| Space::default()).collect();
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let strides: Vec<usize> = measures
                .iter()
                .zip(&mut spaces)
                .map(|(measure, space)| measure.values(&task.rows, &task.cols, space))
                .collect();
            let blocks: Vec<Block<'_>> = spaces
                .iter()
                .zip(strides)
                .map(|(space, stride)| Block { task, values: &space.values, stride })
                .collect();
            visit(&mut local, &blocks);
            done(task.n_pairs());
        }
    });
}
