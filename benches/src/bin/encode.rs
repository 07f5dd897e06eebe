//! Geneformer tokens of a file, in memory and from `.h5ad` to a token table, as `peers/geneformer_numpy.py` does.
//!
//! `encode memory FILE.h5ad VOCAB.json MEDIANS.json [REPEATS]` encodes counts that are in memory already on all cores,
//! `encode file …` reads, encodes and writes. Every line is
//! `bench,tool,n_obs,n_tokens,check,seconds,tokens_per_second,peak_bytes`; `check` is the sum over all rows of token
//! times place, cut to 2,048, on which both tools agree but for the order of ties.

use cellstone_bench::{measure, run_program};
use cellstone_core::{CellInput, Encoded, Error, Result, Scale, Seed, Tokenizer};
use cellstone_io::{H5ad, Matrix, OpenOptions, open_source, read_gene_medians, read_token_dictionary};
use cellstone_lab::{EncoderFile, NCounts, Silent, TokenizeOptions};
use cellstone_rank::{CoverageRule, EncoderInputs, encoder};
use rayon::prelude::*;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn main() -> ExitCode {
    run_program(run)
}

fn run(args: &[String]) -> Result<String> {
    let [mode, file, vocab, medians, rest @ ..] = args else {
        return Err(Error::config("usage: encode memory|file FILE.h5ad VOCAB.json MEDIANS.json [REPEATS]"));
    };
    let inputs = EncoderInputs {
        vocab: Some(read_token_dictionary(Path::new(vocab))?),
        medians: Some(read_gene_medians(Path::new(medians))?),
        ..EncoderInputs::default()
    };
    let tokenizer = (encoder("geneformer_v1")?.make)(&inputs)?;
    let repeats: usize = rest.first().and_then(|it| it.parse().ok()).unwrap_or(1);
    let lines = match mode.as_str() {
        "memory" => memory(Path::new(file), tokenizer.as_ref(), repeats)?,
        "file" => {
            let files = [("vocab", vocab), ("medians", medians)];
            let files: Result<Vec<EncoderFile>> =
                files.iter().map(|(role, path)| EncoderFile::new(role, path.as_ref())).collect();
            vec![whole(Path::new(file), &tokenizer, files?)?]
        }
        other => return Err(Error::config(format!("no mode `{other}`: memory or file"))),
    };
    Ok(lines.join("\n"))
}

fn memory(path: &Path, tokenizer: &dyn Tokenizer, repeats: usize) -> Result<Vec<String>> {
    let file = H5ad::open(path)?;
    let x = file.source(Matrix::X, Scale::Counts)?.read()?;
    let bound = tokenizer.bind(&file.var()?, Scale::Counts)?;
    let encode = |row: usize| {
        let (columns, values) = x.row(row);
        let n_counts: f64 = values.iter().map(|it| f64::from(*it)).sum();
        let cell = CellInput { columns, values, n_counts, phenotypes: &[], seed: Seed::new(0) };
        match bound.encode(&cell) {
            Encoded::Row(it) => it.input_ids,
            Encoded::Rejected { .. } => Vec::new(),
        }
    };
    let n = x.shape().0;
    let mut lines = Vec::new();
    for _ in 0..=repeats {
        let (rows, cost) = measure(|| (0..n).into_par_iter().with_min_len(64).map(encode).collect::<Vec<Vec<u32>>>());
        let n_tokens: usize = rows.iter().map(Vec::len).sum();
        let check: u64 = rows.iter().flat_map(|row| (1..).zip(row)).map(|(at, it): (u64, _)| at * u64::from(*it)).sum();
        lines.push(line("encode_memory", n, n_tokens, check, cost.seconds, cost.peak_bytes));
    }
    // The first one warms up.
    Ok(lines.split_off(1))
}

fn whole(path: &Path, tokenizer: &Arc<dyn Tokenizer>, files: Vec<EncoderFile>) -> Result<String> {
    let out = path.with_extension("tokens.parquet");
    let (never, open) = (AtomicBool::new(false), OpenOptions { scale: Scale::Counts, ..OpenOptions::default() });
    let options = TokenizeOptions {
        input: path.to_owned(),
        matrix: "X".to_owned(),
        files,
        dataset_id: "bench".to_owned(),
        obs: Vec::new(),
        phenotypes: Vec::new(),
        seed: Seed::new(0),
        rule: CoverageRule::Lenient,
        n_counts: NCounts::Computed,
        low_medians: Vec::new(),
        detected: None,
        row_group_size: 8192,
        resume: false,
        force: true,
        progress: &Silent,
        cancel: &never,
    };
    let (outcome, cost) = measure(|| {
        let source = open_source(path, &open)?;
        cellstone_lab::tokenize(source.as_ref(), tokenizer.as_ref(), &out, &options)
    });
    let outcome = outcome?;
    Ok(line("encode_file", outcome.n_rows as usize, outcome.n_tokens as usize, 0, cost.seconds, cost.peak_bytes))
}

fn line(bench: &str, n: usize, n_tokens: usize, check: u64, seconds: f64, peak: Option<u64>) -> String {
    let rate = n_tokens as f64 / seconds;
    format!("{bench},cellstone,{n},{n_tokens},{check},{seconds:.3},{rate:.4e},{}", peak.unwrap_or(0))
}
