//! Tiny random networks, saved by their Python libraries, give the same states and scores here.

use cellstone_core::TokenRow;
use cellstone_model::{
    BertConfig, DeviceChoice, Network, NetworkConfig, Outputs, ScGptConfig, TokenBatch, read_weights, select,
};
use ndarray::Array3;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// Both sides add in single precision, in another order.
const TOLERANCE: f32 = 1e-4;

pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/model").join(name)
}

pub(crate) fn json<T: DeserializeOwned>(name: &str, file: &str) -> T {
    let text = std::fs::read_to_string(folder(name).join(file)).expect("a golden file");
    serde_json::from_str(&text).expect("json of the golden file")
}

#[derive(Deserialize)]
struct Bert {
    input_ids: Vec<Vec<u32>>,
    /// By layer, then by row, `[len · d]`.
    hidden: Vec<Vec<Vec<f32>>>,
    logits: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct ScGpt {
    input_ids: Vec<Vec<u32>>,
    values: Vec<Vec<f32>>,
    hidden: Vec<Vec<Vec<f32>>>,
    expression: Vec<Vec<f32>>,
    from_cell: Vec<Vec<f32>>,
    cell: Vec<Vec<f32>>,
}

/// The largest difference over the tokens that are no padding.
fn gap(got: &Array3<f32>, want: &[Vec<f32>]) -> f32 {
    let width = got.dim().2;
    let of_row = |(row, want): (usize, &Vec<f32>)| {
        assert!(!want.is_empty() && want.len().is_multiple_of(width), "row {row}: {} by {width}", want.len());
        let got = got.index_axis(ndarray::Axis(0), row);
        got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    want.iter().enumerate().map(of_row).fold(0.0, f32::max)
}

fn run(network: &Network, rows: &[TokenRow], pad: u32, pad_value: f32) -> Outputs {
    network.run(&TokenBatch::new(rows, pad, pad_value).expect("a batch")).expect("outputs")
}

#[test]
fn a_bert_of_hugging_face() {
    for composed in [false, true] {
        a_bert(composed);
    }
}

fn a_bert(composed: bool) {
    let golden: Bert = json("bert", "golden.json");
    let config: BertConfig = json("bert", "config.json");
    let mut weights = read_weights(&folder("bert")).expect("weights");
    let cpu = select(DeviceChoice::Cpu).expect("the CPU");
    let (network, report) = Network::load(NetworkConfig::Bert(config), &mut weights, &cpu).expect("a network");
    let network = if composed { network.composed() } else { network };
    assert_eq!(report.unused, Vec::<String>::new());
    let row = |ids: &Vec<u32>| TokenRow { input_ids: ids.clone(), ..TokenRow::default() };
    let rows: Vec<_> = golden.input_ids.iter().map(row).collect();
    let got = run(&network, &rows, 0, 0.0);
    assert_eq!(got.hidden.len(), golden.hidden.len());
    for (layer, (got, want)) in got.hidden.iter().zip(&golden.hidden).enumerate() {
        assert!(gap(got, want) < TOLERANCE, "hidden state {layer} is off by {}", gap(got, want));
    }
    let logits = got.logits.expect("a head");
    assert!(gap(&logits, &golden.logits) < TOLERANCE, "scores are off by {}", gap(&logits, &golden.logits));
    // Padding changes nothing: each row alone gives what it gave beside longer ones.
    for (at, row) in rows.iter().enumerate() {
        let alone = run(&network, std::slice::from_ref(row), 0, 0.0).logits.expect("a head");
        assert!(gap(&alone, &golden.logits[at..=at]) < TOLERANCE, "row {at} alone");
    }
}

#[test]
fn an_scgpt() {
    for composed in [false, true] {
        a_whole_scgpt(composed);
    }
}

fn a_whole_scgpt(composed: bool) {
    let golden: ScGpt = json("scgpt", "golden.json");
    let config = ScGptConfig { n_tokens: 40, ..json("scgpt", "args.json") };
    let mut weights = read_weights(&folder("scgpt")).expect("weights");
    let cpu = select(DeviceChoice::Cpu).expect("the CPU");
    let pad_value = config.pad_value;
    let (network, report) = Network::load(NetworkConfig::ScGpt(config), &mut weights, &cpu).expect("a network");
    let network = if composed { network.composed() } else { network };
    assert!(report.unused.iter().all(|it| it.starts_with("cls_decoder.")), "{:?}", report.unused);
    let rows: Vec<_> = golden
        .input_ids
        .iter()
        .zip(&golden.values)
        .map(|(ids, values)| TokenRow { input_ids: ids.clone(), values: Some(values.clone()), ..TokenRow::default() })
        .collect();
    let got = run(&network, &rows, 37, pad_value);
    for (layer, want) in golden.hidden.iter().enumerate() {
        let gap = gap(&got.hidden[layer + 1], want);
        assert!(gap < TOLERANCE, "hidden state {} is off by {gap}", layer + 1);
    }
    let expression = got.logits.expect("a head");
    assert!(gap(&expression, &golden.expression) < TOLERANCE, "{}", gap(&expression, &golden.expression));
    let from_cell = got.from_cell.expect("a head");
    for (row, want) in golden.from_cell.iter().enumerate() {
        let gap = from_cell.row(row).iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(gap < 10.0 * TOLERANCE, "expression from the cell, row {row}, is off by {gap}");
    }
    let last = &got.hidden[got.hidden.len() - 1];
    for (row, want) in golden.cell.iter().enumerate() {
        let cell = last.index_axis(ndarray::Axis(0), row).index_axis(ndarray::Axis(0), 0).to_owned();
        let gap = cell.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(gap < TOLERANCE, "cell {row} is off by {gap}");
    }
}
