//! `tokenize` and `medians`: cells to the tokens of a published model, and the gene medians that some models divide by.

use super::{CANCEL, check_out, is_h5ad, open, save_table};
use crate::cli::{AssumedArg, Common, MatrixInput, MedianArg, Medians, ModeArg, NCountsArg, Tokenize};
use crate::progress::TerminalProgress;
use crate::terminal::{out, say};
use cellstone_core::genes::{GeneTable, IdTarget};
use cellstone_core::{CountSource, Error, Result, Scale, Seed, Tokenizer};
use cellstone_io::{
    H5ad, atomic_write, read_category_lists, read_gene_locations, read_gene_mapping, read_gene_medians,
    read_gene_table, read_token_dictionary,
};
use cellstone_lab::{
    DetectedScale, EncoderFile, MediansOptions, NCounts, RecoveredCounts, TokenizeOptions, TokenizeOutcome,
};
use cellstone_rank::{
    CorpusMedians, CoverageRule, EncoderInputs, GeneLocation, GeneVocab, MedianMethod, MedianOptions, Need, encoder,
};
use cellstone_report::ColumnData;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Encodes cells and writes their tokens.
pub(super) fn tokenize(common: &Common, args: &Tokenize) -> Result<u8> {
    check_out(&args.out, args.force || args.resume, &["parquet"])?;
    let Made { tokenizer, files, low_medians } = made(args)?;
    let (source, detected) = open_for(args, tokenizer.as_ref())?;
    let source = by_gene_ids(common, args, source)?;
    let progress = TerminalProgress::new(common);
    let options = TokenizeOptions {
        input: args.input.input.clone(),
        matrix: match args.recover_counts {
            true => format!("{}, counts recovered", args.input.matrix),
            false => args.input.matrix.clone(),
        },
        files,
        dataset_id: args.dataset_id.clone().unwrap_or_else(|| stem(&args.input.input)),
        obs: args.obs.clone(),
        phenotypes: pairs("--phenotype-col", &args.phenotype_cols)?,
        seed: Seed::new(args.seed),
        rule: match args.mode {
            ModeArg::Strict => CoverageRule::Strict,
            ModeArg::Lenient => CoverageRule::Lenient,
            ModeArg::Panel => CoverageRule::Panel,
        },
        n_counts: match args.n_counts {
            NCountsArg::Computed => NCounts::Computed,
            NCountsArg::Obs => NCounts::Obs,
        },
        low_medians,
        detected,
        row_group_size: args.row_group_size as usize,
        resume: args.resume,
        force: args.force,
        progress: &progress,
        cancel: interruptible(),
    };
    let outcome = cellstone_lab::tokenize(source.as_ref(), tokenizer.as_ref(), &args.out, &options)?;
    tell(common, &outcome);
    if common.json {
        let text = serde_json::json!({
            "out": args.out, "n_rows": outcome.n_rows, "n_rejected": outcome.n_rejected,
            "n_filtered": outcome.n_filtered, "n_tokens": outcome.n_tokens, "coverage": outcome.coverage,
        });
        out(&text.to_string());
    } else {
        out(&args.out.display().to_string());
    }
    Ok(0)
}

fn tell(common: &Common, outcome: &TokenizeOutcome) {
    for it in &outcome.warnings {
        say(common, &format!("warning: {it}"));
    }
    let Some(coverage) = &outcome.coverage else { return };
    if outcome.first_row > 0 {
        say(common, &format!("went on from cell {}", outcome.first_row));
    }
    say(
        common,
        &format!(
            "{} cells, {} tokens; {} rejected; {:.1} % of the counts lead to {} of {} genes",
            outcome.n_rows,
            outcome.n_tokens,
            outcome.n_rejected,
            coverage.f_count * 100.0,
            coverage.features.n_hit,
            coverage.features.n_vocabulary
        ),
    );
}

/// Medians below this put a gene first wherever it is detected.
const LOW_MEDIAN: f64 = 0.01;

/// An encoder and what it was made from.
struct Made {
    tokenizer: Arc<dyn Tokenizer>,
    files: Vec<EncoderFile>,
    low_medians: Vec<(String, f64)>,
}

fn made(args: &Tokenize) -> Result<Made> {
    let entry = encoder(&args.encoder)?;
    for need in entry.needs {
        let (flag, given) = match need {
            Need::Vocab => ("--vocab", args.vocab.is_some()),
            Need::Medians => ("--medians", args.medians.is_some()),
            Need::Phenotypes => ("--phenotypes", args.phenotypes.is_some()),
            Need::Locations => ("--locations", args.locations.is_some()),
        };
        if !given {
            return Err(Error::config(format!("encoder `{}` needs {}", entry.id, need.as_str()))
                .with_hint(format!("pass the file of the model: {flag} FILE")));
        }
    }
    let location = |it: cellstone_io::LocatedGene| GeneLocation {
        gene: it.gene,
        token: it.token,
        chromosome: it.chromosome,
        start: it.start,
    };
    let inputs = EncoderInputs {
        vocab: read(args.vocab.as_ref(), read_token_dictionary)?,
        medians: read(args.medians.as_ref(), read_gene_medians)?,
        gene_mapping: read(args.mapping.as_ref(), read_gene_mapping)?,
        gene_table: gene_table(args.gene_table.as_ref(), args.alias.as_ref())?.map(Arc::new),
        phenotype_vocab: read(args.phenotypes.as_ref(), read_category_lists)?,
        gene_locations: read(args.locations.as_ref(), read_gene_locations)?
            .map(|it| it.into_iter().map(location).collect()),
        max_len: args.max_len,
        options: options(&args.options)?,
    };
    let tokenizer = (entry.make)(&inputs).map_err(|error| {
        // Not every message names the encoder.
        if error.to_string().contains(entry.id) { error } else { error.context(format!("encoder `{}`", entry.id)) }
    })?;
    let roles = [
        ("vocab", &args.vocab),
        ("medians", &args.medians),
        ("mapping", &args.mapping),
        ("gene_table", &args.gene_table),
        ("alias", &args.alias),
        ("phenotypes", &args.phenotypes),
        ("locations", &args.locations),
    ];
    let given = roles.iter().filter_map(|(role, path)| Some((role, path.as_ref()?)));
    let files: Result<Vec<EncoderFile>> = given.map(|(role, path)| EncoderFile::new(role, path)).collect();
    let low_medians = inputs.medians.into_iter().flatten().filter(|it| it.1 < LOW_MEDIAN).collect();
    Ok(Made { tokenizer, files: files?, low_medians })
}

fn read<T>(path: Option<&PathBuf>, how: impl Fn(&Path) -> Result<T>) -> Result<Option<T>> {
    path.map(|it| how(it)).transpose()
}

fn gene_table(table: Option<&PathBuf>, alias: Option<&PathBuf>) -> Result<Option<GeneTable>> {
    table.map(|it| read_gene_table(it, alias.map(PathBuf::as_path))).transpose()
}

/// Options by name; none twice.
fn options(texts: &[String]) -> Result<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    for (name, value) in pairs("--option", texts)? {
        if options.insert(name.clone(), value).is_some() {
            return Err(Error::config(format!("--option {name} is given twice, expected once")));
        }
    }
    Ok(options)
}

fn pairs(flag: &str, texts: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |it: &String| match it.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::config(format!("`{flag} {it}`: expected NAME=VALUE"))),
    };
    texts.iter().map(pair).collect()
}

/// Opens the cells on the scale that their values seem to have, where the encoder takes it.
fn open_for(args: &Tokenize, tokenizer: &dyn Tokenizer) -> Result<(Box<dyn CountSource>, Option<DetectedScale>)> {
    let input = &args.input;
    if args.recover_counts {
        let source = open(input, Scale::LogNorm { target_sum: None })?;
        return Ok((Box::new(RecoveredCounts::new(source)), None));
    }
    match args.assume_scale {
        Some(AssumedArg::Counts) => return Ok((open(input, Scale::Counts)?, None)),
        Some(AssumedArg::Lognorm) => return Ok((open(input, Scale::LogNorm { target_sum: None })?, None)),
        None => {}
    }
    if is_tenx(&input.input) {
        return Ok((open(input, Scale::Counts)?, None));
    }
    let on = |scale| open(input, scale);
    let (source, detected) = cellstone_lab::open_for(&on, tokenizer.info(), args.mode == ModeArg::Strict)?;
    Ok((source, Some(detected)))
}

/// The cells with their genes named by a column of var, where the row names are none that the vocabulary knows.
fn by_gene_ids(common: &Common, args: &Tokenize, source: Box<dyn CountSource>) -> Result<Box<dyn CountSource>> {
    let path = &args.input.input;
    if !is_h5ad(path) {
        return match &args.gene_id_col {
            None => Ok(source),
            Some(_) => Err(Error::config(format!("--gene-id-col is for `.h5ad`, `{}` is none", path.display()))),
        };
    }
    let file = H5ad::open(path)?;
    let var = if args.input.matrix == "raw" { file.raw_var_table()? } else { file.var_table()? };
    let (source, column) = cellstone_lab::with_gene_ids(source, &var, args.gene_id_col.as_deref())?;
    if let Some(column) = column.filter(|_| args.gene_id_col.is_none()) {
        say(common, &format!("genes go by column `{column}` of var, which holds Ensembl ids"));
    }
    Ok(source)
}

/// What 10x writes holds counts and is opened as such alone.
pub(super) fn is_tenx(path: &Path) -> bool {
    let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    path.is_dir() || [".h5", ".hdf5", ".mtx", ".mtx.gz"].iter().any(|it| name.ends_with(it))
}

/// The name of a file without its endings.
pub(super) fn stem(path: &Path) -> String {
    let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(name, |it| it.0).to_owned()
}

/// The flag that the first Ctrl-C sets; a second one ends the process.
pub(super) fn interruptible() -> &'static std::sync::atomic::AtomicBool {
    // A second handler cannot be installed, and one is enough.
    let _ = ctrlc::set_handler(|| {
        if CANCEL.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    &CANCEL
}

/// Finds the gene medians of a corpus.
pub(super) fn medians(common: &Common, args: &Medians) -> Result<u8> {
    let ending = check_out(&args.out, args.force, &["json", "csv", "parquet"])?;
    let table = gene_table(args.gene_table.as_ref(), args.alias.as_ref())?;
    let vocab = args.vocab.as_deref().map(median_genes).transpose()?;
    let sources = corpus(args)?;
    let progress = TerminalProgress::new(common);
    let options = MediansOptions {
        options: MedianOptions {
            method: match args.method {
                MedianArg::Exact => MedianMethod::Exact,
                MedianArg::Tdigest => MedianMethod::Tdigest,
            },
            min_detected: args.min_detected,
        },
        vocab,
        table: table.as_ref(),
        progress: &progress,
        cancel: interruptible(),
    };
    let found = cellstone_lab::medians(&sources, &options)?;
    let n_low = found.genes.iter().filter(|it| it.low_support).count();
    say(
        common,
        &format!(
            "medians of {} genes over {} cells; {n_low} of them are expressed by fewer than {} cells",
            found.genes.len(),
            found.n_cells,
            args.min_detected
        ),
    );
    if ending != "json" {
        return save_table(&args.out, median_columns(&found));
    }
    atomic_write(&args.out, args.force, |file| {
        file.write_all(median_json(&found).as_bytes()).map_err(|error| Error::io(&args.out, error))
    })?;
    Ok(0)
}

/// Genes of a vocabulary, without its special tokens.
fn median_genes(path: &Path) -> Result<GeneVocab> {
    let tokens = read_token_dictionary(path)?;
    let genes = tokens.into_iter().filter(|it| !(it.0.starts_with('<') && it.0.ends_with('>'))).collect();
    GeneVocab::new(path.display().to_string(), IdTarget::Ensembl, genes)
}

/// The files of a corpus, in the order of their names: the order in which a file system lists them says nothing.
fn corpus(args: &Medians) -> Result<Vec<Box<dyn CountSource>>> {
    let mut paths: Vec<&PathBuf> = args.inputs.iter().collect();
    paths.sort_unstable();
    if let Some(pair) = paths.windows(2).find(|it| it[0] == it[1]) {
        return Err(Error::config(format!("`{}` is given twice, expected once", pair[0].display())));
    }
    paths
        .into_iter()
        .map(|it| {
            let input = MatrixInput { input: it.clone(), matrix: args.matrix.clone(), genome: args.genome.clone() };
            open(&input, Scale::Counts)
        })
        .collect()
}

/// As models publish them, one gene a line.
fn median_json(found: &CorpusMedians) -> String {
    // Shortest text that reads back to the same number.
    let lines: Vec<String> = found
        .genes
        .iter()
        .map(|it| format!("  {}: {:?}", serde_json::Value::from(it.gene_id.as_str()), it.median))
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

fn median_columns(found: &CorpusMedians) -> Vec<(String, ColumnData)> {
    let genes = &found.genes;
    let method = match found.method {
        MedianMethod::Exact => "exact",
        MedianMethod::Tdigest => "tdigest",
    };
    let columns = [
        ("gene_id", ColumnData::Str(genes.iter().map(|it| Some(it.gene_id.clone())).collect())),
        ("median", ColumnData::Float(genes.iter().map(|it| Some(it.median)).collect())),
        ("n_cells_detected", ColumnData::Int(genes.iter().map(|it| Some(it.n_cells_detected as i64)).collect())),
        ("n_cells_total", ColumnData::Int(genes.iter().map(|it| Some(it.n_cells_total as i64)).collect())),
        ("method", ColumnData::Str(vec![Some(method.to_owned()); genes.len()])),
        ("low_support", ColumnData::Bool(genes.iter().map(|it| Some(it.low_support)).collect())),
    ];
    columns.into_iter().map(|(name, it)| (name.to_owned(), it)).collect()
}
