//! A natural cubic spline: a line plus columns that bend it.

use crate::stats::quantiles;
use cellstone_core::{Error, Result};

/// The bending columns of a natural cubic spline with `df` degrees of freedom, `df − 1` of them; the line is not among
/// them.
///
/// Knots at the ends and at equally spaced quantiles of the distinct values, `df + 1` in all. With knots `t_1 … t_K`:
/// `N_j = d_j − d_{K−1}`, `d_j(x) = [(x − t_j)³₊ − (x − t_K)³₊]/(t_K − t_j)`, in units of the range of x. A test that
/// all are zero is a test of the line.
///
/// # Errors
/// If df is below 2, a value is not finite, or there are too few distinct values for the knots.
///
/// # References
/// Hastie, Tibshirani and Friedman 2009, *The Elements of Statistical Learning*, eq. 5.4–5.5.
pub fn natural_spline(x: &[f64], df: usize) -> Result<Vec<Vec<f64>>> {
    super::super::bootstrap::check_finite("value", x)?;
    let mut distinct = x.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    if df < 2 || distinct.len() < df + 1 {
        return Err(Error::invalid_input(format!(
            "{} distinct values for a spline of {df} degrees of freedom, expected at least {}",
            distinct.len(),
            df + 1
        )));
    }
    let places: Vec<f64> = (0..=df).map(|it| it as f64 / df as f64).collect();
    let knots = quantiles(&distinct, &places).unwrap_or_default();
    let (first, last) = (knots[0], knots[df]);
    let range = last - first;
    let cube = |x: f64, knot: f64| ((x - knot) / range).max(0.0).powi(3);
    let d = |x: f64, knot: f64| (cube(x, knot) - cube(x, last)) / ((last - knot) / range);
    let bend = |at: usize| x.iter().map(|it| d(*it, knots[at]) - d(*it, knots[df - 1])).collect();
    Ok((0..df - 1).map(bend).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_natural_spline_is_straight_beyond_its_ends_and_bends_between() {
        let x: Vec<f64> = (0..=30).map(f64::from).collect();
        let bends = natural_spline(&x, 3).expect("valid");
        assert_eq!(bends.len(), 2);
        for bend in &bends {
            let second: Vec<f64> = bend.windows(3).map(|it| it[0] - 2.0 * it[1] + it[2]).collect();
            assert!(second[0].abs() < 1e-3 && second[28].abs() < 1e-3, "ends are nearly straight");
            assert!(second.iter().any(|it| it.abs() > 1e-3));
        }
        assert!(natural_spline(&[1.0, 2.0, 2.0], 3).is_err() && natural_spline(&x, 1).is_err());
    }
}
