//! The way of a pretraining: cells → vocabulary → rows → training → held-out cells → page.

use super::assess::assess;
use super::config::{PretrainConfig, PretrainData};
use super::corpus::{Corpus, Part};
use super::driver::Setting;
use super::masking::{FIXED, Masking, law};
use super::rows::{Cell, Census, Rows, root};
use super::setup::{Made, check_precision, measured, network_config, objective, options, vocabulary};
use super::state::DriverState;
use super::stream::{Stream, cut};
use super::table::TokenRows;
use crate::run::{Phases, RunOptions, RunOutcome, base_manifest, finish, hash_text, input_record, open_run};
use cellstone_core::{Error, Result, Seed};
use cellstone_model::{
    CheckpointConfig, CheckpointVocab, DataFile, HeldOut, MaskedBatch, Network, Provenance, Selected, Trainer,
    read_checkpoint, read_training,
};
use cellstone_rank::PolygeneV2;
use cellstone_report::pretrain::schema::{CorpusRow, FactRow, HeldOutRow};
use cellstone_report::{Manifest, PhaseTime, Row, RunDir, write_table};
use std::collections::BTreeMap;

/// Runs a pretraining on a device.
///
/// # Errors
/// As its parts say. The manifest then says `failed` or `interrupted`, and the run can be resumed.
pub fn run_pretrain(config: &PretrainConfig, options: &RunOptions<'_>, on: &Selected) -> Result<RunOutcome> {
    check_precision(config, on)?;
    let text = config.to_toml();
    let hash = hash_text(&text);
    let run_dir = open_run(&config.id, &hash, options)?;
    let mut manifest = base_manifest(&config.id, &config.question, &hash, options);
    on.name().clone_into(&mut manifest.device);
    manifest.seeds = vec![config.seed];
    if let (true, Ok(old)) = (options.resume, run_dir.manifest()) {
        manifest.started = old.started;
    }
    run_dir.write_manifest(&manifest)?;
    run_dir.write_config(&text)?;
    let result = execute(config, options, on, &run_dir, &mut manifest);
    finish(&run_dir, &mut manifest, result)
}

/// What a pretraining would do, in plain words. Reads the annotation of the input, not its values.
///
/// # Errors
/// If the input cannot be opened or its columns are wrong: a plan that could not run says so.
pub fn plan_pretrain(config: &PretrainConfig) -> Result<String> {
    let mut lines = vec![("experiment", config.id.clone()), ("question", config.question.clone())];
    lines.extend(config.data.input().map(|it| ("input", it.display().to_string())));
    let mut n_train = 0;
    if let Some(path) = &config.data.path {
        let corpus = Corpus::open(config, path)?;
        n_train = corpus.count(Part::Train);
        let [validation, held_out] = [Part::Validation, Part::HeldOut].map(|it| corpus.count(it));
        lines.push((
            "cells",
            format!("{n_train} to learn from, {validation} to decide when to stop, {held_out} held out"),
        ));
        for category in corpus.categories(&config.data.phenotypes)? {
            let names: Vec<String> = category.values.iter().map(|it| it.label.clone()).collect();
            lines.push((
                "phenotype",
                format!("{}: {} values: {}", category.name, names.len(), cellstone_core::quoted(&names)),
            ));
        }
    }
    let it = &config.network;
    lines.push((
        "network",
        format!(
            "{}, width {}, {} blocks, {} heads, inner width {}",
            it.kind.as_str(),
            it.d,
            it.n_layers,
            it.n_heads,
            it.d_inner
        ),
    ));
    lines.push(("rows", format!("at most {} tokens over {} genes", config.encoder.max_len, config.encoder.n_genes)));
    let train = &config.train;
    let limit = |n: u64, what: &str| (n > 0).then(|| format!("{n} {what}"));
    let mut ends: Vec<String> =
        [limit(train.steps, "steps"), limit(train.epochs, "epochs")].into_iter().flatten().collect();
    if train.max_minutes > 0.0 {
        ends.push(format!("{} minutes", train.max_minutes));
    }
    if train.patience > 0 {
        ends.push(format!("{} looks without a better loss", train.patience));
    }
    lines.push(("ends", format!("after {}, whichever comes first", ends.join(", "))));
    let tokens = train.tokens_per_batch * train.accumulate;
    lines
        .push(("step", format!("{tokens} tokens at most in {} batches, learning rate {}", train.accumulate, train.lr)));
    if n_train > 0 && train.epochs > 0 {
        let most = n_train as u64 * config.encoder.max_len as u64 * train.epochs;
        lines.push(("tokens", format!("{most} at most")));
    }
    lines.push(("seed", config.seed.to_string()));
    Ok(lines.into_iter().map(|(key, value)| format!("{key:<12} {value}\n")).collect())
}

/// Rows and what they are made with.
struct Prepared {
    made: Made,
    rows: Rows,
    data: DataFile,
}

fn prepare(config: &PretrainConfig, phases: &mut Phases<'_>, options_: &RunOptions<'_>) -> Result<Prepared> {
    let Some(path) = config.data.input() else { return Err(Error::config("data.path is missing")) };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dataset = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let seed = root(config);
    let (made, rows, n_obs, n_vars) = if config.data.tokens.is_some() {
        let made = phases.time("vocabulary", || vocabulary(config, None))?;
        let rows = phases.time("read annotation", || TokenRows::open(config, path, made.polygene()?, seed))?;
        let n = rows.parts.len() as u64;
        (made, Rows::Tokens(Box::new(rows)), n, 0)
    } else {
        let corpus = phases.time("read annotation", || Corpus::open(config, path))?;
        options_.progress.begin("ranking genes", None, "");
        let made = phases.time("rank genes", || vocabulary(config, Some(&corpus)));
        options_.progress.end();
        let made = made?;
        let encoder = PolygeneV2::new(made.polygene()?.clone(), options(config))?;
        let (n_obs, n_vars) = (corpus.source.n_obs() as u64, corpus.source.var().len() as u64);
        let bound = encoder.bind_polygene(corpus.source.var(), corpus.source.scale())?;
        let n_hit = cellstone_core::BoundTokenizer::coverage(&bound).n_hit;
        if n_hit == 0 {
            let example = corpus.source.var().ids().first().cloned().unwrap_or_default();
            return Err(Error::invalid_input(format!(
                "`{}` has no gene of the vocabulary (its first gene is `{example}`, that of the vocabulary `{}`)",
                path.display(),
                made.polygene()?.genes().keys().first().cloned().unwrap_or_default()
            ))
            .with_hint(
                "name the genes of the file as the vocabulary does: `cargo xtask genes` finds ids for symbols",
            ));
        }
        let rows = Rows::Cells { corpus: Box::new(corpus), bound: Box::new(bound), seed, dataset };
        (made, rows, n_obs, n_vars)
    };
    let record = phases.time("hash input", || input_record(path, "data", n_obs, n_vars))?;
    let data = DataFile { name, sha256: record.sha256.clone(), n_obs, n_vars };
    phases.manifest.inputs = vec![record];
    phases.run_dir.write_manifest(phases.manifest)?;
    Ok(Prepared { made, rows, data })
}

fn execute(
    config: &PretrainConfig,
    options: &RunOptions<'_>,
    on: &Selected,
    run_dir: &RunDir,
    manifest: &mut Manifest,
) -> Result<RunOutcome> {
    let mut phases = Phases { manifest, run_dir, cancel: options.cancel };
    let Prepared { made, rows, data } = prepare(config, &mut phases, options)?;
    let vocab = made.polygene()?;
    let progress = options.progress;
    progress.begin("encoding cells", Some(rows.parts().len() as u64), "cells");
    let census = phases.time("encode cells", || Census::take(&rows, vocab, &|n| progress.advance(n)));
    progress.end();
    let census = census?;
    let masking = Masking { vocab, law: law(&config.mask), measured: measured(vocab, &census, &config.mask)? };
    let seed = root(config);
    let validation = phases.time("mask validation cells", || validation(config, &rows, &masking, seed))?;
    let total = total_steps(config, &census);
    let checkpoint = CheckpointConfig {
        format: 1,
        architecture: config.network.kind.as_str().to_owned(),
        network: network_config(config, vocab),
        encoder: made.encoder.config.clone(),
        label_smoothing: config.train.label_smoothing,
        objective: Some(objective(config, vocab)),
        files: BTreeMap::new(),
        provenance: provenance(config, &census, data),
    };
    let folder = run_dir.checkpoints_dir();
    let (mut trainer, mut state) = begin(config, options, on, &folder, &made.vocab, &checkpoint, total)?;
    let setting = Setting {
        config,
        masking: &masking,
        validation: &validation,
        slots: slot_names(&checkpoint),
        checkpoint,
        vocab: &made.vocab,
        encoder: &made.encoder,
        folder: &folder,
        total,
        progress,
        cancel: options.cancel,
    };
    let mut stream = Stream::new(&rows, seed, config.train.tokens_per_batch, config.train.shuffle);
    progress.begin("training", Some(expected_tokens(config, &census, total).saturating_sub(state.tokens)), "tokens");
    let trained = phases.time("train", || setting.train(&mut trainer, &mut stream, &mut state));
    progress.end();
    trained?;
    // A run without validation cells has no better network than its last.
    let best = state.best.map_or("last", |_| "best");
    if state.best.is_none() {
        setting.keep("best", &trainer.network().weights()?, trainer.steps(), &state, None)?;
    }
    let network = read_checkpoint(&folder.join("best"), on)?.network;
    let mut found: Vec<HeldOutRow> = Vec::new();
    for part in [Part::HeldOut, Part::Validation] {
        if census.cells[part as usize] == 0 {
            continue;
        }
        progress.begin(&format!("{} cells", part.as_str().replace('_', "-")), Some(rows.parts().len() as u64), "cells");
        let answers =
            phases.time(part.as_str(), || assess(&network, &rows, vocab, &census, part, &|n| progress.advance(n)));
        progress.end();
        found.extend(answers?);
    }
    phases.manifest.phases.push(PhaseTime { name: "training in all".into(), seconds: state.seconds.0 });
    let facts = facts(config, &census, &state, &trainer, vocab, best);
    phases.time("write tables", || {
        let dir = run_dir.tables_dir();
        let mut hashes = BTreeMap::new();
        save(&dir, &state.losses(), &mut hashes)?;
        save(&dir, &state.slots(), &mut hashes)?;
        save(&dir, &found, &mut hashes)?;
        save(&dir, &corpus_rows(&census), &mut hashes)?;
        save(&dir, &facts, &mut hashes)?;
        run_dir.mark_stage("tables", &hashes)
    })?;
    let report = phases.time("report", || cellstone_report::render(run_dir))?;
    Ok(RunOutcome { dir: run_dir.path().to_owned(), report, n_errors: 0 })
}

fn save<R: Row>(dir: &std::path::Path, rows: &[R], hashes: &mut BTreeMap<String, String>) -> Result<()> {
    let written = write_table(dir, R::TABLE, rows)?;
    let name = written.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    hashes.insert(name, written.sha256);
    Ok(())
}

/// A fresh trainer, or that of the last checkpoint.
fn begin(
    config: &PretrainConfig,
    options: &RunOptions<'_>,
    on: &Selected,
    folder: &std::path::Path,
    vocab: &CheckpointVocab,
    checkpoint: &CheckpointConfig,
    total: u64,
) -> Result<(Trainer, DriverState)> {
    let last = folder.join("last");
    let (adamw, schedule, objective) = super::setup::training(config, total, checkpoint)?;
    let seed = root(config).derive("train");
    if options.resume && super::setup::has_checkpoint(&last) {
        let saved = read_checkpoint(&last, on)?;
        vocab.same_as(&saved.vocab, "the data", &format!("`{}`", last.display()))?;
        if let Some(part) = read_training(&last)? {
            let state = DriverState::from_json(&part.driver)?;
            let network = checkpoint.network.clone();
            let trainer = Trainer::resume(network, part.state, objective, adamw, schedule, seed, on)?;
            return Ok((trainer, state));
        }
    }
    let network = Network::fresh(checkpoint.network.clone(), seed.derive("weights"), on)?;
    Ok((Trainer::new(network, objective, adamw, schedule, seed)?, DriverState::default()))
}

/// Masked validation cells: the same ones with the same masks at every look.
fn validation(config: &PretrainConfig, rows: &Rows, masking: &Masking<'_>, seed: Seed) -> Result<Vec<MaskedBatch>> {
    let part = if config.data.validation.is_some() { Part::Validation } else { Part::HeldOut };
    let mut wanted: Vec<(u64, usize)> = rows
        .parts()
        .iter()
        .enumerate()
        .filter(|it| *it.1 == Some(part))
        .map(|(row, _)| (seed.derive("validation").derive(rows.id(row)).value(), row))
        .collect();
    wanted.sort_unstable();
    wanted.truncate(config.train.eval_cells);
    let seeds: std::collections::BTreeSet<usize> = wanted.into_iter().map(|it| it.1).collect();
    let mut cells: Vec<Cell> = Vec::new();
    for chunk in rows.chunks() {
        if seeds.range(chunk.clone()).next().is_some() {
            let ids: std::collections::BTreeSet<u64> =
                seeds.range(chunk.clone()).map(|it| rows.seed(*it, seed).value()).collect();
            cells.extend(rows.read(&chunk, part)?.into_iter().filter(|it| ids.contains(&it.seed.value())));
        }
    }
    cut(cells, config.train.tokens_per_batch).iter().map(|it| masking.batch(it, FIXED)).collect()
}

/// Steps at most: those asked for, or about as many as the epochs make.
fn total_steps(config: &PretrainConfig, census: &Census) -> u64 {
    let train = &config.train;
    if train.steps > 0 {
        return train.steps;
    }
    let tokens = census.tokens[0] * train.epochs;
    tokens.div_ceil((train.tokens_per_batch * train.accumulate) as u64).max(1) + train.epochs
}

fn expected_tokens(config: &PretrainConfig, census: &Census, total: u64) -> u64 {
    let train = &config.train;
    let by_steps = total * (train.tokens_per_batch * train.accumulate) as u64;
    let by_epochs = if train.epochs > 0 { census.tokens[0] * train.epochs } else { u64::MAX };
    by_steps.min(by_epochs)
}

fn provenance(config: &PretrainConfig, census: &Census, data: DataFile) -> Provenance {
    let PretrainData { held_out, .. } = &config.data;
    Provenance {
        data: vec![data],
        held_out: held_out.as_ref().map(|it| HeldOut { column: it.column.clone(), values: it.values.clone() }),
        n_held_out: census.cells[2],
        n_train: census.cells[0],
        seed: config.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Provenance::default()
    }
}

fn slot_names(checkpoint: &CheckpointConfig) -> Vec<String> {
    match &checkpoint.objective {
        Some(cellstone_model::Objective::Slots { slots, .. }) => slots.iter().map(|it| it.name.clone()).collect(),
        _ => vec!["all".to_owned()],
    }
}

fn corpus_rows(census: &Census) -> Vec<CorpusRow> {
    [Part::Train, Part::Validation, Part::HeldOut]
        .map(|it| CorpusRow {
            part: it.as_str().into(),
            cells: census.cells[it as usize] as i64,
            tokens: census.tokens[it as usize] as i64,
        })
        .to_vec()
}

fn facts(
    config: &PretrainConfig,
    census: &Census,
    state: &DriverState,
    trainer: &Trainer,
    vocab: &cellstone_rank::PolygeneVocab,
    best: &str,
) -> Vec<FactRow> {
    let network = network_config(config, vocab);
    let parameters = match &network {
        cellstone_model::NetworkConfig::PolyGene(it) => it.n_parameters(),
        cellstone_model::NetworkConfig::Bert(it) => it.n_parameters(),
        cellstone_model::NetworkConfig::ScGpt(_) => 0,
    };
    let list = [
        ("ended by", state.ended.clone()),
        ("steps", trainer.steps().to_string()),
        ("best step", state.best.map_or(trainer.steps(), |it| it.step).to_string()),
        ("kept", best.to_owned()),
        ("parameters", parameters.to_string()),
        ("value ids", vocab.n_values().to_string()),
        ("type ids", vocab.n_types().to_string()),
        ("genes", vocab.genes().len().to_string()),
        ("cells without tokens", census.rejected.to_string()),
        ("precision", "f32".to_owned()),
        // 2 for a product and a sum, 3 for forward and the two gradients.
        ("operations", format!("{:.3e}", 6.0 * parameters as f64 * state.tokens as f64)),
    ];
    list.into_iter().map(|(name, value)| FactRow { name: name.into(), value }).collect()
}
