//! Principal components of sparse matrices and of streams, centred without being made dense.

use super::band::Band;
use super::chebyshev::leading_of;
use super::model::{Pca, check_k, shares};
use super::operator::{Rows, covariance_times, moments, project};
use super::solver::{Wanted, leading};
use crate::linalg::{fix_signs, last_reversed, sym_eig};
use cellstone_core::{CountSource, Csr, Error, Result, Seed};
use ndarray::{Array1, Array2};

/// Up to here the whole spectrum of the covariance is as quick as an iteration.
const SMALL: usize = 400;

/// Columns up to which [`PcaRoute::Auto`] forms the covariance: 128 MiB of it.
const COVARIANCE_VARS: usize = 4096;

/// Applications of the operator that an iteration is expected to take, for the choice of route.
const EXPECTED_PASSES: usize = 40;

/// How a sparse matrix is turned into components. Both routes give the same numbers within the tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PcaRoute {
    /// The cheaper one for the shape; a stream of up to 4,096 columns is read twice only.
    Auto,
    /// One pass forms the covariance `[n_vars, n_vars]`, and the iteration runs on it.
    Covariance,
    /// Every step of the iteration passes over the rows; memory stays at a few `[n_vars, k]`.
    Products,
}

/// Parameters of [`pca_sparse`] and [`pca_stream`].
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `seed` | 0 | start of the iteration; moves the result within `tol` only | any |
/// | `max_iter` | 300 | applications of the covariance to a block before giving up | ≥ 2 |
/// | `tol` | 1e-8 | bound on `‖C v − λ v‖ / λ` for each component | 0 < tol < 1 |
/// | `n_oversample` | 10 | vectors carried beyond `k` | any |
/// | `route` | auto | see [`PcaRoute`] | – |
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SparsePcaParams {
    /// Start of the iteration.
    pub seed: Seed,
    /// Applications of the covariance to a block of vectors before giving up.
    pub max_iter: usize,
    /// Bound on the relative residual of every component.
    pub tol: f64,
    /// Vectors carried beyond the wanted ones.
    pub n_oversample: usize,
    /// How.
    pub route: PcaRoute,
}

impl Default for SparsePcaParams {
    fn default() -> Self {
        Self { seed: Seed::new(0), max_iter: 300, tol: 1e-8, n_oversample: 10, route: PcaRoute::Auto }
    }
}

/// The first `k` principal components of a sparse matrix `[n_obs, n_vars]`, column means subtracted implicitly.
///
/// Converges to a relative residual of `tol`: eigenvalues are then good to about `tol²`, directions to `tol` over the
/// relative gap to the next eigenvalue. Same bits for any number of threads.
///
/// # Errors
/// If `k` is not in `1..=min(n_obs, n_vars)`, a parameter is out of range, a value is not finite, or the iteration does
/// not converge in `max_iter` applications.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// use cellstone_prep::{SparsePcaParams, pca_sparse};
/// use ndarray::array;
/// let x = Csr::from_dense(&array![[0.0_f32, 0.0], [2.0, 2.0], [4.0, 4.0]]);
/// let pca = pca_sparse(&x, 1, &SparsePcaParams::default())?;
/// assert!((pca.explained_variance[0] - 8.0).abs() < 1e-12);
/// assert_eq!(pca.mean, array![2.0, 2.0]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Golden: `sklearn.decomposition.PCA(svd_solver="full")` of scikit-learn on the dense matrix.
pub fn pca_sparse(x: &Csr<f32>, k: usize, params: &SparsePcaParams) -> Result<Pca> {
    let (n, p) = x.shape();
    check_k(k, n, p)?;
    let by_covariance = match params.route {
        PcaRoute::Covariance => true,
        PcaRoute::Products => false,
        PcaRoute::Auto => p <= SMALL || (p <= COVARIANCE_VARS && is_covariance_cheaper(x, k + params.n_oversample)),
    };
    components(&Rows::memory(x, !by_covariance), k, params, |_| by_covariance)
}

/// The first `k` principal components of a stream of cells, each block changed by `prepare` before use.
///
/// Memory is bounded by one block, the scores and, up to 4,096 columns or on request, the covariance. With the
/// covariance the source is read twice; else once for every step of the iteration and twice more.
/// `prepare` must treat a block like any other cutting of the same rows (normalising row by row does), and may leave
/// out columns as long as it leaves out the same ones every time.
///
/// # Errors
/// As [`pca_sparse`], and whatever the source fails with.
pub fn pca_stream(
    source: &dyn CountSource,
    prepare: &(dyn Fn(&mut Csr<f32>) + Sync),
    k: usize,
    params: &SparsePcaParams,
) -> Result<Pca> {
    let route = params.route;
    components(&Rows::Stream(source, prepare), k, params, |p| match route {
        PcaRoute::Auto => p <= COVARIANCE_VARS,
        PcaRoute::Covariance => true,
        PcaRoute::Products => false,
    })
}

/// Compares multiply-adds of sparse products with those of the covariance, which run about four times as fast.
fn is_covariance_cheaper(x: &Csr<f32>, width: usize) -> bool {
    let (p, nnz) = (x.shape().1 as f64, x.nnz() as f64);
    // Half of the covariance, and its reduction to a band.
    let covariance = (nnz * p / 2.0 + 8.0 / 3.0 * p.powi(3)) / 4.0;
    covariance < (2 * EXPECTED_PASSES * width) as f64 * nnz
}

fn check_params(params: &SparsePcaParams) -> Result<()> {
    if !(params.tol > 0.0 && params.tol < 1.0) {
        return Err(Error::config(format!("pca tol is {}, expected a number between 0 and 1", params.tol)));
    }
    if params.max_iter < 2 {
        return Err(Error::config(format!("pca max_iter is {}, expected at least 2", params.max_iter)));
    }
    Ok(())
}

fn components(rows: &Rows<'_>, k: usize, params: &SparsePcaParams, with_gram: impl Fn(usize) -> bool) -> Result<Pca> {
    check_params(params)?;
    let mut found = moments(rows, with_gram)?;
    let p = found.mean.len();
    check_k(k, found.n, p)?;
    let wanted =
        Wanted { k, width: k + params.n_oversample, tol: params.tol, max_iter: params.max_iter, seed: params.seed };
    let (values, mut loadings) = match found.gram.take() {
        Some(gram) if p <= SMALL.max(3 * wanted.width) => whole(&gram, k)?,
        Some(gram) => {
            let band = Band::new(gram);
            let (values, vectors) = match leading_of(&band, &wanted)? {
                Some(found) => found,
                None => leading(p, &wanted, |q| Ok(band.times(q)))?,
            };
            (values, band.back(vectors))
        }
        None => leading(p, &wanted, |q| covariance_times(rows, &found, q))?,
    };
    fix_signs(&mut loadings);
    let divisor = (found.n - 1) as f64;
    let explained_variance = values / divisor;
    let total = found.total / divisor;
    Ok(Pca {
        scores: project(rows, &found, &loadings)?,
        loadings,
        explained_variance_ratio: shares(&explained_variance, total),
        explained_variance,
        total_variance: total,
        mean: found.mean,
    })
}

/// All eigenvectors of a small covariance, cut to the first.
fn whole(gram: &Array2<f64>, k: usize) -> Result<(Array1<f64>, Array2<f64>)> {
    let (values, vectors) = sym_eig(gram)?;
    let (values, vectors) = last_reversed(&values, &vectors, k);
    Ok((values.mapv(|it| it.max(0.0)), vectors))
}
