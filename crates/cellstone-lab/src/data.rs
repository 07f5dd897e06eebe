//! From the input of an experiment to condition means: cells through the stream, or effect vectors as they are.

use crate::config::Config;
use crate::progress::Progress;
use cellstone_core::{
    Context, ContextId, CountSource, Error, ObsTable, Priors, Pseudobulk, PseudobulkRow, Result, Scale, Seed, Var,
};
use cellstone_io::{EmbeddingOptions, Npz, OpenOptions, open_source, read_embedding};
use cellstone_prep::{
    CellLabels, LabelColumns, Normalize, ParseOptions, Parsed, PseudobulkParams, Target, parse_condition, pseudobulk,
};

/// Condition means and what was noticed on the way.
pub struct Loaded {
    /// The means.
    pub bulk: Pseudobulk,
    /// Number of cells of the file; 0 for effect vectors.
    pub n_obs: u64,
    /// Things a reader should know.
    pub warnings: Vec<String>,
    /// Plain facts: columns chosen, cells dropped.
    pub facts: Vec<String>,
}

/// Reads the input of an experiment.
///
/// # Errors
/// As the reader, the labels and the averaging say.
pub fn load(config: &Config, progress: &dyn Progress) -> Result<Loaded> {
    let loaded = if config.data.scale == Scale::Effect { load_effects(config)? } else { load_cells(config, progress)? };
    if config.data.contexts.is_empty() {
        return Ok(loaded);
    }
    let keep: Vec<ContextId> = config.data.contexts.iter().map(ContextId::new).collect();
    let bulk = loaded.bulk.only_contexts(&keep).context_with(|| format!("`{}`", config.data.path.display()))?;
    Ok(Loaded { bulk, ..loaded })
}

/// Opens the cells of an experiment.
///
/// # Errors
/// As the reader says.
pub fn open_cells(config: &Config) -> Result<Box<dyn CountSource>> {
    let options =
        OpenOptions { scale: config.data.scale, matrix: Some(config.data.matrix.clone()), ..OpenOptions::default() };
    open_source(&config.data.path, &options)
}

/// Parses the labels of the cells of an experiment.
///
/// # Errors
/// As the labels say.
pub fn label_cells(config: &Config, source: &dyn CountSource) -> Result<CellLabels> {
    let columns = LabelColumns {
        pert: config.data.pert_col.clone(),
        context: config.data.context_col.clone(),
        batch: config.data.batch_col.clone(),
        keep: config.data.keep.iter().map(|(column, values)| (column.clone(), values.clone())).collect(),
        ..LabelColumns::default()
    };
    let parse = ParseOptions { control_labels: config.data.control_pert.clone(), ..ParseOptions::default() };
    let file = config.data.path.display().to_string();
    let labels = CellLabels::from_obs(source.obs(), source.var(), &columns, &parse, &file)?;
    require_label(source.obs(), &labels.columns.pert, &config.data.control_pert, &file)?;
    Ok(labels)
}

/// Names the file of an error that does not name it yet.
pub fn in_file(error: Error, file: &str) -> Error {
    if error.to_string().contains(file) { error } else { error.context(format!("`{file}`")) }
}

/// Refuses control labels of which none occurs: the usual names would silently stand in for a misspelt one.
///
/// # Errors
/// Names the labels asked for and the most frequent ones of the column, with the nearest as a hint.
pub fn require_label(obs: &ObsTable, column: &str, wanted: &[String], file: &str) -> Result<()> {
    let Some(cells) = obs.get(column) else { return Ok(()) };
    let (codes, names) = cells.to_codes();
    let mut counts = vec![0_u64; names.len()];
    for it in codes.into_iter().flatten() {
        counts[it as usize] += 1;
    }
    let occurs = |label: &String| names.iter().zip(&counts).any(|(it, n)| *n > 0 && it.trim() == label.trim());
    if wanted.is_empty() || wanted.iter().any(occurs) {
        return Ok(());
    }
    let mut order: Vec<usize> = (0..names.len()).filter(|it| counts[*it] > 0).collect();
    order.sort_by(|a, b| counts[*b].cmp(&counts[*a]).then(names[*a].cmp(&names[*b])));
    let frequent: Vec<String> = order.iter().take(5).map(|it| names[*it].clone()).collect();
    let error = Error::invalid_input(format!(
        "no cell of `{file}` has the control label {} in column `{column}` (most frequent: {})",
        cellstone_core::quoted(wanted),
        cellstone_core::quoted(&frequent)
    ));
    let near =
        wanted.iter().find_map(|label| cellstone_core::nearest(label, order.iter().map(|it| names[*it].as_str())));
    Err(match near {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint("`inspect` shows the labels of every column"),
    })
}

fn load_cells(config: &Config, progress: &dyn Progress) -> Result<Loaded> {
    let source = open_cells(config)?;
    let labels = label_cells(config, source.as_ref())?;
    let normalize = (config.data.scale == Scale::Counts)
        .then_some(Normalize { target: Target::Sum(config.prep.target_sum), log1p: true });
    let params = PseudobulkParams {
        averaging: config.prep.averaging,
        normalize,
        n_replicates: config.prep.n_replicates,
        seed: Seed::new(0).derive("replicates"),
        ..PseudobulkParams::default()
    };
    progress.begin("averaging cells", Some(source.n_obs() as u64), "cells");
    let done = std::sync::atomic::AtomicU64::new(0);
    let tick = |cells: usize| {
        let before = done.swap(cells as u64, std::sync::atomic::Ordering::Relaxed);
        progress.advance((cells as u64).saturating_sub(before));
    };
    let result = pseudobulk(source.as_ref(), &labels, &params, &tick);
    progress.end();
    let (bulk, log) = result.map_err(|error| in_file(error, &config.data.path.display().to_string()))?;
    let mut warnings = labels.warnings.clone();
    warnings.extend(log.warnings.clone());
    let mut facts = label_facts(&labels);
    if log.n_dropped_empty > 0 {
        warnings.push(format!("{} cells without a count were left out", log.n_dropped_empty));
    }
    if log.n_fallback_batches > 0 {
        facts.push(format!(
            "{} batches with few control cells used the control of their context",
            log.n_fallback_batches
        ));
    }
    Ok(Loaded { bulk, n_obs: source.n_obs() as u64, warnings, facts })
}

/// What was read from the annotation, in plain words.
pub(crate) fn label_facts(labels: &CellLabels) -> Vec<String> {
    let used = &labels.columns;
    let mut columns = format!("perturbation from column `{}`", used.pert);
    for (role, column) in [
        ("control flag", &used.control_flag),
        ("context", &used.context),
        ("batch", &used.batch),
        ("guide", &used.guide),
    ] {
        if let Some(column) = column {
            columns.push_str(&format!(", {role} from `{column}`"));
        }
    }
    let n_perturbations = labels.groups.iter().filter(|it| !it.condition.is_control()).count();
    let mut facts =
        vec![columns, format!("{n_perturbations} perturbations in {} groups with their controls", labels.groups.len())];
    if labels.n_filtered > 0 {
        facts.push(format!("{} cells are outside data.keep", labels.n_filtered));
    }
    if labels.n_unassigned > 0 {
        facts.push(format!("{} cells carry no condition", labels.n_unassigned));
    }
    if !labels.unmapped.is_empty() {
        facts.push(format!("targets that are no measured gene: {}", cellstone_core::quoted(&labels.unmapped)));
    }
    facts
}

/// Means from an npz: names and one vector per condition, the control at the origin.
fn load_effects(config: &Config) -> Result<Loaded> {
    let path = &config.data.path;
    let mut arrays = Npz::open(path)?;
    let hint = "name the arrays with data.names_key and data.values_key";
    let names = arrays.array(&config.data.names_key).map_err(|error| error.with_hint(hint))?.strings()?.to_vec();
    let values = arrays.array(&config.data.values_key).map_err(|error| error.with_hint(hint))?.to_matrix()?;
    if names.len() != values.nrows() {
        return Err(Error::invalid_input(format!(
            "`{}` names {} conditions but has {} vectors",
            path.display(),
            names.len(),
            values.nrows()
        )));
    }
    let width = (values.ncols().max(2) - 1).to_string().len();
    let var = Var::from_ids((0..values.ncols()).map(|it| format!("e{it:0width$}")))?;
    let parse = ParseOptions { control_labels: config.data.control_pert.clone(), ..ParseOptions::default() };
    let context = ContextId::default_context();
    let mut rows = Vec::new();
    for raw in &names {
        let Parsed::Condition(condition) = parse_condition(raw, &|_| false, &parse)? else {
            return Err(Error::invalid_input(format!(
                "`{}` has a vector for `{raw}`, which is no condition",
                path.display()
            )));
        };
        rows.push(PseudobulkRow { context: context.clone(), condition, raw: raw.clone(), n_cells: 0, n_batches: 1 });
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| rows[*a].condition.cmp(&rows[*b].condition));
    let profiles = values.select(ndarray::Axis(0), &order);
    let rows = order.iter().map(|it| rows[*it].clone()).collect();
    let bulk = Pseudobulk::new(var, Scale::Effect, cellstone_core::Averaging::Given, rows, profiles)
        .context_with(|| format!("`{}`", path.display()))?;
    let facts =
        vec![format!("{} effect vectors of {} coordinates stand in place of genes", names.len(), values.ncols())];
    Ok(Loaded { bulk, n_obs: 0, warnings: Vec::new(), facts })
}

/// Reads the embeddings of an experiment.
///
/// # Errors
/// As the readers say.
pub fn load_priors(config: &Config) -> Result<Priors> {
    config.embedding.iter().try_fold(Priors::new(), |priors, it| {
        let options =
            EmbeddingOptions { name: it.name.clone(), key: it.key.clone(), id_column: it.id_column.clone(), ids: None };
        Ok(priors.with(read_embedding(&it.path, &options)?))
    })
}
