//! Pretraining from end to end on simulated phenotypes: it learns, it resumes to the same bytes, neither threads nor
//! pieces of the file change what it sees, and what is wrong is named.

use crate::common::assert_same_tables;
use cellstone_core::{Column, Csr, Error, ObsTable, Result, Seed};
use cellstone_fixtures::{PhenotypeSpec, simulate_phenotypes_to_h5ad};
use cellstone_io::{Extras, H5adWriter, OpenOptions, WriteOptions, open_source};
use cellstone_lab::pretrain::{PretrainConfig, parse_pretrain, plan_pretrain, resolve_pretrain, run_pretrain};
use cellstone_lab::{NCounts, Progress, RunOptions, RunOutcome, Silent, TokenizeOptions, tokenize};
use cellstone_model::{DeviceChoice, read_checkpoint, read_training, select};
use cellstone_rank::CoverageRule;
use cellstone_report::pretrain::schema::{HeldOutRow, LossRow, SlotLossRow};
use cellstone_report::read_table;
use ndarray::Array2;
use rand::RngExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

const TEXT: &str = r#"
schema = 1
kind = "pretrain"
id = "tiny"
question = "Does it work?"
seed = 3
[data]
path = "cells.h5ad"
phenotypes = ["cell_type", "sex", "tissue"]
held_out = { column = "donor_id", values = ["donor01", "donor04"] }
validation = { column = "donor_id", values = ["donor02", "donor03"] }
[encoder]
n_genes = 60
max_len = 40
[network]
d = 16
d_inner = 32
n_layers = 1
n_heads = 2
[train]
steps = 12
tokens_per_batch = 600
shuffle = 64
warmup = 2
lr = 3e-3
eval_every = 4
checkpoint_every = 3
"#;

/// Cells of three types with eight markers each, in `dir/marked.h5ad`: a marker is seen in half of the cells of its type
/// and nowhere else; sixteen more genes say nothing.
fn marked(dir: &Path) {
    let mut rng = Seed::new(9).rng();
    let (n, kinds) = (240, ["alpha", "beta", "gamma"]);
    let mut x = Array2::<f32>::zeros((n, 40));
    for (cell, mut row) in x.rows_mut().into_iter().enumerate() {
        for (gene, value) in row.iter_mut().enumerate() {
            let rate = if gene >= 24 || gene / 8 == cell % 3 { 0.5 } else { 0.0 };
            if rng.random::<f64>() < rate {
                *value = rng.random_range(1_u8..6).into();
            }
        }
    }
    let mut obs = ObsTable::new((0..n).map(|it| format!("cell{it}")).collect());
    let column = |of: &dyn Fn(usize) -> String| Column::categorical(&(0..n).map(of).collect::<Vec<_>>());
    obs.insert("cell_type", column(&|it| kinds[it % 3].into())).expect("as long");
    obs.insert("sex", column(&|it| ["female", "male"][it / 7 % 2].into())).expect("as long");
    obs.insert("tissue", column(&|_| "blood".into())).expect("as long");
    obs.insert("donor_id", column(&|it| format!("donor{:02}", it / 20 + 1))).expect("as long");
    let var = ObsTable::new((0..40).map(|it| format!("G{it:02}")).collect());
    let mut writer = H5adWriter::create(dir.join("marked.h5ad"), &WriteOptions::default(), 40).expect("created");
    writer.write_rows(&Csr::from_dense(&x)).expect("written");
    writer.finish(&obs, &var, &Extras::default()).expect("finished");
}

/// One training at a time: dropout draws from the device, which a process has once.
static TRAINING: Mutex<()> = Mutex::new(());

/// Simulated cells in `dir/cells.h5ad`.
fn cells(dir: &Path) -> MutexGuard<'static, ()> {
    let alone = TRAINING.lock().unwrap_or_else(PoisonError::into_inner);
    let spec = PhenotypeSpec::preset("phenotypes_tiny").expect("preset");
    let path = dir.join("cells.h5ad");
    simulate_phenotypes_to_h5ad(spec, Seed::new(5), &path, &WriteOptions::default(), &mut |_, _| ())
        .expect("simulated");
    alone
}

fn config(dir: &Path, overrides: &[&str]) -> Result<PretrainConfig> {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    resolve_pretrain(parse_pretrain(TEXT, &overrides)?, dir)
}

fn run_with(
    config: &PretrainConfig,
    out: &Path,
    resume: bool,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<RunOutcome> {
    let options = RunOptions {
        out: Some(out.to_owned()),
        resume,
        force: false,
        progress,
        cancel,
        threads: 2,
        device: "cpu".into(),
    };
    run_pretrain(config, &options, &select(DeviceChoice::Cpu)?)
}

fn run(config: &PretrainConfig, out: &Path) -> Result<RunOutcome> {
    run_with(config, out, false, &Silent, &AtomicBool::new(false))
}

fn losses(out: &Path) -> Vec<LossRow> {
    read_table(&out.join("tables"), "losses").expect("losses")
}

#[test]
fn it_learns_and_says_what_it_learnt() {
    let folder = tempfile::tempdir().expect("a folder");
    let _alone = cells(folder.path());
    marked(folder.path());
    let set = ["data.path=\"marked.h5ad\"", "train.steps=300", "train.eval_every=50", "network.d=32"];
    let config = config(folder.path(), &set).expect("valid");
    let plan = plan_pretrain(&config).expect("a plan");
    assert!(plan.contains("160 to learn from, 40 to decide when to stop, 40 held out"), "{plan}");
    let out = folder.path().join("out");
    let outcome = run(&config, &out).expect("runs");
    let rows = losses(&out);
    assert_eq!(rows.len(), 300);
    let mean = |rows: &[LossRow]| rows.iter().map(|it| it.train_loss).sum::<f64>() / rows.len() as f64;
    assert!(mean(&rows[280..]) < 0.8 * mean(&rows[..5]), "{} {}", mean(&rows[..5]), mean(&rows[280..]));
    let looks: Vec<f64> = rows.iter().filter_map(|it| it.validation_loss).collect();
    assert_eq!(looks.len(), 6);
    let best = looks.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(best < looks[0] && rows[0].train_loss.is_finite());
    // At the beginning every slot is as good as guessing.
    let slots: Vec<SlotLossRow> = read_table(&out.join("tables"), "losses_by_slot").expect("slots");
    let guess = slots.iter().find(|it| it.slot == "cell_type" && it.loss.is_some()).and_then(|it| it.loss);
    assert!((guess.expect("masked") - 3.0_f64.ln()).abs() < 0.4, "{guess:?}");
    // Cells of donors it never saw: better than the commonest type.
    let held: Vec<HeldOutRow> = read_table(&out.join("tables"), "held_out_phenotypes").expect("held out");
    let share = |method: &str| {
        let found = held.iter().find(|it| {
            (it.part.as_str(), it.category.as_str(), it.condition.as_str(), it.method.as_str())
                == ("held_out", "cell_type", "masked", method)
        });
        found.and_then(|it| it.accuracy).expect("defined")
    };
    assert!(share("model") > share("majority") + 0.3, "{} {}", share("model"), share("majority"));
    let best = read_checkpoint(&out.join("checkpoints/best"), &select(DeviceChoice::Cpu).expect("cpu")).expect("kept");
    let seen = best.config.provenance;
    assert_eq!((seen.n_train, seen.n_held_out, seen.data[0].name.as_str()), (160, 40, "marked.h5ad"));
    assert_eq!(seen.held_out.expect("a rule").values, ["donor01", "donor04"]);
    let page = std::fs::read_to_string(&outcome.report).expect("a page");
    for part in ["The validation loss fell to", "step of the optimizer", "loss (nats)", "Cells it never learnt from"] {
        assert!(page.contains(part), "{part}");
    }
}

/// Asks to stop once so many batches were learnt from.
struct StopAfter<'a> {
    left: AtomicU64,
    training: AtomicBool,
    cancel: &'a AtomicBool,
}

impl Progress for StopAfter<'_> {
    fn begin(&self, phase: &str, _: Option<u64>, _: &str) {
        self.training.store(phase == "training", Ordering::Relaxed);
    }

    fn advance(&self, _: u64) {
        if self.training.load(Ordering::Relaxed) && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.cancel.store(true, Ordering::Relaxed);
        }
    }

    fn end(&self) {}
}

#[test]
fn a_stopped_run_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let _alone = cells(folder.path());
    // Dropout, accumulation, epochs that end inside a step, an early stop.
    for overrides in
        [&["train.steps=12"][..], &["train.accumulate=3", "train.steps=9"], &["train.epochs=2", "train.steps=40"]]
    {
        let config = config(folder.path(), overrides).expect("valid");
        let whole = folder.path().join("whole");
        run(&config, &whole).expect("runs");
        let n = losses(&whole).len() as u64;
        for stop in [1, 4, 5, n - 1] {
            let out = folder.path().join(format!("stopped{stop}"));
            let cancel = AtomicBool::new(false);
            let progress = StopAfter { left: AtomicU64::new(stop), training: AtomicBool::new(false), cancel: &cancel };
            let error = run_with(&config, &out, false, &progress, &cancel).expect_err("stopped");
            assert!(error.is_cancelled(), "{error}");
            run_with(&config, &out, true, &Silent, &AtomicBool::new(false)).expect("goes on");
            assert_same_tables(&whole, &out);
            let [a, b] = [&whole, &out]
                .map(|it| read_training(&it.join("checkpoints/last")).expect("read").expect("a training part").state);
            assert!(a == b, "weights and moments after a stop at {stop}");
            std::fs::remove_dir_all(&out).expect("removed");
        }
        std::fs::remove_dir_all(&whole).expect("removed");
    }
}

#[test]
fn an_early_stop_keeps_the_best() {
    let folder = tempfile::tempdir().expect("a folder");
    let _alone = cells(folder.path());
    // A rate that ruins what was learnt.
    let set = ["train.steps=200", "train.lr=0.5", "train.warmup=0", "train.eval_every=2", "train.patience=3"];
    let config = config(folder.path(), &set).expect("valid");
    let out = folder.path().join("out");
    run(&config, &out).expect("runs");
    let rows = losses(&out);
    let looks: Vec<(i64, f64)> = rows.iter().filter_map(|it| Some((it.step, it.validation_loss?))).collect();
    let best = looks.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).expect("looks");
    assert!(rows.len() < 200);
    assert_eq!(
        looks.len(),
        looks.iter().position(|it| *it == best).expect("there") + 4,
        "three looks without a better one"
    );
    let kept = read_checkpoint(&out.join("checkpoints/best"), &select(DeviceChoice::Cpu).expect("cpu")).expect("kept");
    assert_eq!(kept.config.provenance.steps, best.0 as u64);
}

#[test]
fn a_token_table_gives_the_same_losses() {
    let folder = tempfile::tempdir().expect("a folder");
    let _alone = cells(folder.path());
    let config = config(folder.path(), &[]).expect("valid");
    let out = folder.path().join("cells");
    run(&config, &out).expect("runs");
    let checkpoint =
        read_checkpoint(&out.join("checkpoints/best"), &select(DeviceChoice::Cpu).expect("cpu")).expect("kept");
    let source = open_source(&folder.path().join("cells.h5ad"), &OpenOptions::default()).expect("open");
    let encoder = checkpoint.encoder.polygene_v2(&checkpoint.vocab, None).expect("an encoder");
    let table = folder.path().join("cells.parquet");
    let cancel = AtomicBool::new(false);
    let options = TokenizeOptions {
        input: folder.path().join("cells.h5ad"),
        matrix: "X".into(),
        files: vec![],
        dataset_id: "cells".into(),
        obs: vec!["donor_id".into()],
        phenotypes: vec![],
        seed: Seed::new(0),
        rule: CoverageRule::Lenient,
        n_counts: NCounts::Computed,
        low_medians: vec![],
        detected: None,
        row_group_size: 65_536,
        resume: false,
        force: false,
        progress: &Silent,
        cancel: &cancel,
    };
    tokenize(source.as_ref(), &encoder, &table, &options).expect("tokens");
    let vocab = out.join("checkpoints/best/tokenizer/polygene.json");
    let text = TEXT.replace(
        "path = \"cells.h5ad\"\nphenotypes = [\"cell_type\", \"sex\", \"tissue\"]",
        &format!("tokens = \"cells.parquet\"\nvocab = \"{}\"", vocab.display()),
    );
    // Genes that a row lacks are not known to the table: no negatives, and the rows are the same.
    let no_negatives = ["mask.negative_rows=0".to_owned()];
    let of_table =
        resolve_pretrain(parse_pretrain(&text, &no_negatives).expect("parses"), folder.path()).expect("valid");
    let of_cells = self::config(folder.path(), &["mask.negative_rows=0"]).expect("valid");
    let [a, b] = [(&of_cells, "a"), (&of_table, "b")].map(|(config, name)| {
        let out = folder.path().join(name);
        run(config, &out).expect("runs");
        losses(&out)
    });
    assert_eq!(a, b);
    // A table of another vocabulary.
    let spec = std::fs::read_to_string(&vocab).expect("a vocabulary");
    let mut spec: serde_json::Value = serde_json::from_str(&spec).expect("json");
    spec["genes"].as_array_mut().expect("genes").truncate(20);
    std::fs::write(folder.path().join("other.json"), spec.to_string()).expect("written");
    let text = text.replace(&vocab.display().to_string(), "other.json");
    let config = resolve_pretrain(parse_pretrain(&text, &[]).expect("parses"), folder.path()).expect("valid");
    let error = run(&config, &folder.path().join("c")).expect_err("another vocabulary").to_string();
    assert!(error.contains("cells.parquet") && error.contains("another vocabulary"), "{error}");
}

/// What a run says that cannot be.
fn refused(folder: &Path, overrides: &[&str]) -> Error {
    let config = config(folder, overrides).expect("valid");
    let out = folder.join("refused");
    let error = run(&config, &out).expect_err("refused");
    let _ = std::fs::remove_dir_all(&out);
    error
}

#[test]
fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let _alone = cells(folder.path());
    let check = |overrides: &[&str], said: &str| {
        let error = refused(folder.path(), overrides);
        let text = format!("{error} {}", error.hints().join(" "));
        assert!(text.contains(said), "{overrides:?}: {text}");
        error
    };
    check(&["data.phenotypes=[\"cell_tipe\"]"], "did you mean `cell_type`?");
    check(
        &["data.held_out.values=[\"donor99\"]"],
        "data.held_out names `donor99`, which is no value of column `donor_id`",
    );
    check(&["data.held_out.column=\"donor\""], "column `donor` not found");
    check(&["data.keep={donor_id=[\"donor05\"]}"], "data.keep leaves none of these cells");
    check(&["data.path=\"absent.h5ad\""], "absent.h5ad");
    assert!(check(&["train.precision=\"f16\""], "computes in f32").is_device());
    assert!(check(&["train.lr=1e30", "train.clip=0"], "a lower learning rate").is_not_converged());
    // A vocabulary of other genes.
    let out = folder.path().join("own");
    run(&config(folder.path(), &["train.steps=1"]).expect("valid"), &out).expect("runs");
    let spec = std::fs::read_to_string(out.join("checkpoints/best/tokenizer/polygene.json")).expect("a vocabulary");
    std::fs::write(folder.path().join("mouse.json"), spec.replace("\"G", "\"Mouse")).expect("written");
    check(&["data.vocab=\"mouse.json\""], "has no gene of the vocabulary");
    std::fs::write(folder.path().join("mouse.json"), &spec[..40]).expect("written");
    check(&["data.vocab=\"mouse.json\""], "no vocabulary of a PolyGene v2");
}

#[test]
fn a_checkpoint_of_another_vocabulary_is_not_gone_on_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let _alone = cells(folder.path());
    let config = config(folder.path(), &[]).expect("valid");
    let (out, other) = (folder.path().join("out"), folder.path().join("other"));
    let stop = |out: &Path, config: &PretrainConfig| {
        let cancel = AtomicBool::new(false);
        let progress = StopAfter { left: AtomicU64::new(4), training: AtomicBool::new(false), cancel: &cancel };
        run_with(config, out, false, &progress, &cancel).expect_err("stopped");
    };
    stop(&out, &config);
    stop(&other, &self::config(folder.path(), &["encoder.n_genes=50"]).expect("valid"));
    std::fs::remove_dir_all(out.join("checkpoints/last")).expect("removed");
    std::fs::rename(other.join("checkpoints/last"), out.join("checkpoints/last")).expect("moved");
    let error = run_with(&config, &out, true, &Silent, &AtomicBool::new(false)).expect_err("another vocabulary");
    let text = error.to_string();
    assert!(text.contains("checkpoints/last") && text.contains("the vocabularies are of two models"), "{text}");
}
