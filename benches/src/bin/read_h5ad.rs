//! Streams an `.h5ad` and prints one line of csv, like `peers/read_h5ad.py` does for Python anndata.

use cellstone_bench::{measure, run_program};
use cellstone_core::{Error, Result};
use cellstone_io::{OpenOptions, open_source};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    run_program(run)
}

fn run(args: &[String]) -> Result<String> {
    let path = args.first().ok_or_else(|| Error::config("usage: read_h5ad FILE.h5ad"))?;
    let (shape, cost) = measure(|| read(Path::new(path)));
    let (n_obs, n_vars, nnz, total) = shape?;
    let peak = cost.peak_bytes.map_or_else(String::new, |it| it.to_string());
    Ok(format!(
        "tool,n_obs,n_vars,nnz,total,seconds,peak_bytes\ncellstone,{n_obs},{n_vars},{nnz},{total},{:.3},{peak}",
        cost.seconds
    ))
}

/// Reads every value; the total proves that the two tools read the same numbers.
fn read(path: &Path) -> Result<(usize, usize, usize, f64)> {
    let source = open_source(path, &OpenOptions::default())?;
    let (mut nnz, mut total) = (0, 0.0);
    for block in source.blocks(0)? {
        let block = block?;
        nnz += block.x.nnz();
        total += block.x.data().iter().map(|it| f64::from(*it)).sum::<f64>();
    }
    Ok((source.n_obs(), source.var().len(), nnz, total))
}
