//! Distance to the nearest class with one shared covariance.

use super::super::input::check_truth;
use super::super::linalg::Cholesky;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result};
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};

/// Cells that are compared together.
const BLOCK: usize = 512;

/// The covariance of centred rows, shrunk towards a multiple of the identity: `(covariance, shrinkage)`.
///
/// `Σ̂ = (1−δ) S + δ μ I` with `S = XᵀX/n`, `μ = tr S/d` and the δ of Ledoit and Wolf in [0, 1]. Rows are taken as they
/// are: centre them first.
///
/// # Errors
/// If there is no row or no column, or a value is not finite.
///
/// # References
/// Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4.
pub fn ledoit_wolf(x: ArrayView2<'_, f64>) -> Result<(Array2<f64>, f64)> {
    let (n, d) = x.dim();
    if n == 0 || d == 0 {
        return Err(Error::invalid_input(format!("{n} cells of {d} dimensions have no covariance")));
    }
    let s = x.t().dot(&x) / n as f64;
    if s.iter().any(|it| !it.is_finite()) {
        return Err(Error::invalid_input("a vector is not finite"));
    }
    let mu = s.diag().sum() / d as f64;
    // Mean of squared entries of x xᵀ minus those of S: how uncertain S is.
    let fourth = x.rows().into_iter().map(|row| row.dot(&row).powi(2)).sum::<f64>() / n as f64;
    let squares = s.iter().map(|it| it * it).sum::<f64>();
    let uncertain = (fourth - squares) / n as f64;
    let apart = squares - d as f64 * mu * mu;
    let delta = if apart > 0.0 { (uncertain / apart).clamp(0.0, 1.0) } else { 1.0 };
    let mut out = s * (1.0 - delta);
    (0..d).for_each(|it| out[[it, it]] += delta * mu);
    Ok((out, delta))
}

/// Class means and shared covariances, with and without classes.
#[derive(Debug, Clone)]
pub struct Mahalanobis {
    within: Whitened,
    overall: Whitened,
    /// Shrinkage of the shared covariance.
    pub shrinkage: f64,
}

/// Means in coordinates in which the covariance is the identity.
#[derive(Debug, Clone)]
struct Whitened {
    whiten: Array2<f64>,
    means: Array2<f64>,
    norms: Array1<f64>,
}

impl Mahalanobis {
    /// Fits on training vectors `[n_obs, d]` and their classes; classes without cells are left out.
    ///
    /// # Errors
    /// If lengths differ, a class is out of range, a value is not finite, or all vectors of a dimension's space are
    /// equal.
    ///
    /// # References
    /// Lee et al. 2018, arXiv:1807.03888; Ren et al. 2021, arXiv:2106.09022 (relative).
    pub fn fit(x: ArrayView2<'_, f64>, class: &[u32], n_classes: usize) -> Result<Self> {
        check_truth(class, x.nrows(), n_classes)?;
        let mut means = Array2::<f64>::zeros((n_classes, x.ncols()));
        let mut sizes = vec![0.0_f64; n_classes];
        for (row, class) in x.rows().into_iter().zip(class) {
            means.row_mut(*class as usize).scaled_add(1.0, &row);
            sizes[*class as usize] += 1.0;
        }
        let overall = means.sum_axis(Axis(0)) / (x.nrows().max(1) as f64);
        means.rows_mut().into_iter().zip(&sizes).for_each(|(mut row, n)| row /= n.max(1.0));
        let mut within = x.to_owned();
        within.rows_mut().into_iter().zip(class).for_each(|(mut row, it)| row -= &means.row(*it as usize));
        let there: Vec<usize> = (0..n_classes).filter(|it| sizes[*it] > 0.0).collect();
        let (covariance, shrinkage) = ledoit_wolf(within.view())?;
        let all = ledoit_wolf((&x - &overall).view())?.0;
        Ok(Self {
            within: Whitened::new(&covariance, &means.select(Axis(0), &there))?,
            overall: Whitened::new(&all, &overall.insert_axis(Axis(0)))?,
            shrinkage,
        })
    }

    /// The squared distance to the nearest class of every row.
    ///
    /// # Errors
    /// If the number of dimensions differs.
    pub fn score(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>> {
        self.within.nearest(x)
    }

    /// The same minus the squared distance to the mean of all cells: what no class explains.
    ///
    /// # Errors
    /// As [`Self::score`].
    pub fn relative(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>> {
        let overall = self.overall.nearest(x)?;
        Ok(self.within.nearest(x)?.into_iter().zip(overall).map(|(a, b)| a - b).collect())
    }
}

impl Whitened {
    fn new(covariance: &Array2<f64>, means: &Array2<f64>) -> Result<Self> {
        let Some(factor) = Cholesky::new(covariance) else {
            return Err(Error::invalid_input("the covariance of the vectors is singular: they are all equal")
                .with_hint("leave out constant embeddings"));
        };
        let whiten = factor.inverse_factor().t().as_standard_layout().into_owned();
        let means = means.dot(&whiten);
        let norms = means.map_axis(Axis(1), |it| it.dot(&it));
        Ok(Self { whiten, means, norms })
    }

    fn nearest(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>> {
        if x.ncols() != self.whiten.nrows() {
            let expected = self.whiten.nrows();
            return Err(Error::invalid_input(format!("vectors of {} dimensions, expected {expected}", x.ncols())));
        }
        let blocks = map_ordered(x.nrows().div_ceil(BLOCK), |block| {
            let rows = x.slice_axis(Axis(0), Slice::from(block * BLOCK..x.nrows().min((block + 1) * BLOCK)));
            let rows = rows.dot(&self.whiten);
            let products = rows.dot(&self.means.t());
            let nearest = |(row, along): (ndarray::ArrayView1<'_, f64>, ndarray::ArrayView1<'_, f64>)| {
                let gaps = along.iter().zip(&self.norms).map(|(it, norm)| norm - 2.0 * it);
                (row.dot(&row) + gaps.fold(f64::INFINITY, f64::min)).max(0.0)
            };
            rows.rows().into_iter().zip(products.rows()).map(nearest).collect::<Vec<f64>>()
        });
        Ok(blocks.concat())
    }
}
