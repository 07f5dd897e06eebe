//! Networks on a graphics adapter, where there is one, against the CPU.

use cellstone_core::{Seed, TokenRow};
use cellstone_model::{
    BertConfig, DeviceChoice, Network, NetworkConfig, PolyGeneConfig, ScGptConfig, TokenBatch, probe, select,
};

/// Adapters add in another order and some of them with fewer bits.
const TOLERANCE: f32 = 1e-3;

fn networks() -> [NetworkConfig; 3] {
    [
        NetworkConfig::Bert(BertConfig::geneformer(40, 16, [16, 2, 2, 24])),
        NetworkConfig::ScGpt(ScGptConfig {
            n_tokens: 40,
            embsize: 16,
            nheads: 2,
            d_hid: 24,
            nlayers: 2,
            dropout: 0.0,
            pad_value: -2.0,
        }),
        NetworkConfig::PolyGene(PolyGeneConfig { d: 16, n_heads: 2, d_inner: 24, ..PolyGeneConfig::nano(40, 40) }),
    ]
}

fn row(n: u32) -> TokenRow {
    TokenRow {
        input_ids: (0..n).map(|it| (it * 7 + n) % 40).collect(),
        type_ids: Some((0..n).map(|it| (it * 5 + 1) % 40).collect()),
        values: Some((0..n).map(|it| (it % 9) as f32).collect()),
        ..TokenRow::default()
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped check is printed, never silent")]
fn hidden_states_of_the_cpu() {
    let adapters = probe();
    let Ok(adapter) = select(DeviceChoice::Wgpu) else {
        eprintln!("skipped: no graphics adapter, hardware or software ({} found)", adapters.len());
        return;
    };
    eprintln!("on {}", adapter.name());
    let cpu = select(DeviceChoice::Cpu).expect("the CPU");
    let rows = [row(9), row(5), row(1)];
    let batch = TokenBatch::new(&rows, 0, 0.0).expect("a batch");
    for config in networks() {
        let of = |on| Network::fresh(config.clone(), Seed::new(3), on).expect("a network").run(&batch).expect("states");
        let (got, want) = (of(&adapter), of(&cpu));
        assert_eq!(got.hidden.len(), want.hidden.len());
        for (layer, (got, want)) in got.hidden.iter().zip(&want.hidden).enumerate() {
            for (at, (got, want)) in got.rows().into_iter().zip(want.rows()).enumerate() {
                if batch.padded()[at] {
                    continue;
                }
                let gap = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(gap < TOLERANCE, "{config:?}: hidden state {layer}, token {at}, is off by {gap}");
            }
        }
    }
}
