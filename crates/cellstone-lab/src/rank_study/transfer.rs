//! Labels from one data set to another: the neighbours of a cell in the other set vote on its type.

use super::config::{Projection, Unit};
use super::cross::{Ready, top};
use super::encode::{CellRows, Cut, encode};
use super::study::Study;
use cellstone_core::Result;
use cellstone_rank::RowEncoder;
use cellstone_report::rank_study::schema::TransferRow;
use rand::seq::SliceRandom;
use std::collections::{BTreeMap, BTreeSet};

/// Cells that are labelled at a time.
const BLOCK: usize = 256;

/// How well the labels of every data set predict those of every other one, for one unit.
///
/// Cells of types that both data sets have are used, the others left out on both sides. The type with most votes among
/// the `k` nearest cells wins, of equal ones that with the nearest cell. `control = shuffled` permutes the labels of the
/// first data set.
pub(crate) fn run_transfer(study: &Study<'_>, unit: &Unit, rows: &CellRows, k: usize, genes: &str) -> Vec<TransferRow> {
    let Some(batches) = &study.batches else { return Vec::new() };
    let all: Vec<usize> = (0..study.types.len()).collect();
    let mut out = Vec::new();
    for from in 0..batches.names.len() {
        for to in (0..batches.names.len()).filter(|it| *it != from) {
            out.extend(pair(study, unit, rows, &all, k, genes, (from as u32, to as u32)));
        }
    }
    out
}

/// The same over the genes that both data sets have: for units without a projection, and where that leaves genes out.
///
/// # Errors
/// As the encoder says.
pub(crate) fn run_transfer_shared(
    study: &Study<'_>,
    unit: &Unit,
    cut: &Cut,
    fit: &dyn Fn(&Cut) -> Result<RowEncoder>,
    k: usize,
) -> Result<Vec<TransferRow>> {
    let Some(batches) = &study.batches else { return Ok(Vec::new()) };
    if unit.projection != Projection::None {
        return Ok(Vec::new());
    }
    let n_genes = cut.x.shape().1;
    let mut has = vec![vec![false; n_genes]; batches.names.len()];
    for (cell, batch) in batches.codes.iter().enumerate() {
        cut.x.row(cell).0.iter().for_each(|it| has[*batch as usize][*it as usize] = true);
    }
    let mut out = Vec::new();
    for a in 0..batches.names.len() {
        for b in a + 1..batches.names.len() {
            let shared: Vec<usize> = (0..n_genes).filter(|it| has[a][*it] && has[b][*it]).collect();
            let either = (0..n_genes).filter(|it| has[a][*it] || has[b][*it]).count();
            if shared.len() == either || shared.len() < 2 {
                continue;
            }
            // Cells of the two sets alone; what an encoder estimates it takes from training cells of all.
            let part = Cut { x: cut.x.select_cols(&shared), totals: cut.totals.clone(), seeds: cut.seeds.clone() };
            let of_both = |it: &usize| [a, b].contains(&(batches.codes[*it] as usize));
            let cells: Vec<usize> = (0..study.types.len()).filter(of_both).collect();
            let rows = encode(&part.select(&cells), &fit(&part)?, unit)?;
            for direction in [(a, b), (b, a)] {
                let direction = (direction.0 as u32, direction.1 as u32);
                out.extend(pair(study, unit, &rows, &cells, k, "both", direction));
            }
        }
    }
    Ok(out)
}

/// One direction. `cells` are the cells of the study that the rows stand for.
fn pair(
    study: &Study<'_>,
    unit: &Unit,
    rows: &CellRows,
    cells: &[usize],
    k: usize,
    genes: &str,
    (from, to): (u32, u32),
) -> Vec<TransferRow> {
    let Some(batches) = &study.batches else { return Vec::new() };
    let types_of = |batch: u32| -> BTreeSet<u32> {
        batches.codes.iter().zip(&study.types).filter(|it| *it.0 == batch).map(|it| *it.1).collect()
    };
    let shared: BTreeSet<u32> = types_of(from).intersection(&types_of(to)).copied().collect();
    // Places among the rows.
    let of = |batch: u32| -> Vec<usize> {
        let fits = |it: &usize| batches.codes[cells[*it]] == batch && shared.contains(&study.types[cells[*it]]);
        (0..cells.len()).filter(fits).collect()
    };
    let (sources, targets) = (of(from), of(to));
    let base = TransferRow {
        seed: study.seed as i64,
        unit: unit.name(),
        from: batches.names[from as usize].clone(),
        to: batches.names[to as usize].clone(),
        genes: genes.to_owned(),
        n_types: shared.len() as i64,
        n_cells: targets.len() as i64,
        ..TransferRow::default()
    };
    if shared.len() < 2 {
        let reason = format!("{} shared types, expected at least 2", shared.len());
        return vec![TransferRow { control: "none".to_owned(), reason: Some(reason), ..base }];
    }
    let references = Ready::new(rows, &sources, unit.metric);
    let mut near = Vec::with_capacity(targets.len());
    for block in targets.chunks(BLOCK) {
        let similarities = Ready::new(rows, block, unit.metric).against(&references);
        near.extend(similarities.rows().into_iter().map(|it| top(&it.to_vec(), k, None)));
    }
    let truth: Vec<u32> = targets.iter().map(|it| study.types[cells[*it]]).collect();
    let labels: Vec<u32> = sources.iter().map(|it| study.types[cells[*it]]).collect();
    let mut shuffled = labels.clone();
    let name = format!("{}>{}", base.from, base.to);
    shuffled.shuffle(&mut study.root.derive("transfer").derive(&name).rng());
    [("none", labels), ("shuffled", shuffled)]
        .into_iter()
        .map(|(control, labels)| {
            let found: Vec<Option<u32>> = near.iter().map(|it| vote(it, &labels)).collect();
            let right = found.iter().zip(&truth).filter(|it| *it.0 == Some(*it.1)).count();
            TransferRow {
                control: control.to_owned(),
                macro_f1: Some(macro_f1(&found, &truth)),
                accuracy: Some(right as f64 / truth.len() as f64),
                ..base.clone()
            }
        })
        .collect()
}

/// The label with most votes; of equal ones that of the nearest cell. `None` for a cell without neighbours.
fn vote(near: &[u32], labels: &[u32]) -> Option<u32> {
    let mut votes = BTreeMap::<u32, (usize, usize)>::new();
    for (place, cell) in near.iter().enumerate() {
        let slot = votes.entry(labels[*cell as usize]).or_insert((0, place));
        slot.0 += 1;
    }
    votes.into_iter().max_by_key(|(_, (n, first))| (*n, std::cmp::Reverse(*first))).map(|it| it.0)
}

/// Mean over the types of the truth of `2 TP / (2 TP + FP + FN)`.
fn macro_f1(found: &[Option<u32>], truth: &[u32]) -> f64 {
    let kinds: BTreeSet<u32> = truth.iter().copied().collect();
    let of = |kind: u32| {
        let (mut hits, mut wrong) = (0.0, 0.0);
        for (found, truth) in found.iter().zip(truth) {
            match (*found == Some(kind), *truth == kind) {
                (true, true) => hits += 1.0,
                (true, false) | (false, true) => wrong += 1.0,
                (false, false) => {}
            }
        }
        2.0 * hits / (2.0 * hits + wrong)
    };
    kinds.iter().map(|it| of(*it)).sum::<f64>() / kinds.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_votes_win_and_the_nearest_of_equal_ones() {
        let labels = [7, 7, 3, 3, 5];
        assert_eq!(vote(&[4, 0, 1], &labels), Some(7));
        assert_eq!(vote(&[2, 0, 1, 3], &labels), Some(3));
        assert_eq!(vote(&[], &labels), None);
    }

    #[test]
    fn f1_is_the_mean_over_types() {
        // Type 0: 2 of 3 right and one false alarm: 4/6; type 1: 1 right, one missed, one false alarm: 2/4.
        let found = [Some(0), Some(0), Some(1), Some(1), Some(0)];
        let f1 = macro_f1(&found, &[0, 0, 0, 1, 1]);
        assert!((f1 - f64::midpoint(4.0 / 6.0, 0.5)).abs() < 1e-12, "{f1}");
        assert_eq!(macro_f1(&[None, Some(1)], &[0, 1]), 0.5);
    }
}
