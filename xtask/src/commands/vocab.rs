//! `genes`: what the genes of a file are called elsewhere.

use super::{check_out, save_table};
use crate::cli::{Common, Genes, IdTargetArg};
use crate::terminal::out;
use cellstone_core::genes::{GeneTable, IdTarget, MapMode, Mapped};
use cellstone_core::{Context as _, Error, Result, Scale};
use cellstone_io::{OpenOptions, open_source, read_gene_table};
use cellstone_report::ColumnData;
use std::path::Path;

/// Maps the genes of a file, says how many were found, and writes the mapping.
pub(super) fn genes(common: &Common, args: &Genes) -> Result<u8> {
    check_out(&args.out, args.force, &["parquet", "csv"])?;
    let table = read_gene_table(&args.table, args.alias.as_deref())?;
    let (path, names) = names(args)?;
    let mapped = map(args, &table, path, &names)?;
    let kinds = mapped.kinds.iter().map(|it| Some(it.as_str().to_owned())).collect();
    let columns = [
        ("gene", ColumnData::Str(names.into_iter().map(Some).collect())),
        ("id", ColumnData::Str(mapped.ids)),
        ("kind", ColumnData::Str(kinds)),
    ];
    save_table(&args.out, columns.into_iter().map(|(name, it)| (name.to_owned(), it)).collect())?;
    if common.json {
        out(&serde_json::to_string_pretty(&mapped.report).map_err(|error| Error::config(error.to_string()))?);
    } else {
        out(&mapped.report.to_string());
    }
    Ok(0)
}

fn map(args: &Genes, table: &GeneTable, path: &Path, names: &[String]) -> Result<Mapped> {
    let target = match args.to {
        IdTargetArg::Ensembl => IdTarget::Ensembl,
        IdTargetArg::Symbol => IdTarget::Symbol,
    };
    let mode = if args.strict { MapMode::Strict } else { MapMode::Lenient };
    let mapped = table.map(names, target, mode).context_with(|| format!("`{}`", path.display()))?;
    if mapped.report.n_mapped() > 0 {
        return Ok(mapped);
    }
    let first = &names[..names.len().min(5)];
    let mut error = Error::invalid_input(format!(
        "none of the {} genes of `{}` is in `{}` ({})",
        names.len(),
        path.display(),
        args.table.display(),
        cellstone_core::quoted(first)
    ));
    for it in &mapped.report.hints {
        error = error.with_hint(it.clone());
    }
    Err(error)
}

/// The file that holds the names, and the names.
fn names(args: &Genes) -> Result<(&Path, Vec<String>)> {
    if let Some(path) = &args.names {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        let names: Vec<String> = text.lines().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect();
        return if names.is_empty() {
            Err(Error::invalid_input(format!("`{}` holds no gene, expected one a line", path.display())))
        } else {
            Ok((path, names))
        };
    }
    let path = args.input.as_ref().ok_or_else(|| Error::config("neither an input nor --names was given"))?;
    // Values are not looked at, and what 10x writes can be opened as counts alone.
    let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let tenx = path.is_dir() || [".h5", ".hdf5", ".mtx", ".mtx.gz"].iter().any(|it| name.ends_with(it));
    let scale = if tenx { Scale::Counts } else { Scale::Effect };
    let source = open_source(path, &OpenOptions { scale, ..OpenOptions::default() })?;
    Ok((path, source.var().ids().to_vec()))
}
