//! Streams an `.h5ad` and prints one line of csv, like `peers/read_h5ad.py` does for Python anndata.

use cellstone_bench::measure;
use cellstone_core::{Error, Result};
use cellstone_io::{OpenOptions, open_source};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing better can be done where stderr itself is gone.
            drop(writeln!(std::io::stderr(), "{error:?}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run() -> Result<()> {
    let path = std::env::args().nth(1).ok_or_else(|| Error::config("usage: read_h5ad FILE.h5ad"))?;
    let (shape, cost) = measure(|| read(Path::new(&path)));
    let (n_obs, n_vars, nnz, total) = shape?;
    let peak = cost.peak_bytes.map_or_else(String::new, |it| it.to_string());
    let line = format!("cellstone,{n_obs},{n_vars},{nnz},{total},{:.3},{peak}", cost.seconds);
    let mut out = std::io::stdout();
    writeln!(out, "tool,n_obs,n_vars,nnz,total,seconds,peak_bytes\n{line}")
        .map_err(|it| Error::io("stdout".as_ref(), it))
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
