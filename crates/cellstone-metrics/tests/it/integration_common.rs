//! Where files are, and neighbours by looking at all pairs.

use cellstone_core::KnnGraph;
use ndarray::ArrayView2;
use std::path::{Path, PathBuf};

/// A golden file of `data-fixtures/golden`.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden").join(name)
}

/// `shared/data/NAME` beside some folder above this crate; `None`, with the reason printed, where it is absent.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    use std::io::Write;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|it| it.join("shared/data").join(name)).find(|it| it.exists());
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: shared/data/{name} is not on this machine");
    }
    found
}

/// The `k` nearest cells of every cell, itself first, ties by index.
pub(crate) fn brute_knn(x: ArrayView2<'_, f64>, k: usize) -> KnnGraph {
    let n = x.nrows();
    let (mut indices, mut distances) = (Vec::with_capacity(n * k), Vec::with_capacity(n * k));
    for cell in 0..n {
        let distance = |other: usize| {
            let gap = &x.row(cell) - &x.row(other);
            gap.dot(&gap).sqrt()
        };
        let mut all: Vec<(f64, usize)> = (0..n).map(|it| (distance(it), it)).collect();
        all[cell].0 = -1.0;
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        indices.extend(all[..k].iter().map(|it| it.1 as u32));
        distances.extend(all[..k].iter().map(|it| it.0.max(0.0)));
    }
    KnnGraph::with_self(k, indices, distances).expect("ascending")
}
