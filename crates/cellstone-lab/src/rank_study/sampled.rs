//! The same pairs of cells for every measure: for costly ones, and for comparing measures with each other.

use super::config::{PairMetric, SampledPairs};
use super::encode::CellRows;
use cellstone_core::{Csr, Result, Seed};
use cellstone_neighbors::{
    Overlap, SparseRow, cosine, cosine_sparse, kendall_tau_b_sparse, pearson, pearson_sparse, spearman,
    spearman_codetected_sparse, weighted_tau_sparse,
};
use cellstone_rank::{CountRows, RowEncoder, encode_rows};
use rand::RngExt;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Pairs are listed and drawn from the list up to this many times the number wanted.
const LISTED: usize = 50;
/// Pairs that one thread takes at a time.
const CHUNK: usize = 256;

/// Pairs of cells, by the types of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// Places of the two cells, the first of the lower type (or place, inside a type).
    pub(crate) cells: Vec<(u32, u32)>,
    /// Types of the two, ascending.
    pub(crate) types: Vec<(u32, u32)>,
}

/// Draws pairs of every two types and inside every type, without repeats.
///
/// Where there are strata and a pair of types has a pair of cells in two of them, only such pairs are drawn: cells of one
/// stratum are alike for technical reasons. A pair of types with fewer pairs than wanted gives all it has.
pub(crate) fn draw(types: &[u32], n_types: usize, strata: Option<&[u32]>, wanted: &SampledPairs, seed: Seed) -> Pairs {
    let mut members = vec![Vec::new(); n_types];
    types.iter().enumerate().for_each(|(cell, kind)| members[*kind as usize].push(cell as u32));
    let seed = seed.derive("pairs");
    let mut out = Pairs { cells: Vec::new(), types: Vec::new() };
    for a in 0..n_types {
        for b in a..n_types {
            let n = if a == b { wanted.within } else { wanted.between };
            let seed = seed.derive_index((a * n_types + b) as u64);
            let chosen = draw_block(&members[a], &members[b], a == b, strata, n, seed);
            out.types.extend(std::iter::repeat_n((a as u32, b as u32), chosen.len()));
            out.cells.extend(chosen);
        }
    }
    out
}

// DIVERGES(sampled-pairs-across-strata): only pairs of two strata, where there are some.
fn draw_block(a: &[u32], b: &[u32], inside: bool, strata: Option<&[u32]>, n: usize, seed: Seed) -> Vec<(u32, u32)> {
    let apart = |x: u32, y: u32| strata.is_none_or(|it| it[x as usize] != it[y as usize]);
    let stratum_free = !a.iter().any(|x| b.iter().any(|y| apart(*x, *y)));
    let fits = |x: u32, y: u32| (!inside || x < y) && (stratum_free || apart(x, y));
    let mut rng = seed.rng();
    if a.len() * b.len() <= LISTED * n {
        let all: Vec<(u32, u32)> =
            a.iter().flat_map(|x| b.iter().map(|y| (*x, *y))).filter(|it| fits(it.0, it.1)).collect();
        let mut picks = rand::seq::index::sample(&mut rng, all.len(), n.min(all.len())).into_vec();
        picks.sort_unstable();
        return picks.into_iter().map(|it| all[it]).collect();
    }
    // Many more pairs than wanted: drawing until there are enough takes few tries more than that, unless nearly all
    // cells are of one stratum.
    let mut chosen = BTreeSet::new();
    for _ in 0..n * LISTED {
        if chosen.len() == n {
            break;
        }
        let (x, y) = (a[rng.random_range(0..a.len())], b[rng.random_range(0..b.len())]);
        let pair = if inside && y < x { (y, x) } else { (x, y) };
        if fits(pair.0, pair.1) {
            chosen.insert(pair);
        }
    }
    chosen.into_iter().collect()
}

/// What the metrics on pairs need besides rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PairOptions {
    /// Persistence of rank-biased overlap.
    pub(crate) rbo_p: f64,
    /// Length of the lists of top-k overlap.
    pub(crate) top_k: usize,
}

/// The similarity of every pair, `None` where it is undefined.
///
/// # Errors
/// As the measures say.
pub(crate) fn score(
    rows: &CellRows,
    metric: PairMetric,
    pairs: &[(u32, u32)],
    options: PairOptions,
) -> Result<Vec<Option<f64>>> {
    let lists = metric.takes_tokens().then(|| token_lists(rows));
    // Ranks are found once a row and not once a pair; their correlation sees no offset.
    let ranked = match rows {
        CellRows::Sparse(x) if metric == PairMetric::Spearman => {
            Some(CellRows::Sparse(encode_rows(&CountRows::new(x), &RowEncoder::RankAll)?))
        }
        _ => None,
    };
    let (rows, metric) = ranked.as_ref().map_or((rows, metric), |it| (it, PairMetric::Pearson));
    let chunk = |pairs: &[(u32, u32)]| -> Result<Vec<Option<f64>>> {
        let mut overlap = Overlap::new();
        pairs
            .iter()
            .map(|(a, b)| {
                let (a, b) = (*a as usize, *b as usize);
                if let Some(lists) = &lists {
                    return match metric {
                        PairMetric::TopOverlap => {
                            Ok(overlap.top_k(&lists[a], &lists[b], options.top_k)?.map(|it| it.overlap))
                        }
                        _ => Ok(overlap.rank_biased(&lists[a], &lists[b], options.rbo_p)?.value()),
                    };
                }
                match rows {
                    CellRows::Sparse(x) => sparse(x, a, b, metric),
                    CellRows::Dense(x) => {
                        let row = |at: usize| x.row(at).iter().map(|it| f64::from(*it)).collect::<Vec<f64>>();
                        dense(&row(a), &row(b), metric)
                    }
                }
            })
            .collect()
    };
    let blocks: Vec<Vec<Option<f64>>> = pairs.par_chunks(CHUNK).map(chunk).collect::<Result<_>>()?;
    Ok(blocks.concat())
}

fn sparse(x: &Csr<f32>, a: usize, b: usize, metric: PairMetric) -> Result<Option<f64>> {
    if metric == PairMetric::Euclidean {
        return Ok(Some(-sparse_distance(x.row(a), x.row(b))));
    }
    let (a, b) = (SparseRow::of(x, a), SparseRow::of(x, b));
    let score = match metric {
        PairMetric::Cosine => cosine_sparse(&a, &b)?,
        PairMetric::Pearson => pearson_sparse(&a, &b)?,
        PairMetric::Kendall => kendall_tau_b_sparse(&a, &b)?,
        PairMetric::WeightedTau => weighted_tau_sparse(&a, &b)?,
        _ => spearman_codetected_sparse(&a, &b)?,
    };
    Ok(score.value())
}

fn dense(a: &[f64], b: &[f64], metric: PairMetric) -> Result<Option<f64>> {
    let score = match metric {
        PairMetric::Euclidean => return Ok(Some(-distance(a, b))),
        PairMetric::Cosine => cosine(a, b)?,
        PairMetric::Pearson => pearson(a, b)?,
        PairMetric::Spearman => spearman(a, b)?,
        PairMetric::Kendall => cellstone_neighbors::kendall_tau_b(a, b)?,
        PairMetric::WeightedTau => cellstone_neighbors::weighted_tau(a, b)?,
        _ => cellstone_neighbors::spearman_codetected(a, b)?,
    };
    Ok(score.value())
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}

/// Genes of every cell by falling value, ties by place in the file.
fn token_lists(rows: &CellRows) -> Vec<Vec<u32>> {
    let order = |mut genes: Vec<(u32, f32)>| -> Vec<u32> {
        genes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        genes.into_iter().map(|it| it.0).collect()
    };
    let n = rows.shape().0;
    let list = |cell: usize| match rows {
        CellRows::Sparse(x) => {
            let (genes, values) = x.row(cell);
            order(genes.iter().copied().zip(values.iter().copied()).filter(|it| it.1 > 0.0).collect())
        }
        CellRows::Dense(x) => order((0..).zip(x.row(cell).iter().copied()).filter(|it| it.1 > 0.0).collect()),
    };
    (0..n).into_par_iter().map(list).collect()
}

fn sparse_distance(a: (&[u32], &[f32]), b: (&[u32], &[f32])) -> f64 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while i < a.0.len() || j < b.0.len() {
        let (left, right) = (a.0.get(i).copied().unwrap_or(u32::MAX), b.0.get(j).copied().unwrap_or(u32::MAX));
        let mut apart = 0.0;
        if left <= right {
            apart += f64::from(a.1[i]);
            i += 1;
        }
        if right <= left {
            apart -= f64::from(b.1[j]);
            j += 1;
        }
        sum += apart * apart;
    }
    sum.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    const WANTED: SampledPairs = SampledPairs { between: 5, within: 4, rbo_p: 0.9, top_k: 2 };

    #[test]
    fn pairs_are_of_two_strata_where_there_are_some() {
        let types: Vec<u32> = (0..40).map(|it| it % 2).collect();
        let strata: Vec<u32> = (0..40).map(|it| (it / 2) % 4).collect();
        let pairs = draw(&types, 2, Some(&strata), &WANTED, Seed::new(1));
        assert_eq!(pairs.cells.len(), 4 + 5 + 4);
        for ((a, b), kinds) in pairs.cells.iter().zip(&pairs.types) {
            assert_eq!((types[*a as usize], types[*b as usize]), *kinds);
            assert_ne!(strata[*a as usize], strata[*b as usize]);
            assert!(kinds.0 != kinds.1 || a < b);
        }
        let distinct: BTreeSet<&(u32, u32)> = pairs.cells.iter().collect();
        assert_eq!(distinct.len(), pairs.cells.len());
        assert_eq!(draw(&types, 2, Some(&strata), &WANTED, Seed::new(1)), pairs);
        // A type that one stratum alone has still has pairs.
        let own: Vec<u32> = types.iter().map(|it| it % 2).collect();
        let pairs = draw(&types, 2, Some(&own), &WANTED, Seed::new(1));
        assert_eq!(pairs.types.iter().filter(|it| it.0 == it.1).count(), 8);
    }

    #[test]
    fn few_pairs_are_all_taken_and_many_are_drawn() {
        let pairs = draw(&[0, 0, 0, 1], 2, None, &WANTED, Seed::new(1));
        assert_eq!(pairs.cells, [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]);
        let types: Vec<u32> = (0..400).map(|it| it % 2).collect();
        let pairs = draw(&types, 2, None, &WANTED, Seed::new(1));
        assert_eq!(pairs.cells.len(), 13, "{:?}", pairs.types);
    }

    #[test]
    fn sparse_and_dense_rows_give_the_same() {
        let dense = array![[0.0_f32, 2.0, 0.0, 1.0, 5.0], [1.0, 0.0, 0.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0, 0.0]];
        let sparse = CellRows::Sparse(Csr::from_dense(&dense));
        let dense = CellRows::Dense(dense);
        let options = PairOptions { rbo_p: 0.9, top_k: 2 };
        for name in ["euclidean", "cosine", "pearson", "spearman", "kendall", "weighted_tau", "rbo", "top_overlap"] {
            let metric: PairMetric = name.parse().expect("a name");
            let of = |rows| score(rows, metric, &[(0, 1), (0, 2)], options).expect("scored");
            let (a, b) = (of(&sparse), of(&dense));
            for (a, b) in a.iter().zip(&b) {
                assert_eq!(a.is_some(), b.is_some(), "{name}");
                assert!((a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 1e-12, "{name}: {a:?} {b:?}");
            }
            assert!(a[0].is_some(), "{name}");
            assert!(a[1].is_none() || name == "euclidean", "{name}: a row without values has no direction");
        }
        let euclid = score(&sparse, PairMetric::Euclidean, &[(0, 1)], options).expect("scored");
        assert!((euclid[0].expect("a distance") + 10.0_f64.sqrt()).abs() < 1e-12);
        let shared = score(&sparse, PairMetric::TopOverlap, &[(0, 1)], options).expect("scored");
        assert_eq!(shared, [Some(0.5)], "genes 4 and 1 against 4 and 3");
    }
}
