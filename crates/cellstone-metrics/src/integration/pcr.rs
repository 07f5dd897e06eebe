//! How much of the variance of principal components a covariate explains, before and after integration.

use super::labels::{Groups, check_embedding, same_cells};
use cellstone_core::sum::ordered_sum;
use cellstone_core::{Error, Result, Score, Why};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

/// A column of the design whose part outside the others is smaller than this share of it depends on them.
const DEPENDENT: f64 = 1e-10;

/// What the components are regressed on.
#[derive(Debug, Clone, Copy)]
pub enum Covariate<'a> {
    /// One code per cell: one-way analysis of variance.
    Categorical(&'a [u32]),
    /// Numbers, `[n_obs, columns]`: least squares with an intercept.
    Numeric(ArrayView2<'a, f64>),
    /// Several at once: least squares on all of their columns with an intercept.
    Several(&'a [Covariate<'a>]),
}

/// Principal component regression: the share of the variance of the components that the covariate explains.
///
/// `scores` is `[n_obs, k]`, `variances` has one value per component. `PCR = Σ λᵢ R²ᵢ / Σ λᵢ`, `R²ᵢ` of component i on
/// the covariate, in `[0, 1]`; a constant component and a covariate with one level have 0.
///
/// # Undefined
/// [`Why::ConstantVector`] if all variances are 0; [`Why::NoCells`] without cells.
///
/// # Errors
/// If shapes do not fit, a value is not finite (cells without a covariate must be dropped), or a variance is negative.
///
/// # Examples
/// ```
/// use cellstone_metrics::integration::{Covariate, pcr};
/// let scores = ndarray::array![[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [6.0, 1.0], [7.0, 0.0], [8.0, 1.0]];
/// let value = pcr(scores.view(), &[8.3, 0.3], &Covariate::Categorical(&[0, 0, 0, 1, 1, 1]))?.value().unwrap();
/// assert!((value - 0.875_968_992_2).abs() < 1e-10);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Büttner 2019, doi:10.1038/s41592-018-0254-1; theislab/scib `scib/metrics/pcr.py`.
pub fn pcr(scores: ArrayView2<'_, f64>, variances: &[f64], covariate: &Covariate<'_>) -> Result<Score> {
    if variances.len() != scores.ncols() {
        return Err(Error::invalid_input(format!("{} variances for {} components", variances.len(), scores.ncols())));
    }
    if let Some(at) = variances.iter().position(|it| !(it.is_finite() && *it >= 0.0)) {
        return Err(Error::invalid_input(format!("component {at} has variance {}", variances[at])));
    }
    if scores.nrows() == 0 {
        return Ok(Score::Undefined(Why::NoCells));
    }
    let parts = explained(scores, covariate)?;
    let total = ordered_sum(variances);
    let weighted = |it: (&(f64, f64), &f64)| if it.0.1 > 0.0 { it.1 * (it.0.0 / it.0.1).clamp(0.0, 1.0) } else { 0.0 };
    let sum: f64 = parts.iter().zip(variances).map(weighted).sum();
    Ok(if total > 0.0 { Score::Value(sum / total) } else { Score::Undefined(Why::ConstantVector) })
}

/// [`pcr`] on all principal components of `x`, which need not be computed: with every component, `λᵢ R²ᵢ` are explained
/// sums of squares, and their total does not change when `x` is turned.
///
/// `x` is `[n_obs, d]`. This is the form of scib-metrics, and that of scib where `d ≤ 50`.
///
/// # Undefined
/// [`Why::ConstantVector`] if all cells are at one place; [`Why::NoCells`] without cells.
///
/// # Errors
/// As [`pcr`].
///
/// # References
/// YosefLab/scib-metrics `src/scib_metrics/utils/_pcr.py`.
pub fn pcr_full(x: ArrayView2<'_, f64>, covariate: &Covariate<'_>) -> Result<Score> {
    if x.nrows() == 0 {
        return Ok(Score::Undefined(Why::NoCells));
    }
    let parts = explained(x, covariate)?;
    let (explained, total) = parts.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    Ok(if total > 0.0 {
        Score::Value((explained / total).clamp(0.0, 1.0))
    } else {
        Score::Undefined(Why::ConstantVector)
    })
}

/// What integration did to the variance that the covariate explains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PcrComparison {
    /// Before integration.
    pub before: Score,
    /// After it.
    pub after: Score,
    /// `max(0, (before − after) / before)`: 1 is all removed, 0 none or more than before.
    pub scaled: Score,
    /// `after − before`: what the cut at 0 hides.
    pub difference: Score,
}

/// Compares [`pcr`] before and after integration.
///
/// # Undefined
/// [`Why::ZeroDenominator`] if the covariate explains nothing before; the reason of a value that is undefined.
///
/// # Examples
/// ```
/// use cellstone_metrics::{Score, integration::pcr_comparison};
/// let worse = pcr_comparison(Score::Value(0.25), Score::Value(0.5));
/// assert_eq!((worse.scaled, worse.difference), (Score::Value(0.0), Score::Value(0.25)));
/// assert_eq!(pcr_comparison(Score::Value(0.25), Score::Value(0.0)).scaled, Score::Value(1.0));
/// ```
pub fn pcr_comparison(before: Score, after: Score) -> PcrComparison {
    let (scaled, difference) = match (before, after) {
        (Score::Value(before), Score::Value(after)) => {
            let scaled = if before > 0.0 {
                Score::Value(((before - after) / before).max(0.0))
            } else {
                Score::Undefined(Why::ZeroDenominator)
            };
            (scaled, Score::Value(after - before))
        }
        (why @ Score::Undefined(_), _) | (_, why) => (why, why),
    };
    PcrComparison { before, after, scaled, difference }
}

/// Explained and total sum of squares of every column.
fn explained(x: ArrayView2<'_, f64>, covariate: &Covariate<'_>) -> Result<Vec<(f64, f64)>> {
    check_embedding(x)?;
    let mut centred = x.to_owned();
    if let Some(mean) = centred.mean_axis(Axis(0)) {
        centred -= &mean;
    }
    let total = centred.map_axis(Axis(0), |it| it.iter().map(|v| v * v).sum::<f64>());
    let explained = match covariate {
        Covariate::Categorical(codes) => between(&centred, codes)?,
        _ => projected(&centred, &columns(covariate, x.nrows())?),
    };
    // A constant column is not exactly constant once its mean is taken off.
    let floor = x.map_axis(Axis(0), |it| it.iter().map(|v| v * v).sum::<f64>() * 1e-28);
    let parts = explained.iter().zip(total.iter().zip(&floor));
    Ok(parts.map(|(part, (all, floor))| if all > floor { (*part, *all) } else { (0.0, 0.0) }).collect())
}

/// Sum of squares between groups, of every column.
fn between(centred: &Array2<f64>, codes: &[u32]) -> Result<Array1<f64>> {
    same_cells("covariate values", codes.len(), centred.nrows())?;
    let groups = Groups::new(codes);
    let mut sums = Array2::<f64>::zeros((groups.len(), centred.ncols()));
    for (row, group) in centred.rows().into_iter().zip(&groups.of) {
        sums.row_mut(*group as usize).scaled_add(1.0, &row);
    }
    let mut found = Array1::zeros(centred.ncols());
    if groups.len() > 1 {
        for (sum, size) in sums.rows().into_iter().zip(groups.sizes()) {
            found.zip_mut_with(&sum, |it, sum| *it += sum * sum / size);
        }
    }
    Ok(found)
}

/// The centred columns of a design.
fn columns(covariate: &Covariate<'_>, n: usize) -> Result<Vec<Array1<f64>>> {
    match covariate {
        Covariate::Categorical(codes) => {
            same_cells("covariate values", codes.len(), n)?;
            let groups = Groups::new(codes);
            let indicator = |at: u32| Array1::from_iter(groups.of.iter().map(|it| f64::from(u8::from(*it == at))));
            Ok((0..groups.len() as u32).map(|at| centre(indicator(at).view())).collect())
        }
        Covariate::Numeric(values) => {
            same_cells("covariate values", values.nrows(), n)?;
            if let Some(row) = values.rows().into_iter().position(|it| !it.iter().all(|v| v.is_finite())) {
                return Err(Error::invalid_input(format!("cell {row} has no finite covariate"))
                    .with_hint("drop cells without a value before the regression"));
            }
            Ok(values.columns().into_iter().map(centre).collect())
        }
        Covariate::Several(parts) => {
            let all = parts.iter().map(|it| columns(it, n)).collect::<Result<Vec<_>>>()?;
            Ok(all.into_iter().flatten().collect())
        }
    }
}

/// The column minus its mean; exactly 0 where it is constant.
fn centre(column: ArrayView1<'_, f64>) -> Array1<f64> {
    let mean = column.mean().unwrap_or_default();
    let constant = column.iter().all(|it| *it == column[0]);
    column.mapv(|it| if constant { 0.0 } else { it - mean })
}

/// Sum of squares of the projections on the space of the design, of every column.
///
/// Gram–Schmidt, twice, by falling length: a column that depends on those before it is dropped, as a pseudo-inverse
/// would.
fn projected(centred: &Array2<f64>, design: &[Array1<f64>]) -> Array1<f64> {
    let mut order: Vec<(f64, &Array1<f64>)> = design.iter().map(|it| (it.dot(it).sqrt(), it)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut basis: Vec<Array1<f64>> = Vec::new();
    for (length, column) in order {
        let mut rest = column.clone();
        for _ in 0..2 {
            for it in &basis {
                let along = it.dot(&rest);
                rest.scaled_add(-along, it);
            }
        }
        let left = rest.dot(&rest).sqrt();
        if left > DEPENDENT * length {
            basis.push(rest / left);
        }
    }
    let mut found = Array1::zeros(centred.ncols());
    for it in &basis {
        let along = it.dot(centred);
        found.zip_mut_with(&along, |sum, along| *sum += along * along);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn value(score: Result<Score>) -> f64 {
        score.expect("valid").value().expect("defined")
    }

    fn vector() -> Array2<f64> {
        array![[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [6.0, 1.0], [7.0, 0.0], [8.0, 1.0]]
    }

    #[test]
    fn parts_of_the_vector_of_the_protocol() {
        let groups = [0, 0, 0, 1, 1, 1];
        for (at, want) in [(0, 0.903_614_457_8), (1, 0.111_111_111_1)] {
            let column = vector().select(Axis(1), &[at]);
            let got = value(pcr(column.view(), &[1.0], &Covariate::Categorical(&groups)));
            assert!((got - want).abs() < 1e-10, "{got}, expected {want}");
            // A numeric covariate with two levels is the same design.
            let numbers = Array2::from_shape_fn((6, 1), |(it, _)| 3.0 + 2.0 * f64::from(groups[it]));
            assert!((value(pcr(column.view(), &[1.0], &Covariate::Numeric(numbers.view()))) - got).abs() < 1e-12);
        }
        // Variances of the columns themselves: all components at once.
        let full = value(pcr_full(vector().view(), &Covariate::Categorical(&groups)));
        assert!((full - 0.875_968_992_2).abs() < 1e-10, "{full}");
    }

    #[test]
    fn several_covariates_are_one_design() {
        let x = Array2::from_shape_fn((12, 1), |(it, _)| ((it * it) % 7) as f64);
        let (a, b): (Vec<u32>, Vec<u32>) = (0..12).map(|it| (it % 3, it / 6)).unzip();
        let both = [Covariate::Categorical(&a), Covariate::Categorical(&b)];
        let value_of = |it: &Covariate<'_>| value(pcr_full(x.view(), it));
        // Balanced, so the parts add up; and a part that repeats adds nothing.
        let sum = value_of(&both[0]) + value_of(&both[1]);
        assert!((value_of(&Covariate::Several(&both)) - sum).abs() < 1e-12);
        let twice = [both[0], both[1], both[0]];
        assert!((value_of(&Covariate::Several(&twice)) - sum).abs() < 1e-12);
        assert!((value_of(&Covariate::Several(&[both[0]])) - value_of(&both[0])).abs() < 1e-12);
    }

    #[test]
    fn edges() {
        let x = vector();
        assert_eq!(value(pcr_full(x.view(), &Covariate::Categorical(&[4; 6]))), 0.0);
        assert_eq!(value(pcr(x.view(), &[1.0, 1.0], &Covariate::Categorical(&[4; 6]))), 0.0);
        let constant = Array2::from_elem((6, 2), 1.0 / 3.0);
        let undefined = pcr_full(constant.view(), &Covariate::Categorical(&[0, 1, 0, 1, 0, 1])).expect("valid");
        assert_eq!(undefined, Score::Undefined(Why::ConstantVector));
        let nothing = array![[0.0], [0.0], [f64::NAN], [1.0], [1.0], [1.0]];
        let error = pcr_full(x.view(), &Covariate::Numeric(nothing.view())).expect_err("missing");
        assert_eq!(error.to_string(), "cell 2 has no finite covariate");
        assert!(pcr(x.view(), &[1.0], &Covariate::Categorical(&[0; 6])).is_err());
        assert!(pcr(x.view(), &[1.0, -1.0], &Covariate::Categorical(&[0; 6])).is_err());
        assert!(pcr_full(x.view(), &Covariate::Categorical(&[0; 5])).is_err());
        let none = pcr_comparison(Score::Value(0.0), Score::Value(0.1));
        assert_eq!(none.scaled, Score::Undefined(Why::ZeroDenominator));
        assert_eq!(pcr_comparison(undefined, Score::Value(0.1)).difference, undefined);
    }
}
