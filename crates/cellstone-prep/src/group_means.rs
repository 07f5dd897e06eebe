//! Plain means of labeled cells: for predictions, which need neither a control nor a sampling variance.

use crate::labels::CellLabels;
use crate::normalize::{Normalize, Target, library_sizes, log1p, normalize_total};
use cellstone_core::{CountSource, Csr, Error, Result};
use ndarray::Array2;

/// Mean over the cells of every group, `[n_groups, n_vars]`, summed in f64 in file order.
///
/// With `normalize` the cells are counts: they are brought to its sum (each keeps its own under `Target::None`), and
/// `ln(1 + x)` follows where asked. Cells without a group are left out.
///
/// # Errors
/// If labels and source differ in length, the target is the median (which needs a pass of its own), or the source
/// cannot be read.
pub fn group_means(source: &dyn CountSource, labels: &CellLabels, normalize: Option<Normalize>) -> Result<Array2<f64>> {
    labels.check_cells(source)?;
    let mut means = Array2::<f64>::zeros((labels.groups.len(), source.var().len()));
    for block in source.blocks(0)? {
        let mut block = block?;
        if let Some(rule) = normalize {
            scale(&mut block.x, rule)?;
        }
        for row in 0..block.x.shape().0 {
            let Some(group) = labels.group_of[block.start + row] else { continue };
            let mut sums = means.row_mut(group as usize);
            let (columns, values) = block.x.row(row);
            for (column, value) in columns.iter().zip(values) {
                sums[*column as usize] += f64::from(*value);
            }
        }
    }
    for (mut sums, n) in means.rows_mut().into_iter().zip(labels.n_cells()) {
        sums /= n.max(1) as f64;
    }
    Ok(means)
}

fn scale(x: &mut Csr<f32>, rule: Normalize) -> Result<()> {
    let target = match rule.target {
        Target::Sum(sum) => Some(sum),
        Target::None => None,
        Target::Median => return Err(Error::config("group means do not take the median as target")),
    };
    if let Some(target) = target {
        let factors: Vec<f64> =
            library_sizes(x).into_iter().map(|library| if library > 0.0 { target / library } else { 1.0 }).collect();
        normalize_total(x, &factors)?;
    }
    if rule.log1p {
        log1p(x);
    }
    Ok(())
}
