//! `hvg` and `de`: what is found for genes.

use super::{check_out, open, save_table, scale_of};
use crate::cli::{Common, De, DeMethodArg, Hvg, LfcArg, ScaleArg};
use crate::progress::TerminalProgress;
use crate::terminal::say;
use cellstone_core::{Column, CountSource, Error, ObsTable, Result};
use cellstone_io::{Additions, Uns, WriteOptions, write_annotated};
use cellstone_lab::Progress as _;
use cellstone_prep::{
    Adjust, CellBatches, DeGroups, DeMethod, DeParams, DeReference, DeTable, Expression, HvgColumn, HvgFlavor,
    HvgParams, LfcConvention, Normalize, SmallGroups, de_stream, highly_variable_genes,
};
use cellstone_report::ColumnData;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Selects highly variable genes.
pub(super) fn hvg(common: &Common, args: &Hvg) -> Result<u8> {
    let ending = check_out(&args.out, args.force, &["h5ad", "parquet", "csv"])?;
    if args.subset && ending != "h5ad" {
        return Err(Error::config("--subset keeps the cells of the selected genes and needs `--out F.h5ad`"));
    }
    let flavor = flavor_of(&args.flavor)?;
    let source = open(&args.input, scale_of(args.scale))?;
    let params = HvgParams { flavor, n_top: (args.n_top > 0).then_some(args.n_top), ..HvgParams::default() };
    let batches = args.batch_key.as_deref().map(|it| batches_of(source.as_ref(), it)).transpose()?;
    let progress = TerminalProgress::new(common);
    progress.begin("ranking genes", None, "");
    let table = highly_variable_genes(&Expression::Source(source.as_ref()), batches.as_ref(), &params);
    progress.end();
    let table = table?;
    let selected = table.selected();
    say(common, &format!("{} of {} genes are highly variable ({flavor})", selected.len(), source.var().len()));
    if ending != "h5ad" {
        let columns = table.columns().into_iter().map(|(name, column)| (name.to_owned(), table_column(column)));
        return save_table(&args.out, columns.collect());
    }
    let var = table.columns().into_iter().filter(|(name, _)| *name != "gene");
    let additions = Additions {
        var: var
            .map(|(name, column)| (if name == "rank" { "hvg_order" } else { name }.to_owned(), var_column(column)))
            .collect(),
        uns: BTreeMap::from([(
            "hvg".to_owned(),
            Uns::Group(BTreeMap::from([("flavor".to_owned(), Uns::Str(flavor.to_string()))])),
        )]),
        keep_var: args.subset.then_some(selected),
        ..Additions::default()
    };
    let options = WriteOptions { overwrite: args.force, ..WriteOptions::default() };
    write_annotated(&args.out, &options, source.as_ref(), &args.input.input, &additions)?;
    Ok(0)
}

fn flavor_of(text: &str) -> Result<HvgFlavor> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| {
        let known = ["seurat", "cell_ranger", "seurat_v3", "seurat_v3_paper", "pearson_residuals"];
        let error = Error::config(format!("--flavor {text}: expected one of {}", known.join(", ")));
        match cellstone_core::nearest(text, known) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

fn batches_of(source: &dyn CountSource, name: &str) -> Result<CellBatches> {
    let column = source.obs().column(name)?;
    let names: Result<Vec<String>> = (0..column.len())
        .map(|row| {
            column.text(row).ok_or_else(|| {
                Error::invalid_input(format!("cell `{}` has no batch in column `{name}`", source.obs().index()[row]))
                    .with_hint("leave such cells out, or give them a batch")
            })
        })
        .collect();
    Ok(CellBatches::from_names(&names?))
}

fn table_column(column: HvgColumn) -> ColumnData {
    match column {
        HvgColumn::Text(it) => ColumnData::Str(it.into_iter().map(Some).collect()),
        HvgColumn::Flag(it) => ColumnData::Bool(it.into_iter().map(Some).collect()),
        HvgColumn::Count(it) => ColumnData::Int(it.into_iter().map(|it| Some(i64::from(it))).collect()),
        HvgColumn::Number(it) => ColumnData::Float(it),
    }
}

fn var_column(column: HvgColumn) -> Column {
    match column {
        HvgColumn::Text(it) => Column::Str(it.into_iter().map(Some).collect()),
        HvgColumn::Flag(it) => Column::Bool(it.into_iter().map(Some).collect()),
        HvgColumn::Count(it) => Column::Int(it.into_iter().map(|it| Some(i64::from(it))).collect()),
        HvgColumn::Number(it) => Column::Float(it.into_iter().map(|it| it.unwrap_or(f64::NAN)).collect()),
    }
}

/// Tests every gene between groups of cells.
pub(super) fn de(common: &Common, args: &De) -> Result<u8> {
    let ending = check_out(&args.out, args.force, &["h5ad", "parquet", "csv"])?;
    let params = de_params(args)?;
    let source = open(&args.input, scale_of(args.scale))?;
    let groups = DeGroups::from_column(source.obs(), &args.groupby)?;
    let normalize = (args.scale == ScaleArg::Counts && !args.no_normalize).then(Normalize::default);
    let progress = TerminalProgress::new(common);
    progress.begin("testing genes", Some(source.n_obs() as u64), "cells");
    let before = AtomicUsize::new(0);
    let tick = |done: usize| {
        progress.advance(done.saturating_sub(before.swap(done, Ordering::Relaxed)) as u64);
    };
    let table = de_stream(source.as_ref(), &groups, normalize, &params, &tick);
    progress.end();
    let table = table?;
    if !table.skipped.is_empty() {
        say(common, &format!("too small to test: {}", cellstone_core::quoted(&table.skipped)));
    }
    if ending != "h5ad" {
        return save_table(&args.out, long_table(&table));
    }
    let additions = Additions {
        uns: BTreeMap::from([("rank_genes_groups".to_owned(), ranked(&table, args)?)]),
        ..Additions::default()
    };
    let options = WriteOptions { overwrite: args.force, ..WriteOptions::default() };
    write_annotated(&args.out, &options, source.as_ref(), &args.input.input, &additions)?;
    Ok(0)
}

fn de_params(args: &De) -> Result<DeParams> {
    let reference = match (args.reference.as_str(), &args.control) {
        ("rest", None) => DeReference::Rest,
        ("all-perturbed", Some(control)) => DeReference::AllPerturbed { control: control.clone() },
        ("all-perturbed", None) => {
            return Err(Error::config("--reference all-perturbed: the control group is missing")
                .with_hint("name it: --control non-targeting"));
        }
        (_, Some(_)) => {
            return Err(Error::config(format!("--control does not apply to --reference {}", args.reference))
                .with_hint("to test against the control, pass its name: --reference LABEL"));
        }
        (name, None) => DeReference::Group(name.to_owned()),
    };
    Ok(DeParams {
        method: match args.method {
            DeMethodArg::Wilcoxon => DeMethod::Wilcoxon,
            DeMethodArg::TTest => DeMethod::TTest,
            DeMethodArg::TTestOverestimVar => DeMethod::TTestOverestimVar,
        },
        tie_correct: !args.no_tie_correct,
        continuity: args.continuity,
        reference,
        groups: (!args.groups.is_empty()).then(|| args.groups.clone()),
        lfc: match args.lfc {
            LfcArg::Scanpy => LfcConvention::Scanpy,
            LfcArg::Pdex => LfcConvention::Pdex,
            LfcArg::CellEval2 => LfcConvention::CellEval2,
        },
        adjust: if args.adjust_all { Adjust::AllTests } else { Adjust::PerGroup },
        small_groups: if args.skip_small { SmallGroups::Skip } else { SmallGroups::Refuse },
        memory: args.memory.max(1) << 20,
        // Beside the result: a temporary folder may be memory.
        spill: Some(folder_of(&args.out)),
    })
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// One row per group and gene.
fn long_table(table: &DeTable) -> Vec<(String, ColumnData)> {
    let text = |f: &dyn Fn(&cellstone_prep::DeRow<'_>) -> String| {
        ColumnData::Str(table.rows().map(|it| Some(f(&it))).collect())
    };
    let number = |f: &dyn Fn(&cellstone_prep::DeRow<'_>) -> f64| {
        ColumnData::Float(table.rows().map(|it| Some(f(&it)).filter(|it| it.is_finite())).collect())
    };
    let count = |f: &dyn Fn(&cellstone_prep::DeRow<'_>) -> u64| {
        ColumnData::Int(table.rows().map(|it| Some(f(&it) as i64)).collect())
    };
    let columns = [
        text(&|it| it.group.to_owned()),
        text(&|it| it.gene.to_owned()),
        number(&|it| it.statistic),
        number(&|it| it.pvalue),
        number(&|it| it.padj),
        number(&|it| it.lfc),
        number(&|it| it.mean_group),
        number(&|it| it.mean_reference),
        count(&|it| it.n_group),
        count(&|it| it.n_reference),
    ];
    DeTable::COLUMNS.iter().map(|it| (*it).to_owned()).zip(columns).collect()
}

/// As scanpy keeps it: genes of every group from the best down, a table per number. `scanpy.get` reads it.
fn ranked(table: &DeTable, args: &De) -> Result<Uns> {
    let n_genes = table.genes.len();
    let empty = || ObsTable::new((0..n_genes).map(|it| it.to_string()).collect());
    let mut names = empty();
    let numbers = [
        ("scores", &table.statistic),
        ("pvals", &table.pvalue),
        ("pvals_adj", &table.padj),
        ("logfoldchanges", &table.lfc),
    ];
    let mut tables: Vec<ObsTable> = numbers.iter().map(|_| empty()).collect();
    for (group, name) in table.groups.iter().enumerate() {
        let order = table.ranking(group, false);
        names.insert(name, Column::Str(order.iter().map(|it| Some(table.genes[*it].clone())).collect()))?;
        for ((_, values), out) in numbers.iter().zip(&mut tables) {
            out.insert(name, Column::Float(order.iter().map(|it| values[[group, *it]]).collect()))?;
        }
    }
    let method = match args.method {
        DeMethodArg::Wilcoxon => "wilcoxon",
        DeMethodArg::TTest => "t-test",
        DeMethodArg::TTestOverestimVar => "t-test_overestim_var",
    };
    let params = BTreeMap::from([
        ("groupby".to_owned(), Uns::Str(args.groupby.clone())),
        ("reference".to_owned(), Uns::Str(args.reference.clone())),
        ("method".to_owned(), Uns::Str(method.to_owned())),
        ("use_raw".to_owned(), Uns::Bool(false)),
        ("corr_method".to_owned(), Uns::Str("benjamini-hochberg".to_owned())),
        ("tie_correct".to_owned(), Uns::Bool(!args.no_tie_correct)),
    ]);
    let mut all = BTreeMap::from([("params".to_owned(), Uns::Group(params)), ("names".to_owned(), Uns::Table(names))]);
    all.extend(numbers.iter().zip(tables).map(|((name, _), it)| ((*name).to_owned(), Uns::Table(it))));
    Ok(Uns::Group(all))
}
