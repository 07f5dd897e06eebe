//! Error curves over ranked genes: how the error grows from the most expressed, or the most changed, gene to all.

use crate::genes::descending;
use crate::input::{Panel, minus};
use cellstone_core::sum::map_ordered;
use cellstone_core::{Mask, MetricInput, Result};
use ndarray::{Array2, Axis};

/// Cumulative errors of every condition on a grid of ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// Ranks: 1..100 step 1, 101..1000 step 10, 1001..G step 100.
    pub ranks: Vec<usize>,
    /// `√Σ_{rank ≤ r}(ŷ − y)²` of each condition, `[P, n_ranks]`, in profile units.
    pub values: Array2<f64>,
}

/// The mean of [`Curves`] over conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveMean {
    /// The grid.
    pub ranks: Vec<usize>,
    /// Mean over conditions at each rank.
    pub mean: Vec<f64>,
    /// Standard deviation over conditions / √P; `None` for one condition.
    pub se: Vec<Option<f64>>,
}

/// The grid of ranks for `n_genes` genes.
///
/// # Examples
/// ```
/// let grid = cellstone_metrics::curves::rank_grid(1200);
/// assert_eq!((grid.len(), grid[99], grid[100], grid[101], grid[190], grid[191]), (192, 100, 101, 111, 1001, 1101));
/// ```
pub fn rank_grid(n_genes: usize) -> Vec<usize> {
    (1..=100).chain((101..=1000).step_by(10)).chain((1001..=n_genes).step_by(100)).filter(|it| *it <= n_genes).collect()
}

/// Accumulates the error over genes ranked by control expression.
///
/// `L(r) = √Σ_{rank ≤ r}(ŷ − y)²`, genes from the highest `y_0` down, ties by file position, one order for all conditions.
/// Uses `input.genes` and the panel mask; a condition's own targets under [`Mask::OwnTargets`] keep their rank and add no
/// error, so that one grid serves every condition.
///
/// # Errors
/// If shapes do not fit, a mask masks nothing, or a value is not finite.
///
/// # Examples
/// ```
/// use cellstone_core::{Mask, MetricInput};
/// use ndarray::array;
/// let (truth, pred, control) = (array![[2.0, 2.0, 3.0, 3.0]], array![[1.5, 2.5, 3.0, 3.0]], array![1.0, 2.0, 3.0, 4.0]);
/// let input = MetricInput {
///     truth: truth.view(), pred: pred.view(), control: control.view(), pred_control: None, train_mean: None,
///     train_profiles: None, weights: None, targets: &[vec![]], keys: &["A".to_owned()], genes: None, mask: Mask::None,
/// };
/// let curves = cellstone_metrics::curves::strat_expr(&input)?;
/// assert_eq!(curves.ranks, [1, 2, 3, 4]);
/// assert_eq!(curves.values, array![[0.0, 0.0, 0.5, 0.5_f64.sqrt()]]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Ahlmann-Eltze et al. 2025, doi:10.1038/s41592-025-02772-6 (`notebooks/double_perturbation_analysis.Rmd`).
pub fn strat_expr(input: &MetricInput<'_>) -> Result<Curves> {
    curves(input, |panel| {
        let order = descending(panel.control());
        move |_: &[f64]| order.clone()
    })
}

/// Accumulates the error over genes ranked by the true effect of each condition, `|y − y_0|` from the largest down.
///
/// Else as [`strat_expr`].
///
/// # Errors
/// As [`strat_expr`].
///
/// # References
/// Ahlmann-Eltze et al. 2025, doi:10.1038/s41592-025-02772-6.
pub fn strat_de(input: &MetricInput<'_>) -> Result<Curves> {
    curves(input, |panel| {
        let control = panel.control().to_vec();
        move |truth: &[f64]| {
            let size: Vec<f64> = minus(truth, &control).iter().map(|it| it.abs()).collect();
            descending(&size)
        }
    })
}

fn curves<O: Fn(&[f64]) -> Vec<usize> + Sync + Send>(
    input: &MetricInput<'_>,
    order_of: impl FnOnce(&Panel<'_>) -> O,
) -> Result<Curves> {
    let panel = Panel::new(input)?;
    panel.check_mask()?;
    let ranks = rank_grid(panel.n_genes());
    let order_of = order_of(&panel);
    let rows = map_ordered(panel.n_rows(), |at| {
        let (truth, pred) = (panel.truth_row(at), panel.pred_row(at));
        let drops = if input.mask == Mask::OwnTargets { panel.own_drops(at) } else { Vec::new() };
        let order = order_of(&truth);
        let (mut values, mut total, mut next) = (Vec::with_capacity(ranks.len()), 0.0, 0);
        for (seen, col) in order.into_iter().enumerate() {
            if drops.binary_search(&col).is_err() {
                total += (pred[col] - truth[col]).powi(2);
            }
            if ranks.get(next) == Some(&(seen + 1)) {
                values.push(f64::sqrt(total));
                next += 1;
            }
        }
        values
    });
    let mut values = Array2::zeros((rows.len(), ranks.len()));
    for (at, row) in rows.into_iter().enumerate() {
        if row.iter().any(|it| !it.is_finite()) {
            return Err(cellstone_core::Error::invalid_input(format!(
                "truth or prediction of `{}` holds a value that is not finite",
                panel.key(at)
            )));
        }
        values.row_mut(at).assign(&ndarray::ArrayView1::from(&row));
    }
    Ok(Curves { ranks, values })
}

impl Curves {
    /// The mean over conditions at each rank, with the standard error sd/√P.
    ///
    /// `None` without conditions. (The published "standard error" divides by √rank; see the divergences.)
    // DIVERGES(curve-standard-error)
    pub fn mean(&self) -> Option<CurveMean> {
        let n = self.values.nrows();
        if n == 0 {
            return None;
        }
        let column = |it: ndarray::ArrayView1<'_, f64>| crate::kernels::sum(&it.to_vec()) / n as f64;
        let mean: Vec<f64> = self.values.axis_iter(Axis(1)).map(column).collect();
        let se = self
            .values
            .axis_iter(Axis(1))
            .zip(&mean)
            .map(|(column, mean)| {
                let squares: f64 = column.iter().map(|it| (it - mean).powi(2)).sum();
                (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt())
            })
            .collect();
        Some(CurveMean { ranks: self.ranks.clone(), mean, se })
    }
}
