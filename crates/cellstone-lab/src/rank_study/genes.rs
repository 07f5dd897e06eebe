//! What is estimated from training cells alone: the genes to compare, their medians.

use super::cells::Labels;
use super::config::{GeneSet, StudyConfig};
use super::load::CellCounts;
use cellstone_core::{Counts, Csr, Error, Result, Seed, cell_seed};
use cellstone_prep::{Expression, HvgFlavor, HvgParams, highly_variable_genes};
use std::collections::BTreeSet;

/// Whether each of the given cells is one that genes, moments and medians are taken from.
///
/// These are the cells of the strata that the study names, or else of a seeded half of the strata; all cells where
/// there is one stratum or none. `strata` has a label for each of the cells.
///
/// # Errors
/// Names a stratum of `data.train` that no cell has.
pub(crate) fn training(config: &StudyConfig, strata: Option<&Labels>, n_cells: usize, seed: Seed) -> Result<Vec<bool>> {
    let Some(strata) = strata else { return Ok(vec![true; n_cells]) };
    let present: BTreeSet<&String> = strata.codes.iter().map(|it| &strata.names[*it as usize]).collect();
    if let Some(lost) = config.data.train.iter().find(|it| !strata.names.contains(it)) {
        return Err(Error::invalid_input(format!(
            "data.train names `{lost}`, which no cell has (there are {})",
            cellstone_core::quoted(&strata.names)
        )));
    }
    let chosen: BTreeSet<&String> = if config.data.train.is_empty() {
        let mut order: Vec<&String> = present.iter().copied().collect();
        order.sort_by_cached_key(|it| cell_seed(seed, "train", it).value());
        let half = order.len().div_ceil(2);
        order.into_iter().take(half).collect()
    } else {
        config.data.train.iter().collect()
    };
    let is_in: Vec<bool> = strata.codes.iter().map(|it| chosen.contains(&strata.names[*it as usize])).collect();
    if is_in.iter().filter(|it| **it).count() < 2 {
        return Err(Error::invalid_input("fewer than 2 training cells in the sample")
            .with_hint("name more strata in data.train, or take more cells"));
    }
    Ok(is_in)
}

/// Columns of a gene set, ascending, and a remark where it is not what was asked for.
///
/// # Errors
/// As [`highly_variable_genes`]; or if no gene is detected.
pub(crate) fn columns(set: GeneSet, counts: &CellCounts, train: &[bool]) -> Result<(Vec<usize>, Option<String>)> {
    let mut n_cells = vec![0_u32; counts.var.len()];
    counts.x.indices().iter().for_each(|it| n_cells[*it as usize] += 1);
    let detected: Vec<usize> = (0..n_cells.len()).filter(|it| n_cells[*it] > 0).collect();
    if detected.len() < 2 {
        return Err(Error::invalid_input(format!("{} genes are detected in the sample, expected 2", detected.len())));
    }
    let GeneSet::Hvg(n) = set else { return Ok((detected, None)) };
    if n >= detected.len() {
        let note = format!("`{set}` is all {} detected genes", detected.len());
        return Ok((detected, Some(note)));
    }
    let rows: Vec<usize> = (0..train.len()).filter(|it| train[*it]).collect();
    let cells = Counts::new(counts.x.select_rows(&rows), counts.var.clone())?;
    let params = HvgParams::top(HvgFlavor::SeuratV3, n);
    let found = highly_variable_genes(&Expression::Counts(&cells), None, &params)
        .map_err(|error| error.context(format!("choosing the genes of `{set}`")))?;
    let mut selected = found.selected();
    selected.sort_unstable();
    Ok((selected, None))
}

/// The median of the non-zero values of every column, scaled to 10⁴ a cell, over training cells; `None` for a gene that
/// no training cell has.
pub(crate) fn medians(x: &Csr<f32>, totals: &[f64], train: &[bool]) -> Vec<Option<f64>> {
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); x.shape().1];
    for row in (0..x.shape().0).filter(|it| train[*it]) {
        let (columns, counts) = x.row(row);
        for (column, count) in columns.iter().zip(counts) {
            values[*column as usize].push(1e4 * f64::from(*count) / totals[row]);
        }
    }
    values.into_iter().map(middle).collect()
}

/// The median; the mean of the two middle values of an even number.
pub(crate) fn middle(mut values: Vec<f64>) -> Option<f64> {
    let at = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let upper = *values.select_nth_unstable_by(at, f64::total_cmp).1;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = values[..at].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn middles() {
        assert_eq!(middle(vec![]), None);
        assert_eq!(middle(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(middle(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(middle(vec![1.0, 2.0]), Some(1.5));
    }

    #[test]
    fn medians_are_those_of_training_cells() {
        let x = Csr::from_dense(&array![[1.0_f32, 0.0, 1.0], [3.0, 0.0, 1.0], [9.0, 1.0, 0.0]]);
        let found = medians(&x, &[2.0, 4.0, 10.0], &[true, true, false]);
        assert_eq!(found, [Some(6250.0), None, Some(3750.0)]);
    }

    #[test]
    fn a_seeded_half_of_the_strata_trains() {
        let text = "schema = 1\nkind = \"rank_study\"\nid = \"x\"\nquestion = \"?\"\n[data]\npath = \"x\"\ntype_col = \"t\"\n\
            batch_col = \"b\"\n[[grid]]\nencoders = [\"raw\"]\nmetrics = [\"cosine\"]\ngenes = [\"all\"]\n";
        let mut config = super::super::config::parse_study(text, &[])
            .and_then(|it| super::super::config::resolve_study(it, std::path::Path::new(".")))
            .expect("valid");
        let strata =
            Labels { codes: (0..50).map(|it| it % 5).collect(), names: (0..5).map(|it| format!("b{it}")).collect() };
        let of = |seed| training(&config, Some(&strata), 50, Seed::new(seed)).expect("trains");
        assert_eq!(of(1).iter().filter(|it| **it).count(), 30);
        assert!((0..20).any(|it| of(it) != of(1)));
        config.data.train = vec!["b3".into()];
        let named = training(&config, Some(&strata), 50, Seed::new(1)).expect("trains");
        assert!((0..50).all(|it| named[it] == (it % 5 == 3)));
        config.data.train = vec!["b9".into()];
        let error = training(&config, Some(&strata), 50, Seed::new(1)).expect_err("unknown");
        assert!(error.to_string().contains("data.train names `b9`"), "{error}");
        assert_eq!(training(&config, None, 3, Seed::new(1)).expect("all"), [true; 3]);
    }
}
