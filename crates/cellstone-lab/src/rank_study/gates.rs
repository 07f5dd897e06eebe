//! Types of cells from measured proteins: labels that owe nothing to the expression they are used to judge.

use super::config::Gate;
use cellstone_core::{Error, Result, nearest, quoted};
use ndarray::{Array2, ArrayView2, Axis};

/// The gate that each cell alone passes, `None` where none or several do.
///
/// Counts of a cell become centred logarithms, `ln(1 + c) − mean_p ln(1 + c_p)`. A protein is high in a cell where that
/// lies above the cut between two groups of the cells: the cut that leaves the least variance inside the groups. A cell
/// passes a gate where all of its `high` proteins are high and none of its `low` ones.
///
/// Cells of one call are one batch: cuts are found anew in each.
///
/// # Errors
/// Names a protein of a gate that was not measured, or a value that is no count.
pub(crate) fn gate_cells(proteins: ArrayView2<'_, f64>, names: &[String], gates: &[Gate]) -> Result<Vec<Option<u32>>> {
    if let Some((cell, value)) = proteins
        .rows()
        .into_iter()
        .enumerate()
        .find_map(|(at, row)| row.iter().find(|it| it.is_nan() || **it < 0.0).map(|it| (at, *it)))
    {
        return Err(Error::invalid_input(format!("cell {cell} has a protein count of {value}, expected 0 or more")));
    }
    let values = centred_logs(proteins);
    let mut high = Array2::from_elem(values.dim(), false);
    for (column, mut flags) in values.columns().into_iter().zip(high.columns_mut()) {
        if let Some(cut) = two_groups(&column.to_vec()) {
            flags.iter_mut().zip(column).for_each(|(flag, it)| *flag = *it > cut);
        }
    }
    let place = |name: &String| {
        names.iter().position(|it| it == name).ok_or_else(|| {
            let error = Error::invalid_input(format!("no protein `{name}` (there are {})", quoted(names)));
            match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    };
    let columns = |list: &[String]| list.iter().map(place).collect::<Result<Vec<usize>>>();
    let gates: Vec<(Vec<usize>, Vec<usize>)> =
        gates.iter().map(|it| Ok((columns(&it.high)?, columns(&it.low)?))).collect::<Result<_>>()?;
    Ok(high
        .rows()
        .into_iter()
        .map(|cell| {
            let passes = |(up, down): &(Vec<usize>, Vec<usize>)| {
                up.iter().all(|it| cell[*it]) && !down.iter().any(|it| cell[*it])
            };
            let mut passed = gates.iter().enumerate().filter(|it| passes(it.1)).map(|it| it.0 as u32);
            passed.next().filter(|_| passed.next().is_none())
        })
        .collect())
}

fn centred_logs(counts: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut logs = counts.mapv(f64::ln_1p);
    for mut row in logs.axis_iter_mut(Axis(0)) {
        let mean = row.sum() / row.len().max(1) as f64;
        row -= mean;
    }
    logs
}

/// The cut between two groups of least variance; `None` where all values are equal.
fn two_groups(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let total: f64 = sorted.iter().sum();
    let n = sorted.len() as f64;
    let (mut below, mut best) = (0.0, None::<(f64, f64)>);
    for (at, pair) in sorted.windows(2).enumerate() {
        below += pair[0];
        if pair[0] == pair[1] {
            continue;
        }
        let (n_low, n_high) = ((at + 1) as f64, n - (at + 1) as f64);
        let apart = below / n_low - (total - below) / n_high;
        let between = n_low * n_high * apart * apart;
        if best.is_none_or(|it| between > it.0) {
            best = Some((between, f64::midpoint(pair[0], pair[1])));
        }
    }
    best.map(|it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_lies_between_the_groups() {
        assert_eq!(two_groups(&[0.0, 1.0, 0.5, 9.0, 10.0]), Some(5.0));
        assert_eq!(two_groups(&[2.0, 2.0]), None);
        assert_eq!(two_groups(&[]), None);
    }

    #[test]
    fn a_cell_of_one_gate_has_its_type() {
        let names: Vec<String> = ["CD3", "CD19", "CD14"].map(str::to_owned).to_vec();
        let gate = |name: &str, high: &[&str], low: &[&str]| Gate {
            name: name.to_owned(),
            high: high.iter().map(|it| (*it).to_owned()).collect(),
            low: low.iter().map(|it| (*it).to_owned()).collect(),
        };
        let gates =
            [gate("T", &["CD3"], &["CD19"]), gate("B", &["CD19"], &["CD3"]), gate("any", &["CD14", "CD19"], &[])];
        let cells = ndarray::array![
            [200.0, 3.0, 2.0],
            [300.0, 2.0, 5.0],
            [2.0, 250.0, 3.0],
            [1.0, 300.0, 400.0],
            [3.0, 4.0, 300.0],
        ];
        let found = gate_cells(cells.view(), &names, &gates).expect("gated");
        assert_eq!(found, [Some(0), Some(0), Some(1), None, None]);
        let error = gate_cells(cells.view(), &names, &[gate("x", &["CD33"], &[])]).expect_err("unknown");
        assert!(error.to_string().contains("no protein `CD33`"), "{error}");
        let bad = ndarray::array![[1.0, -1.0, 0.0]];
        let error = gate_cells(bad.view(), &names, &gates).expect_err("no count");
        assert!(error.to_string().contains("cell 0 has a protein count of -1"), "{error}");
    }
}
