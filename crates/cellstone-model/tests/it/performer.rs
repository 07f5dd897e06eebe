//! scBERT and scFoundation against derivations of their formulas in PyTorch.

use crate::parity::{folder, json};
use cellstone_core::TokenRow;
use cellstone_model::{
    DeviceChoice, ScBert, ScBertConfig, ScFoundationConfig, ScFoundationNet, Weights, read_weights, select,
};
use serde::Deserialize;

/// Single precision here, double there.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    scbert: Bert,
    scfoundation: Foundation,
}

#[derive(Deserialize)]
struct Bert {
    config: ScBertConfig,
    bins: Vec<u32>,
    hidden: Vec<Vec<f32>>,
    scores: Vec<f32>,
    cell: Vec<f32>,
}

#[derive(Deserialize)]
struct Foundation {
    config: ScFoundationConfig,
    places: Vec<u32>,
    values: Vec<f32>,
    hidden: Vec<Vec<f32>>,
    genes: Vec<f32>,
    expression: Vec<f32>,
    cell: Vec<f32>,
}

#[track_caller]
fn close<'a>(got: impl IntoIterator<Item = &'a f32>, want: &[f32], what: &str) {
    let got: Vec<f32> = got.into_iter().copied().collect();
    assert_eq!(got.len(), want.len(), "{what}");
    let gap = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(gap < TOLERANCE, "{what} is off by {gap}");
}

fn weights(name: &str) -> Weights {
    read_weights(&folder("performer").join(name)).expect("weights")
}

#[test]
fn an_scbert() {
    let golden: Golden = json("performer", "golden.json");
    let (golden, cpu) = (golden.scbert, select(DeviceChoice::Cpu).expect("the CPU"));
    let (net, report) =
        ScBert::load(golden.config.clone(), &mut weights("scbert.safetensors"), &cpu).expect("a network");
    assert_eq!(report.unused, Vec::<String>::new());
    let hidden = net.hidden(&golden.bins).expect("states");
    assert_eq!(hidden.len(), golden.hidden.len());
    for (at, (got, want)) in hidden.iter().zip(&golden.hidden).enumerate() {
        close(got, want, &format!("state {at}"));
    }
    close(&net.scores(&golden.bins).expect("scores"), &golden.scores, "scores");
    close(&net.embed(&golden.bins).expect("a vector"), &golden.cell, "vector");
    assert!(net.hidden(&golden.bins[1..]).is_err());
    assert!(net.hidden(&[7; 13]).expect_err("no such bin").to_string().contains("bin 7"));
    let wrong = ScBertConfig { d: 16, ..golden.config };
    let error = ScBert::load(wrong, &mut weights("scbert.safetensors"), &cpu).expect_err("another shape").to_string();
    assert!(error.contains("tensor `token_emb.weight` has shape [7, 12], expected [7, 16]"), "{error}");
}

#[test]
fn an_scfoundation() {
    let golden: Golden = json("performer", "golden.json");
    let (golden, cpu) = (golden.scfoundation, select(DeviceChoice::Cpu).expect("the CPU"));
    let (net, report) =
        ScFoundationNet::load(golden.config, &mut weights("scfoundation.safetensors"), &cpu).expect("a network");
    assert_eq!(report.unused, Vec::<String>::new());
    let row = TokenRow { input_ids: golden.places, values: Some(golden.values), ..TokenRow::default() };
    let hidden = net.hidden(&row).expect("states");
    assert_eq!(hidden.len(), golden.hidden.len());
    for (at, (got, want)) in hidden.iter().zip(&golden.hidden).enumerate() {
        close(got, want, &format!("state {at}"));
    }
    close(&net.embed(&row).expect("a vector"), &golden.cell, "vector");
    let (genes, expression) = net.genes(&row).expect("genes");
    close(&genes, &golden.genes, "genes");
    close(&expression, &golden.expression, "expression");
    assert!(net.hidden(&TokenRow { values: None, ..row.clone() }).is_err());
    assert!(net.hidden(&TokenRow { input_ids: vec![22], values: Some(vec![1.0]), ..row }).is_err());
}
