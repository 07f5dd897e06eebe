//! `embed`: cells through a network, vectors of cells or genes out, or how far edits of genes move the cells.

use super::matrix::write_matrix_table;
use super::tokenize::interruptible;
use super::{check_out, open, save_table};
use crate::cli::{AssumedArg, Common, Embed, ModeArg, PoolArg};
use crate::progress::TerminalProgress;
use crate::terminal::{out, say};
use cellstone_core::{Column, CountSource, Error, ObsTable, Result, Scale, Seed};
use cellstone_io::{
    Additions, AnyMatrix, Extras, TokenFile, Uns, WriteOptions, read_gene_mapping, read_gene_medians, read_gene_table,
    read_token_dictionary, write_annotated, write_dense,
};
use cellstone_lab::{CellTokens, CellVectors, EmbedParams, TokenSource, chosen_cells};
use cellstone_model::{Checkpoint, DeviceChoice, Edit, EditKind, Layer, Pool, TokenKinds, open_checkpoint, select};
use cellstone_rank::CoverageRule;
use cellstone_report::ColumnData;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs cells through a model and writes what was asked for.
pub(super) fn embed(common: &Common, args: &Embed) -> Result<u8> {
    let edits_wanted = !args.delete.is_empty() || !args.overexpress.is_empty();
    let endings: &[&str] = if edits_wanted { &["parquet", "csv"] } else { &["h5ad", "parquet", "csv"] };
    let ending = check_out(&args.out, args.force, endings)?;
    let layer = Layer::parse(&args.layer)?;
    let filters = args.obs_filter.iter().map(|it| filter(it)).collect::<Result<Vec<_>>>()?;
    let device = select(DeviceChoice::parse(&common.device)?)?;
    let mut checkpoint = open_checkpoint(&args.checkpoint, &device)?;
    complete(&mut checkpoint, args)?;
    layer.index(checkpoint.network.n_layers())?;
    let kinds = TokenKinds::of(&checkpoint);
    let edits = edits(args, &kinds)?;
    let file = args.tokens.as_ref().map(|it| TokenFile::open(it)).transpose()?;
    let (source, tokens) = source(args, &checkpoint, file.as_ref(), edits_wanted)?;
    let chosen = chosen_cells(source.obs(), &filters)
        .map_err(|error| cellstone_lab::in_file(error, &args.input.input.display().to_string()))?;
    let tokens = CellTokens::new(source.as_ref(), tokens, chosen, interruptible())?;
    let progress = TerminalProgress::new(common);
    let pool = match args.pool {
        PoolArg::Cls => Pool::Cls,
        PoolArg::Mean | PoolArg::Gene => Pool::Mean,
        PoolArg::MeanAll => Pool::MeanAll,
        PoolArg::Max => Pool::Max,
    };
    let batch_tokens = args.batch_tokens.map(|it| it as usize);
    let params = EmbedParams { layer, pool, batch_tokens, progress: &progress };
    let written = if !edits.is_empty() {
        edited(common, args, &tokens, &checkpoint, &params, &edits)
    } else if args.pool == PoolArg::Gene {
        genes(common, args, &tokens, &checkpoint, &params, &ending)
    } else {
        let found = cellstone_lab::embed_cells(&tokens, &checkpoint, &params)?;
        tell(common, &found);
        write_cells(common, args, source.as_ref(), &checkpoint, found, &ending)
    };
    if written.is_ok() {
        say(common, &format!("{} on {}", checkpoint.config.architecture, device.name()));
    }
    written
}

fn filter(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::config(format!("`--obs-filter {text}`: expected COLUMN=VALUE"))),
    }
}

/// Adds what the directory of a published model lacks.
fn complete(checkpoint: &mut Checkpoint, args: &Embed) -> Result<()> {
    if let Some(path) = &args.vocab {
        checkpoint.give_vocabulary(read_token_dictionary(path)?, &format!("`{}`", path.display()))?;
    }
    if let Some(path) = &args.medians {
        checkpoint.encoder.medians = Some(read_gene_medians(path)?);
    }
    if let Some(path) = &args.mapping {
        checkpoint.encoder.gene_mapping = Some(read_gene_mapping(path)?);
    }
    if let Some(it) = args.max_len {
        checkpoint.encoder.config.max_len = Some(it);
    }
    if args.tokens.is_some() {
        return Ok(());
    }
    let id = checkpoint.encoder.config.id.clone();
    let lacks_tokens = checkpoint.vocab.n_ids() == 0;
    let lacks_medians = id.starts_with("geneformer") && checkpoint.encoder.medians.is_none();
    if lacks_tokens || lacks_medians {
        let (what, flag) = if lacks_tokens { ("vocabulary", "--vocab") } else { ("gene medians", "--medians") };
        return Err(Error::config(format!("checkpoint `{}` has no {what}", args.checkpoint.display()))
            .with_hint(format!("pass the file that was published with the model: {flag} FILE"))
            .with_hint("or make tokens first (`tokenize`) and pass them: --tokens T.parquet"));
    }
    Ok(())
}

/// `A+B` at once, one edit for each entry.
fn edits(args: &Embed, kinds: &TokenKinds) -> Result<Vec<Edit>> {
    let of = |kind: EditKind, texts: &[String]| -> Result<Vec<Edit>> {
        texts.iter().map(|it| Edit::new(kind, &it.split('+').map(str::to_owned).collect::<Vec<_>>(), kinds)).collect()
    };
    Ok([of(EditKind::Delete, &args.delete)?, of(EditKind::Overexpress, &args.overexpress)?].concat())
}

type Source<'a> = (Box<dyn CountSource>, TokenSource<'a>);

/// Longer than any row: rows that are edited must be whole.
const WHOLE: usize = 1 << 20;

fn source<'a>(args: &Embed, checkpoint: &Checkpoint, file: Option<&'a TokenFile>, whole: bool) -> Result<Source<'a>> {
    let input = &args.input;
    if let Some(file) = file {
        let encoder = checkpoint.encoder.config.id.clone();
        return Ok((open(input, Scale::Effect)?, TokenSource::Table { file, encoder }));
    }
    let mut encoder = checkpoint.encoder.clone();
    if whole {
        encoder.config.max_len = Some(WHOLE);
    }
    let table = args.gene_table.as_ref().map(|it| read_gene_table(it, args.alias.as_deref())).transpose()?;
    let tokenizer = encoder.tokenizer(&checkpoint.vocab, table.map(Arc::new))?;
    let source = match args.assume_scale {
        Some(AssumedArg::Counts) => open(input, Scale::Counts)?,
        Some(AssumedArg::Lognorm) => open(input, Scale::LogNorm { target_sum: None })?,
        None if super::tokenize::is_tenx(&input.input) => open(input, Scale::Counts)?,
        None => cellstone_lab::open_for(&|it| open(input, it), tokenizer.info(), args.mode == ModeArg::Strict)?.0,
    };
    let rule = match args.mode {
        ModeArg::Strict => CoverageRule::Strict,
        ModeArg::Lenient => CoverageRule::Lenient,
        ModeArg::Panel => CoverageRule::Panel,
    };
    let dataset_id = super::tokenize::stem(&input.input);
    Ok((source, TokenSource::Encode { tokenizer, rule, dataset_id, seed: Seed::new(args.seed) }))
}

fn tell(common: &Common, found: &CellVectors) {
    for it in &found.warnings {
        say(common, &format!("warning: {it}"));
    }
    if let Some((_, why)) = found.without.first() {
        say(common, &format!("warning: {} cells are left out, the first: {why}", found.without.len()));
    }
}

fn key(args: &Embed, checkpoint: &Checkpoint) -> String {
    args.key.clone().unwrap_or_else(|| format!("X_{}", checkpoint.config.architecture))
}

/// Where vectors come from, for `uns`.
fn origin(args: &Embed, checkpoint: &Checkpoint, pool: &str) -> Uns {
    let text = |it: &str| Uns::Str(it.to_owned());
    let folder = args.checkpoint.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    Uns::Group(BTreeMap::from([
        ("architecture".to_owned(), text(&checkpoint.config.architecture)),
        ("checkpoint".to_owned(), Uns::Str(folder)),
        ("layer".to_owned(), text(&args.layer)),
        ("pool".to_owned(), text(pool)),
    ]))
}

fn write_cells(
    common: &Common,
    args: &Embed,
    source: &dyn CountSource,
    checkpoint: &Checkpoint,
    found: CellVectors,
    ending: &str,
) -> Result<u8> {
    let (n, d) = found.values.dim();
    let values = found.values.mapv(f64::from);
    if ending == "h5ad" {
        // What is added has the length of the input and is cut with it.
        let mut all = ndarray::Array2::zeros((source.n_obs(), d));
        for (cell, vector) in found.cells.iter().zip(values.rows()) {
            all.row_mut(*cell).assign(&vector);
        }
        let name = key(args, checkpoint);
        let additions = Additions {
            obsm: BTreeMap::from([(name.clone(), AnyMatrix::Dense(all))]),
            uns: BTreeMap::from([(format!("embed_{name}"), origin(args, checkpoint, pool_name(args)))]),
            keep_obs: (n < source.n_obs()).then_some(found.cells),
            ..Additions::default()
        };
        let options = WriteOptions { overwrite: args.force, ..WriteOptions::default() };
        write_annotated(&args.out, &options, source, &args.input.input, &additions)?;
    } else {
        let names: Vec<String> = (1..=d).map(|it| format!("d{it}")).collect();
        let ids = found.cells.iter().map(|it| source.obs().index()[*it].clone()).collect();
        write_matrix_table(&args.out, &ObsTable::new(ids), &names, &values)?;
    }
    Ok(finish(common, args, serde_json::json!({ "n_cells": n, "width": d, "n_left_out": found.without.len() })))
}

fn pool_name(args: &Embed) -> &'static str {
    match args.pool {
        PoolArg::Cls => "cls",
        PoolArg::Mean => "mean",
        PoolArg::MeanAll => "mean_all",
        PoolArg::Max => "max",
        PoolArg::Gene => "gene",
    }
}

fn finish(common: &Common, args: &Embed, mut said: serde_json::Value) -> u8 {
    if common.json {
        said["out"] = serde_json::json!(args.out);
        out(&said.to_string());
    } else {
        out(&args.out.display().to_string());
    }
    0
}

fn genes(
    common: &Common,
    args: &Embed,
    tokens: &CellTokens<'_>,
    checkpoint: &Checkpoint,
    params: &EmbedParams<'_>,
    ending: &str,
) -> Result<u8> {
    let found = cellstone_lab::embed_genes_over_cells(tokens, checkpoint, params, args.min_cells)?;
    for it in &found.warnings {
        say(common, &format!("warning: {it}"));
    }
    let n_cells: Vec<Option<i64>> = found.genes.n_cells.iter().map(|it| Some(*it as i64)).collect();
    let (n, d) = found.genes.values.dim();
    let names: Vec<String> = (1..=d).map(|it| format!("d{it}")).collect();
    let values = found.genes.values.mapv(f64::from);
    if ending == "h5ad" {
        let mut obs = ObsTable::new(found.genes.names);
        obs.insert("n_cells", Column::Int(n_cells))?;
        let errors = found.genes.standard_error.iter().map(|it| it.map(|it| it.to_string())).collect();
        obs.insert("standard_error", Column::Str(errors))?;
        let extras = Extras {
            uns: BTreeMap::from([("embed".to_owned(), origin(args, checkpoint, "gene"))]),
            ..Extras::default()
        };
        let options = WriteOptions { overwrite: args.force, ..WriteOptions::default() };
        write_dense(&args.out, &options, &values, &obs, &ObsTable::new(names), &extras)?;
    } else {
        let mut columns = vec![
            ("gene".to_owned(), ColumnData::Str(found.genes.names.into_iter().map(Some).collect())),
            ("n_cells".to_owned(), ColumnData::Int(n_cells)),
            ("standard_error".to_owned(), ColumnData::Float(found.genes.standard_error)),
        ];
        let vectors = names.into_iter().enumerate();
        columns.extend(
            vectors.map(|(at, name)| (name, ColumnData::Float(values.column(at).iter().copied().map(Some).collect()))),
        );
        save_table(&args.out, columns)?;
    }
    let said = serde_json::json!({ "n_genes": n, "width": d, "n_cells": found.n_cells, "n_left_out": found.n_without });
    Ok(finish(common, args, said))
}

fn edited(
    common: &Common,
    args: &Embed,
    tokens: &CellTokens<'_>,
    checkpoint: &Checkpoint,
    params: &EmbedParams<'_>,
    edits: &[Edit],
) -> Result<u8> {
    let (rows, warnings) = cellstone_lab::insilico_edits(tokens, checkpoint, params, edits)?;
    for it in &warnings {
        say(common, &format!("warning: {it}"));
    }
    let mut summary = Vec::new();
    for (at, edit) in edits.iter().enumerate() {
        let shifts: Vec<f64> = rows.iter().filter(|it| it.edit == at).filter_map(|it| it.effect.shift).collect();
        let (n, name) = (shifts.len(), edit.names().join("+"));
        let mean = (n > 0).then(|| shifts.iter().sum::<f64>() / n as f64);
        let shown = mean.map_or("nothing moves".to_owned(), |it| format!("mean shift {it:.6}"));
        say(common, &format!("{} {name}: {n} cells, {shown}", edit.kind().as_str()));
        summary.push(serde_json::json!({ "edit": edit.kind(), "genes": name, "n_cells": n, "mean_shift": mean }));
    }
    let ids = tokens.cells().obs().index();
    let text =
        |of: &dyn Fn(&cellstone_lab::EditRow) -> String| ColumnData::Str(rows.iter().map(|it| Some(of(it))).collect());
    let status = |it: &cellstone_lab::EditRow| match (it.effect.shift, it.effect.n_present) {
        (Some(_), _) => "ok",
        (None, 0) => "absent",
        (None, _) => "unchanged",
    };
    let columns = [
        ("obs", text(&|it| ids[it.cell].clone())),
        ("edit", text(&|it| edits[it.edit].kind().as_str().to_owned())),
        ("genes", text(&|it| edits[it.edit].names().join("+"))),
        ("n_present", ColumnData::Int(rows.iter().map(|it| Some(it.effect.n_present as i64)).collect())),
        ("shift", ColumnData::Float(rows.iter().map(|it| it.effect.shift).collect())),
        ("gene_shift", ColumnData::Float(rows.iter().map(|it| it.effect.gene_shift).collect())),
        ("status", text(&|it| status(it).to_owned())),
    ];
    save_table(&args.out, columns.into_iter().map(|(name, it)| (name.to_owned(), it)).collect())?;
    Ok(finish(common, args, serde_json::json!({ "edits": summary })))
}
