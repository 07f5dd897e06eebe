//! Every metric on a panel of the size of a published screen.

use cellstone_core::{Mask, MetricInput};
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array1, Array2};
use std::hint::black_box;

/// Values without structure in 0..1, the same on every machine.
fn noise(rows: usize, cols: usize, phase: f64) -> Array2<f64> {
    Array2::from_shape_fn((rows, cols), |(row, col)| ((row * cols + col) as f64 * 0.754_877_666 + phase).fract())
}

fn metrics(c: &mut Criterion) {
    let mut group = c.benchmark_group("metrics");
    group.sample_size(10);
    let (n, g) = (62, 19_264);
    let (truth, pred, train) = (noise(n, g, 0.1), noise(n, g, 0.7), noise(160, g, 0.4));
    let control: Array1<f64> = noise(1, g, 0.3).row(0).to_owned();
    let mean: Array1<f64> = noise(1, g, 0.5).row(0).to_owned();
    let targets: Vec<Vec<usize>> = (0..n).map(|it| vec![it * 7, it * 11 + 1]).collect();
    let keys: Vec<String> = (0..n).map(|it| format!("condition{it:03}")).collect();
    let weights = noise(n, g, 0.9);
    let input = MetricInput {
        truth: truth.view(),
        pred: pred.view(),
        control: control.view(),
        pred_control: None,
        train_mean: Some(mean.view()),
        train_profiles: Some(train.view()),
        weights: Some(weights.view()),
        targets: &targets,
        keys: &keys,
        genes: None,
        mask: Mask::None,
    };
    for metric in cellstone_metrics::builtin() {
        group.bench_function(format!("{}/{n}_conditions-{g}_genes", metric.info().id), |b| {
            b.iter(|| metric.compute(&input).map(black_box));
        });
    }
    group.finish();
}

criterion_group!(benches, metrics);
criterion_main!(benches);
