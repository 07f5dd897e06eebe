//! Least squares and its cluster-robust covariance.

use super::super::bootstrap::check_finite;
use super::super::input::{Donors, check_cells};
use super::super::linalg::Cholesky;
use super::design::{Covariate, Design};
use cellstone_core::{Error, Result};
use ndarray::{Array1, Array2};
use statrs::distribution::{ContinuousCDF, FisherSnedecor, StudentsT};

/// One coefficient with its error.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficient {
    /// Its column.
    pub name: String,
    /// Least squares.
    pub estimate: f64,
    /// Cluster-robust standard error.
    pub se: f64,
    /// `estimate/se`.
    pub t: f64,
    /// Clusters minus 1.
    pub df: f64,
    /// Two-sided, by Student's t.
    pub p: f64,
    /// Lower end of the 95 % interval.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

/// A joint test of several coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wald {
    /// `bᵀ V⁻¹ b/m`.
    pub f: f64,
    /// Number of coefficients, and clusters minus 1.
    pub df: (f64, f64),
    /// p-value by the F law.
    pub p: f64,
}

/// A fitted regression.
#[derive(Debug, Clone)]
pub struct ClusterFit {
    /// Cells.
    pub n_obs: usize,
    /// Clusters.
    pub n_clusters: usize,
    /// Columns with the intercept.
    pub n_columns: usize,
    /// Columns that depend on earlier ones.
    pub dropped: Vec<String>,
    /// Share of the variance that is explained.
    pub r2: f64,
    pub(crate) design: Design,
    pub(crate) clusters: Donors,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) inverse: Array2<f64>,
    /// In the units of the design.
    pub(crate) beta: Array1<f64>,
    pub(crate) covariance: Array2<f64>,
    pub(crate) residual: Vec<f64>,
}

/// Fits `y` on an intercept and covariates by (weighted) least squares, with errors alike within clusters.
///
/// `V = G/(G−1) · (n−1)/(n−k) · (XᵀX)⁻¹ (Σ_g X_gᵀ u_g u_gᵀ X_g) (XᵀX)⁻¹` (CR1), tests by Student's t with G − 1 degrees
/// of freedom, k the number of columns that are left. A column that depends on earlier ones is dropped and named: put
/// what you ask about last, so that it is lost rather than misread.
///
/// # Errors
/// If lengths differ, a value is not finite, a weight is not positive, there are fewer than two clusters, or not more
/// cells than columns.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::{Covariate, cluster_regression};
/// let x = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
/// let y = [1.0, 3.1, 4.9, 7.0, 9.1, 10.9];
/// let fit = cluster_regression(&y, &[Covariate::Numeric { name: "x", values: &x }], &[0, 0, 1, 1, 2, 2], None)?;
/// assert!((fit.coefficient("x").unwrap().estimate - 1.988_571_4).abs() < 1e-6);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Liang and Zeger 1986, doi:10.1093/biomet/73.1.13; Cameron and Miller 2015, doi:10.3368/jhr.50.2.317.
pub fn cluster_regression(
    y: &[f64],
    covariates: &[Covariate<'_>],
    cluster: &[u32],
    weights: Option<&[f64]>,
) -> Result<ClusterFit> {
    check_finite("outcome", y)?;
    check_cells("clusters", cluster.len(), y.len())?;
    if let Some(weights) = weights {
        check_cells("weights", weights.len(), y.len())?;
        if let Some(cell) = weights.iter().position(|it| !(it.is_finite() && *it > 0.0)) {
            return Err(Error::invalid_input(format!("cell {cell} has weight {}", weights[cell])));
        }
    }
    let design = Design::new(y.len(), covariates, weights)?;
    let clusters = Donors::new(cluster);
    if clusters.len() < 2 || y.len() <= design.n_columns() {
        let (n, g, k) = (y.len(), clusters.len(), design.n_columns());
        return Err(Error::invalid_input(format!(
            "{n} cells of {g} donors for {k} columns, expected two donors and more cells than columns"
        )));
    }
    let Some(factor) = Cholesky::new(&design.gram) else {
        return Err(Error::not_converged("normal equations of the regression are not positive definite"));
    };
    let (beta, residual) = solve(&design, &factor, y, weights);
    let inverse = factor.inverse();
    let scores = design.scores(&residual, &clusters.of, clusters.len(), weights);
    let half = scores.dot(&inverse);
    let (n, g, k) = (y.len() as f64, clusters.len() as f64, design.n_columns() as f64);
    let covariance = half.t().dot(&half) * (g / (g - 1.0) * (n - 1.0) / (n - k));
    Ok(ClusterFit {
        n_obs: y.len(),
        n_clusters: clusters.len(),
        n_columns: design.n_columns(),
        dropped: design.dropped.clone(),
        r2: r2(y, &residual, weights),
        clusters,
        weights: weights.map(<[f64]>::to_vec),
        inverse,
        beta,
        covariance,
        residual,
        design,
    })
}

/// Normal equations with two steps of refinement, which gives back the digits that forming `XᵀX` loses.
pub(crate) fn solve(design: &Design, factor: &Cholesky, y: &[f64], weights: Option<&[f64]>) -> (Array1<f64>, Vec<f64>) {
    let mut beta = Array1::zeros(design.n_columns());
    let mut residual = y.to_vec();
    for _ in 0..3 {
        beta += &factor.solve(design.back(&residual, weights).view());
        residual = y.iter().enumerate().map(|(row, y)| y - design.predict(row, &beta)).collect();
    }
    (beta, residual)
}

fn r2(y: &[f64], residual: &[f64], weights: Option<&[f64]>) -> f64 {
    let w = |row: usize| weights.map_or(1.0, |it| it[row]);
    let total: f64 = (0..y.len()).map(w).sum();
    let mean = y.iter().enumerate().map(|(row, y)| w(row) * y).sum::<f64>() / total;
    let all: f64 = y.iter().enumerate().map(|(row, y)| w(row) * (y - mean).powi(2)).sum();
    let left: f64 = residual.iter().enumerate().map(|(row, it)| w(row) * it * it).sum();
    if all > 0.0 { 1.0 - left / all } else { 0.0 }
}

impl ClusterFit {
    pub(crate) fn column(&self, name: &str) -> Result<usize> {
        let found = self.design.names.iter().position(|it| it == name);
        found.filter(|it| *it > 0).ok_or_else(|| {
            let error = Error::invalid_input(format!("no coefficient of `{name}`"));
            if self.dropped.iter().any(|it| it == name) {
                error
                    .with_hint(format!("`{name}` is a combination of the other columns: the data cannot separate them"))
            } else {
                error
            }
        })
    }

    /// Outcomes minus fitted values.
    pub fn residuals(&self) -> &[f64] {
        &self.residual
    }

    /// Names of the coefficients without the intercept.
    pub fn names(&self) -> &[String] {
        &self.design.names[1..]
    }

    /// A coefficient in the unit of its column.
    ///
    /// # Errors
    /// If there is no such column; the hint says if it was dropped.
    pub fn coefficient(&self, name: &str) -> Result<Coefficient> {
        let at = self.column(name)?;
        let scale = self.design.scale[at];
        let (estimate, se) = (self.beta[at] * scale, self.covariance[[at, at]].max(0.0).sqrt() * scale);
        let df = self.n_clusters as f64 - 1.0;
        let law = StudentsT::new(0.0, 1.0, df).expect("invariant: there are at least two clusters");
        let t = if se > 0.0 { estimate / se } else { 0.0 };
        let p = if se > 0.0 { (2.0 * law.sf(t.abs())).min(1.0) } else { 1.0 };
        let half = law.inverse_cdf(0.975) * se;
        Ok(Coefficient { name: name.to_owned(), estimate, se, t, df, p, lo: estimate - half, hi: estimate + half })
    }

    /// Tests that several coefficients are all zero.
    ///
    /// # Errors
    /// If a column does not exist, or their covariance is singular (fewer clusters than coefficients).
    pub fn wald(&self, names: &[&str]) -> Result<Wald> {
        let at = names.iter().map(|it| self.column(it)).collect::<Result<Vec<_>>>()?;
        let b = Array1::from_iter(at.iter().map(|it| self.beta[*it]));
        let v = super::super::linalg::submatrix(&self.covariance, &at);
        let Some(factor) = Cholesky::new(&v) else {
            return Err(Error::invalid_input(format!(
                "covariance of {} coefficients from {} donors is singular",
                at.len(),
                self.n_clusters
            )));
        };
        let df = (at.len() as f64, self.n_clusters as f64 - 1.0);
        let f = b.dot(&factor.solve(b.view())) / df.0;
        let law = FisherSnedecor::new(df.0, df.1).expect("invariant: degrees of freedom are positive");
        Ok(Wald { f, df, p: law.sf(f) })
    }
}
