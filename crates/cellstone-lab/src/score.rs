//! Scoring predictions that any other tool wrote: truth and prediction as cell files, one run directory out.

use crate::data::{in_file, require_label};
use crate::progress::Progress;
use crate::registry::Registry;
use crate::run::{
    Panel, REPLICATE, RowBase, RunOptions, RunOutcome, SummaryInput, base_manifest, hash_text, input_record,
    metric_rows, score_panel, summarize, undefined_rows,
};
use crate::variant::{TOP_CONTROL, Variant, variants};
use cellstone_core::{Averaging, ContextId, Error, MetricLevel, Pseudobulk, Result, Scale, Seed, Var, Why, quoted};
use cellstone_io::{OpenOptions, open_source};
use cellstone_metrics::genes::top_by_control;
use cellstone_prep::{
    CellLabels, Group, LabelColumns, Normalize, ParseOptions, PseudobulkParams, de_weights, group_means, pseudobulk,
};
use cellstone_report::schema::{CoverageRow, MethodRow, NoteRow, ScoreRow};
use cellstone_report::{RunDir, write_table};
use ndarray::{Array1, Array2, Axis};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What to score, and how.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ScoreConfig {
    /// Cells as measured.
    pub truth: PathBuf,
    /// Cells, or one row per perturbation, as predicted.
    pub pred: PathBuf,
    /// Column of obs with the perturbation, in both files.
    pub pert_col: String,
    /// Label of the control cells.
    pub control: String,
    /// Column of obs with the context, in both files.
    pub context_col: Option<String>,
    /// Metric ids.
    pub metrics: Vec<String>,
    /// Gene sets.
    pub genes: Vec<String>,
    /// Masks.
    pub masks: Vec<String>,
    /// Whose control the prediction is compared with: the truth's, or its own where `true` (the convention of cell-eval).
    pub own_control: bool,
    /// What the numbers of both files are.
    pub scale: Scale,
    /// Name of the method in tables; the file name unless said.
    pub name: String,
    /// Bootstrap draws.
    pub draws: usize,
    /// Sign flips.
    pub flips: usize,
}

/// The truth: means with their spread.
struct Truth {
    bulk: Pseudobulk,
    n_obs: u64,
    warnings: Vec<String>,
}

/// The prediction: plain means, with or without controls.
struct Predicted {
    groups: Vec<Group>,
    means: Array2<f64>,
    var: Var,
    n_obs: u64,
}

/// Scores a prediction file against a truth file.
///
/// # Errors
/// As the readers say; if genes differ, or nothing is shared. Perturbations without prediction are rows with status
/// `error` and make the exit code non-zero.
pub fn score(config: &ScoreConfig, registry: &Registry, options: &RunOptions<'_>) -> Result<RunOutcome> {
    // What can be refused without reading anything is refused before a folder is made.
    for id in &config.metrics {
        registry.metric(id)?;
    }
    let text = toml::to_string_pretty(config).map_err(|error| Error::config(error.to_string()))?;
    let hash = hash_text(&text);
    let run_dir = match &options.out {
        Some(dir) => RunDir::create_at(dir, options.force)?,
        None => RunDir::create(std::path::Path::new("runs"), "score", &crate::host::utc_now(), &hash[..8])?,
    };
    let question =
        format!("How near are the predictions of `{}` to `{}`?", config.pred.display(), config.truth.display());
    let mut manifest = base_manifest("score", &question, &hash, options);
    run_dir.write_manifest(&manifest)?;
    run_dir.write_config(&text)?;
    let result = execute(config, registry, options, &run_dir, &mut manifest);
    crate::run::finish(&run_dir, &mut manifest, result)
}

fn execute(
    config: &ScoreConfig,
    registry: &Registry,
    options: &RunOptions<'_>,
    run_dir: &RunDir,
    manifest: &mut cellstone_report::Manifest,
) -> Result<RunOutcome> {
    let truth = read_truth(config, options.progress)?;
    let pred = read_prediction(config, options.progress)?;
    manifest.inputs = vec![
        input_record(&config.truth, "truth", truth.n_obs, truth.bulk.var().len() as u64)?,
        input_record(&config.pred, "prediction", pred.n_obs, pred.var.len() as u64)?,
    ];
    let columns = align(truth.bulk.var(), &pred.var, config)?;
    let metrics = crate::config::Metrics {
        ids: config.metrics.clone(),
        headline: config.metrics.first().cloned().unwrap_or_default(),
        genes: config.genes.clone(),
        masks: config.masks.clone(),
        reference: "mean_truth".to_owned(),
        draws: config.draws,
        flips: config.flips,
    };
    let maskable = truth
        .bulk
        .rows()
        .iter()
        .filter_map(|it| it.condition.perturbation())
        .flat_map(cellstone_core::Perturbation::targets)
        .any(|it| !truth.bulk.var().columns_of(it).is_empty());
    let variants = variants(&metrics, truth.bulk.var().len(), maskable, registry)?;
    let mut notes = side_notes(&truth, maskable);
    let weights = truth.bulk.sampling_var().is_some().then(|| de_weights(&truth.bulk)).transpose()?;
    let mut tables = Scored::default();
    let contexts: Vec<ContextId> = truth.bulk.contexts().cloned().collect();
    for context in &contexts {
        score_context(config, &variants, &truth, &pred, weights.as_ref(), &columns, context, &mut tables, &mut notes)?;
    }
    let methods = vec![config.name.clone(), "no_change".to_owned(), "mean_truth".to_owned()];
    let input = SummaryInput {
        metrics: &metrics,
        methods: &methods,
        variants: &variants,
        scores: &tables.scores,
        coverage: &tables.coverage,
        halves: &tables.halves,
    };
    let summary = summarize(&input);
    let n_errors = tables.scores.iter().filter(|it| it.status == "error").count();
    let dir = run_dir.tables_dir();
    write_table(&dir, "scores", &tables.scores)?;
    write_table(&dir, "coverage", &tables.coverage)?;
    write_table(&dir, "summary", &summary.summary)?;
    write_table(&dir, "pairs", &summary.pairs)?;
    write_table(&dir, "ranks", &summary.ranks)?;
    write_table(&dir, "methods", &method_rows(config))?;
    write_table(&dir, "metrics", &metric_rows(&variants))?;
    write_table(&dir, "notes", &notes)?;
    run_dir.write_manifest(manifest)?;
    let report = cellstone_report::render(run_dir)?;
    Ok(RunOutcome { dir: run_dir.path().to_owned(), report, n_errors })
}

#[derive(Default)]
struct Scored {
    scores: Vec<ScoreRow>,
    coverage: Vec<CoverageRow>,
    halves: BTreeMap<(String, String), (u64, u64)>,
}

fn label_columns(config: &ScoreConfig, require_control: bool) -> (LabelColumns, ParseOptions) {
    let off = || Some(String::new());
    let columns = LabelColumns {
        pert: Some(config.pert_col.clone()),
        context: config.context_col.clone().or_else(off),
        // Only what was named is used: two files must not be read by two guesses.
        batch: off(),
        guide: off(),
        control_flag: off(),
        require_control,
        ..LabelColumns::default()
    };
    (columns, ParseOptions { control_labels: vec![config.control.clone()], ..ParseOptions::default() })
}

fn normalize(config: &ScoreConfig) -> Option<Normalize> {
    (config.scale == Scale::Counts).then(Normalize::default)
}

fn read_truth(config: &ScoreConfig, progress: &dyn Progress) -> Result<Truth> {
    let source = open_source(&config.truth, &OpenOptions { scale: config.scale, ..OpenOptions::default() })?;
    let (columns, parse) = label_columns(config, true);
    let file = config.truth.display().to_string();
    let labels = CellLabels::from_obs(source.obs(), source.var(), &columns, &parse, &file)?;
    require_label(source.obs(), &labels.columns.pert, std::slice::from_ref(&config.control), &file)?;
    progress.begin("averaging truth", Some(source.n_obs() as u64), "cells");
    let params = PseudobulkParams {
        averaging: Averaging::Cells,
        normalize: normalize(config),
        n_replicates: 1,
        seed: Seed::new(0).derive("replicates"),
        ..PseudobulkParams::default()
    };
    let result = pseudobulk(source.as_ref(), &labels, &params, &|_| ());
    progress.end();
    let (bulk, log) = result.map_err(|error| in_file(error, &file))?;
    let mut warnings = labels.warnings;
    warnings.extend(log.warnings);
    Ok(Truth { bulk, n_obs: source.n_obs() as u64, warnings })
}

fn read_prediction(config: &ScoreConfig, progress: &dyn Progress) -> Result<Predicted> {
    // Predictions may hold any number, so only counts are held to the declared scale.
    let scale = if config.scale == Scale::Counts { Scale::Counts } else { Scale::Effect };
    let source = open_source(&config.pred, &OpenOptions { scale, ..OpenOptions::default() })?;
    let (columns, parse) = label_columns(config, false);
    let file = config.pred.display().to_string();
    let labels = CellLabels::from_obs(source.obs(), source.var(), &columns, &parse, &file)?;
    progress.begin("averaging prediction", None, "");
    let means = group_means(source.as_ref(), &labels, normalize(config));
    progress.end();
    Ok(Predicted { means: means?, groups: labels.groups, var: source.var().clone(), n_obs: source.n_obs() as u64 })
}

/// Column of the prediction for every gene of the truth.
fn align(truth: &Var, pred: &Var, config: &ScoreConfig) -> Result<Vec<usize>> {
    let at: BTreeMap<&String, usize> = pred.ids().iter().zip(0..).collect();
    let missing: Vec<String> = truth.ids().iter().filter(|it| !at.contains_key(it)).cloned().collect();
    if missing.is_empty() && pred.len() == truth.len() {
        return Ok(truth.ids().iter().map(|it| at[it]).collect());
    }
    let known: BTreeSet<&String> = truth.ids().iter().collect();
    let extra: Vec<String> = pred.ids().iter().filter(|it| !known.contains(it)).cloned().collect();
    Err(Error::invalid_input(format!(
        "`{}` has {} genes and `{}` has {}; missing in the prediction: {}; only in the prediction: {}",
        config.truth.display(),
        truth.len(),
        config.pred.display(),
        pred.len(),
        quoted(&missing),
        quoted(&extra)
    ))
    .with_hint("both files must hold the same genes, in any order: subset one to the other"))
}

#[expect(clippy::too_many_arguments, reason = "one call site; the parts are independent")]
fn score_context(
    config: &ScoreConfig,
    variants: &[Variant],
    truth: &Truth,
    pred: &Predicted,
    weights: Option<&Array2<f64>>,
    columns: &[usize],
    context: &ContextId,
    tables: &mut Scored,
    notes: &mut Vec<NoteRow>,
) -> Result<()> {
    let bulk = &truth.bulk;
    let wanted: Vec<usize> = (0..bulk.rows().len())
        .filter(|it| bulk.rows()[*it].context == *context && !bulk.rows()[*it].condition.is_control())
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let find = |row: usize| {
        let it = &bulk.rows()[row];
        pred.groups.iter().position(|p| p.context == it.context && p.condition == it.condition)
    };
    let (mut rows, mut pred_rows, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for row in wanted {
        match find(row) {
            Some(at) => {
                rows.push(row);
                pred_rows.push(at);
            }
            None => lost.push(bulk.rows()[row].condition.to_string()),
        }
    }
    let base = |method| RowBase { method, split: "all", seed: 0, context: context.as_str() };
    if !lost.is_empty() {
        notes.push(NoteRow {
            level: "warning".into(),
            text: format!("no prediction for {} perturbations of context {context}: {}", lost.len(), quoted(&lost)),
        });
        let per = |it: &&Variant| it.metric.info().level == MetricLevel::Perturbation;
        for key in &lost {
            for variant in variants.iter().filter(per) {
                tables.scores.push(base(&config.name).row(
                    key,
                    &variant.id,
                    crate::run::Outcome::Error("the prediction file has no such perturbation".to_owned()),
                ));
            }
        }
    }
    if rows.is_empty() {
        return Err(Error::invalid_input(format!(
            "`{}` shares no perturbation of context `{context}` with `{}`",
            config.pred.display(),
            config.truth.display()
        ))
        .with_hint("labels of the column named by --pert-col must agree in both files"));
    }
    let control_row = bulk.control_row(context).expect("invariant: every context has a control");
    let panel = make_panel(bulk, context, &rows, weights, control_row);
    let predicted = pred.means.select(Axis(0), &pred_rows).select(Axis(1), columns);
    let own = pred.groups.iter().position(|it| it.context == *context && it.condition.is_control());
    if config.own_control && own.is_none() {
        return Err(Error::invalid_input(format!(
            "`{}` has no control cell in context `{context}`, which --own-control needs",
            config.pred.display()
        )));
    }
    let pred_control: Option<Array1<f64>> =
        own.filter(|_| config.own_control).map(|at| pred.means.row(at).select(Axis(0), columns));
    let scorer = panel.scorer(variants)?;
    tables.scores.extend(score_panel(
        &base(&config.name),
        variants,
        &panel,
        &scorer,
        &predicted,
        pred_control.as_ref().map(|it| it.view()),
    )?);
    let no_change = Array2::from_shape_fn(panel.truth.dim(), |(_, gene)| panel.control[gene]);
    tables.scores.extend(score_panel(&base("no_change"), variants, &panel, &scorer, &no_change, None)?);
    let mean = panel.truth.mean_axis(Axis(0)).expect("invariant: the panel is not empty");
    let mean_truth = Array2::from_shape_fn(panel.truth.dim(), |(_, gene)| mean[gene]);
    tables.scores.extend(score_panel(&base("mean_truth"), variants, &panel, &scorer, &mean_truth, None)?);
    replicate(variants, bulk, &panel, &rows, control_row, tables)?;
    for method in [config.name.as_str(), "no_change", "mean_truth"] {
        for key in &panel.keys {
            tables.coverage.push(CoverageRow {
                method: method.to_owned(),
                split: "all".to_owned(),
                seed: 0,
                context: context.to_string(),
                perturbation: key.clone(),
                native: true,
                rule: None,
                reason: None,
            });
        }
    }
    Ok(())
}

fn make_panel(
    bulk: &Pseudobulk,
    context: &ContextId,
    rows: &[usize],
    weights: Option<&Array2<f64>>,
    control_row: usize,
) -> Panel {
    let truth = bulk.profiles().select(Axis(0), rows);
    let control = bulk.profiles().row(control_row).to_owned();
    let perturbation =
        |row: &usize| bulk.rows()[*row].condition.perturbation().expect("invariant: controls are not scored");
    Panel {
        context: context.clone(),
        keys: rows.iter().map(|it| perturbation(it).to_string()).collect(),
        targets: rows.iter().map(|it| crate::run::target_columns(bulk, perturbation(it).targets())).collect(),
        top_control: top_by_control(control.view(), TOP_CONTROL),
        train_mean: truth.mean_axis(Axis(0)),
        train_profiles: None,
        weights: weights.map(|it| it.select(Axis(0), rows)),
        rows: (0..rows.len()).collect(),
        truth,
        control,
    }
}

fn replicate(
    variants: &[Variant],
    bulk: &Pseudobulk,
    panel: &Panel,
    rows: &[usize],
    control_row: usize,
    tables: &mut Scored,
) -> Result<()> {
    let base = RowBase { method: REPLICATE, split: "all", seed: 0, context: panel.context.as_str() };
    let Some(halves) = bulk.replicates().first() else { return Ok(()) };
    let whole = |row: usize| halves.n_first[row] > 0 && halves.n_second[row] > 0;
    let keep: Vec<usize> = (0..rows.len()).filter(|it| whole(rows[*it]) && whole(control_row)).collect();
    let lost: Vec<String> = (0..rows.len()).filter(|it| !keep.contains(it)).map(|it| panel.keys[it].clone()).collect();
    if !keep.is_empty() {
        let sources: Vec<usize> = keep.iter().map(|it| rows[*it]).collect();
        let half = Panel {
            context: panel.context.clone(),
            rows: (0..keep.len()).collect(),
            keys: keep.iter().map(|it| panel.keys[*it].clone()).collect(),
            targets: keep.iter().map(|it| panel.targets[*it].clone()).collect(),
            truth: halves.second.select(Axis(0), &sources),
            control: halves.second.row(control_row).to_owned(),
            train_mean: panel.train_mean.clone(),
            train_profiles: None,
            weights: panel.weights.as_ref().map(|it| it.select(Axis(0), &keep)),
            top_control: panel.top_control.clone(),
        };
        for (at, source) in keep.iter().zip(&sources) {
            let key = (panel.context.to_string(), panel.keys[*at].clone());
            tables.halves.insert(key, (halves.n_first[*source], halves.n_second[*source]));
        }
        let first = halves.first.select(Axis(0), &sources);
        let scorer = half.scorer(variants)?;
        let own = Some(halves.first.row(control_row));
        tables.scores.extend(score_panel(&base, variants, &half, &scorer, &first, own)?);
    }
    tables.scores.extend(undefined_rows(&base, variants, &lost, Why::TooFewCells));
    Ok(())
}

fn side_notes(truth: &Truth, maskable: bool) -> Vec<NoteRow> {
    let mut notes: Vec<NoteRow> =
        truth.warnings.iter().map(|it| NoteRow { level: "warning".into(), text: it.clone() }).collect();
    if !maskable {
        notes.push(NoteRow { level: "warning".into(), text: "no target is a measured gene: no gene is masked".into() });
    }
    notes.push(NoteRow {
        level: "info".into(),
        text: "`mean_truth` is the mean of the measured perturbed profiles: there is no training set here, so it has seen what it is scored on".into(),
    });
    notes
}

fn method_rows(config: &ScoreConfig) -> Vec<MethodRow> {
    let row = |method: &str, name: &str, role: &str, summary: &str| MethodRow {
        method: method.to_owned(),
        name: name.to_owned(),
        role: role.to_owned(),
        summary: summary.to_owned(),
        source: String::new(),
    };
    vec![
        row(&config.name, &config.name, "model", &format!("read from `{}`", config.pred.display())),
        row("no_change", "No change", "floor", "the control profile"),
        row(
            "mean_truth",
            "Mean of the truth",
            "floor",
            "the mean of the measured perturbed profiles, given to every perturbation",
        ),
        row(REPLICATE, "Replicate", "ceiling", "one random half of the condition's own cells predicts the other half"),
    ]
}
