//! Exact principal components of a dense matrix.

use super::model::{Pca, check_k, shares};
use crate::linalg::{check_finite, columns, fix_signs, gram, gram_t, last_reversed, matmul, sym_eig, thin_svd};
use cellstone_core::Result;
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};

/// The Gram route is trusted while the last wanted variance is at least this share of the first.
///
/// A Gram matrix squares singular values: relative errors of the variances and, with well-separated components, of the
/// directions are about 1e-16 over this share. Below it the singular value decomposition takes over.
const TRUSTED: f64 = 1e-5;

/// The first `k` principal components of `x` `[n_obs, n_vars]`, exactly.
///
/// With `center` the column means are subtracted; without, directions and variances are about zero.
/// Long or wide matrices go through the smaller Gram matrix when the wanted variances are large enough for its accuracy
/// (relative errors below 1e-10), everything else through the singular value decomposition.
/// Components beyond the rank have zero variance and some orthonormal direction.
///
/// # Errors
/// If `k` is not in `1..=min(n_obs, n_vars)`, there are fewer than two rows, or a value is not finite.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let x = array![[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]];
/// let pca = cellstone_prep::pca_dense(&x.view(), 1, true)?;
/// assert!((pca.explained_variance[0] - 8.0).abs() < 1e-12);
/// assert!((pca.explained_variance_ratio[0] - 1.0).abs() < 1e-12);
/// assert!((pca.loadings[[0, 0]] - 0.5_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Golden: `sklearn.decomposition.PCA(svd_solver="full")` of scikit-learn.
pub fn pca_dense(x: &ArrayView2<'_, f64>, k: usize, center: bool) -> Result<Pca> {
    let (n, p) = x.dim();
    check_k(k, n, p)?;
    check_finite(x)?;
    let mean = if center { column_means(x) } else { Array1::zeros(p) };
    let centered = x - &mean;
    let divisor = (n - 1) as f64;
    let total = centered.iter().map(|it| it * it).sum::<f64>() / divisor;
    let (short, long) = (n.min(p), n.max(p));
    let by_gram = if long >= 2 * short && short > 1 { by_gram(&centered, k)? } else { None };
    let (mut loadings, sigma, scores) = match by_gram {
        Some(found) => found,
        None => by_svd(&centered, k)?,
    };
    let signs = Array1::from(fix_signs(&mut loadings));
    let explained_variance = sigma.mapv(|it| it * it / divisor);
    Ok(Pca {
        scores: scores * &signs,
        loadings,
        mean,
        explained_variance_ratio: shares(&explained_variance, total),
        explained_variance,
        total_variance: total,
    })
}

/// `(loadings, singular values, scores)`, before signs.
type Parts = (Array2<f64>, Array1<f64>, Array2<f64>);

fn by_svd(x: &Array2<f64>, k: usize) -> Result<Parts> {
    let (u, sigma, vt) = thin_svd(&x.view())?;
    let sigma = sigma.slice_axis(Axis(0), Slice::from(..k)).to_owned();
    let scores = &columns(&u, 0..k) * &sigma;
    let loadings = vt.slice_axis(Axis(0), Slice::from(..k)).t().as_standard_layout().into_owned();
    Ok((loadings, sigma, scores))
}

/// Through the smaller Gram matrix, or `None` where squaring would cost accuracy.
fn by_gram(x: &Array2<f64>, k: usize) -> Result<Option<Parts>> {
    let wide = x.ncols() > x.nrows();
    let (values, vectors) = sym_eig(&if wide { gram(&x.view()) } else { gram_t(&x.view()) })?;
    let (values, top) = last_reversed(&values, &vectors, k);
    if !(values[0] > 0.0 && values[k - 1] >= TRUSTED * values[0]) {
        return Ok(None);
    }
    if !wide {
        let scores = matmul(&x.view(), &top.view());
        let sigma = lengths(&scores);
        return Ok(Some((top, sigma, scores)));
    }
    let mut loadings = matmul(&x.t(), &top.view());
    let sigma = lengths(&loadings);
    loadings /= &sigma;
    Ok(Some((loadings, sigma.clone(), top * &sigma)))
}

fn lengths(x: &Array2<f64>) -> Array1<f64> {
    x.mapv(|it| it * it).sum_axis(Axis(0)).mapv(f64::sqrt)
}

/// Means of the columns, about the first row so that a large common offset costs no digits.
fn column_means(x: &ArrayView2<'_, f64>) -> Array1<f64> {
    let origin = x.row(0).to_owned();
    let mut sums = Array1::<f64>::zeros(x.ncols());
    for row in x.rows() {
        ndarray::Zip::from(&mut sums).and(&row).and(&origin).for_each(|sum, it, at| *sum += it - at);
    }
    origin + sums / x.nrows() as f64
}
