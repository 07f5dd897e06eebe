//! The three estimates of sampling noise against each other and against simulation.

use cellstone_core::{CeilingRule, Csr, Seed};
use cellstone_metrics::{ceilings, jackknife::jackknife_bulk};
use ndarray::{Array1, Array2, Axis};
use rand::RngExt;
use rand_distr::{Distribution, Gamma, Normal, Poisson};

/// Negative-binomial counts of `n` cells with varying depth, `[n, genes]`.
fn counts(seed: u64, n: usize, genes: usize) -> Array2<f32> {
    let mut rng = Seed::new(seed).rng();
    let means: Vec<f64> = (0..genes).map(|_| 4.0 * rng.random::<f64>() + 0.1).collect();
    let mut x = Array2::zeros((n, genes));
    for mut cell in x.rows_mut() {
        let depth = 0.7 + 0.6 * rng.random::<f64>();
        for (value, mean) in cell.iter_mut().zip(&means) {
            let rate: f64 = Gamma::new(2.0, depth * mean / 2.0).expect("positive").sample(&mut rng);
            *value = if rate > 0.0 { Poisson::new(rate).expect("positive").sample(&mut rng) as f32 } else { 0.0 };
        }
    }
    x
}

fn relative(a: f64, b: f64) -> f64 {
    (a / b - 1.0).abs()
}

#[test]
fn closed_form_and_halves_agree_on_simulated_counts() {
    let x = counts(1, 120, 1500);
    let logs =
        Array2::from_shape_fn(x.dim(), |(i, g)| (1e4 * f64::from(x[[i, g]]) / f64::from(x.row(i).sum())).ln_1p());
    let n = logs.nrows() as f64;
    let variance = logs.var_axis(Axis(0), 1.0) / n;
    let closed = variance.sum();
    let mut rng = Seed::new(2).rng();
    let splits = 10;
    let mut halves = 0.0;
    for _ in 0..splits {
        let mut order: Vec<usize> = (0..120).collect();
        for at in (1..120).rev() {
            order.swap(at, rng.random_range(0..=at));
        }
        let mean = |rows: &[usize]| logs.select(Axis(0), rows).mean_axis(Axis(0)).expect("cells");
        let (first, second) = (mean(&order[..50]), mean(&order[50..]));
        halves += ceilings::noise_from_halves(first.view(), second.view(), 50, 70).value().expect("cells");
    }
    assert!(relative(halves / f64::from(splits), closed) < 0.03, "{halves} against {closed}");
    let l2 = ceilings::perfect_mean_l2_of(variance.view()).value().expect("noise");
    assert!(relative(l2, closed.sqrt()) < 0.001);
}

#[test]
fn the_jackknife_agrees_with_halves_of_bulk_profiles() {
    let x = counts(3, 120, 1500);
    let sparse = Csr::from_dense(&x);
    let all: Vec<usize> = (0..120).collect();
    let target = 1e4;
    let jackknife = jackknife_bulk(&sparse, &all, target).expect("cells");
    let bulk = |rows: &[usize]| {
        let sums: Array1<f64> = x.select(Axis(0), rows).mapv(f64::from).sum_axis(Axis(0));
        let total = sums.sum();
        sums.mapv(|it| (target * it / total).ln_1p())
    };
    let mut rng = Seed::new(4).rng();
    let mut halves = 0.0;
    for _ in 0..20 {
        let mut order = all.clone();
        for at in (1..120).rev() {
            order.swap(at, rng.random_range(0..=at));
        }
        let (first, second) = (bulk(&order[..60]), bulk(&order[60..]));
        halves += ceilings::noise_from_halves(first.view(), second.view(), 60, 60).value().expect("cells") / 20.0;
    }
    assert!(relative(halves, jackknife) < 0.03, "halves {halves}, jackknife {jackknife}");
}

#[test]
fn the_jackknife_follows_its_definition() {
    let x = counts(5, 70, 12);
    let sparse = Csr::from_dense(&x);
    let rows: Vec<usize> = (0..70).filter(|it| it % 5 != 2).collect();
    let n = rows.len();
    let mut replicas = Array2::<f64>::zeros((n, 12));
    for (at, leave) in rows.iter().enumerate() {
        let rest: Vec<usize> = rows.iter().copied().filter(|it| it != leave).collect();
        let sums = x.select(Axis(0), &rest).mapv(f64::from).sum_axis(Axis(0));
        replicas.row_mut(at).assign(&sums.mapv(|it| (5e4 * it / sums.sum()).ln_1p()));
    }
    let want = replicas.var_axis(Axis(0), 0.0).sum() * (n as f64 - 1.0);
    let got = jackknife_bulk(&sparse, &rows, 5e4).expect("cells");
    assert!(relative(got, want) < 1e-10, "{got} against {want}");
}

#[test]
fn two_stage_resampling_counts_noise_twice() {
    // 40 batches of 4 cells without batch effect: the variance of the resampled mean against the true one.
    let (batches, cells) = (40, 4);
    let mut rng = Seed::new(6).rng();
    let normal = Normal::new(0.0, 1.0).expect("positive");
    let (mut resampled, worlds, draws) = (0.0, 150, 60);
    for _ in 0..worlds {
        let data: Vec<f64> = (0..batches * cells).map(|_| normal.sample(&mut rng)).collect();
        let center = data.iter().sum::<f64>() / data.len() as f64;
        for _ in 0..draws {
            let mut sum = 0.0;
            for _ in 0..batches {
                let batch = rng.random_range(0..batches);
                for _ in 0..cells {
                    sum += data[batch * cells + rng.random_range(0..cells)];
                }
            }
            resampled += (sum / data.len() as f64 - center).powi(2) / f64::from(worlds * draws);
        }
    }
    let truth = 1.0 / (batches * cells) as f64;
    let factor = ceilings::two_stage_factor(batches as f64, cells as f64);
    assert!(relative(resampled / truth, factor) < 0.05, "{} against {factor}", resampled / truth);
}

#[test]
fn halves_become_the_ceiling_of_the_full_data() {
    // A perfect mean against a mean of 90 cells, predicted from halves of 30 and 60. Twenty worlds of 1000 genes bring
    // the standard error of either average to 0.5 %.
    let (n, genes, worlds) = (90, 1000, 20);
    let mut rng = Seed::new(7).rng();
    let normal = Normal::new(0.0, 1.0).expect("positive");
    let (mut ceiling, mut perfect) = (0.0, 0.0);
    for _ in 0..worlds {
        let cells = Array2::from_shape_fn((n, genes), |_| normal.sample(&mut rng));
        let mean = |rows: std::ops::Range<usize>| {
            cells.select(Axis(0), &rows.collect::<Vec<_>>()).mean_axis(Axis(0)).expect("cells")
        };
        let (first, second, whole) = (mean(0..30), mean(30..90), mean(0..90));
        let half = cellstone_metrics::l2(first.view(), second.view()).value().expect("genes");
        ceiling += ceilings::ceiling_from_halves(CeilingRule::LinearError, half, 30, 60).value().expect("cells");
        perfect += cellstone_metrics::l2(Array1::zeros(genes).view(), whole.view()).value().expect("genes");
    }
    assert!(relative(ceiling, perfect) < 0.03, "{ceiling} against {perfect}");
}
