//! `normalize`, `pseudobulk`, `pca`: one step each, cells in, a matrix or a table out.

use super::{check_out, is_h5ad, open, scale_of};
use crate::cli::{Common, MatrixInput, Normalize, Pca, Pseudobulk, ScaleArg};
use crate::progress::TerminalProgress;
use crate::terminal::say;
use cellstone_core::{Averaging, Column, CountSource, Csr, Error, ObsTable, Result, Scale, Seed};
use cellstone_io::{
    Additions, AnyMatrix, Extras, H5ad, Uns, WriteOptions, var_table, write_annotated, write_transformed,
};
use cellstone_lab::{Progress as _, in_file, require_label};
use cellstone_prep::{
    CellLabels, LabelColumns, Normalize as Rule, ParseOptions, Pca as Components, PseudobulkParams, SparsePcaParams,
    library_sizes, nonzero_median, normalize_log1p, normalize_total, pca_stream, source_libraries,
};
use cellstone_report::{ColumnData, Table, write_columns};
use std::collections::BTreeMap;
use std::path::Path;

/// Brings every cell to the same library size and takes log1p.
pub(super) fn normalize(common: &Common, args: &Normalize) -> Result<u8> {
    check_out(&args.out, args.force, &["h5ad"])?;
    let source = open(&args.input, Scale::Counts)?;
    let target = match args.target_sum.as_str() {
        "median" => nonzero_median(&source_libraries(source.as_ref())?).ok_or_else(|| {
            Error::invalid_input(format!("`{}` has no cell with a count", args.input.input.display()))
        })?,
        text => text
            .parse()
            .ok()
            .filter(|it: &f64| *it > 0.0 && it.is_finite())
            .ok_or_else(|| Error::config(format!("--target-sum {text}: expected a positive number or `median`")))?,
    };
    let progress = TerminalProgress::new(common);
    progress.begin("normalizing", Some(source.n_obs() as u64), "cells");
    let mut uns = BTreeMap::from([("target_sum".to_owned(), Uns::Float(target))]);
    if !args.no_log1p {
        // Where scanpy looks; an empty group means the natural logarithm.
        uns.insert("log1p".to_owned(), Uns::Group(BTreeMap::new()));
    }
    let mut n_empty = 0;
    let mut scale = |x: &mut Csr<f32>| -> Result<()> {
        let libraries = if args.no_log1p { scale_rows(x, target)? } else { normalize_log1p(x, target)? };
        n_empty += libraries.iter().filter(|it| **it <= 0.0).count();
        progress.advance(x.shape().0 as u64);
        Ok(())
    };
    let options = WriteOptions { overwrite: args.force, ..WriteOptions::default() };
    let additions = Additions { uns, ..Additions::default() };
    let written = write_transformed(&args.out, &options, source.as_ref(), &args.input.input, &additions, &mut scale);
    progress.end();
    written?;
    if n_empty > 0 {
        say(common, &format!("{n_empty} cells have no count and stay zero"));
    }
    Ok(0)
}

/// Brings the rows of a block to `target`; cells without counts stay zero. Returns what they had.
fn scale_rows(x: &mut Csr<f32>, target: f64) -> Result<Vec<f64>> {
    let libraries = library_sizes(x);
    let factors: Vec<f64> = libraries.iter().map(|it| if *it > 0.0 { target / it } else { 1.0 }).collect();
    normalize_total(x, &factors)?;
    Ok(libraries)
}

/// Writes the mean profile of every condition.
pub(super) fn pseudobulk(common: &Common, args: &Pseudobulk) -> Result<u8> {
    let matrix = check_out(&args.out, args.force, &["h5ad", "parquet", "csv"])? == "h5ad";
    let averaging = averaging_of(&args.averaging)?;
    let source = open(&args.input, scale_of(args.scale))?;
    let columns = LabelColumns {
        pert: args.pert_col.clone(),
        context: args.context_col.clone(),
        batch: args.batch_col.clone(),
        ..LabelColumns::default()
    };
    let parse = ParseOptions { control_labels: args.control.clone().into_iter().collect(), ..ParseOptions::default() };
    let file = args.input.input.display().to_string();
    let labels = CellLabels::from_obs(source.obs(), source.var(), &columns, &parse, &file)?;
    require_label(source.obs(), &labels.columns.pert, &parse.control_labels, &file)?;
    let normalize = (args.scale == ScaleArg::Counts && averaging != Averaging::Bulk).then(Rule::default);
    let params = PseudobulkParams { averaging, normalize, n_replicates: 0, ..PseudobulkParams::default() };
    let progress = TerminalProgress::new(common);
    progress.begin("averaging cells", Some(source.n_obs() as u64), "cells");
    let before = std::sync::atomic::AtomicUsize::new(0);
    let tick = |done: usize| {
        progress.advance(done.saturating_sub(before.swap(done, std::sync::atomic::Ordering::Relaxed)) as u64);
    };
    let result = cellstone_prep::pseudobulk(source.as_ref(), &labels, &params, &tick);
    progress.end();
    let (bulk, log) = result.map_err(|error| in_file(error, &file))?;
    for it in labels.warnings.iter().chain(&log.warnings) {
        say(common, &format!("warning: {it}"));
    }
    let values = if args.delta { cellstone_prep::delta(&bulk) } else { bulk.profiles().clone() };
    let rows = bulk.rows();
    let mut obs = ObsTable::new(rows.iter().map(|it| format!("{}:{}", it.context, it.condition)).collect());
    let text =
        |f: &dyn Fn(&cellstone_core::PseudobulkRow) -> String| Column::Str(rows.iter().map(|it| Some(f(it))).collect());
    obs.insert("perturbation", text(&|it| it.condition.to_string()))?;
    obs.insert("context", text(&|it| it.context.to_string()))?;
    obs.insert("raw_label", text(&|it| it.raw.clone()))?;
    obs.insert("n_cells", Column::Int(rows.iter().map(|it| Some(it.n_cells as i64)).collect()))?;
    obs.insert("n_batches", Column::Int(rows.iter().map(|it| Some(i64::from(it.n_batches))).collect()))?;
    if matrix {
        let uns = BTreeMap::from([
            ("averaging".to_owned(), Uns::Str(args.averaging.clone())),
            (
                "scale".to_owned(),
                Uns::Str(if args.delta { format!("delta of {}", bulk.scale()) } else { bulk.scale().to_string() }),
            ),
        ]);
        let mut extras = Extras { uns, ..Extras::default() };
        if let Some(variance) = bulk.sampling_var() {
            extras.layers.insert("sampling_var".to_owned(), AnyMatrix::Dense(variance.clone()));
        }
        let options = WriteOptions { overwrite: args.force, ..WriteOptions::default() };
        cellstone_io::write_dense(&args.out, &options, &values, &obs, &var_table(bulk.var())?, &extras)?;
        return Ok(0);
    }
    write_matrix_table(&args.out, &obs, bulk.var().ids(), &values)
}

fn averaging_of(text: &str) -> Result<Averaging> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .ok()
        .filter(|it| *it != Averaging::Given)
        .ok_or_else(|| {
            Error::config(format!(
                "--averaging {text}: expected cells, batches, batches_matched, cells_matched or bulk"
            ))
        })
}

/// Writes principal components of the cells.
pub(super) fn pca(common: &Common, args: &Pca) -> Result<u8> {
    let matrix = check_out(&args.out, args.force, &["h5ad", "parquet", "csv"])? == "h5ad";
    let source = open(&args.input, scale_of(args.scale))?;
    let pca = principal_components(
        common,
        &args.input,
        args.scale,
        source.as_ref(),
        args.n_comps,
        args.seed,
        args.all_genes,
    )?;
    if !matrix {
        let names: Vec<String> = (1..=pca.scores.ncols()).map(|it| format!("PC{it}")).collect();
        let cells = ObsTable::new(source.obs().index().to_vec());
        return write_matrix_table(&args.out, &cells, &names, &pca.scores);
    }
    let numbers = |it: &ndarray::Array1<f64>| Uns::Array { shape: vec![it.len()], values: it.to_vec() };
    let group = BTreeMap::from([
        ("variance".to_owned(), numbers(&pca.explained_variance)),
        ("variance_ratio".to_owned(), numbers(&pca.explained_variance_ratio)),
    ]);
    let mut additions = Additions {
        obsm: BTreeMap::from([("X_pca".to_owned(), AnyMatrix::Dense(pca.scores))]),
        uns: BTreeMap::from([("pca".to_owned(), Uns::Group(group))]),
        ..Additions::default()
    };
    // The genes of `raw` are not those of `var`.
    if args.input.matrix != "raw" {
        additions.varm.insert("PCs".to_owned(), AnyMatrix::Dense(pca.loadings));
    }
    let options = WriteOptions { overwrite: args.force, ..WriteOptions::default() };
    write_annotated(&args.out, &options, source.as_ref(), &args.input.input, &additions)?;
    Ok(0)
}

/// Components of log-normalised values: of the genes that `var["highly_variable"]` marks, where it does, as scanpy has
/// it; the loadings of the others are 0.
pub(super) fn principal_components(
    common: &Common,
    input: &MatrixInput,
    scale: ScaleArg,
    source: &dyn CountSource,
    n_comps: usize,
    seed: u64,
    all_genes: bool,
) -> Result<Components> {
    let keep = if all_genes { None } else { marked_genes(input)? };
    if let Some(keep) = &keep {
        say(common, &format!("{} highly variable genes are used", keep.len()));
    }
    let counts = scale == ScaleArg::Counts;
    let genes = keep.clone();
    let prepare = move |x: &mut Csr<f32>| {
        // 10,000 is a positive number.
        if counts {
            drop(normalize_log1p(x, 1e4));
        }
        if let Some(genes) = &genes {
            *x = x.select_cols(genes);
        }
    };
    let progress = TerminalProgress::new(common);
    progress.begin("principal components", None, "");
    let params = SparsePcaParams { seed: Seed::new(seed), ..SparsePcaParams::default() };
    let result = pca_stream(source, &prepare, n_comps, &params);
    progress.end();
    let mut pca = result?;
    if let Some(keep) = &keep {
        let mut loadings = ndarray::Array2::zeros((source.var().len(), pca.loadings.ncols()));
        for (row, gene) in keep.iter().enumerate() {
            loadings.row_mut(*gene).assign(&pca.loadings.row(row));
        }
        pca.loadings = loadings;
    }
    Ok(pca)
}

/// Positions of the genes that a file marks as highly variable.
fn marked_genes(input: &MatrixInput) -> Result<Option<Vec<usize>>> {
    if !is_h5ad(&input.input) || input.matrix == "raw" {
        return Ok(None);
    }
    let Some(Column::Bool(marks)) = H5ad::open(&input.input)?.var_table()?.get("highly_variable").cloned() else {
        return Ok(None);
    };
    let keep: Vec<usize> = (0..marks.len()).filter(|it| marks[*it] == Some(true)).collect();
    Ok((!keep.is_empty()).then_some(keep))
}

/// Writes annotation and values side by side.
pub(super) fn write_matrix_table(
    path: &Path,
    obs: &ObsTable,
    names: &[String],
    values: &ndarray::Array2<f64>,
) -> Result<u8> {
    let mut columns = vec![("obs".to_owned(), ColumnData::Str(obs.index().iter().cloned().map(Some).collect()))];
    for name in obs.names() {
        let column = obs.column(name)?;
        let data = match column {
            Column::Int(it) => ColumnData::Int(it.clone()),
            other => ColumnData::Str((0..other.len()).map(|row| other.text(row)).collect()),
        };
        columns.push((name.clone(), data));
    }
    for (at, name) in names.iter().enumerate() {
        columns.push((name.clone(), ColumnData::Float(values.column(at).iter().copied().map(Some).collect())));
    }
    write_columns(path, &Table::new(columns)?)?;
    Ok(0)
}
