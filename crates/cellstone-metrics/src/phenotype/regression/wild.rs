//! The wild cluster bootstrap: p-values and intervals that hold with few donors.

use super::super::linalg::{Cholesky, submatrix};
use super::fit::ClusterFit;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result, Seed};
use ndarray::{Array1, Array2};
use rand::Rng;

/// Draws per random stream: fixed, so that results do not depend on threads.
const BLOCK: usize = 256;

/// The result of [`wild_bootstrap`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WildTest {
    /// Two-sided p-value of a zero coefficient.
    pub p: f64,
    /// Lower end of the 95 % interval: the values the test does not reject.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Number of draws.
    pub draws: usize,
}

/// Tests one coefficient by the restricted wild cluster bootstrap-t with Webb's six weights.
///
/// Under the hypothesis `b = b₀` the model is refitted, the residuals of each cluster are multiplied by one of
/// `±√1.5, ±1, ±√0.5`, and `t* = (b* − b₀)/se*` with CR1 errors is compared with `t`: `p = (1 + #{|t*| ≥ |t|})/(1 +
/// B)`. The interval inverts the test with the same draws. Every draw is a handful of sums over pairs of clusters; no
/// refit.
///
/// # Errors
/// If there is no such column or no draw.
///
/// # References
/// Cameron et al. 2008, doi:10.1162/rest.90.3.414; Webb 2023, doi:10.1111/caje.12661; Roodman et al. 2019,
/// doi:10.1177/1536867X19830877 (algebra).
pub fn wild_bootstrap(fit: &ClusterFit, y: &[f64], name: &str, draws: usize, seed: Seed) -> Result<WildTest> {
    super::super::input::check_cells("outcomes", y.len(), fit.n_obs)?;
    let column = fit.column(name)?;
    if draws == 0 {
        return Err(Error::config("no draw of the wild bootstrap, expected at least one"));
    }
    let parts = Parts::new(fit, y, column)?;
    let seed = seed.derive("wild_bootstrap");
    let n = fit.n_clusters;
    let stats: Vec<Draw> = map_ordered(draws.div_ceil(BLOCK), |block| {
        let mut rng = seed.derive_index(block as u64).rng();
        let count = BLOCK.min(draws - block * BLOCK);
        (0..count).map(|_| parts.draw(&webb(n, &mut rng))).collect::<Vec<_>>()
    })
    .concat();
    let coefficient = fit.coefficient(name)?;
    let scale = fit.design.scale[column];
    let (b, se) = (coefficient.estimate / scale, coefficient.se / scale);
    let p = |b0: f64| share(&stats, b0, if se > 0.0 { (b - b0) / se } else { 0.0 });
    let end = |side: f64| scale * edge(b, side * se, &p);
    let (lo, hi) = (end(-1.0), end(1.0));
    Ok(WildTest { p: p(0.0), lo, hi, draws })
}

/// Webb's weights: six values with mean 0 and variance 1.
fn webb(n: usize, rng: &mut impl Rng) -> Array1<f64> {
    let root = |it: u64| [1.5_f64, 1.0, 0.5][it as usize].sqrt();
    Array1::from_iter((0..n).map(|_| {
        let at = ((rng.next_u64() >> 32) * 6) >> 32;
        if at < 3 { root(at) } else { -root(at - 3) }
    }))
}

/// How far the interval reaches on one side: the first value that is rejected.
fn edge(b: f64, step: f64, p: &impl Fn(f64) -> f64) -> f64 {
    if step == 0.0 {
        return b;
    }
    let (mut inside, mut outside, mut far) = (b, b + 2.0 * step, 2.0);
    while p(outside) > 0.05 && far < 1e4 {
        inside = outside;
        far *= 2.0;
        outside = b + far * step;
    }
    for _ in 0..60 {
        let middle = 0.5 * (inside + outside);
        if p(middle) > 0.05 {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    0.5 * (inside + outside)
}

/// One draw as functions of the hypothesis `b₀`: the difference is `y − b₀ x`, the variance `yy − 2 b₀ xy + b₀² xx`.
#[derive(Debug, Clone, Copy)]
struct Draw {
    y: f64,
    x: f64,
    yy: f64,
    xy: f64,
    xx: f64,
}

fn share(stats: &[Draw], b0: f64, t: f64) -> f64 {
    let reached = t * t * (1.0 - 1e-12);
    let hits = stats.iter().filter(|it| {
        let difference = it.y - b0 * it.x;
        let variance = (it.yy - 2.0 * b0 * it.xy + b0 * b0 * it.xx).max(0.0);
        difference * difference >= reached * variance
    });
    (1 + hits.count()) as f64 / (1 + stats.len()) as f64
}

/// What draws need: sums over pairs of clusters, for the outcome and for the column itself.
struct Parts {
    /// `qᵀ X_gᵀ W_g r_g` of the restricted residuals of the outcome and of the column.
    a: [Array1<f64>; 2],
    /// `δ_gh a_g − qᵀ X_gᵀ W_g X_g (XᵀWX)⁻¹ X_hᵀ W_h r_h`.
    c: [Array2<f64>; 2],
    correction: f64,
}

impl Parts {
    fn new(fit: &ClusterFit, y: &[f64], column: usize) -> Result<Self> {
        let design = &fit.design;
        let q = fit.inverse.column(column).to_owned();
        // X_gᵀ W_g X_g q of every cluster: the back-projection of the fitted values of q.
        let fitted: Vec<f64> = (0..fit.n_obs).map(|row| design.predict(row, &q)).collect();
        let weights = fit.weights.as_deref();
        let n = fit.n_clusters;
        let through = design.scores(&fitted, &fit.clusters.of, n, weights).dot(&fit.inverse);
        let x: Vec<f64> = {
            let mut unit = Array1::zeros(design.n_columns());
            unit[column] = 1.0;
            (0..fit.n_obs).map(|row| design.predict(row, &unit)).collect()
        };
        let part = |z: &[f64]| -> Result<(Array1<f64>, Array2<f64>)> {
            let residual = restricted(fit, z, column)?;
            let scores = design.scores(&residual, &fit.clusters.of, n, weights);
            let a = scores.dot(&q);
            let mut c = -through.dot(&scores.t());
            (0..n).for_each(|it| c[[it, it]] += a[it]);
            Ok((a, c))
        };
        let ((ay, cy), (ax, cx)) = (part(y)?, part(&x)?);
        let (n_obs, g, k) = (fit.n_obs as f64, n as f64, fit.n_columns as f64);
        Ok(Self { a: [ay, ax], c: [cy, cx], correction: g / (g - 1.0) * (n_obs - 1.0) / (n_obs - k) })
    }

    fn draw(&self, v: &Array1<f64>) -> Draw {
        let (cy, cx) = (self.c[0].dot(v), self.c[1].dot(v));
        Draw {
            y: self.a[0].dot(v),
            x: self.a[1].dot(v),
            yy: self.correction * cy.dot(&cy),
            xy: self.correction * cy.dot(&cx),
            xx: self.correction * cx.dot(&cx),
        }
    }
}

/// Residuals on all columns but one.
fn restricted(fit: &ClusterFit, z: &[f64], column: usize) -> Result<Vec<f64>> {
    let others: Vec<usize> = (0..fit.n_columns).filter(|it| *it != column).collect();
    let Some(factor) = Cholesky::new(&submatrix(&fit.design.gram, &others)) else {
        return Err(Error::not_converged("normal equations without the tested column are not positive definite"));
    };
    let weights = fit.weights.as_deref();
    let mut beta = Array1::zeros(fit.n_columns);
    let mut residual = z.to_vec();
    for _ in 0..3 {
        let back = fit.design.back(&residual, weights);
        let step = factor.solve(Array1::from_iter(others.iter().map(|it| back[*it])).view());
        others.iter().zip(&step).for_each(|(at, it)| beta[*at] += it);
        residual = z.iter().enumerate().map(|(row, z)| z - fit.design.predict(row, &beta)).collect();
    }
    Ok(residual)
}

#[cfg(test)]
mod tests {
    use super::super::{Covariate, cluster_regression};
    use super::*;
    use rand::RngExt;

    /// The definition: refit on `ŷ + v ∘ u` for given signs.
    #[test]
    fn a_draw_is_a_refit() {
        let mut rng = Seed::new(4).rng();
        let (n, g) = (60, 7);
        let cluster: Vec<u32> = (0..n).map(|it| it % g).collect();
        let x: Vec<f64> = cluster.iter().map(|it| f64::from(*it) + rng.random::<f64>()).collect();
        let z: Vec<f64> = (0..n).map(|_| rng.random()).collect();
        let y: Vec<f64> = (0..n as usize).map(|it| 0.3 * x[it] - z[it] + rng.random::<f64>()).collect();
        let weights: Vec<f64> = (0..n).map(|it| 1.0 + f64::from(it % 3)).collect();
        let columns = [Covariate::Numeric { name: "z", values: &z }, Covariate::Numeric { name: "x", values: &x }];
        let fit = cluster_regression(&y, &columns, &cluster, Some(&weights)).expect("valid");
        let at = fit.column("x").expect("there");
        let parts = Parts::new(&fit, &y, at).expect("definite");
        let v = webb(g as usize, &mut rng);
        let b0 = 0.1;
        // In the unit of the design.
        let scaled = b0 / fit.design.scale[at];
        let moved: Vec<f64> = y.iter().zip(&x).map(|(y, x)| y - b0 * x).collect();
        let r = restricted(&fit, &moved, at).expect("definite");
        let again: Vec<f64> = (0..n as usize).map(|it| y[it] - r[it] + v[cluster[it] as usize] * r[it]).collect();
        let refit = cluster_regression(&again, &columns, &cluster, Some(&weights)).expect("valid");
        let want = refit.coefficient("x").expect("there");
        let it = parts.draw(&v);
        let difference = (it.y - scaled * it.x) * fit.design.scale[at];
        let se = (it.yy - 2.0 * scaled * it.xy + scaled * scaled * it.xx).sqrt() * fit.design.scale[at];
        assert!((difference - (want.estimate - b0)).abs() < 1e-10, "{difference} {}", want.estimate - b0);
        assert!((se - want.se).abs() < 1e-10, "{se} {}", want.se);
    }
}
