//! The way of a phenotype study: annotation → network → split → counts → units → judgement → tables → page.

use super::age::age_rows;
use super::cells::{Cells, excluded_row};
use super::config::PhenotypeConfig;
use super::counts::{StudyCounts, features};
use super::entropy::{Ages, Smoothing, cell_rows, floor, group_rows, information, is_headline, is_wanted};
use super::hierarchy::Tree;
use super::network::{PhenotypeNetwork, Tokens, device, encode, unseen};
use super::recovery::recovery;
use super::scores::{adjust, bootstrap, differences, predictions, scores};
use super::series::{Series, cluster_of, series};
use super::split::{Fold, Part, check_twins, folds};
use super::state::{load_unit, save_unit};
use super::tables::{PhenotypeTables, model_rows, note};
use super::task::{Task, tasks};
use super::trust::{conformal, trust};
use super::unit::{NETWORK, Unit, UnitTables};
use crate::pretrain::{load_pretrain, run_pretrain};
use crate::run::{Phases, RunOptions, RunOutcome, base_manifest, finish, hash_text, input_record, open_run};
use cellstone_core::{Error, ErrorKind, Result};
use cellstone_report::{Manifest, RunDir, RunStatus};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// Runs a phenotype study.
///
/// # Errors
/// As its parts say. The manifest then says `failed` or `interrupted`, and the run can be resumed.
pub fn run_phenotype(config: &PhenotypeConfig, options: &RunOptions<'_>) -> Result<RunOutcome> {
    let text = config.to_toml();
    let hash = hash_text(&text);
    let run_dir = open_run(&config.id, &hash, options)?;
    let mut manifest = base_manifest(&config.id, &config.question, &hash, options);
    manifest.seeds.clone_from(&config.seeds);
    if let (true, Ok(old)) = (options.resume, run_dir.manifest()) {
        manifest.started = old.started;
    }
    run_dir.write_manifest(&manifest)?;
    run_dir.write_config(&text)?;
    let result = execute(config, options, &run_dir, &mut manifest);
    finish(&run_dir, &mut manifest, result)
}

/// What a study would do, in plain words. Reads the annotation of the input, not its values.
///
/// # Errors
/// If the input cannot be opened or its columns are wrong: a plan that could not run says so.
pub fn plan_phenotype(config: &PhenotypeConfig) -> Result<String> {
    let cells = Cells::open(config)?;
    let kept = cells.kept.iter().filter(|it| **it).count();
    let mut lines = vec![
        ("experiment", config.id.clone()),
        ("question", config.question.clone()),
        ("input", config.data.path.display().to_string()),
        ("cells", format!("{kept} of {}", cells.n_obs())),
        ("donors", cells.donors.names.len().to_string()),
    ];
    let model = config.model.as_ref().map_or_else(
        || "none: baselines alone".to_owned(),
        |it| match (&it.checkpoint, &it.pretrain) {
            (Some(dir), _) => format!("{} of {}", it.name, dir.display()),
            (_, Some(file)) => format!("{}, pretrained first by {}", it.name, file.display()),
            _ => it.name.clone(),
        },
    );
    lines.push(("network", model));
    for (category, labels) in config.category.iter().zip(&cells.labels) {
        lines.push(("category", format!("{}: {} values", category.name, labels.ids.len())));
    }
    lines.push(("baselines", config.evaluation.baselines.join(", ")));
    lines.push(("split", format!("by {}, {} fold(s)", config.split.by, config.split.folds)));
    Ok(lines.into_iter().map(|(key, value)| format!("{key:<12} {value}\n")).collect())
}

fn check_cancel(options: &RunOptions<'_>) -> Result<()> {
    if options.cancel.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Cancelled, "stopped on request").with_hint("--resume goes on from here"));
    }
    Ok(())
}

fn execute(
    config: &PhenotypeConfig,
    options: &RunOptions<'_>,
    run_dir: &RunDir,
    manifest: &mut Manifest,
) -> Result<RunOutcome> {
    let mut phases = Phases { manifest, run_dir, cancel: options.cancel };
    let mut tables = PhenotypeTables::default();
    let mut cells = phases.time("read annotation", || Cells::open(config))?;
    let record = phases.time("hash input", || {
        input_record(&config.data.path, "data", cells.n_obs() as u64, cells.source.var().len() as u64)
    })?;
    phases.manifest.inputs = vec![record];
    run_dir.write_manifest(phases.manifest)?;
    let network = match checkpoint(config, options, run_dir, &mut phases)? {
        Some(dir) => {
            phases.manifest.inputs.push(input_record(&dir.join("config.json"), "checkpoint", 0, 0)?);
            Some(phases.time("open network", || PhenotypeNetwork::open(&dir, &device(&options.device)?))?)
        }
        None => None,
    };
    let mut notes = std::mem::take(&mut cells.notes);
    let seen = match &network {
        Some(it) => unseen(config, it, &cells, &mut notes)?,
        None => None,
    };
    let folds = folds(config, &cells, seen.as_ref())?;
    if folds.iter().any(|it| it.shared && !it.cells(Part::Calibration).is_empty()) {
        let text = "calibration cells are of the test groups: temperatures and conformal sets are for cells of those groups, and say nothing about other groups";
        notes.push(("warning", text.to_owned()));
    }
    if config.split.by == "random" {
        notes.push((
            "warning",
            "the split is random by cell: donors are in training and test, and scores are too good".to_owned(),
        ));
    }
    let wanted: Vec<bool> = (0..cells.n_obs()).map(|it| folds.iter().any(|fold| fold.parts[it].is_some())).collect();
    let counts = phases.time("read counts", || StudyCounts::read(&cells, &wanted, options.progress, options.cancel))?;
    let n_empty = wanted.iter().filter(|it| **it).count() - counts.rows.len();
    tables.excluded.append(&mut cells.excluded.clone());
    if n_empty > 0 {
        tables.excluded.push(excluded_row("", "no count", n_empty));
    }
    for fold in &folds {
        check_twins(&counts.rows, &counts.x, fold, &cells.ids)?;
    }
    let tasks = tasks(config, &cells, &counts, &folds, &mut tables.excluded);
    if tasks.iter().all(|it| it.skipped.is_some()) {
        let why: Vec<String> =
            tasks.iter().filter_map(|it| Some(format!("{}: {}", it.name, it.skipped.as_ref()?))).collect();
        return Err(Error::invalid_input(format!("no category can be scored ({})", why.join("; "))));
    }
    if let Some(it) = &network {
        tasks.iter().filter(|it| it.skipped.is_none()).try_for_each(|task| it.category(&task.name).map(drop))?;
    }
    let study =
        Study { config, options, run_dir, cells: &cells, counts: &counts, folds: &folds, network: network.as_ref() };
    let units = phases.time("predict", || study.predict(&tasks, &mut tables, &mut notes))?;
    phases.time("judge", || study.judge(&tasks, &units, &mut tables, &mut notes))?;
    tables.models = model_rows(config, &units);
    let model_name = network.as_ref().map(|it| it.checkpoint().config.clone());
    if let Some(it) = model_name {
        notes.push((
            "info",
            format!(
                "network: {}, {} parameters seen {} cells in {} steps, label smoothing {}",
                it.architecture,
                network.as_ref().map_or_else(String::new, n_parameters),
                it.provenance.cells_seen,
                it.provenance.steps,
                it.label_smoothing
            ),
        ));
    }
    tables.notes = notes.into_iter().map(|(level, text)| note(level, text)).collect();
    phases.time("write tables", || tables.write(&run_dir.tables_dir()))?;
    let report = phases.time("report", || cellstone_report::render(run_dir))?;
    Ok(RunOutcome { dir: run_dir.path().to_owned(), report, n_errors: 0 })
}

fn n_parameters(network: &PhenotypeNetwork) -> String {
    match &network.checkpoint().config.network {
        cellstone_model::NetworkConfig::PolyGene(it) => it.n_parameters().to_string(),
        _ => "unknown".to_owned(),
    }
}

/// The checkpoint of a study, pretrained first where that is asked for.
fn checkpoint(
    config: &PhenotypeConfig,
    options: &RunOptions<'_>,
    run_dir: &RunDir,
    phases: &mut Phases<'_>,
) -> Result<Option<PathBuf>> {
    let Some(model) = &config.model else { return Ok(None) };
    let Some(file) = &model.pretrain else { return Ok(model.checkpoint.clone()) };
    let dir = run_dir.path().join("pretrain");
    let best = dir.join("checkpoints").join("best");
    let done = RunDir::open(&dir).and_then(|it| it.manifest()).is_ok_and(|it| it.status == RunStatus::Complete);
    if !done {
        let pretrain = load_pretrain(file, &model.set)?;
        let on = device(&options.device)?;
        let inner = RunOptions {
            out: Some(dir.clone()),
            resume: dir.is_dir(),
            force: false,
            progress: options.progress,
            cancel: options.cancel,
            threads: options.threads,
            device: options.device.clone(),
        };
        phases.time("pretrain", || run_pretrain(&pretrain, &inner, &on).map(drop))?;
    }
    Ok(Some(best))
}

/// Everything that predictions and judgements read.
struct Study<'a> {
    config: &'a PhenotypeConfig,
    options: &'a RunOptions<'a>,
    run_dir: &'a RunDir,
    cells: &'a Cells,
    counts: &'a StudyCounts,
    folds: &'a [Fold],
    network: Option<&'a PhenotypeNetwork>,
}

impl Study<'_> {
    /// Tables of every unit, `[category][fold]`.
    fn predict(
        &self,
        tasks: &[Task],
        tables: &mut PhenotypeTables,
        notes: &mut Vec<(&'static str, String)>,
    ) -> Result<Vec<Vec<UnitTables>>> {
        let mut units: Vec<Vec<UnitTables>> = vec![Vec::new(); tasks.len()];
        for (at, fold) in self.folds.iter().enumerate() {
            let name = |task: &Task| format!("fold{at}-{}", task.name);
            let open: Vec<&Task> = tasks.iter().filter(|it| it.skipped.is_none()).collect();
            let mut known: Vec<Option<UnitTables>> =
                open.iter().map(|it| load_unit(self.run_dir, &name(it))).collect::<Result<_>>()?;
            if known.iter().any(Option::is_none) {
                let features = features(self.config, self.counts, fold)?;
                let tokens = self.tokens(fold, tables)?;
                if at == 0 {
                    let text = format!(
                        "baselines read {} components of {} genes, chosen and fitted on training cells",
                        features.scores.ncols(),
                        features.n_genes
                    );
                    notes.push(("info", text));
                }
                let unit = Unit {
                    config: self.config,
                    cells: self.cells,
                    counts: self.counts,
                    features: &features,
                    network: self.network,
                    tokens: tokens.as_ref(),
                    progress: self.options.progress,
                    cancel: self.options.cancel,
                };
                self.options.progress.begin("predicting", None, "cells");
                let result = open.iter().zip(&mut known).filter(|it| it.1.is_none()).try_for_each(|(task, slot)| {
                    check_cancel(self.options)?;
                    let made = unit.run(task, at)?;
                    save_unit(self.run_dir, &name(task), &made)?;
                    // What a resumed run reads back is what goes on here too.
                    *slot = load_unit(self.run_dir, &name(task))?;
                    Ok::<(), Error>(())
                });
                self.options.progress.end();
                result?;
            }
            for (task, made) in open.iter().zip(known) {
                units[task.at].extend(made);
            }
        }
        Ok(units)
    }

    /// Tokens of the cells that the network is asked about; of training cells too where its embedding is a baseline.
    fn tokens(&self, fold: &Fold, tables: &mut PhenotypeTables) -> Result<Option<Tokens>> {
        let Some(network) = self.network else { return Ok(None) };
        let embeds = self.config.evaluation.baselines.iter().any(|it| it == "knn_embedding");
        let chosen: Vec<usize> = (0..fold.parts.len())
            .filter(|it| matches!(fold.parts[*it], Some(part) if part != Part::Train || embeds))
            .collect();
        let tokens = encode(self.config, network, self.cells, self.counts, &chosen)?;
        for (reason, n) in &tokens.rejected {
            tables.excluded.push(excluded_row("", &format!("encoder: {reason}"), *n));
        }
        Ok(Some(tokens))
    }

    fn judge(
        &self,
        tasks: &[Task],
        units: &[Vec<UnitTables>],
        tables: &mut PhenotypeTables,
        notes: &mut Vec<(&'static str, String)>,
    ) -> Result<()> {
        let ages = Ages::of(self.cells);
        self.options.progress.begin("judging", Some(tasks.len() as u64), "categories");
        for task in tasks {
            check_cancel(self.options)?;
            let (cluster, warning) = cluster_of(self.config, self.cells, task);
            notes.extend(warning.filter(|_| task.skipped.is_none()).map(|it| ("warning", it)));
            tables.tasks.extend(task.rows(self.config, self.folds, cluster));
            if task.skipped.is_some() {
                continue;
            }
            tables.classes.extend(task.class_rows(self.cells));
            let made = &units[task.at];
            for it in made.iter().flat_map(|it| &it.remarks).filter(|it| it.level != "fallback") {
                let level = if it.level == "warning" { "warning" } else { "info" };
                let entry = (level, format!("{}: {}", it.about, it.text));
                if !notes.contains(&entry) {
                    notes.push(entry);
                }
            }
            tables.cam.extend(made.iter().flat_map(|it| it.cam.iter().cloned()));
            let all = series(self.cells, task, made, cluster == "cell")?;
            self.judge_task(task, made, &all, &ages, cluster == "cell", tables)?;
            self.options.progress.advance(1);
        }
        self.options.progress.end();
        adjust(&mut tables.differences);
        tables.recovery = recovery(self.config, self.cells, tasks, tables);
        Ok(())
    }

    fn judge_task(
        &self,
        task: &Task,
        made: &[UnitTables],
        all: &[Series<'_>],
        ages: &Ages,
        by_cell: bool,
        tables: &mut PhenotypeTables,
    ) -> Result<()> {
        let params = bootstrap(self.config.evaluation.bootstrap, self.config.seeds[0]);
        let tree = Tree::read(&self.config.category[task.at], self.cells, task)?;
        for it in all {
            if let Some(tree) = &tree {
                tables.hierarchy.push(tree.row(task, it)?);
            }
            let (rows, classes) = scores(self.cells, task, it, &params)?;
            tables.scores.extend(rows);
            tables.class_scores.extend(classes);
            tables.predictions.extend(predictions(self.cells, task, it)?);
            let (rows, bins) = trust(task, it, &params)?;
            tables.calibration.extend(rows);
            tables.reliability.extend(bins);
            tables.information.extend([information(task, it, &params)?]);
            if is_headline(self.config, it) {
                tables.conformal.extend(conformal(task, it, &self.config.evaluation.alpha, by_cell, &params)?);
            }
            let smoothing = self.smoothing(task, it)?;
            tables.floors.extend(floor(task, it, smoothing, n_fallback(made, it))?);
            let wanted = self.config.entropy.as_ref().is_some_and(|plan| is_wanted(plan, &it.model));
            if !wanted || !is_headline(self.config, it) {
                continue;
            }
            tables.entropy.extend(cell_rows(self.cells, self.counts, ages, task, it, smoothing));
            tables.groups.extend(group_rows(self.config, self.cells, ages, task, it, &params)?);
            let (regression, permutation) = age_rows(self.config, self.cells, self.counts, ages, task, it);
            tables.regression.extend(regression);
            tables.permutation.extend(permutation);
        }
        tables.differences.extend(differences(task, all, &params)?);
        Ok(())
    }

    fn smoothing(&self, task: &Task, series: &Series<'_>) -> Result<Smoothing> {
        match self.network.filter(|_| series.model == NETWORK) {
            Some(it) => it.smoothing(it.category(&task.name)?),
            None => Ok((0.0, task.classes.len())),
        }
    }
}

/// Cells whose candidates were all clipped, of one condition of the network.
fn n_fallback(made: &[UnitTables], series: &Series<'_>) -> i64 {
    let of = made.iter().flat_map(|it| &it.remarks).filter(|it| it.level == "fallback" && it.about == series.condition);
    if series.model == NETWORK { of.filter_map(|it| it.text.parse::<i64>().ok()).sum() } else { 0 }
}
