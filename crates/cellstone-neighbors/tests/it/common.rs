//! Shared by the tests: stored references and simulated cells.

use cellstone_core::{Csr, Seed};
use ndarray::Array2;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Neighbours {
    pub(crate) indices: Vec<Vec<u32>>,
    pub(crate) distances: Vec<Vec<f64>>,
}

/// The upper triangle of a symmetric matrix.
#[derive(Deserialize)]
pub(crate) struct Triplets {
    pub(crate) rows: Vec<usize>,
    pub(crate) cols: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

#[derive(Deserialize)]
pub(crate) struct Partition {
    pub(crate) resolution: f64,
    pub(crate) quality: f64,
    pub(crate) labels: Vec<u32>,
}

#[derive(Deserialize)]
pub(crate) struct Golden {
    x: Vec<Vec<f64>>,
    pub(crate) euclidean: Neighbours,
    pub(crate) cosine: Neighbours,
    pub(crate) correlation: Neighbours,
    pub(crate) fuzzy: Triplets,
    pub(crate) gauss: Triplets,
    pub(crate) modularity: Vec<Partition>,
    pub(crate) cpm: Vec<Partition>,
    pub(crate) ab: Vec<[f64; 4]>,
    pub(crate) trustworthiness: Vec<f64>,
}

impl Golden {
    pub(crate) fn read() -> Self {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/neighbors/golden.json");
        serde_json::from_str(&std::fs::read_to_string(path).expect("stored")).expect("valid")
    }

    pub(crate) fn x(&self) -> Array2<f64> {
        Array2::from_shape_vec((self.x.len(), self.x[0].len()), self.x.concat()).expect("rows of one width")
    }

    /// The reference's fuzzy graph.
    pub(crate) fn graph(&self) -> Csr<f64> {
        let mut dense = Array2::zeros((self.x.len(), self.x.len()));
        for ((i, j), value) in self.fuzzy.rows.iter().zip(&self.fuzzy.cols).zip(&self.fuzzy.values) {
            dense[[*i, *j]] = *value;
            dense[[*j, *i]] = *value;
        }
        Csr::from_dense(&dense)
    }
}

/// Cells around `n_types` centres: positions and types.
pub(crate) fn blobs(n: usize, d: usize, n_types: usize, spread: f64, seed: u64) -> (Array2<f64>, Vec<usize>) {
    let mut rng = Seed::new(seed).rng();
    let mut normal = |scale: f64| {
        let value: f64 = StandardNormal.sample(&mut rng);
        scale * value
    };
    let centres = Array2::from_shape_fn((n_types, d), |_| normal(spread));
    let x = Array2::from_shape_fn((n, d), |(i, j)| centres[[i % n_types, j]] + normal(1.0));
    (x, (0..n).map(|it| it % n_types).collect())
}

/// A random order of `n`.
pub(crate) fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut rng = Seed::new(seed).rng();
    let mut order: Vec<usize> = (0..n).collect();
    for at in (1..n).rev() {
        order.swap(at, rng.random_range(0..=at));
    }
    order
}

/// Runs with a pool of this many threads.
pub(crate) fn on_threads<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("pool").install(work)
}
