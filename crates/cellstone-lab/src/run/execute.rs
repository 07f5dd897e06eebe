//! The way of the data: inputs → means → splits → units → summary → report.

use super::state::{load_unit, save_unit};
use super::summary::{SummaryInput, curves, summarize};
use super::unit::{Bundle, REPLICATE, UnitTables, part_name, run_unit};
use crate::config::Config;
use crate::data::{Loaded, load, load_priors};
use crate::host::{Stopwatch, git_revision, peak_memory, utc_now};
use crate::progress::Progress;
use crate::registry::Registry;
use crate::variant::{Variant, variants};
use cellstone_core::{Averaging, Condition, Error, ErrorKind, Pseudobulk, Result, Scale, Split, sum};
use cellstone_io::sha256_file;
use cellstone_prep::{SplitCondition, SplitParams, de_weights, make_splits};
use cellstone_report::schema::{EffectRow, MethodRow, MetricRow, NoteRow, SplitRow};
use cellstone_report::{Event, InputRecord, Manifest, PhaseTime, RunDir, RunStatus, sha256_hex, write_table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// How to run, apart from what.
pub struct RunOptions<'a> {
    /// The run folder itself; `runs/<id>/<time>-<hash>` when absent.
    pub out: Option<PathBuf>,
    /// Continue the run in `out`, or the newest incomplete run of this configuration.
    pub resume: bool,
    /// Replace a complete run in `out`.
    pub force: bool,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Set when the user asks to stop.
    pub cancel: &'a AtomicBool,
    /// Threads in use, for the record.
    pub threads: usize,
    /// Device in use, for the record.
    pub device: String,
}

/// Where a finished run is.
#[derive(Debug, Clone)]
pub struct RunOutcome {
    /// The run folder.
    pub dir: PathBuf,
    /// The report page.
    pub report: PathBuf,
    /// Score rows with status `error`; more than none means a non-zero exit.
    pub n_errors: usize,
}

/// Runs an experiment.
///
/// # Errors
/// As its parts say. The manifest then says `failed` or `interrupted`, and the run can be resumed.
pub fn run(config: &Config, registry: &Registry, options: &RunOptions<'_>) -> Result<RunOutcome> {
    let text = config.to_toml();
    let hash = hash_text(&text);
    let run_dir = open_run(&config.id, &hash, options)?;
    let mut manifest = base_manifest(&config.id, &config.question, &hash, options);
    manifest.seeds.clone_from(&config.seeds);
    if let (true, Ok(old)) = (options.resume, run_dir.manifest()) {
        manifest.started = old.started;
    }
    // The manifest first: from here on, a killed run is visibly incomplete.
    run_dir.write_manifest(&manifest)?;
    run_dir.write_config(&text)?;
    let result = execute(config, registry, options, &run_dir, &mut manifest);
    finish(&run_dir, &mut manifest, result)
}

/// Writes the end of the run into the manifest, whatever the end was.
pub(crate) fn finish(run_dir: &RunDir, manifest: &mut Manifest, result: Result<RunOutcome>) -> Result<RunOutcome> {
    manifest.ended = Some(utc_now());
    manifest.peak_memory_bytes = peak_memory();
    match &result {
        Ok(outcome) => {
            manifest.status = RunStatus::Complete;
            manifest.exit_code = Some(if outcome.n_errors > 0 { 3 } else { 0 });
        }
        Err(error) => {
            manifest.status = if error.is_cancelled() { RunStatus::Interrupted } else { RunStatus::Failed };
            manifest.exit_code = Some(error.exit_code());
            manifest.error = Some(error.to_string());
        }
    }
    let written = run_dir.write_manifest(manifest);
    let outcome = result?;
    written?;
    // Once more: the page also says how the run ended.
    cellstone_report::render(run_dir)?;
    Ok(outcome)
}

/// Makes the run folder, or finds the one to go on with.
///
/// # Errors
/// If there is none to resume, it is of another configuration, or it must not be replaced.
pub(crate) fn open_run(id: &str, hash: &str, options: &RunOptions<'_>) -> Result<RunDir> {
    // A run that was killed before it had a manifest has nothing to resume: it begins.
    let unstarted = options.out.as_ref().is_some_and(|it| it.is_dir() && RunDir::is_unstarted(it));
    if options.resume && !unstarted {
        let found = match &options.out {
            Some(dir) => Some(dir.clone()),
            None => newest_incomplete(&PathBuf::from("runs").join(id), &hash[..8]),
        };
        let Some(dir) = found else {
            return Err(Error::config(format!("no incomplete run of `{id}` with this configuration to resume"))
                .with_hint("leave out --resume, or name the run with --out DIR"));
        };
        let run_dir = RunDir::open(&dir)?;
        let old = run_dir.manifest()?;
        if old.config_hash != hash {
            return Err(Error::config(format!(
                "`{}` was made with another configuration (hash {}, now {})",
                dir.display(),
                &old.config_hash[..8],
                &hash[..8]
            ))
            .with_hint("resume with the experiment file and --set options of the run; its config.toml has them"));
        }
        return Ok(run_dir);
    }
    match &options.out {
        Some(dir) => RunDir::create_at(dir, options.force),
        None => RunDir::create(Path::new("runs"), id, &utc_now(), &hash[..8]),
    }
}

fn newest_incomplete(base: &Path, hash8: &str) -> Option<PathBuf> {
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(base).ok()?.flatten().map(|it| it.path()).collect();
    dirs.sort();
    dirs.into_iter().rev().find(|dir| {
        dir.to_string_lossy().ends_with(hash8)
            && RunDir::open(dir).and_then(|it| it.manifest()).is_ok_and(|it| it.status != RunStatus::Complete)
    })
}

/// SHA-256 of a text, in hex.
pub(crate) fn hash_text(text: &str) -> String {
    sha256_hex(text.as_bytes())
}

/// A manifest that says `running`.
pub(crate) fn base_manifest(id: &str, question: &str, hash: &str, options: &RunOptions<'_>) -> Manifest {
    let (git_revision, git_dirty) = git_revision();
    let versions = BTreeMap::from([("cellstone".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    Manifest {
        experiment: id.to_owned(),
        question: question.to_owned(),
        config_hash: hash.to_owned(),
        git_revision,
        git_dirty,
        versions,
        device: options.device.clone(),
        threads: options.threads,
        started: utc_now(),
        status: RunStatus::Running,
        ..Manifest::default()
    }
}

/// The record of one input file.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn input_record(path: &Path, role: &str, n_obs: u64, n_vars: u64) -> Result<InputRecord> {
    Ok(InputRecord {
        path: path.display().to_string(),
        sha256: sha256_file(path)?,
        n_obs,
        n_vars,
        role: role.to_owned(),
    })
}

/// The phases of a run: timed, logged, and not begun once the user asked to stop.
pub(crate) struct Phases<'a> {
    pub(crate) manifest: &'a mut Manifest,
    pub(crate) run_dir: &'a RunDir,
    pub(crate) cancel: &'a AtomicBool,
}

impl Phases<'_> {
    /// Does some work and records how long it took.
    pub(crate) fn time<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Cancelled, "stopped on request").with_hint("--resume goes on from here"));
        }
        let watch = Stopwatch::start();
        let result = work()?;
        let seconds = watch.elapsed().as_secs_f64();
        self.manifest.phases.push(PhaseTime { name: name.to_owned(), seconds });
        let kind = "phase".to_owned();
        self.run_dir.events().append(&Event {
            at: utc_now(),
            kind,
            phase: name.to_owned(),
            message: None,
            value: Some(seconds),
        })?;
        Ok(result)
    }
}

fn execute(
    config: &Config,
    registry: &Registry,
    options: &RunOptions<'_>,
    run_dir: &RunDir,
    manifest: &mut Manifest,
) -> Result<RunOutcome> {
    let mut phases = Phases { manifest, run_dir, cancel: options.cancel };
    let (loaded, hashed) = phases.time("read and average", || {
        // Hashing the file runs beside reading it; both come from the page cache once.
        std::thread::scope(|scope| {
            let hash = scope
                .spawn(|| if config.data.path.is_file() { sha256_file(&config.data.path).map(Some) } else { Ok(None) });
            let loaded = load(config, options.progress)?;
            let hash = hash.join().map_err(|_| Error::invalid_input("hashing the input failed"))??;
            Ok((loaded, hash))
        })
    })?;
    phases.manifest.inputs = vec![InputRecord {
        path: config.data.path.display().to_string(),
        sha256: hashed.unwrap_or_default(),
        n_obs: loaded.n_obs,
        n_vars: loaded.bulk.var().len() as u64,
        role: "data".to_owned(),
    }];
    for it in &config.embedding {
        phases.manifest.inputs.push(input_record(&it.path, "embedding", 0, 0)?);
    }
    run_dir.write_manifest(phases.manifest)?;
    let bulk = &loaded.bulk;
    let splits = config_splits(config, bulk)?;
    let priors = load_priors(config)?;
    let maskable = maskable(bulk);
    let variants = variants(&config.metrics, bulk.var().len(), maskable, registry)?;
    // Weights need the spread of single cells, which only means over cells carry.
    let has_cells = bulk.averaging() == Averaging::Cells && bulk.sampling_var().is_some();
    let weights = has_cells.then(|| de_weights(bulk)).transpose()?;
    let bundle = Bundle { config, registry, bulk, weights: weights.as_ref(), priors: &priors, variants: &variants };
    let units = run_units(&bundle, &splits, options, run_dir, &mut phases)?;
    let methods: Vec<String> = config.method.iter().map(|it| it.label.clone()).collect();
    let halves = half_sizes(bulk);
    let mut tables = UnitTables::default();
    for mut it in units {
        tables.scores.append(&mut it.scores);
        tables.coverage.append(&mut it.coverage);
        tables.fits.append(&mut it.fits);
        tables.predictions.append(&mut it.predictions);
        tables.curves.append(&mut it.curves);
    }
    let summary = phases.time("summarize", || {
        options.progress.begin("summarizing", None, "");
        let input = SummaryInput {
            metrics: &config.metrics,
            methods: &methods,
            variants: &variants,
            scores: &tables.scores,
            coverage: &tables.coverage,
            halves: &halves,
        };
        let mut summary = summarize(&input);
        summary.curves = curves(&tables.curves, &distinct(&tables));
        options.progress.end();
        Ok(summary)
    })?;
    let n_errors = tables.scores.iter().filter(|it| it.status == "error").count();
    phases.time("write tables", || {
        let dir = run_dir.tables_dir();
        write_table(&dir, "scores", &tables.scores)?;
        write_table(&dir, "summary", &summary.summary)?;
        write_table(&dir, "pairs", &summary.pairs)?;
        write_table(&dir, "ranks", &summary.ranks)?;
        write_table(&dir, "curves", &summary.curves)?;
        write_table(&dir, "coverage", &tables.coverage)?;
        write_table(&dir, "fits", &tables.fits)?;
        write_table(&dir, "predictions", &tables.predictions)?;
        write_table(&dir, "effects", &effect_rows(bulk, &splits))?;
        write_table(&dir, "splits", &split_rows(bulk, &splits))?;
        write_table(&dir, "methods", &method_rows(config, registry)?)?;
        write_table(&dir, "metrics", &metric_rows(&variants))?;
        write_table(&dir, "notes", &note_rows(&loaded, maskable))?;
        Ok(())
    })?;
    let report = phases.time("report", || cellstone_report::render(run_dir))?;
    Ok(RunOutcome { dir: run_dir.path().to_owned(), report, n_errors })
}

/// Whether any target is a measured gene: otherwise there is nothing to mask.
fn maskable(bulk: &Pseudobulk) -> bool {
    bulk.rows()
        .iter()
        .filter_map(|it| it.condition.perturbation())
        .flat_map(cellstone_core::Perturbation::targets)
        .any(|it| !bulk.var().columns_of(it).is_empty())
}

fn distinct(tables: &UnitTables) -> BTreeMap<String, usize> {
    let mut sets = BTreeMap::<String, BTreeSet<&str>>::new();
    for it in &tables.coverage {
        sets.entry(it.context.clone()).or_default().insert(&it.perturbation);
    }
    sets.into_iter().map(|(context, set)| (context, set.len())).collect()
}

/// The splits of a configuration, one set per seed.
///
/// # Errors
/// As the protocol says.
pub(crate) fn config_splits(config: &Config, bulk: &Pseudobulk) -> Result<Vec<Split>> {
    let conditions: Vec<SplitCondition> = bulk
        .rows()
        .iter()
        .map(|it| SplitCondition { context: it.context.clone(), condition: it.condition.clone(), raw: it.raw.clone() })
        .collect();
    let mut params = SplitParams { variant: config.split.variant.clone(), ..SplitParams::default() };
    params.k = config.split.k.unwrap_or(params.k);
    params.fraction = config.split.fraction.unwrap_or(params.fraction);
    let mut splits = Vec::new();
    for seed in &config.seeds {
        splits.extend(make_splits(&config.split.protocol, &params, &conditions, *seed)?);
    }
    Ok(splits)
}

fn run_units(
    bundle: &Bundle<'_>,
    splits: &[Split],
    options: &RunOptions<'_>,
    run_dir: &RunDir,
    phases: &mut Phases<'_>,
) -> Result<Vec<UnitTables>> {
    let mut units = Vec::new();
    options.progress.begin("fitting and scoring", Some(splits.len() as u64), "splits");
    let result = phases.time("fit and score", || {
        for (at, split) in splits.iter().enumerate() {
            if options.cancel.load(Ordering::Relaxed) {
                return Err(
                    Error::new(ErrorKind::Cancelled, "stopped on request").with_hint("--resume goes on from here")
                );
            }
            let tables = if let Some(done) = load_unit(run_dir, &split.name)? {
                done
            } else {
                let tables = run_unit(bundle, split, at)?;
                save_unit(run_dir, &split.name, &tables)?;
                tables
            };
            units.push(tables);
            options.progress.advance(1);
        }
        Ok(())
    });
    options.progress.end();
    result.map(|()| units)
}

fn half_sizes(bulk: &Pseudobulk) -> BTreeMap<(String, String), (u64, u64)> {
    let Some(halves) = bulk.replicates().first() else { return BTreeMap::new() };
    bulk.rows()
        .iter()
        .enumerate()
        .map(|(at, row)| {
            ((row.context.to_string(), row.condition.to_string()), (halves.n_first[at], halves.n_second[at]))
        })
        .collect()
}

fn effect_rows(bulk: &Pseudobulk, splits: &[Split]) -> Vec<EffectRow> {
    let mut rows = Vec::new();
    for (at, row) in bulk.rows().iter().enumerate() {
        let Condition::Perturbed(perturbation) = &row.condition else { continue };
        let control = bulk.control(&row.context).expect("invariant: every context has a control");
        let squares: Vec<f64> = bulk.profiles().row(at).iter().zip(control).map(|(y, c)| (y - c) * (y - c)).collect();
        rows.push(EffectRow {
            context: row.context.to_string(),
            perturbation: perturbation.to_string(),
            raw: row.raw.clone(),
            n_targets: perturbation.targets().len() as i64,
            n_cells: row.n_cells as i64,
            delta_norm: sum::pairwise(&squares).sqrt(),
            noise: bulk.sampling_var().map(|it| it.row(at).sum()),
            subgroup: splits.iter().find_map(|it| it.subgroup(&row.raw)).map(str::to_owned),
        });
    }
    rows
}

fn split_rows(bulk: &Pseudobulk, splits: &[Split]) -> Vec<SplitRow> {
    let mut rows = Vec::new();
    for split in splits {
        for row in bulk.rows() {
            let part = if row.condition.is_control() {
                Some("train")
            } else {
                split.part(&row.context, &row.raw).map(part_name)
            };
            let Some(part) = part else { continue };
            rows.push(SplitRow {
                split: split.name.clone(),
                protocol: split.protocol.clone(),
                seed: split.seed as i64,
                context: row.context.to_string(),
                condition: row.raw.clone(),
                perturbation: row.condition.to_string(),
                part: part.to_owned(),
                subgroup: split.subgroup(&row.raw).map(str::to_owned),
            });
        }
    }
    rows
}

fn method_rows(config: &Config, registry: &Registry) -> Result<Vec<MethodRow>> {
    let mut rows = Vec::new();
    for it in &config.method {
        let info = registry.predictor_info(&it.id)?;
        let role =
            serde_json::to_value(info.role).ok().and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default();
        let name = if it.label == it.id { info.name.to_string() } else { format!("{} ({})", info.name, it.label) };
        rows.push(MethodRow {
            method: it.label.clone(),
            name,
            role,
            summary: info.summary.to_string(),
            source: info.source.to_string(),
        });
    }
    rows.push(MethodRow {
        method: REPLICATE.to_owned(),
        name: "Replicate".to_owned(),
        role: "ceiling".to_owned(),
        summary:
            "one random half of the condition's own cells predicts the other half; ceilings bring this to full depth"
                .to_owned(),
        source: String::new(),
    });
    Ok(rows)
}

/// What was measured, for the metric table.
pub(crate) fn metric_rows(variants: &[Variant]) -> Vec<MetricRow> {
    variants
        .iter()
        .map(|it| {
            let info = it.metric.info();
            MetricRow {
                metric: it.id.clone(),
                name: it.name(),
                unit: info.unit.to_string(),
                direction: serde_json::to_value(info.direction)
                    .ok()
                    .and_then(|it| it.as_str().map(str::to_owned))
                    .unwrap_or_default(),
                formula: info.formula.to_string(),
                source: info.source.to_string(),
                genes: it.genes().to_owned(),
                mask: it.mask_name().to_owned(),
                headline: it.headline,
                best: info.best,
            }
        })
        .collect()
}

fn note_rows(loaded: &Loaded, maskable: bool) -> Vec<NoteRow> {
    let info = |text: &String| NoteRow { level: "info".to_owned(), text: text.clone() };
    let warning = |text: &String| NoteRow { level: "warning".to_owned(), text: text.clone() };
    let mut rows: Vec<NoteRow> = loaded.facts.iter().map(info).collect();
    rows.extend(loaded.warnings.iter().map(warning));
    if !maskable && loaded.bulk.scale() != Scale::Effect {
        rows.push(warning(&"no target is a measured gene: no gene is masked".to_owned()));
    }
    rows
}
