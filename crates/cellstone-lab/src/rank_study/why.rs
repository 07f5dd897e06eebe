//! Why rank loses on some types and not on others: the loss of every type against what is known about it.

use super::book::Book;
use cellstone_core::Result;
use cellstone_prep::solve_spd;
use cellstone_report::rank_study::schema::{TypeRow, WhyRow};
use ndarray::{Array1, Array2, Axis};

/// Fewest types for a regression on them.
const MIN_TYPES: usize = 20;
/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// What a type is described by, one value for each.
type Covariate = (&'static str, fn(&TypeRow) -> Option<f64>);

const COVARIATES: [Covariate; 4] = [
    ("log_median_total", |it| it.median_total.filter(|it| *it > 0.0).map(f64::ln)),
    ("detected", |it| it.detected),
    ("n_strata", |it| Some(it.n_strata as f64)),
    ("nearest_distance", |it| it.nearest_distance.map(|it| it as f64)),
];

/// The loss `AUROC(value unit) − AUROC(rank unit)` of every type on the covariates of the types, each in units of its
/// standard deviation, by least squares with standard errors that stay right where the spread differs by type (HC3).
///
/// Covariates that do not vary are left out. With fewer than 20 types there is one row that says so.
///
/// # Errors
/// If the covariates depend on each other to rounding.
///
/// # References
/// MacKinnon and White 1985, doi:10.1016/0304-4076(85)90158-7.
pub(crate) fn why(value: &str, rank: &str, scope: &str, book: &Book, types: &[TypeRow]) -> Result<Vec<WhyRow>> {
    let of = |unit: &str| book.get(unit, "auroc_macro", scope, None).map(|it| &it.by_type);
    let (Some(first), Some(second)) = (of(value), of(rank)) else { return Ok(Vec::new()) };
    let losses: Vec<(&TypeRow, f64)> =
        types.iter().filter_map(|it| Some((it, first.get(&it.cell_type)? - second.get(&it.cell_type)?))).collect();
    let base = WhyRow {
        unit_a: value.to_owned(),
        unit_b: rank.to_owned(),
        scope: scope.to_owned(),
        n: losses.len() as i64,
        ..WhyRow::default()
    };
    if losses.len() < MIN_TYPES {
        let reason = format!("{} types, a regression on types needs {MIN_TYPES}", losses.len());
        return Ok(vec![WhyRow { reason: Some(reason), ..base }]);
    }
    let (names, x) = design(&losses);
    let y = Array1::from_iter(losses.iter().map(|it| it.1));
    let found = least_squares(&x, &y)?;
    let row = |(name, (coefficient, error)): (&&str, &(f64, f64))| WhyRow {
        covariate: (*name).to_owned(),
        coefficient: Some(*coefficient),
        ci_lo: Some(coefficient - Z * error),
        ci_hi: Some(coefficient + Z * error),
        ..base.clone()
    };
    Ok(names.iter().zip(&found).map(row).collect())
}

/// A column of ones and the standardised covariates that every type has and that vary.
fn design(losses: &[(&TypeRow, f64)]) -> (Vec<&'static str>, Array2<f64>) {
    let n = losses.len();
    let (mut names, mut columns) = (vec!["mean_loss"], vec![vec![1.0; n]]);
    for (name, of) in COVARIATES {
        let values: Vec<f64> = losses.iter().filter_map(|it| of(it.0)).collect();
        if values.len() < n {
            continue;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let sd = (values.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (n - 1) as f64).sqrt();
        if sd > 1e-9 * mean.abs().max(1e-9) {
            names.push(name);
            columns.push(values.iter().map(|it| (it - mean) / sd).collect());
        }
    }
    (names, Array2::from_shape_fn((n, columns.len()), |(row, column)| columns[column][row]))
}

/// Coefficients and their HC3 standard errors.
fn least_squares(x: &Array2<f64>, y: &Array1<f64>) -> Result<Vec<(f64, f64)>> {
    let gram = x.t().dot(x);
    let inverse = solve_spd(&gram, &Array2::eye(gram.nrows()))?;
    let coefficients = inverse.dot(&x.t().dot(y));
    let residuals = y - &x.dot(&coefficients);
    let mut middle = Array2::<f64>::zeros(gram.dim());
    for (row, residual) in x.axis_iter(Axis(0)).zip(&residuals) {
        let leverage = row.dot(&inverse.dot(&row));
        let weight = (residual / (1.0 - leverage).max(1e-9)).powi(2);
        for a in 0..row.len() {
            for b in 0..row.len() {
                middle[[a, b]] += weight * row[a] * row[b];
            }
        }
    }
    let covariance = inverse.dot(&middle).dot(&inverse);
    Ok((0..coefficients.len()).map(|it| (coefficients[it], covariance[[it, it]].max(0.0).sqrt())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn least_squares_with_hc3() {
        // y = 1 + 2 x but for one point.
        let x = array![[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]];
        let found = least_squares(&x, &array![1.0, 3.0, 5.0, 8.0]).expect("solved");
        assert!((found[0].0 - 0.8).abs() < 1e-12 && (found[1].0 - 2.3).abs() < 1e-12);
        // By hand: leverages 0.7, 0.3, 0.3, 0.7 and residuals 0.2, −0.1, −0.4, 0.3.
        let weights =
            [(0.2_f64 / 0.3).powi(2), (0.1_f64 / 0.7).powi(2), (0.4_f64 / 0.7).powi(2), (0.3_f64 / 0.3).powi(2)];
        let slope: f64 = weights.iter().zip([-1.5_f64, -0.5, 0.5, 1.5]).map(|(w, d)| w * d * d).sum::<f64>() / 25.0;
        assert!((found[1].1 - slope.sqrt()).abs() < 1e-12, "{found:?}");
    }
}
