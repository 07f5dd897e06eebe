//! All pairs of rows into histograms and neighbour lists, without an n × n matrix.

use super::block::{Block, for_each_block};
use super::cells::{Cells, n_group_pairs, pair_index};
use super::distribution::{Tally, Units};
use super::fold::{Binning, Tile};
use super::lists::{Lists, LocalLists};
use super::options::{Grid, PairOptions, Relation, Rows, Similarity};
use super::prepare::Prepared;
use super::scale::undefined;
use super::summaries::PairSummaries;
use cellstone_core::Result;
use std::sync::{Mutex, PoisonError};

/// Summarises the similarities of all pairs of rows by pair of groups.
///
/// Rows are brought to mean 0 and length 1 with statistics in f64 (ranks first for Spearman), products of blocks of
/// rows in f32 give the similarities, with sums over 128 genes at a time, and every block is folded into histograms
/// and neighbour lists and dropped. Each unordered pair of different rows counts once. Rows without a similarity
/// (constant ones; zero ones for cosine) are left out and listed in [`PairSummaries::excluded`]. Sparse rows of more
/// than 5,000 genes are multiplied without being spread out, with a rank-one correction where rows are centred.
///
/// A similarity of a few thousand genes differs from that of f64 by less than 1e-6, distances by about 1e-3 of the
/// largest distance where rows nearly coincide. Every result is the same for every number of threads, every size of
/// block and every order of rows (of distances, up to rounding of the mean row). Memory beyond the rows is that of the
/// histograms, 8 bytes for every bin of every pair of groups that occurs, and a block per thread.
///
/// # Errors
/// If sizes of groups or strata do not fit, a group is out of range, options are out of range, a value is not finite,
/// fewer than two rows vary, or more memory than `max_bytes` is needed.
///
/// # Examples
/// ```
/// use cellstone_neighbors::{PairOptions, Relation, Rows, Similarity, all_pairs};
/// let counts =
///     ndarray::array![[9.0_f32, 4.0, 1.0, 0.0], [7.0, 5.0, 2.0, 0.0], [0.0, 1.0, 3.0, 8.0], [1.0, 0.0, 4.0, 9.0]];
/// let groups = [0, 0, 1, 1];
/// let pairs = all_pairs(Rows::Dense(counts.view()), Similarity::Spearman, &PairOptions::new(&groups, 2))?;
/// assert_eq!(pairs.pair(0, 1, Relation::All).n(), 4);
/// assert_eq!(pairs.separation(Relation::All).auroc.value(), Some(1.0));
/// assert_eq!(pairs.pair(0, 0, Relation::All).max(), Some(1.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn all_pairs(rows: Rows<'_>, similarity: Similarity, options: &PairOptions<'_>) -> Result<PairSummaries> {
    all_pairs_with(rows, similarity, options, &|_| ())
}

/// [`all_pairs`]; `done` hears how many pairs every finished block had, in any order and from any thread.
///
/// # Errors
/// As [`all_pairs`].
pub fn all_pairs_with(
    rows: Rows<'_>,
    similarity: Similarity,
    options: &PairOptions<'_>,
    done: &(dyn Fn(u64) + Sync),
) -> Result<PairSummaries> {
    options.check(&rows)?;
    let cells = Cells::new(options, &undefined(&rows, similarity)?)?;
    let n_tallies = n_group_pairs(options.n_groups) * options.n_relations();
    options.check_memory(8 * (n_tallies * (options.n_bins + 2)) as u64, "histograms")?;
    options.check_memory(Lists::bytes(cells.len(), options.k + options.k_other), "neighbour lists")?;
    let prepared = Prepared::new(&rows, similarity, &cells, options)?;
    let grid = grid(&prepared, options);
    let all = All {
        cells: &cells,
        options,
        binning: Binning::new(&grid, prepared.unit, prepared.bounds, options.range.is_none()),
        tallies: (0..n_tallies).map(|_| Mutex::default()).collect(),
        lists: (options.k > 0).then(|| Lists::new(cells.len(), options.k)),
        other: (options.k_other > 0).then(|| Lists::new(cells.len(), options.k_other)),
    };
    let block_rows = options.block_rows(cells.len());
    for_each_block(
        &cells,
        &[&prepared],
        block_rows,
        || all.local(),
        |local, blocks| all.visit(local, &blocks[0]),
        done,
    );
    let tallies = all.tallies.into_iter().map(|it| it.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
    let finish = |lists: Option<Lists>| lists.map(|it| it.finish(&cells, similarity, prepared.unit));
    Ok(PairSummaries {
        grid,
        units: Units::new(prepared.unit, prepared.bounds),
        n_groups: options.n_groups,
        n_relations: options.n_relations(),
        tallies,
        neighbors: finish(all.lists),
        other_neighbors: finish(all.other),
        excluded: cells.excluded,
    })
}

/// The range of the options, or all that values can be.
pub(super) fn grid(prepared: &Prepared, options: &PairOptions<'_>) -> Grid {
    let (low, high) = prepared.bounds;
    let natural = (f64::from(low) * prepared.unit, f64::from(high) * prepared.unit);
    let (low, high) = options.range.unwrap_or(natural);
    Grid { low, high, n_bins: options.n_bins }
}

/// Place of a relation among those told apart.
pub(super) fn relation_index(relation: Relation) -> usize {
    usize::from(relation == Relation::Other)
}

/// What all threads write to.
struct All<'a> {
    cells: &'a Cells,
    options: &'a PairOptions<'a>,
    binning: Binning,
    /// By pair of groups and then relation.
    tallies: Vec<Mutex<Tally>>,
    lists: Option<Lists>,
    other: Option<Lists>,
}

/// What one thread works with: a tile for each relation, and lists.
struct Local<'a> {
    tiles: Vec<Tile>,
    lists: Option<LocalLists<'a>>,
    other: Option<LocalLists<'a>>,
}

impl All<'_> {
    fn local(&self) -> Local<'_> {
        Local {
            tiles: (0..self.options.n_relations()).map(|_| Tile::new()).collect(),
            lists: self.lists.as_ref().map(|it| LocalLists::new(it, self.cells)),
            other: self.other.as_ref().map(|it| LocalLists::new(it, self.cells)),
        }
    }

    fn visit(&self, local: &mut Local<'_>, block: &Block<'_>) {
        let task = block.task;
        if let Some(lists) = &mut local.lists {
            lists.begin(task);
            lists.scan(block, &task.rows, &task.cols);
            lists.end();
        }
        if let Some(other) = &mut local.other {
            other.begin(task);
        }
        let (rows, cols) = (self.cells.runs_in(&task.rows), self.cells.runs_in(&task.cols));
        for of_rows in &rows {
            for of_cols in &cols {
                for a in of_rows {
                    for b in of_cols {
                        let relation = self.cells.relation(a, b);
                        local.tiles[relation_index(relation)].fold(&self.binning, block, &a.at, &b.at);
                        if let (Some(other), Relation::Other) = (&mut local.other, relation) {
                            other.scan(block, &a.at, &b.at);
                        }
                    }
                }
                self.flush(&mut local.tiles, of_rows[0].group, of_cols[0].group);
            }
        }
        if let Some(other) = &mut local.other {
            other.end();
        }
    }

    fn flush(&self, tiles: &mut [Tile], a: u32, b: u32) {
        let first = pair_index(a, b, self.options.n_groups) * tiles.len();
        for (tile, tally) in tiles.iter_mut().zip(&self.tallies[first..]).filter(|it| !it.0.is_empty()) {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tile.flush(&self.binning, self.options.n_bins, &mut tally);
        }
    }
}
