//! The curve of the layout, fitted to the wanted spacing.

use cellstone_core::{Error, Result};

/// Points of the fit.
const N_POINTS: usize = 300;
/// Steps of the fit; about ten are needed.
const N_STEPS: usize = 200;

/// `1 / (1 + a d^{2b})`: how connected two cells at distance d of the layout appear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    /// Scale.
    pub a: f64,
    /// Half the exponent.
    pub b: f64,
}

/// The curve closest to 1 below `min_dist` and `exp(−(d − min_dist)/spread)` above, by least squares on 300 points from
/// 0 to 3 spreads, as umap-learn's `find_ab_params`.
///
/// # Errors
/// If `spread` is not positive or `min_dist` not between 0 and 3 spreads.
///
/// # Examples
/// ```
/// let curve = cellstone_neighbors::fit_curve(1.0, 0.1)?;
/// assert!((curve.a - 1.577).abs() < 1e-3 && (curve.b - 0.895).abs() < 1e-3);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn fit_curve(spread: f64, min_dist: f64) -> Result<Curve> {
    if !(spread > 0.0 && spread.is_finite()) {
        return Err(Error::config(format!("spread is {spread}, expected above 0")));
    }
    if !(0.0..3.0 * spread).contains(&min_dist) {
        return Err(Error::config(format!("min_dist is {min_dist}, expected from 0 to below {}", 3.0 * spread))
            .with_hint("scanpy uses min_dist 0.5 and spread 1, umap-learn 0.1 and 1"));
    }
    let points: Vec<(f64, f64)> = (0..N_POINTS)
        .map(|it| {
            let d = 3.0 * spread * it as f64 / (N_POINTS - 1) as f64;
            (d, if d < min_dist { 1.0 } else { (-(d - min_dist) / spread).exp() })
        })
        .collect();
    let (mut curve, mut damping) = (Curve { a: 1.0, b: 1.0 }, 1e-3);
    let mut error = squared_error(curve, &points);
    // Levenberg-Marquardt on two parameters.
    for _ in 0..N_STEPS {
        let (hessian, gradient) = normal_equations(curve, &points);
        let (p, q, r) = (hessian[0] * (1.0 + damping), hessian[1], hessian[2] * (1.0 + damping));
        let det = p * r - q * q;
        let step = [(r * gradient[0] - q * gradient[1]) / det, (p * gradient[1] - q * gradient[0]) / det];
        let next = Curve { a: curve.a + step[0], b: curve.b + step[1] };
        let next_error = if next.a > 0.0 && next.b > 0.0 { squared_error(next, &points) } else { f64::INFINITY };
        if next_error <= error {
            let small = step[0].abs() < 1e-12 * curve.a && step[1].abs() < 1e-12 * curve.b;
            (curve, error, damping) = (next, next_error, damping * 0.1);
            if small {
                break;
            }
        } else {
            damping *= 10.0;
        }
    }
    Ok(curve)
}

fn squared_error(curve: Curve, points: &[(f64, f64)]) -> f64 {
    points.iter().map(|(d, y)| (y - 1.0 / (1.0 + curve.a * d.powf(2.0 * curve.b))).powi(2)).sum()
}

/// `JᵀJ` as `[aa, ab, bb]`, and `Jᵀ` of the residuals.
fn normal_equations(curve: Curve, points: &[(f64, f64)]) -> ([f64; 3], [f64; 2]) {
    let (mut hessian, mut gradient) = ([0.0; 3], [0.0; 2]);
    for (d, y) in points.iter().filter(|it| it.0 > 0.0) {
        let power = d.powf(2.0 * curve.b);
        let value = 1.0 / (1.0 + curve.a * power);
        let (by_a, by_b) = (-value * value * power, -value * value * curve.a * power * 2.0 * d.ln());
        hessian[0] += by_a * by_a;
        hessian[1] += by_a * by_b;
        hessian[2] += by_b * by_b;
        gradient[0] += by_a * (y - value);
        gradient[1] += by_b * (y - value);
    }
    (hessian, gradient)
}
