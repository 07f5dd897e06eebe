//! Time and memory of every streaming step of preprocessing against the number of cells.
//!
//! `scale_curve all DIR [N,N,...]` simulates N cells × 20,000 genes in 50 groups into DIR, runs every step in a process of
//! its own, and removes the file again; without numbers 10k, 30k, 100k, 300k and 1M cells. The parts alone:
//! `scale_curve simulate FILE.h5ad N`, `scale_curve STEP FILE.h5ad` with STEP one of `qc`, `hvg`, `normalize`, `pca`,
//! `wilcoxon`. Every line is `step,n_obs,n_vars,check,seconds,cpu_seconds,peak_bytes`; DIR also takes what `normalize`
//! writes and the temporary files of `wilcoxon`, together with the file about 6 kB for each cell.

use cellstone_bench::{Cost, cpu_time, measure, run_program};
use cellstone_core::{CountSource, Csr, Error, ErrorKind, Result, Seed};
use cellstone_fixtures::{PerturbSeqSpec, simulate_to_h5ad, truth_path};
use cellstone_io::{Additions, OpenOptions, WriteOptions, open_source, write_transformed};
use cellstone_prep::{
    DeGroups, DeParams, Expression, GeneSets, HvgFlavor, HvgParams, Normalize, QcParams, SparsePcaParams,
    calculate_qc_metrics, de_stream, highly_variable_genes, normalize_log1p, pca_stream,
};
use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Cells of the curve.
const SIZES: [usize; 5] = [10_000, 30_000, 100_000, 300_000, 1_000_000];

/// Genes of every file.
const N_VARS: usize = 20_000;

/// Genes that principal components are those of.
const N_TOP: usize = 2000;

const STEPS: [&str; 5] = ["qc", "hvg", "normalize", "pca", "wilcoxon"];

const HEADER: &str = "step,n_obs,n_vars,check,seconds,cpu_seconds,peak_bytes";

fn main() -> ExitCode {
    run_program(run)
}

fn run(args: &[String]) -> Result<String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["all", dir] => all(Path::new(dir), &SIZES),
        ["all", dir, sizes] => all(Path::new(dir), &sizes.split(',').map(number).collect::<Result<Vec<usize>>>()?),
        ["simulate", path, n] => simulate(Path::new(path), number(n)?),
        [step, path] if STEPS.contains(&step) => one(step, Path::new(path)),
        _ => Err(Error::config("usage: scale_curve all DIR [N,N,...] | simulate FILE.h5ad N | STEP FILE.h5ad")
            .with_hint(format!("steps: {}", STEPS.join(", ")))),
    }
}

fn number(text: &str) -> Result<usize> {
    text.parse().map_err(|_| Error::config(format!("`{text}` is no number of cells")))
}

/// A child process for every step, so that each has its own peak.
fn all(dir: &Path, sizes: &[usize]) -> Result<String> {
    let mut lines = vec![HEADER.to_owned()];
    let mut push = |line: String| {
        // A long run is followed on stderr; that nobody listens is no reason to stop.
        drop(writeln!(std::io::stderr(), "{line}"));
        lines.push(line);
    };
    for n in sizes {
        let path = dir.join(format!("cells_{n}.h5ad"));
        push(child(&["simulate".as_ref(), path.as_os_str(), n.to_string().as_ref()])?);
        for step in STEPS {
            push(child(&[step.as_ref(), path.as_os_str()])?);
        }
        for file in [&path, &truth_path(&path)] {
            std::fs::remove_file(file).map_err(|it| Error::io(file, it))?;
        }
    }
    Ok(lines.join("\n"))
}

fn child(args: &[&OsStr]) -> Result<String> {
    let program = std::env::current_exe().map_err(|it| Error::io("scale_curve".as_ref(), it))?;
    let out = Command::new(&program).args(args).output().map_err(|it| Error::io(&program, it))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        return Err(Error::new(ErrorKind::Io, format!("{args:?} failed: {said}")));
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Control and 49 singles, about 650 genes a cell.
fn simulate(path: &Path, n_obs: usize) -> Result<String> {
    let mut spec = PerturbSeqSpec::preset("norman")?;
    (spec.n_obs, spec.n_vars, spec.n_singles, spec.n_doubles) = (n_obs, N_VARS, 49, 0);
    (spec.library_median, spec.genes_per_cell) = (1_800.0, Some(650.0));
    let options = WriteOptions { overwrite: true, gzip_level: Some(1) };
    timed("simulate", (n_obs, N_VARS), || {
        let data = simulate_to_h5ad(spec, Seed::new(1), path, &options, &mut |_, _| ())?;
        Ok(data.n_obs() as f64)
    })
}

/// Runs `work`, which returns a number to compare, and prints what it cost.
fn timed(step: &str, (n_obs, n_vars): (usize, usize), work: impl FnOnce() -> Result<f64>) -> Result<String> {
    let before = cpu_time();
    let (check, Cost { seconds, peak_bytes }) = measure(work);
    let cpu = cpu_time().zip(before).map_or(f64::NAN, |(after, before)| after - before);
    let peak = peak_bytes.map_or_else(String::new, |it| it.to_string());
    Ok(format!("{step},{n_obs},{n_vars},{:.6e},{seconds:.2},{cpu:.2},{peak}", check?))
}

fn one(step: &str, path: &Path) -> Result<String> {
    let source = open_source(path, &OpenOptions::default())?;
    let shape = (source.n_obs(), source.var().len());
    let x = Expression::Source(source.as_ref());
    let hvg = HvgParams::top(HvgFlavor::Seurat, N_TOP);
    match step {
        "qc" => timed(step, shape, || {
            let qc = calculate_qc_metrics(&x, &GeneSets::standard(source.var()), &QcParams::default())?;
            Ok(qc.cells.pct_counts_in_top_genes[0].1.iter().sum())
        }),
        "hvg" => timed(step, shape, || {
            let table = highly_variable_genes(&x, None, &hvg)?;
            Ok(table.selected().iter().sum::<usize>() as f64)
        }),
        "normalize" => timed(step, shape, || normalized(source.as_ref(), path)),
        "pca" => {
            let genes = highly_variable_genes(&x, None, &hvg)?.selected();
            let prepare = |x: &mut Csr<f32>| {
                // 10,000 is a positive number.
                drop(normalize_log1p(x, 1e4));
                *x = x.select_cols(&genes);
            };
            timed(step, shape, || {
                let pca = pca_stream(source.as_ref(), &prepare, 50, &SparsePcaParams::default())?;
                Ok(pca.explained_variance.sum())
            })
        }
        _ => {
            let groups = DeGroups::from_column(source.obs(), "perturbation")?;
            let spill = path.parent().map(Path::to_owned);
            let params = DeParams { memory: 512 << 20, spill, ..DeParams::default() };
            timed(step, shape, || {
                let table = de_stream(source.as_ref(), &groups, Some(Normalize::default()), &params, &|_| ())?;
                Ok(table.pvalue.iter().sum())
            })
        }
    }
}

/// Writes the log-normalised values as a file of their own, which is removed again; returns their sum.
fn normalized(source: &dyn CountSource, path: &Path) -> Result<f64> {
    let out = path.with_extension("normalized.h5ad");
    let options = WriteOptions { overwrite: true, gzip_level: Some(1) };
    let mut sum = 0.0;
    let mut scale = |x: &mut Csr<f32>| -> Result<()> {
        normalize_log1p(x, 1e4)?;
        sum += x.data().iter().map(|it| f64::from(*it)).sum::<f64>();
        Ok(())
    };
    write_transformed(&out, &options, source, path, &Additions::default(), &mut scale)?;
    std::fs::remove_file(&out).map_err(|it| Error::io(&out, it))?;
    Ok(sum)
}
