//! Which rows take part, in which order, and how their pairs are cut into blocks.

use super::options::{LANE, PairOptions, Relation};
use cellstone_core::{Error, Result};
use std::ops::Range;

/// The rows that have similarities, sorted by group, stratum and index: a block then touches few histograms.
pub(super) struct Cells {
    /// Row of each position.
    pub(super) order: Vec<u32>,
    /// Rows without a similarity, ascending.
    pub(super) excluded: Vec<u32>,
    /// All rows, excluded ones too.
    pub(super) n_rows: usize,
    runs: Vec<Run>,
    has_strata: bool,
}

/// Positions of one group and one stratum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) at: Range<usize>,
    pub(super) group: u32,
    stratum: u32,
}

/// The pairs of two ranges of positions; of one range with itself, each pair once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
}

impl Task {
    pub(super) fn n_pairs(&self) -> u64 {
        let (m, n) = (self.rows.len() as u64, self.cols.len() as u64);
        if self.rows == self.cols { m * (m - 1) / 2 } else { m * n }
    }
}

impl Cells {
    /// # Errors
    /// If fewer than two rows have similarities.
    pub(super) fn new(options: &PairOptions<'_>, undefined: &[bool]) -> Result<Self> {
        let stratum = |row: u32| options.strata.map_or(0, |it| it[row as usize]);
        let n_rows = undefined.len();
        let (excluded, mut order): (Vec<u32>, Vec<u32>) = (0..n_rows as u32).partition(|it| undefined[*it as usize]);
        if order.len() < 2 {
            return Err(Error::invalid_input(format!(
                "{} of {n_rows} rows are constant, expected at least two rows that vary",
                excluded.len()
            ))
            .with_hint("look whether the genes of the rows are the ones that were measured"));
        }
        order.sort_by_key(|it| (options.groups[*it as usize], stratum(*it)));
        let key = |it: &u32| (options.groups[*it as usize], stratum(*it));
        let mut runs = Vec::new();
        let mut start = 0;
        for run in order.chunk_by(|a, b| key(a) == key(b)) {
            let (group, stratum) = key(&run[0]);
            runs.push(Run { at: start..start + run.len(), group, stratum });
            start += run.len();
        }
        Ok(Self { order, excluded, n_rows, runs, has_strata: options.strata.is_some() })
    }

    /// Number of rows that take part.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Every pair of positions once, in blocks of `block` rows. A block of a range with itself is halved once more,
    /// because only half of its products are used.
    pub(super) fn tasks(&self, block: usize) -> Vec<Task> {
        let n = self.len();
        let ranges: Vec<Range<usize>> = (0..n).step_by(block).map(|it| it..n.min(it + block)).collect();
        let mut tasks = Vec::new();
        for (at, rows) in ranges.iter().enumerate() {
            let half = (rows.start + (rows.len() / 2).next_multiple_of(LANE)).min(rows.end);
            if half < rows.end {
                let (upper, lower) = (rows.start..half, half..rows.end);
                tasks.push(Task { rows: upper.clone(), cols: upper.clone() });
                tasks.push(Task { rows: upper, cols: lower.clone() });
                tasks.push(Task { rows: lower.clone(), cols: lower });
            } else {
                tasks.push(Task { rows: rows.clone(), cols: rows.clone() });
            }
            tasks.extend(ranges[at + 1..].iter().map(|cols| Task { rows: rows.clone(), cols: cols.clone() }));
        }
        tasks
    }

    /// The runs inside a range, cut to it, those of one group together.
    pub(super) fn runs_in(&self, range: &Range<usize>) -> Vec<Vec<Run>> {
        let first = self.runs.partition_point(|it| it.at.end <= range.start);
        let runs: Vec<Run> = self.runs[first..]
            .iter()
            .take_while(|it| it.at.start < range.end)
            .map(|it| Run { at: it.at.start.max(range.start)..it.at.end.min(range.end), ..it.clone() })
            .collect();
        runs.chunk_by(|a, b| a.group == b.group).map(<[Run]>::to_vec).collect()
    }

    /// How the cells of two runs are related; [`Relation::All`] without strata.
    pub(super) fn relation(&self, a: &Run, b: &Run) -> Relation {
        match (self.has_strata, a.stratum == b.stratum) {
            (false, _) => Relation::All,
            (true, true) => Relation::Same,
            (true, false) => Relation::Other,
        }
    }
}

/// Position of an unordered pair of groups among `n (n + 1) / 2`.
pub(super) fn pair_index(a: u32, b: u32, n_groups: usize) -> usize {
    let (low, high) = (a.min(b) as usize, a.max(b) as usize);
    low * n_groups - low * (low + 1) / 2 + high
}

/// Number of unordered pairs of groups, a group with itself included.
pub(super) fn n_group_pairs(n_groups: usize) -> usize {
    n_groups * (n_groups + 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_groups_has_its_place() {
        let mut places: Vec<usize> = (0..7).flat_map(|a| (a..7).map(move |b| pair_index(b, a, 7))).collect();
        places.sort_unstable();
        assert_eq!(places, (0..n_group_pairs(7)).collect::<Vec<_>>());
    }

    #[test]
    fn blocks_cover_every_pair_once() {
        let groups: Vec<u32> = (0..1000).map(|it| it % 3).collect();
        let strata: Vec<u32> = (0..1000).map(|it| it % 7).collect();
        let options = PairOptions { strata: Some(&strata), ..PairOptions::new(&groups, 3) };
        let mut undefined = vec![false; 1000];
        undefined[5] = true;
        let cells = Cells::new(&options, &undefined).expect("rows");
        assert_eq!((cells.len(), &cells.excluded[..]), (999, &[5][..]));
        for block in [96, 288, 960] {
            let mut seen = vec![0_u8; 999 * 999];
            for task in cells.tasks(block) {
                assert!(task.rows.start.is_multiple_of(LANE) && task.cols.start.is_multiple_of(LANE));
                let mut n = 0;
                for row in task.rows.clone() {
                    for col in task.cols.clone().filter(|it| *it > row) {
                        seen[row * 999 + col] += 1;
                        n += 1;
                    }
                }
                assert_eq!(n, task.n_pairs());
                let runs = cells.runs_in(&task.rows).concat();
                assert_eq!(runs.iter().map(|it| it.at.len()).sum::<usize>(), task.rows.len());
                for run in runs {
                    for at in run.at {
                        let row = cells.order[at] as usize;
                        assert_eq!((groups[row], strata[row]), (run.group, run.stratum));
                    }
                }
            }
            let once = (0..999).all(|row| (0..999).all(|col| seen[row * 999 + col] == u8::from(col > row)));
            assert!(once, "block {block}");
        }
    }
}
