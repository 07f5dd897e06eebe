//! Condition means with variances and replicate halves, from counts in memory.

use cellstone_bench::{labels, spec};
use cellstone_core::{CountSource, Csr, Scale, Seed};
use cellstone_fixtures::PerturbSeq;
use cellstone_io::MemorySource;
use cellstone_prep::{PseudobulkParams, pseudobulk};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// The simulated cells in memory, so that drawing them is not timed.
fn in_memory(data: &PerturbSeq) -> MemorySource {
    let (mut indptr, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for block in data.blocks(0).expect("a simulation opens") {
        let x = block.expect("a simulation reads").x;
        let before = indices.len();
        indptr.extend(x.indptr()[1..].iter().map(|it| before + it));
        indices.extend_from_slice(x.indices());
        values.extend_from_slice(x.data());
    }
    let x = Csr::new(data.n_obs(), data.var().len(), indptr, indices, values).expect("rows of a source");
    MemorySource::new("bench", x, data.var().clone(), data.obs().clone(), Scale::Counts).expect("counts")
}

fn means(c: &mut Criterion) {
    let mut group = c.benchmark_group("pseudobulk");
    group.sample_size(10);
    for (n_obs, n_vars) in [(4_000, 2_000), (4_000, 19_264)] {
        let data = spec(n_obs, n_vars).and_then(|it| PerturbSeq::new(it, Seed::new(1))).expect("valid size");
        let (labels, source) = (labels(&data).expect("simulated labels"), in_memory(&data));
        group.throughput(Throughput::Elements(n_obs as u64));
        for n_replicates in [0, 5] {
            let params = PseudobulkParams { n_replicates, ..PseudobulkParams::default() };
            group.bench_function(format!("{n_obs}_cells-{n_vars}_genes-{n_replicates}_halves"), |b| {
                b.iter(|| pseudobulk(&source, &labels, &params, &|_| ()).map(black_box));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, means);
criterion_main!(benches);
