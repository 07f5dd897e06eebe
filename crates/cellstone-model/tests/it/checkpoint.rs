//! Checkpoint directories: what is written is read again, and what is damaged is named.

use cellstone_core::{CellInput, Encoded, Result, Scale, Seed, TokenRow, Var};
use cellstone_model::{
    AdamWConfig, Checkpoint, CheckpointConfig, CheckpointEncoder, CheckpointVocab, Decay, DeviceChoice, EncoderConfig,
    HostTensor, MaskedBatch, Network, NetworkConfig, Objective, PhenotypeQuery, PolyGeneConfig, Provenance, Schedule,
    Selected, TokenBatch, Trainer, TrainingPart, masked_batch, phenotype_logits, read_checkpoint, read_training,
    read_weights, select, write_checkpoint, write_safetensors,
};
use cellstone_rank::{
    BinEdges, EvaluationCondition, MaskLaw, MeasuredGenes, Negatives, PhenotypeCategory, PolygeneVocab,
    PolygeneVocabSpec, StringRule, condition_row, mask,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn cpu() -> Selected {
    select(DeviceChoice::Cpu).expect("the CPU is always there")
}

fn vocab(types: &[&str]) -> PolygeneVocab {
    PolygeneVocab::new(PolygeneVocabSpec {
        rule: StringRule::Normalized,
        categories: vec![
            PhenotypeCategory::from_labels("cell_type", types.iter().copied()),
            PhenotypeCategory::from_labels("sex", ["female", "male"]),
        ],
        genes: (0..12).map(|it| format!("G{it:02}")).collect(),
        edges: BinEdges::cam(),
        added: vec![],
    })
    .expect("valid")
}

fn encoder() -> CheckpointEncoder {
    let options = [("truncate", "hvg"), ("unknown", "mask")];
    CheckpointEncoder {
        config: EncoderConfig {
            id: "polygene_v2".into(),
            options: options.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            max_len: Some(10),
        },
        ..CheckpointEncoder::default()
    }
}

/// A checkpoint that nothing was learnt for.
fn fresh(vocab: &PolygeneVocab) -> (Network, CheckpointConfig) {
    let shape =
        PolyGeneConfig { dropout: 0.0, ..PolyGeneConfig::nano(vocab.n_values() as usize, vocab.n_types() as usize) };
    let network = NetworkConfig::PolyGene(shape);
    let config = CheckpointConfig {
        format: 1,
        architecture: "polygene_v2".into(),
        network: network.clone(),
        encoder: EncoderConfig::default(),
        label_smoothing: 0.0,
        objective: None,
        files: BTreeMap::new(),
        provenance: Provenance { seed: 7, ..Provenance::default() },
    };
    (Network::fresh(network, Seed::new(3), &cpu()).expect("a network"), config)
}

fn write(dir: &Path, types: &[&str]) -> Network {
    let vocab = vocab(types);
    let (network, config) = fresh(&vocab);
    let weights = network.weights().expect("weights");
    write_checkpoint(dir, &config, &weights, &CheckpointVocab::Polygene(Box::new(vocab)), &encoder(), None)
        .expect("written");
    network
}

fn cells(checkpoint: &Checkpoint, n: usize) -> Vec<TokenRow> {
    let encoder = checkpoint.encoder.tokenizer(&checkpoint.vocab, None).expect("an encoder");
    let var = Var::from_ids((0..12).map(|it| format!("G{it:02}"))).expect("unique");
    let bound = encoder.bind(&var, Scale::Counts).expect("bound");
    let one = |cell: usize| {
        let columns: Vec<u32> = (0..12).filter(|it| !(it + cell as u32).is_multiple_of(3)).collect();
        let values: Vec<f32> = columns.iter().map(|it| (1 + (*it as usize + cell) % 7) as f32).collect();
        let phenotypes = [Some(["B cell", "T cell"][cell % 2]), (!cell.is_multiple_of(5)).then_some("male")];
        let columns = &columns[..4 + cell % 5];
        let input = CellInput {
            columns,
            values: &values[..columns.len()],
            n_counts: 50.0,
            phenotypes: &phenotypes,
            seed: Seed::new(1),
        };
        let Encoded::Row(row) = bound.encode(&input) else { panic!("has genes") };
        row
    };
    (0..n).map(one).collect()
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("best");
    let network = write(&dir, &["B cell", "T cell"]);
    let found = read_checkpoint(&dir, &cpu()).expect("read");
    assert_eq!(found.network.weights().expect("weights"), network.weights().expect("weights"));
    assert_eq!((found.report.unused.len(), found.config.provenance.seed), (0, 7));
    assert_eq!(found.encoder, encoder());
    let ours = vocab(&["B cell", "T cell"]);
    assert_eq!(found.vocab.polygene().expect("two streams").spec(), ours.spec());
    let tokens: BTreeMap<String, u32> =
        serde_json::from_str(&fs::read_to_string(dir.join("vocab.json")).expect("vocab.json")).expect("a map");
    assert_eq!((tokens["[mask]"], tokens["cell_type:t_cell"], tokens.len()), (2, 5, 18));
    // Rows are cut as the checkpoint says.
    assert!(cells(&found, 9).iter().all(|it| it.input_ids.len() <= 10));
    // Written over, beside nothing else.
    write(&dir, &["B cell", "T cell", "neuron"]);
    assert_eq!(read_checkpoint(&dir, &cpu()).expect("read").vocab.n_ids(), 19);
    let names: Vec<String> = fs::read_dir(folder.path())
        .expect("readable")
        .map(|it| it.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["best"]);
}

/// What reading says after something was done to a directory.
fn said(change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("best");
    write(&dir, &["B cell", "T cell"]);
    change(&dir);
    let error = read_checkpoint(&dir, &cpu()).expect_err("damaged");
    let hints = error.hints().join("; ");
    format!("{error} | {hints}").replace(&folder.path().display().to_string(), "")
}

fn cut(path: &Path) {
    let bytes = fs::read(path).expect("bytes");
    fs::write(path, &bytes[..bytes.len() - 10]).expect("cut");
}

/// Changes `config.json` as text, and forgets the checksums, as a person with an editor would.
fn edit(dir: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(dir.join("config.json")).expect("config.json");
    assert!(text.contains(from), "{text}");
    let mut value: serde_json::Value = serde_json::from_str(&text.replace(from, to)).expect("json");
    value["files"] = serde_json::json!({});
    fs::write(dir.join("config.json"), value.to_string()).expect("written");
}

#[test]
fn what_is_damaged_is_named() {
    let text = said(|dir| cut(&dir.join("model.safetensors")));
    assert!(text.contains("/best/model.safetensors`: ") && text.contains("cut short"), "{text}");
    let text = said(|dir| cut(&dir.join("config.json")));
    assert!(text.contains("/best/config.json`: ") && text.contains("cut short"), "{text}");
    let text = said(|dir| fs::remove_file(dir.join("vocab.json")).expect("removed"));
    assert!(text.contains("/best/vocab.json"), "{text}");
    let text = said(|dir| fs::write(dir.join("vocab.json"), "{\"a\": 0}").expect("written"));
    assert!(text.contains("/best/vocab.json`") && text.contains("checksum"), "{text}");
    let text = said(|dir| edit(dir, "\"format\": 1", "\"format\": 2"));
    assert!(text.contains("format 2, expected 1"), "{text}");
    let text = said(|dir| fs::remove_dir_all(dir).expect("removed"));
    assert!(text.contains("/best/config.json") && text.contains("the directory that `pretrain` writes"), "{text}");
}

#[test]
fn parts_of_two_models_are_told_apart() {
    // The vocabulary of a model with one more type.
    let other = tempfile::tempdir().expect("a folder");
    write(&other.path().join("o"), &["B cell", "T cell", "neuron"]);
    let swap = |dir: &Path, name: &str| {
        fs::copy(other.path().join("o").join(name), dir.join(name)).expect("copied");
    };
    let text = said(|dir| {
        swap(dir, "vocab.json");
        swap(dir, "tokenizer/polygene.json");
        edit(dir, "\"format\": 1", "\"format\": 1");
    });
    assert!(text.contains("the vocabulary has 19 value ids, the network 18"), "{text}");
    let text = said(|dir| {
        swap(dir, "vocab.json");
        edit(dir, "\"format\": 1", "\"format\": 1");
    });
    assert!(
        text.contains("token 6 is `cell_type:neuron` in vocab.json and `sex:female` in tokenizer/polygene.json"),
        "{text}"
    );
    // The weights of another shape: which tensor, and both shapes.
    let text = said(|dir| edit(dir, "\"d_inner\": 128", "\"d_inner\": 100"));
    assert!(text.contains("ffn.lin1") && text.contains("[128, 64]") && text.contains("expected [100, 64]"), "{text}");
    let text = said(|dir| {
        let mut weights = read_weights(&dir.join("model.safetensors")).expect("read");
        weights.insert("prediction_head.3.bias", HostTensor::new(vec![1], vec![f32::NAN]).expect("fits"));
        write_safetensors(&weights, &dir.join("model.safetensors")).expect("written");
        edit(dir, "\"format\": 1", "\"format\": 1");
    });
    assert!(text.contains("model.safetensors") && text.contains("`prediction_head.3.bias` has shape [1]"), "{text}");
}

#[test]
fn a_kill_between_two_renames_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("last");
    write(&dir, &["B cell", "T cell"]);
    fs::rename(&dir, folder.path().join("last.old")).expect("renamed");
    assert_eq!(read_checkpoint(&dir, &cpu()).expect("put back").vocab.n_ids(), 18);
    assert!(!folder.path().join("last.old").exists());
    // What a kill left of the next one is not in the way.
    fs::create_dir(folder.path().join("last.part")).expect("made");
    fs::write(folder.path().join("last.part/model.safetensors"), "half").expect("written");
    write(&dir, &["B cell"]);
    assert_eq!(read_checkpoint(&dir, &cpu()).expect("the new one").vocab.n_ids(), 17);
    assert!(!folder.path().join("last.part").exists());
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_leaves_the_earlier_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("last");
    write(&dir, &["B cell", "T cell"]);
    // A file stands where the new directory would be made.
    fs::write(folder.path().join("last.part"), "in the way").expect("written");
    let vocab = vocab(&["B cell"]);
    let (network, config) = fresh(&vocab);
    let weights = network.weights().expect("weights");
    let refused =
        write_checkpoint(&dir, &config, &weights, &CheckpointVocab::Polygene(Box::new(vocab)), &encoder(), None);
    assert!(refused.expect_err("in the way").to_string().contains("last.part"));
    assert_eq!(read_checkpoint(&dir, &cpu()).expect("the earlier one").vocab.n_ids(), 18);
}

/// Batches of masked cells.
fn batches(rows: &[TokenRow], vocab: &PolygeneVocab, epoch: u64) -> Vec<MaskedBatch> {
    let law = MaskLaw { gene: 0.3, negatives: Negatives::Uniform, ..MaskLaw::default() };
    let genes = MeasuredGenes::new((0..12).collect()).expect("once each");
    let masked = |(at, it): (usize, &TokenRow)| {
        mask(vocab, &law, it, &genes, cellstone_rank::CutGenes::ByRank, epoch, Seed::new(at as u64))
    };
    let masked = rows.iter().enumerate().map(masked).collect::<Result<Vec<_>>>().expect("masked");
    masked.chunks(6).map(|it| masked_batch(it, PolygeneVocab::PAD).expect("a batch")).collect()
}

fn trainer(network: Network) -> Trainer {
    let schedule = Schedule { peak: 3e-3, warmup: 2, total: 40, decay: Decay::Cosine };
    let objective = Objective::AllIds { smoothing: 0.0 };
    Trainer::new(network, objective, AdamWConfig::default(), schedule, Seed::new(5)).expect("a trainer")
}

#[test]
fn training_goes_on_from_a_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("last");
    write(&dir, &["B cell", "T cell"]);
    let found = read_checkpoint(&dir, &cpu()).expect("read");
    let rows = cells(&found, 18);
    let vocab = found.vocab.polygene().expect("two streams").clone();
    let step = |trainer: &mut Trainer, at: u64| trainer.step(&batches(&rows, &vocab, at)).expect("a step");
    let mut whole = trainer(found.network);
    let losses: Vec<f64> = (0..8).map(|at| step(&mut whole, at).loss).collect();
    assert!(losses[7] < losses[0], "{losses:?}");
    let mut first = trainer(read_checkpoint(&dir, &cpu()).expect("read").network);
    (0..5).for_each(|at| drop(step(&mut first, at)));
    let state = first.state().expect("a state");
    let part = TrainingPart { state, driver: "{\"place\":5}".into() };
    let mut config = found.config.clone();
    config.provenance.steps = 5;
    write_checkpoint(&dir, &config, &part.state.weights, &found.vocab, &found.encoder, Some(&part)).expect("written");
    let again = read_training(&dir).expect("read").expect("a training part");
    assert_eq!((&again.driver, again.state.step), (&part.driver, 5));
    let schedule = Schedule { peak: 3e-3, warmup: 2, total: 40, decay: Decay::Cosine };
    let mut second = Trainer::resume(
        config.network,
        again.state,
        Objective::AllIds { smoothing: 0.0 },
        AdamWConfig::default(),
        schedule,
        Seed::new(5),
        &cpu(),
    )
    .expect("goes on");
    let rest: Vec<f64> = (5..8).map(|at| step(&mut second, at).loss).collect();
    assert_eq!(rest, losses[5..], "bit for bit");
    cut(&dir.join("training/moments.safetensors"));
    let error = read_training(&dir).expect_err("cut short").to_string();
    assert!(error.contains("training/moments.safetensors"), "{error}");
    assert!(read_checkpoint(&dir, &cpu()).is_ok(), "for use alone it is whole");
}

#[test]
fn evaluation_is_the_loss_without_learning() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("c"), &["B cell", "T cell"]);
    let found = read_checkpoint(&folder.path().join("c"), &cpu()).expect("read");
    let (rows, vocab) = (cells(&found, 12), found.vocab.polygene().expect("two streams").clone());
    let batches = batches(&rows, &vocab, 0);
    let mut trainer = trainer(found.network);
    let before = trainer.evaluate(&batches).expect("evaluated");
    let n: usize = batches.iter().map(|it| it.labels.len()).sum();
    assert_eq!(before.by_slot[0].n, n);
    assert!((before.loss - f64::from(vocab.n_values()).ln()).abs() < 0.2, "{before:?}");
    // No dropout in this network: a step sees the same loss.
    let step = trainer.step(&batches).expect("a step").loss;
    assert!((step - before.loss).abs() < 1e-5, "{step} {before:?}");
    for at in 0..150 {
        trainer.step(&self::batches(&rows, &vocab, at % 3)).expect("a step");
    }
    let after = trainer.evaluate(&batches).expect("evaluated");
    let right = |it: &cellstone_model::Evaluation| it.by_slot[0].accuracy.expect("defined");
    assert!(after.loss < before.loss - 0.5 && right(&after) > right(&before), "{before:?} {after:?}");
}

#[test]
fn phenotype_scores_are_those_at_the_slot() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder.path().join("c"), &["B cell", "T cell"]);
    let found = read_checkpoint(&folder.path().join("c"), &cpu()).expect("read");
    let vocab = found.vocab.polygene().expect("two streams");
    let rows = cells(&found, 11);
    let ask = |condition, rows: &[TokenRow]| {
        phenotype_logits(&found.network, &PhenotypeQuery { vocab, category: 0, condition }, rows).expect("scores")
    };
    let mut all = Vec::new();
    for condition in [EvaluationCondition::Visible, EvaluationCondition::Masked, EvaluationCondition::Dropped] {
        let scores = ask(condition, &rows);
        assert_eq!(scores.dim(), (11, 18));
        for (at, row) in rows.iter().enumerate() {
            let shown = condition_row(vocab, row, 0, condition).expect("shown");
            let tokens = TokenRow { input_ids: shown.input_ids, type_ids: Some(shown.type_ids), ..TokenRow::default() };
            let mut batch = TokenBatch::new(&[tokens], PolygeneVocab::PAD, 0.0).expect("a batch");
            shown
                .attention
                .iter()
                .enumerate()
                .filter(|it| *it.1 == 0)
                .for_each(|it| batch.hide(0, it.0).expect("inside"));
            let logits = found.network.run(&batch).expect("outputs").logits.expect("a head");
            // The category stands behind `[cls]`.
            for id in 0..18 {
                let (one, many) = (logits[[0, 1, id]], scores[[at, id]]);
                assert!((one - many).abs() < 1e-4, "cell {at}, id {id}: {one} {many}");
            }
        }
        all.push(scores);
    }
    assert!(all[0] != all[1] && all[1] != all[2], "the conditions differ");
    // The label itself is never shown.
    let other: Vec<TokenRow> = rows
        .iter()
        .map(|it| {
            let mut it = it.clone();
            it.input_ids[1] = 9 - it.input_ids[1];
            it
        })
        .collect();
    for (condition, scores) in [(EvaluationCondition::Visible, &all[0]), (EvaluationCondition::Masked, &all[1])] {
        let gap = ask(condition, &other).iter().zip(scores).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(gap < 1e-6, "{gap}");
    }
    let wrong = TokenRow { input_ids: vec![0, 1], type_ids: Some(vec![0, 0]), ..TokenRow::default() };
    let query = PhenotypeQuery { vocab, category: 0, condition: EvaluationCondition::Visible };
    assert!(phenotype_logits(&found.network, &query, &[wrong]).is_err());
}
