//! UMAP: a layout of cells in which connected cells are near.

mod curve;
mod layout;
mod spectral;

pub use curve::{Curve, fit_curve};
pub use spectral::spectral_layout;

use crate::graph::check_graph;
use cellstone_core::{Csr, Error, Result, Seed};
use layout::Layout;
use ndarray::{Array2, ArrayView2};

/// Where the layout starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum UmapInit<'a> {
    /// From [`spectral_layout`] of the graph.
    Spectral,
    /// From given positions `[n_obs, n_components]`, for example the first principal components.
    Given(ArrayView2<'a, f64>),
}

/// Parameters of [`umap`]; [`UmapParams::new`] has the defaults of umap-learn and scanpy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UmapParams<'a> {
    /// Dimensions of the layout, 1 to 5.
    pub n_components: usize,
    /// Distance at which near cells come to lie.
    pub min_dist: f64,
    /// Scale of the layout; not below `min_dist`.
    pub spread: f64,
    /// Epochs; `None` for 500 up to 10,000 cells and 200 above.
    pub n_epochs: Option<usize>,
    /// First step length, falling to 0.
    pub learning_rate: f64,
    /// Cells pushed away for every edge that pulls.
    pub negative_sample_rate: usize,
    /// Strength of the push.
    pub repulsion: f64,
    /// Where the layout starts.
    pub init: UmapInit<'a>,
    /// Start and negative samples.
    pub seed: Seed,
}

impl UmapParams<'_> {
    /// Two dimensions, `min_dist` 0.5 as in scanpy, from the spectral layout.
    pub const fn new(seed: Seed) -> Self {
        Self {
            n_components: 2,
            min_dist: 0.5,
            spread: 1.0,
            n_epochs: None,
            learning_rate: 1.0,
            negative_sample_rate: 5,
            repulsion: 1.0,
            init: UmapInit::Spectral,
            seed,
        }
    }

    fn check(&self, n: usize) -> Result<()> {
        if !(1..=5).contains(&self.n_components) {
            return Err(Error::config(format!("n_components is {}, expected 1 to 5", self.n_components)));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(Error::config(format!("learning_rate is {}, expected above 0", self.learning_rate)));
        }
        if !(self.repulsion >= 0.0 && self.repulsion.is_finite()) {
            return Err(Error::config(format!("repulsion is {}, expected 0 or above", self.repulsion)));
        }
        if self.n_epochs == Some(0) {
            return Err(Error::config("n_epochs is 0, expected at least 1"));
        }
        if let UmapInit::Given(start) = self.init {
            if start.dim() != (n, self.n_components) {
                return Err(Error::invalid_input(format!(
                    "start positions are {} × {}, expected {n} × {}",
                    start.nrows(),
                    start.ncols(),
                    self.n_components
                )));
            }
            if start.iter().any(|it| !it.is_finite()) {
                return Err(Error::invalid_input("start positions are not finite"));
            }
        }
        Ok(())
    }
}

/// The UMAP layout `[n_obs, n_components]` of a graph of cells (from [`fuzzy_graph`](crate::fuzzy_graph)).
///
/// Minimises the cross entropy between the weights of the graph and `1/(1 + a d^{2b})` of the layout by stochastic
/// gradient descent with negative sampling. Cells are in fixed blocks and pairs of blocks take turns, so that two
/// threads never move the same cell; pushes use positions from the start of the epoch, and their cells are drawn by seed,
/// edge and epoch. The result has the same bits with any number of threads.
///
/// Source: McInnes, Healy & Melville 2018, arXiv:1802.03426; schedule and constants from umap-learn 0.5
/// (`umap/layouts.py`).
///
/// # Errors
/// If the graph is not symmetric and non-negative, or a parameter is out of range.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// use cellstone_neighbors::{FuzzyParams, UmapParams, exact_knn, fuzzy_graph, umap};
/// let cells = ndarray::Array2::from_shape_fn((30, 2), |(i, j)| ((i / 15) * 9 + (i * (j + 2)) % 7) as f64);
/// let graph = fuzzy_graph(&exact_knn(cells.view(), 5)?, &FuzzyParams::default())?;
/// let layout = umap(&graph, &UmapParams { n_epochs: Some(20), ..UmapParams::new(Seed::new(0)) })?;
/// assert_eq!(layout.dim(), (30, 2));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn umap(graph: &Csr<f64>, params: &UmapParams<'_>) -> Result<Array2<f64>> {
    let n = graph.shape().0;
    params.check(n)?;
    check_graph(graph)?;
    let curve = fit_curve(params.spread, params.min_dist)?;
    let seed = params.seed.derive("umap");
    let start = match params.init {
        UmapInit::Spectral => spectral_layout(graph, params.n_components, seed)?,
        UmapInit::Given(start) => start.to_owned(),
    };
    Ok(match params.n_components {
        1 => Layout::<1>::new(&start, graph, curve, params, seed).run(),
        2 => Layout::<2>::new(&start, graph, curve, params, seed).run(),
        3 => Layout::<3>::new(&start, graph, curve, params, seed).run(),
        4 => Layout::<4>::new(&start, graph, curve, params, seed).run(),
        _ => Layout::<5>::new(&start, graph, curve, params, seed).run(),
    })
}
