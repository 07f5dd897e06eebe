//! How the binaries of this crate begin and end.

use cellstone_core::{Error, Result};
use std::io::Write;
use std::process::ExitCode;

/// Prints what `run` returns to stdout, or its error to stderr, and gives the exit code.
pub fn run_program(run: impl FnOnce(&[String]) -> Result<String>) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = run(&args)
        .and_then(|text| writeln!(std::io::stdout(), "{text}").map_err(|it| Error::io("stdout".as_ref(), it)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing better can be done where stderr itself is gone.
            drop(writeln!(std::io::stderr(), "{error:?}"));
            ExitCode::from(error.exit_code())
        }
    }
}
