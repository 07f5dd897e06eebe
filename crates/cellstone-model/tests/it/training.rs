//! One step against PyTorch, and steps that go on where they were broken off.

use crate::parity::{folder, json};
use cellstone_core::{Seed, TokenRow};
use cellstone_model::{
    AdamWConfig, BertConfig, Decay, DeviceChoice, MaskedBatch, Network, NetworkConfig, Objective, PolyGeneConfig,
    Schedule, Slot, TokenBatch, Trainer, read_weights, select,
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    masked: Vec<Vec<u32>>,
    labels: Vec<Vec<i64>>,
    loss: f64,
    gradients: BTreeMap<String, Gradient>,
}

#[derive(Deserialize)]
struct Gradient {
    norm: f64,
    first: Vec<f64>,
}

fn schedule() -> Schedule {
    Schedule { peak: 1e-3, warmup: 2, total: 200, decay: Decay::Linear }
}

/// Hugging Face's name of a parameter of ours.
fn published(path: &str) -> String {
    let path = path.replace(".gamma", ".weight").replace(".beta", ".bias");
    if let Some(rest) = path.strip_prefix("blocks.") {
        let (layer, part) = rest.split_once('.').expect("a layer and a part");
        let parts = [
            ("query", "attention.self.query"),
            ("key", "attention.self.key"),
            ("value", "attention.self.value"),
            ("out", "attention.output.dense"),
            ("norm_attention", "attention.output.LayerNorm"),
            ("up", "intermediate.dense"),
            ("down", "output.dense"),
            ("norm_output", "output.LayerNorm"),
        ];
        let (name, kind) = part.split_once('.').expect("a part and a kind");
        let found = parts.iter().find(|it| it.0 == name).expect("a part of a block");
        return format!("bert.encoder.layer.{layer}.{}.{kind}", found.1);
    }
    let whole = [
        ("words.weight", "bert.embeddings.word_embeddings.weight"),
        ("positions.weight", "bert.embeddings.position_embeddings.weight"),
        ("segments.weight", "bert.embeddings.token_type_embeddings.weight"),
        ("norm.weight", "bert.embeddings.LayerNorm.weight"),
        ("norm.bias", "bert.embeddings.LayerNorm.bias"),
        ("head.weight", "cls.predictions.transform.dense.weight"),
        ("head.bias", "cls.predictions.transform.dense.bias"),
        ("head_norm.weight", "cls.predictions.transform.LayerNorm.weight"),
        ("head_norm.bias", "cls.predictions.transform.LayerNorm.bias"),
        ("head_bias", "cls.predictions.bias"),
    ];
    whole.iter().find(|it| it.0 == path).expect("a part of the network").1.to_owned()
}

#[test]
fn loss_and_gradients_of_pytorch() {
    for composed in [false, true] {
        loss_and_gradients(composed);
    }
}

fn loss_and_gradients(composed: bool) {
    let golden: Golden = json("bert", "golden.json");
    let config: BertConfig = json("bert", "config.json");
    // PyTorch computed them in evaluation mode: nothing is dropped.
    let config = BertConfig { hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0, ..config };
    let mut weights = read_weights(&folder("bert")).expect("weights");
    let cpu = select(DeviceChoice::Cpu).expect("the CPU");
    let (network, _) = Network::load(NetworkConfig::Bert(config), &mut weights, &cpu).expect("a network");
    let network = if composed { network.composed() } else { network };
    let rows: Vec<_> =
        golden.masked.iter().map(|it| TokenRow { input_ids: it.clone(), ..TokenRow::default() }).collect();
    let tokens = TokenBatch::new(&rows, 0, 0.0).expect("a batch");
    let len = tokens.dims()[1];
    let (mut positions, mut labels) = (Vec::new(), Vec::new());
    for (row, it) in golden.labels.iter().enumerate() {
        for (at, label) in it.iter().enumerate().filter(|it| *it.1 >= 0) {
            positions.push((row * len + at) as u32);
            labels.push(*label as u32);
        }
    }
    let batch = MaskedBatch::new(tokens, positions, labels).expect("a masked batch");
    let adamw = AdamWConfig { clip_norm: None, ..AdamWConfig::default() };
    let objective = Objective::AllIds { smoothing: 0.0 };
    let mut trainer = Trainer::new(network, objective, adamw, schedule(), Seed::new(0)).expect("a trainer");
    let report = trainer.step(&[batch]).expect("a step");
    assert!((report.loss - golden.loss).abs() < 1e-5 * golden.loss, "{} for {}", report.loss, golden.loss);

    // After one step the first moment is a tenth of the gradient.
    let state = trainer.state().expect("a state");
    let mut seen = 0;
    for name in state.moments.names() {
        let Some(path) = name.strip_suffix(".first") else { continue };
        let want = &golden.gradients[&published(path)];
        let got: Vec<f64> =
            state.moments.get(name).expect("it is there").data.iter().map(|it| f64::from(*it) * 10.0).collect();
        let norm = got.iter().map(|it| it * it).sum::<f64>().sqrt();
        // The bias of the keys moves every score of a row alike: its gradient is zero but for rounding.
        let close = |a: f64, b: f64| (a - b).abs() < 1e-4 * want.norm + 1e-7;
        assert!(close(norm, want.norm), "norm of {path}: {norm} for {}", want.norm);
        // Tables and vectors lie as PyTorch's do; matrices are transposed, so only their first value is at its place.
        let lies_alike = !path.ends_with(".weight")
            || ["words", "positions", "segments"].contains(&path.trim_end_matches(".weight"));
        let n = if lies_alike { want.first.len().min(got.len()) } else { 1 };
        for at in 0..n {
            assert!(close(got[at], want.first[at]), "{path} at {at}: {} for {}", got[at], want.first[at]);
        }
        seen += 1;
    }
    assert_eq!(seen, golden.gradients.len());
}

fn polygene() -> (PolyGeneConfig, Objective) {
    let config = PolyGeneConfig { dropout: 0.0, ..PolyGeneConfig::nano(20, 40) };
    let slots = vec![
        Slot { name: "sex".into(), ids: 4..6 },
        Slot { name: "stage".into(), ids: 6..10 },
        Slot { name: "bins".into(), ids: 10..20 },
    ];
    (config, Objective::Slots { slots, genes: 1.0, phenotypes: 1.0, smoothing: 0.0 })
}

/// Cells whose stage shows in the bin of their first gene; the stage is masked, and so is another gene.
fn cells(n: usize, from: usize) -> MaskedBatch {
    let rows: Vec<_> = (from..from + n)
        .map(|it| {
            let stage = (it % 4) as u32;
            TokenRow {
                input_ids: vec![0, 4 + (it % 2) as u32, 2, 11 + 2 * stage, 2, 1],
                type_ids: Some(vec![0, 1, 2, 3, 4 + (it % 30) as u32, 0]),
                ..TokenRow::default()
            }
        })
        .collect();
    let tokens = TokenBatch::new(&rows, 3, 0.0).expect("a batch");
    let positions = (0..n as u32).flat_map(|it| [it * 6 + 2, it * 6 + 4]).collect();
    let labels = (from..from + n).flat_map(|it| [6 + (it % 4) as u32, 12]).collect();
    MaskedBatch::new(tokens, positions, labels).expect("a masked batch")
}

fn trainer(seed: u64) -> Trainer {
    let (config, objective) = polygene();
    let cpu = select(DeviceChoice::Cpu).expect("the CPU");
    let network = Network::fresh(NetworkConfig::PolyGene(config), Seed::new(seed), &cpu).expect("a network");
    Trainer::new(network, objective, AdamWConfig::default(), schedule(), Seed::new(seed)).expect("a trainer")
}

#[test]
fn it_learns_what_there_is_to_learn() {
    let mut trainer = trainer(1);
    let first = trainer.step(&[cells(32, 0)]).expect("a step");
    // Fresh weights know nothing: the logarithm of the number of ids that can stand there.
    assert!((first.by_slot[1].expect("masked") - 4.0_f64.ln()).abs() < 0.2, "{first:?}");
    assert!((first.by_slot[2].expect("masked") - 10.0_f64.ln()).abs() < 0.2, "{first:?}");
    assert_eq!(first.by_slot[0], None);
    let mut last = first;
    for step in 1..140 {
        last = trainer.step(&[cells(32, step * 32)]).expect("a step");
    }
    assert!(last.by_slot[1].expect("masked") < 0.05, "{last:?}");
    assert!(last.by_slot[2].expect("masked") < 0.05, "{last:?}");
}

#[test]
fn many_small_batches_are_one_large_one() {
    let (mut one, mut many) = (trainer(2), trainer(2));
    let large = one.step(&[cells(8, 0)]).expect("a step");
    let small = many.step(&[cells(5, 0), cells(3, 5)]).expect("a step");
    assert!((large.loss - small.loss).abs() < 1e-5, "{large:?} {small:?}");
    assert!((large.gradient_norm - small.gradient_norm).abs() < 1e-4 * large.gradient_norm, "{large:?} {small:?}");
}

#[test]
fn a_resumed_training_goes_on_to_the_same_bits() {
    let mut whole = trainer(3);
    let losses: Vec<f64> = (0..6).map(|it| whole.step(&[cells(8, it * 8)]).expect("a step").loss).collect();
    let mut first = trainer(3);
    for it in 0..3 {
        first.step(&[cells(8, it * 8)]).expect("a step");
    }
    let state = first.state().expect("a state");
    let (config, objective) = polygene();
    let cpu = select(DeviceChoice::Cpu).expect("the CPU");
    let mut again = Trainer::resume(
        NetworkConfig::PolyGene(config),
        state,
        objective,
        AdamWConfig::default(),
        schedule(),
        Seed::new(3),
        &cpu,
    )
    .expect("resumed");
    assert_eq!(again.steps(), 3);
    let rest: Vec<f64> = (3..6).map(|it| again.step(&[cells(8, it * 8)]).expect("a step").loss).collect();
    assert_eq!(rest, losses[3..]);
    assert_eq!(again.state().expect("a state"), whole.state().expect("a state"));
}
