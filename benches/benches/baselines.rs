//! Fitting a baseline and predicting the held-out doubles.

use cellstone_baselines::{Params, make};
use cellstone_bench::{prepared, profiles};
use cellstone_core::{FitCtx, Prediction, Priors, Result, Seed};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn fit_and_predict(c: &mut Criterion) {
    let mut group = c.benchmark_group("fit_and_predict");
    group.sample_size(10);
    let priors = Priors::new();
    for n_vars in [2_000, 8_000] {
        let bulk = profiles(2_000, n_vars).expect("valid size");
        let (train, query, _) = prepared(&bulk).expect("doubles on both sides");
        let (n_train, n_query) = (train.rows().len(), query.rows().len());
        for id in ["additive", "shrunk_additive", "linear_published", "linear_joint"] {
            let method = make(id, &Params::new()).expect("a baseline of that id");
            group.bench_function(format!("{id}/{n_train}_train-{n_query}_query-{n_vars}_genes"), |b| {
                b.iter(|| -> Result<Prediction> {
                    let fitted = method.fit(&train, &mut FitCtx::new(Seed::new(1), &priors))?;
                    fitted.predict(&query).map(black_box)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, fit_and_predict);
criterion_main!(benches);
