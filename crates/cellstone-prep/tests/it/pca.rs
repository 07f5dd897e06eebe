//! Principal components: against scikit-learn, against each other, on hard spectra, as a stream, and bit for bit.

use crate::support::Memory;
use cellstone_core::{Csr, Result, Scale, Seed};
use cellstone_prep::{Pca, PcaRoute, SparsePcaParams, gram_t, matmul, pca_dense, pca_sparse, pca_stream, thin_svd};
use ndarray::{Array1, Array2, array, s};
use proptest::prelude::*;
use rand::RngExt;
use std::path::PathBuf;

fn random(n: usize, p: usize, seed: u64) -> Array2<f64> {
    let mut rng = Seed::new(seed).rng();
    Array2::from_shape_simple_fn((n, p), || rng.random::<f64>() - 0.5)
}

/// Non-negative, mostly zero, with a few directions that stand out.
fn sparse(n: usize, p: usize, density: f64, seed: u64) -> Array2<f32> {
    let mut rng = Seed::new(seed).rng();
    Array2::from_shape_fn((n, p), |(i, j)| {
        let signal = if (i + 3 * j) % 7 < 2 { 1.5 } else { 0.2 };
        if rng.random::<f64>() < density { (rng.random::<f64>() * signal * (1 + j % 5) as f64) as f32 } else { 0.0 }
    })
}

fn close(a: &Array1<f64>, b: &Array1<f64>, tol: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tol * b.abs().max(1e-12))
}

fn largest(a: &Array2<f64>) -> f64 {
    a.iter().fold(0.0, |acc, it| if it.is_nan() { f64::NAN } else { acc.max(it.abs()) })
}

/// What holds for every PCA, whatever made it.
fn check_invariants(pca: &Pca, x: &Array2<f64>, tol: f64) {
    let k = pca.scores.ncols();
    assert!(largest(&(gram_t(&pca.loadings.view()) - Array2::<f64>::eye(k))) < 1e-10, "orthonormal loadings");
    assert!(largest(&(pca.transform(&x.view()).expect("fits") - &pca.scores)) < tol, "scores are the projection");
    let products = gram_t(&pca.scores.view()) / (x.nrows() - 1) as f64;
    assert!(largest(&(products - Array2::from_diag(&pca.explained_variance))) < tol, "uncorrelated scores");
    for column in pca.loadings.columns() {
        let best = column.iter().fold(0.0_f64, |best, it| if it.abs() > best.abs() { *it } else { best });
        assert!(best > 0.0, "the largest loading is positive");
    }
}

/// Sine of the largest angle between two spans of orthonormal columns.
fn angle(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    largest(&(b - &a.dot(&a.t().dot(b))))
}

#[test]
fn dense_routes_agree_with_the_singular_values() {
    for (n, p) in [(30, 12), (12, 30), (200, 20), (20, 200), (25, 25), (2, 7), (9, 1)] {
        let x = random(n, p, 3) + 100.0;
        let mean = x.mean_axis(ndarray::Axis(0)).expect("rows");
        let (_, sigma, _) = thin_svd(&(&x - &mean).view()).expect("converges");
        for k in [1, n.min(p) - 1, n.min(p)].into_iter().filter(|k| *k > 0) {
            let pca = pca_dense(&x.view(), k, true).expect("finite");
            check_invariants(&pca, &x, 1e-8);
            let want = sigma.slice(s![..k]).mapv(|it| it * it / (n - 1) as f64);
            // The last component of a wide centred matrix is exactly null.
            assert!(pca.explained_variance.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-10), "{n} × {p}, k = {k}");
            let total = x.var_axis(ndarray::Axis(0), 1.0).sum();
            assert!((pca.total_variance - total).abs() < 1e-9);
        }
    }
}

#[test]
fn without_centring_directions_are_about_zero() {
    let x = random(40, 6, 4) + 5.0;
    let pca = pca_dense(&x.view(), 2, false).expect("finite");
    let (_, sigma, _) = thin_svd(&x.view()).expect("converges");
    assert!(close(&pca.explained_variance, &sigma.slice(s![..2]).mapv(|it| it * it / 39.0), 1e-12));
    assert_eq!(pca.mean, Array1::<f64>::zeros(6));
}

#[test]
fn ill_conditioned_input_keeps_its_small_components() {
    // A known spectrum over eight decades: its square spans sixteen, beyond what a Gram matrix can hold.
    let (n, p, k) = (300, 40, 9);
    let centered = |x: Array2<f64>| &x - &x.mean_axis(ndarray::Axis(0)).expect("rows");
    let (u, _, _) = thin_svd(&centered(random(n, k, 5)).view()).expect("converges");
    let (v, _, _) = thin_svd(&random(p, k, 6).view()).expect("converges");
    let sigma = Array1::from_iter((0..k as i32).map(|i| 10.0_f64.powi(-i)));
    for x in [(&u * &sigma).dot(&v.t()), (&v * &sigma).dot(&u.t())] {
        let pca = pca_dense(&x.view(), k - 1, true).expect("finite");
        let (_, exact, _) = thin_svd(&(&x - &x.mean_axis(ndarray::Axis(0)).expect("rows")).view()).expect("converges");
        let want = exact.slice(s![..k - 1]).mapv(|it| it * it / (x.nrows() - 1) as f64);
        assert!(close(&pca.explained_variance, &want, 1e-6), "{} {}", pca.explained_variance, want);
        check_invariants(&pca, &x, 1e-12);
    }
}

#[test]
fn constant_and_deficient_input() {
    let constant = Array2::from_elem((5, 4), 3.0);
    let pca = pca_dense(&constant.view(), 2, true).expect("finite");
    assert_eq!(pca.explained_variance, array![0.0, 0.0]);
    assert_eq!(pca.explained_variance_ratio, array![0.0, 0.0]);
    let x = Csr::from_dense(&constant.mapv(|it| it as f32));
    for route in [PcaRoute::Covariance, PcaRoute::Products] {
        let pca = pca_sparse(&x, 2, &SparsePcaParams { route, ..Default::default() }).expect("finite");
        assert!(pca.explained_variance.iter().all(|it| *it < 1e-12));
        assert!(pca.loadings.iter().chain(&pca.scores).all(|it| it.is_finite()));
    }
    // Rank two, five components asked for.
    let low = sparse(60, 2, 0.8, 1).dot(&sparse(2, 30, 0.8, 2));
    for route in [PcaRoute::Covariance, PcaRoute::Products] {
        let params = SparsePcaParams { route, n_oversample: 2, ..Default::default() };
        let pca = pca_sparse(&Csr::from_dense(&low), 5, &params).expect("finite");
        check_invariants(&pca, &low.mapv(f64::from), 1e-6);
        assert!(pca.explained_variance[2] < 1e-10 * pca.explained_variance[0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sparse_equals_dense(n in 3_usize..60, p in 2_usize..60, k in 1_usize..6, seed in 0_u64..1000) {
        let k = k.min(n.min(p));
        let dense = sparse(n, p, 0.3, seed);
        let want = pca_dense(&dense.mapv(f64::from).view(), k, true).expect("finite");
        for route in [PcaRoute::Covariance, PcaRoute::Products] {
            let params = SparsePcaParams { route, ..Default::default() };
            let got = pca_sparse(&Csr::from_dense(&dense), k, &params).expect("converges");
            check_invariants(&got, &dense.mapv(f64::from), 1e-6);
            let floor = 1e-9 * want.explained_variance[0].max(1e-9);
            let off = (&got.explained_variance - &want.explained_variance).mapv(f64::abs);
            prop_assert!(off.iter().all(|it| *it < floor));
            prop_assert!((got.total_variance - want.total_variance).abs() < 1e-9);
        }
    }
}

#[test]
fn the_iteration_finds_the_exact_subspace() {
    let dense = sparse(1500, 700, 0.06, 11);
    let x = Csr::from_dense(&dense);
    let want = pca_dense(&dense.mapv(f64::from).view(), 21, true).expect("finite");
    for route in [PcaRoute::Covariance, PcaRoute::Products] {
        let pca = pca_sparse(&x, 20, &SparsePcaParams { route, ..Default::default() }).expect("converges");
        assert!(close(&pca.explained_variance, &want.explained_variance.slice(s![..20]).to_owned(), 1e-10));
        let gap = (want.explained_variance[19] - want.explained_variance[20]) / want.explained_variance[19];
        let sine = angle(&want.loadings.slice(s![.., ..20]).to_owned(), &pca.loadings);
        assert!(sine < 1e-7 / gap, "{route:?}: {sine:e} at a gap of {gap:e}");
        check_invariants(&pca, &dense.mapv(f64::from), 1e-7);
    }
}

#[test]
fn a_flat_spectrum_is_no_obstacle() {
    // Noise alone: the wanted variances are no further apart than the others.
    let mut rng = Seed::new(31).rng();
    let dense =
        Array2::from_shape_simple_fn((900, 450), || if rng.random::<f64>() < 0.2 { rng.random::<f32>() } else { 0.0 });
    let x = Csr::from_dense(&dense);
    let want = pca_dense(&dense.mapv(f64::from).view(), 51, true).expect("finite");
    for route in [PcaRoute::Covariance, PcaRoute::Products] {
        let pca = pca_sparse(&x, 50, &SparsePcaParams { route, ..Default::default() }).expect("converges");
        assert!(close(&pca.explained_variance, &want.explained_variance.slice(s![..50]).to_owned(), 1e-10));
        let gap = (want.explained_variance[49] - want.explained_variance[50]) / want.explained_variance[49];
        let sine = angle(&want.loadings.slice(s![.., ..50]).to_owned(), &pca.loadings);
        assert!(sine < 1e-7 / gap, "{route:?}: {sine:e} at a gap of {gap:e}");
        check_invariants(&pca, &dense.mapv(f64::from), 1e-7);
    }
}

#[test]
fn a_low_rank_is_no_obstacle() {
    // Five directions in 450 genes: the block of the iteration is wider than the rank.
    let (cells, genes) = (random(200, 5, 21), random(5, 450, 22));
    let dense = cells.dot(&genes).mapv(|it| it as f32);
    for x in [&dense, &dense.mapv(|it| (it * 8.0).round())] {
        let want = pca_dense(&x.mapv(f64::from).view(), 8, true).expect("finite");
        let params = SparsePcaParams { route: PcaRoute::Covariance, ..Default::default() };
        let got = pca_sparse(&Csr::from_dense(x), 8, &params).expect("converges");
        let floor = 1e-9 * want.explained_variance[0];
        assert!((&got.explained_variance - &want.explained_variance).iter().all(|it| it.abs() < floor));
        check_invariants(&got, &x.mapv(f64::from), 1e-6);
    }
}

#[test]
fn too_few_passes_say_so() {
    let x = Csr::from_dense(&sparse(600, 500, 0.1, 2));
    let error = pca_sparse(&x, 30, &SparsePcaParams { max_iter: 2, ..Default::default() }).expect_err("two passes");
    assert!(error.is_not_converged(), "{error}");
    assert!(error.to_string().contains("in 2 passes") && error.hints()[0].contains("max_iter"));
}

#[test]
fn a_stream_gives_the_bits_of_the_matrix() {
    let mut source = Memory::new(&sparse(300, 450, 0.1, 7), Scale::LogNorm { target_sum: None });
    let mut doubled = source.x.clone();
    doubled.data_mut().iter_mut().for_each(|it| *it *= 2.0);
    for route in [PcaRoute::Covariance, PcaRoute::Products] {
        let params = SparsePcaParams { route, ..Default::default() };
        let want = pca_sparse(&doubled, 6, &params).expect("converges");
        for length in [1, 37, 300] {
            let twice = |block: &mut Csr<f32>| block.data_mut().iter_mut().for_each(|it| *it *= 2.0);
            source.block = length;
            assert_eq!(pca_stream(&source, &twice, 6, &params).expect("converges"), want);
        }
    }
}

#[test]
fn one_thread_and_three_give_the_same_bits() {
    let dense = sparse(900, 600, 0.05, 9);
    let x = Csr::from_dense(&dense);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| {
            let by = |route| pca_sparse(&x, 12, &SparsePcaParams { route, ..Default::default() }).expect("converges");
            let exact = pca_dense(&dense.mapv(f64::from).view(), 12, true).expect("finite");
            let all = [by(PcaRoute::Covariance), by(PcaRoute::Products), exact];
            let bits = |it: &Pca| {
                it.scores
                    .iter()
                    .chain(&it.loadings)
                    .chain(&it.explained_variance)
                    .map(|it| it.to_bits())
                    .collect::<Vec<_>>()
            };
            all.iter().flat_map(bits).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn bad_input_is_named() {
    let text = |it: Result<Pca>| it.expect_err("refused").to_string();
    let x = random(4, 3, 1);
    assert!(text(pca_dense(&x.view(), 4, true)).contains("4 principal components asked for, expected 1 to 3"));
    assert!(text(pca_dense(&x.view(), 0, true)).contains("0 principal components"));
    assert!(text(pca_dense(&x.slice(s![..1, ..]), 1, true)).contains("at least 2 rows, found 1"));
    let mut bad = Array2::<f32>::ones((3, 3));
    bad[[1, 2]] = f32::INFINITY;
    assert!(text(pca_sparse(&Csr::from_dense(&bad), 1, &SparsePcaParams::default())).contains("row 1 holds a value"));
    let params = SparsePcaParams { tol: 0.0, ..Default::default() };
    assert!(text(pca_sparse(&Csr::from_dense(&bad), 1, &params)).contains("tol is 0"));
    let pca = pca_dense(&x.view(), 1, true).expect("finite");
    assert!(
        pca.transform(&random(2, 5, 1).view()).expect_err("width").to_string().contains("5 columns, expected the 3")
    );
}

fn golden(name: &str) -> Array2<f64> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/pca").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows: Vec<Vec<f64>> =
        text.lines().map(|line| line.split(',').map(|it| it.parse().expect("number")).collect()).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}

#[test]
fn golden_scikit_learn() {
    let x = golden("x.csv");
    let (loadings, scores, variance) = (golden("loadings.csv"), golden("scores.csv"), golden("variance.csv"));
    let k = scores.ncols();
    let sparse = Csr::from_dense(&x.mapv(|it| it as f32));
    let by = |route| pca_sparse(&sparse, k, &SparsePcaParams { route, ..Default::default() }).expect("converges");
    let all = [pca_dense(&x.view(), k, true).expect("finite"), by(PcaRoute::Covariance), by(PcaRoute::Products)];
    for pca in all {
        assert!(largest(&(&pca.loadings - &loadings)) < 1e-7);
        assert!(largest(&(&pca.scores - &scores)) < 1e-7);
        assert!(close(&pca.explained_variance, &variance.row(0).to_owned(), 1e-10));
        assert!(close(&pca.explained_variance_ratio, &variance.row(1).to_owned(), 1e-10));
        assert!(largest(&(matmul(&(&x - &pca.mean).view(), &pca.loadings.view()) - &scores)) < 1e-7);
    }
}
