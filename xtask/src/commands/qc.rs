//! `qc`: measures, filters, and a page about them.

use super::{check_out, open, save_table};
use crate::cli::{Common, Qc};
use crate::progress::TerminalProgress;
use crate::terminal::say;
use cellstone_core::{Column, CountSource, Error, Result, Scale};
use cellstone_io::{Additions, WriteOptions, atomic_write, write_annotated};
use cellstone_lab::Progress as _;
use cellstone_prep::{
    CellFilter, Expression, Filtered, GeneFilter, GeneQc, GeneSets, QcAccumulator, QcColumn, QcMetrics, QcParams,
    calculate_qc_metrics,
};
use cellstone_report::ColumnData;
use cellstone_report::qc::{FilterRow, Measure, QcPage, render_qc};
use std::io::Write as _;

/// Measures cells and genes; keeps those that pass.
pub(super) fn qc(common: &Common, args: &Qc) -> Result<u8> {
    let ending = check_out(&args.out, args.force, &["h5ad", "parquet", "csv"])?;
    if let Some(path) = &args.genes_out {
        check_out(path, args.force, &["parquet", "csv"])?;
    }
    if let Some(path) = &args.report {
        check_out(path, args.force, &["html"])?;
    }
    let source = open(&args.input, Scale::Counts)?;
    let n_vars = source.var().len();
    let params = QcParams { percent_top: args.percent_top.iter().copied().filter(|it| *it <= n_vars).collect() };
    let progress = TerminalProgress::new(common);
    progress.begin("measuring cells and genes", None, "");
    let sets = GeneSets::standard(source.var());
    let measured = calculate_qc_metrics(&Expression::Source(source.as_ref()), &sets, &params);
    progress.end();
    let metrics = measured?;
    let cells = cell_filter(args).apply(&metrics.cells)?;
    let gene_filter = GeneFilter { min_cells: args.min_cells, ..GeneFilter::default() };
    let genes = gene_filter.apply(&genes_of_kept(source.as_ref(), &metrics, &cells, &gene_filter)?)?;
    tell(common, "cells", &cells);
    tell(common, "genes", &genes);
    if cells.n_kept() == 0 || genes.n_kept() == 0 {
        return Err(Error::invalid_input(format!(
            "the filters keep {} of {} cells and {} of {n_vars} genes of `{}`",
            cells.n_kept(),
            cells.keep.len(),
            genes.n_kept(),
            args.input.input.display()
        ))
        .with_hint("loosen the bounds; without filters, `--report` shows the distributions"));
    }
    if ending == "h5ad" {
        let column = |it: QcColumn| (it.name, Column::Float(it.values));
        let additions = Additions {
            obs: metrics.cells.columns().into_iter().map(column).collect(),
            var: metrics.genes.columns().into_iter().map(column).collect(),
            keep_obs: (cells.n_kept() < cells.keep.len()).then(|| cells.kept()),
            keep_var: (genes.n_kept() < n_vars).then(|| genes.kept()),
            ..Additions::default()
        };
        let options = WriteOptions { overwrite: args.force, ..WriteOptions::default() };
        write_annotated(&args.out, &options, source.as_ref(), &args.input.input, &additions)?;
    } else {
        save_table(&args.out, columns("obs", source.obs().index(), metrics.cells.columns(), &cells))?;
    }
    if let Some(path) = &args.genes_out {
        save_table(path, columns("gene", source.var().ids(), metrics.genes.columns(), &genes))?;
    }
    if let Some(path) = &args.report {
        let page = page_of(args, &sets, &metrics, &cells, &genes);
        atomic_write(path, args.force, |file| {
            file.write_all(render_qc(&page).as_bytes()).map_err(|error| Error::io(path, error))
        })?;
        crate::terminal::out(&path.display().to_string());
    }
    Ok(0)
}

/// The measures of the genes over the cells that are kept: read again only where cells were dropped and genes are judged.
fn genes_of_kept(source: &dyn CountSource, all: &QcMetrics, cells: &Filtered, filter: &GeneFilter) -> Result<GeneQc> {
    if *filter == GeneFilter::default() || cells.n_kept() == cells.keep.len() {
        return Ok(all.genes.clone());
    }
    let mut sums = QcAccumulator::new(GeneSets::none(source.var().len()), &QcParams { percent_top: Vec::new() })?;
    for block in source.blocks(0)? {
        let block = block?;
        let kept: Vec<usize> = (0..block.x.shape().0).filter(|it| cells.keep[block.start + it]).collect();
        sums.add(&block.x.select_rows(&kept))?;
    }
    Ok(sums.finish().genes)
}

fn cell_filter(args: &Qc) -> CellFilter {
    CellFilter {
        min_counts: args.min_counts,
        max_counts: args.max_counts,
        min_genes: args.min_genes,
        max_genes: args.max_genes,
        max_pct: args.max_pct_mt.map(|it| ("mt".to_owned(), it)).into_iter().collect(),
    }
}

fn tell(common: &Common, what: &str, filtered: &Filtered) {
    for it in &filtered.rules {
        say(common, &format!("{}: {} {what} fail, {} of them not dropped before", it.rule, it.n_failing, it.n_dropped));
    }
    if !filtered.rules.is_empty() {
        say(common, &format!("{} of {} {what} are kept", filtered.n_kept(), filtered.keep.len()));
    }
}

fn columns(index: &str, names: &[String], measures: Vec<QcColumn>, filtered: &Filtered) -> Vec<(String, ColumnData)> {
    let mut columns = vec![(index.to_owned(), ColumnData::Str(names.iter().cloned().map(Some).collect()))];
    for it in measures {
        columns.push((it.name, ColumnData::Float(it.values.into_iter().map(Some).collect())));
    }
    columns.push(("kept".to_owned(), ColumnData::Bool(filtered.keep.iter().copied().map(Some).collect())));
    columns
}

fn page_of(args: &Qc, sets: &GeneSets, metrics: &QcMetrics, cells: &Filtered, genes: &Filtered) -> QcPage {
    let measure = |label: &str, unit: &str, log: bool, values: &[f64], low: Option<f64>, high: Option<f64>| Measure {
        label: label.to_owned(),
        unit: unit.to_owned(),
        log,
        values: values.to_vec(),
        low,
        high,
    };
    let n_genes: Vec<f64> = metrics.cells.n_genes_by_counts.iter().map(|it| f64::from(*it)).collect();
    let n_cells: Vec<f64> = metrics.genes.n_cells_by_counts.iter().map(|it| f64::from(*it)).collect();
    let whole = |it: Option<u32>| it.map(f64::from);
    let mut absent = Vec::new();
    let mut measures = vec![
        measure("Counts per cell", "counts", true, &metrics.cells.total_counts, args.min_counts, args.max_counts),
        measure("Genes per cell", "genes", true, &n_genes, whole(args.min_genes), whole(args.max_genes)),
    ];
    for set in &metrics.cells.sets {
        let (kind, label, high) = match set.name.as_str() {
            "mt" => ("mitochondrial", "Mitochondrial share", args.max_pct_mt),
            "ribo" => ("ribosomal", "Ribosomal share", None),
            "hb" => ("haemoglobin", "Haemoglobin share", None),
            other => (other, other, None),
        };
        if sets.members(&set.name).is_empty() {
            absent.push(kind.to_owned());
            continue;
        }
        measures.push(measure(label, "% of counts", false, &set.pct_counts, None, high));
    }
    measures.extend(metrics.cells.pct_counts_in_top_genes.first().map(|(n, share)| {
        measure(&format!("Share of the {n} highest genes"), "% of counts", false, share, None, None)
    }));
    measures.push(measure("Cells per gene", "cells", true, &n_cells, whole(args.min_cells), None));
    let rule = |what: &str, all: &Filtered| -> Vec<FilterRow> {
        let row = |it: &cellstone_prep::RuleCount| FilterRow {
            of: what.to_owned(),
            rule: it.rule.clone(),
            n_failing: it.n_failing,
            n_dropped: it.n_dropped,
        };
        all.rules.iter().map(row).collect()
    };
    let mt = metrics.cells.set("mt").map(|it| it.pct_counts.clone()).unwrap_or_default();
    QcPage {
        input: args.input.input.display().to_string(),
        n_obs: cells.keep.len(),
        n_vars: genes.keep.len(),
        n_obs_kept: cells.n_kept(),
        n_vars_kept: genes.n_kept(),
        measures,
        absent,
        scatter: (metrics.cells.total_counts.clone(), n_genes, mt),
        kept: cells.keep.clone(),
        rules: [rule("cells", cells), rule("genes", genes)].concat(),
    }
}
