//! Checkpoint directories as their libraries write them, opened whole; and what is said of those that are damaged.

use crate::parity::folder;
use cellstone_core::TokenRow;
use cellstone_model::{Checkpoint, DeviceChoice, NetworkConfig, TokenBatch, open_checkpoint, read_weights, select};
use ndarray::{Array3, Axis};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Both sides add in single precision, in another order.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    input_ids: Vec<Vec<u32>>,
    #[serde(default)]
    values: Vec<Vec<f32>>,
    hidden: Vec<Vec<Vec<f32>>>,
    scores: Vec<Vec<f32>>,
}

fn open(dir: &Path) -> cellstone_core::Result<Checkpoint> {
    open_checkpoint(dir, &select(DeviceChoice::Cpu).expect("the CPU"))
}

fn gap(got: &Array3<f32>, want: &[Vec<f32>]) -> f32 {
    let of_row = |(row, want): (usize, &Vec<f32>)| {
        let got = got.index_axis(Axis(0), row);
        assert!(want.len() <= got.len() && want.len().is_multiple_of(got.dim().1), "row {row}");
        got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    want.iter().enumerate().map(of_row).fold(0.0, f32::max)
}

#[test]
fn states_and_scores_of_every_format() {
    let text = std::fs::read_to_string(folder("published").join("golden.json")).expect("a golden file");
    let golden: BTreeMap<String, Golden> = serde_json::from_str(&text).expect("json");
    assert_eq!(golden.len(), 5);
    for (name, golden) in &golden {
        let checkpoint = open(&folder("published").join(name)).expect("a checkpoint");
        let is_scgpt = name.starts_with("scgpt");
        let unknown: Vec<&String> = checkpoint.report.unused.iter().collect();
        // The head of pretraining on cell types is no part of the network.
        assert!(unknown.iter().all(|it| is_scgpt && it.starts_with("cls_decoder.")), "{name}: {unknown:?}");
        assert_eq!(unknown.is_empty(), !is_scgpt, "{name}");
        let row = |at: usize| TokenRow {
            input_ids: golden.input_ids[at].clone(),
            values: golden.values.get(at).cloned(),
            ..TokenRow::default()
        };
        let rows: Vec<TokenRow> = (0..golden.input_ids.len()).map(row).collect();
        let pad = checkpoint.vocab.id("<pad>").expect("a token");
        let batch = TokenBatch::new(&rows, pad, -2.0).expect("a batch");
        let got = checkpoint.network.run(&batch).expect("outputs");
        let first = usize::from(is_scgpt);
        assert_eq!(got.hidden.len(), golden.hidden.len() + first);
        for (layer, want) in golden.hidden.iter().enumerate() {
            let gap = gap(&got.hidden[layer + first], want);
            assert!(gap < TOLERANCE, "{name}: hidden state {} is off by {gap}", layer + first);
        }
        let gap = gap(&got.logits.expect("a head"), &golden.scores);
        assert!(gap < TOLERANCE, "{name}: scores are off by {gap}");
    }
}

#[test]
fn encoders_come_with_the_directories() {
    let v2 = open(&folder("published").join("geneformer_bin")).expect("a checkpoint");
    assert_eq!((v2.encoder.config.id.as_str(), v2.encoder.config.max_len), ("geneformer_v2", Some(16)));
    let tokenizer = v2.encoder.tokenizer(&v2.vocab, None).expect("an encoder");
    assert_eq!((tokenizer.info().n_tokens, tokenizer.info().specials.cls), (40, Some(2)));
    let scgpt = open(&folder("published").join("scgpt")).expect("a checkpoint");
    let tokenizer = scgpt.encoder.tokenizer(&scgpt.vocab, None).expect("an encoder");
    // Special tokens were appended to the vocabulary in their published order.
    assert_eq!((tokenizer.info().specials.pad, tokenizer.info().specials.cls), (Some(37), Some(38)));
    assert_eq!(scgpt.encoder.config.options["n_bins"], "51");
    let NetworkConfig::ScGpt(it) = scgpt.network.config() else { panic!("an scGPT") };
    assert_eq!((it.n_tokens, it.pad_value), (40, -2.0));
}

/// A copy of a directory, to be damaged.
fn copy(name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let to = dir.path().join(name);
    std::fs::create_dir(&to).expect("made");
    for it in std::fs::read_dir(folder("published").join(name)).expect("read") {
        let it = it.expect("entry");
        std::fs::copy(it.path(), to.join(it.file_name())).expect("copied");
    }
    (dir, to)
}

#[track_caller]
fn refused(dir: &Path, wanted: &str) {
    let error = open(dir).expect_err(wanted);
    let said = error.to_string();
    assert!(said.contains(wanted), "{said}\nexpected: {wanted}");
    assert!(error.is_invalid_input() || error.kind() == cellstone_core::ErrorKind::Io, "{said}");
}

#[test]
fn what_is_cut_short_is_named() {
    for (name, file) in [
        ("geneformer_bin", "pytorch_model.bin"),
        ("scgpt", "best_model.pt"),
        ("geneformer_brain", "model-00002-of-00002.safetensors"),
        ("geneformer_half", "pytorch_model-00001-of-00002.bin"),
    ] {
        let (_kept, dir) = copy(name);
        let whole = std::fs::read(dir.join(file)).expect("bytes");
        for keep in [whole.len() - 1, whole.len() / 2, 100, 4, 0] {
            std::fs::write(dir.join(file), &whole[..keep]).expect("cut");
            refused(&dir, file);
        }
        // A changed byte is an error or another number, never a panic.
        for at in (0..whole.len()).step_by(whole.len() / 40) {
            let mut changed = whole.clone();
            changed[at] ^= 0x55;
            std::fs::write(dir.join(file), &changed).expect("changed");
            let _ = open(&dir);
        }
    }
    let (_kept, dir) = copy("geneformer_half");
    std::fs::remove_file(dir.join("pytorch_model-00002-of-00002.bin")).expect("removed");
    refused(&dir, "pytorch_model-00002-of-00002.bin");
    let (_kept, dir) = copy("scgpt");
    std::fs::write(dir.join("args.json"), "{\"embsize\": 16,").expect("cut");
    refused(&dir, "args.json");
    let error = read_weights(&folder("published").join("legacy.bin")).expect_err("legacy").to_string();
    assert!(error.contains("the format of PyTorch before 1.6"), "{error}");
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("text");
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).expect("written");
}

#[test]
fn what_does_not_fit_is_named() {
    // A block more than the file has: every name of it, not the first alone.
    let (_kept, dir) = copy("geneformer_bin");
    edit(&dir.join("config.json"), "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    refused(&dir, "16 tensors are missing: `bert.encoder.layer.2.attention.self.query.weight`");
    refused(&dir, " and 8 more");
    // A block less: what is left over is reported, not refused.
    edit(&dir.join("config.json"), "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 1");
    let report = open(&dir).expect("a smaller network").report;
    assert_eq!(report.unused.len(), 16);
    assert!(report.unused.iter().all(|it| it.starts_with("bert.encoder.layer.1.")), "{:?}", report.unused);
    edit(&dir.join("config.json"), "\"intermediate_size\": 32", "\"intermediate_size\": 48");
    refused(&dir, "tensor `bert.encoder.layer.0.intermediate.dense.weight` has shape [32, 16], expected [48, 16]");
    refused(&dir, "tensor `bert.encoder.layer.0.output.dense.weight`");
}

#[test]
fn vocabularies_of_other_models_are_refused() {
    let (_kept, dir) = copy("geneformer_bin");
    edit(&dir.join("vocab.json"), ", \"ENSG00000000039\": 39", "");
    refused(&dir, "has 39 tokens, the table of the network 40 rows: the vocabulary is of another model");
    let (_kept, dir) = copy("scgpt");
    edit(&dir.join("vocab.json"), "{\"GENE", "{\"OTHER\": 37, \"GENE");
    refused(&dir, "has 41 tokens, the table of the network 40 rows");
    let mut without = open(&folder("published").join("geneformer_bin")).expect("a checkpoint");
    let error = without.give_vocabulary(vec![("<pad>".into(), 0)], "`x.json`").expect_err("another").to_string();
    assert_eq!(error, "`x.json` has 1 tokens, the table of the network 40 rows: the vocabulary is of another model");
}

#[test]
fn other_directories_are_no_checkpoints() {
    let dir = tempfile::tempdir().expect("a folder");
    refused(&dir.path().join("none"), "does not exist, expected a directory");
    refused(dir.path(), "is no checkpoint: it has no files; looked for `config.json`");
    std::fs::write(dir.path().join("model.pkl"), "x").expect("written");
    refused(dir.path(), "is no checkpoint: it has `model.pkl`");
    std::fs::write(dir.path().join("config.json"), "{\"model_type\": \"t5\"}").expect("written");
    refused(dir.path(), "model_type `t5`, expected `bert`");
    std::fs::write(dir.path().join("config.json"), "{\"a\": 1}").expect("written");
    refused(dir.path(), "neither `format` and `network` (ours) nor `model_type`");
    let (_kept, dir) = copy("geneformer_bin");
    edit(&dir.join("config.json"), "\"absolute\"", "\"relative_key\"");
    refused(&dir, "position_embedding_type `relative_key`, expected `absolute`");
}
