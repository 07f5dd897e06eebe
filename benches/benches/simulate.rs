//! Drawing counts of simulated cells.

use cellstone_bench::spec;
use cellstone_core::{CountSource, Result, Seed};
use cellstone_fixtures::PerturbSeq;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

fn simulate(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulate");
    group.sample_size(10);
    for (n_obs, n_vars) in [(2_000, 2_000), (2_000, 19_264)] {
        let data = spec(n_obs, n_vars).and_then(|it| PerturbSeq::new(it, Seed::new(1))).expect("valid size");
        group.throughput(Throughput::Elements(n_obs as u64));
        group.bench_function(format!("{n_obs}_cells-{n_vars}_genes"), |b| {
            b.iter(|| -> Result<Vec<usize>> {
                let blocks = data.blocks(0)?.map(|it| it.map(|it| it.x.nnz())).collect::<Result<Vec<usize>>>();
                blocks.map(black_box)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, simulate);
criterion_main!(benches);
