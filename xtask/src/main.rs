//! The command line `cellstone`, reached as `cargo xtask`: it parses, calls the lab, and speaks to the terminal.

#![forbid(unsafe_code)]

mod cli;
mod commands;
mod progress;
mod terminal;
mod tidy;

use clap::Parser as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    terminal::init(&cli.common);
    // A panic is a bug of ours; scripts still get the documented code instead of the language's own.
    match catch_unwind(AssertUnwindSafe(|| commands::dispatch(&cli))) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(error)) => {
            terminal::report_error(&error);
            ExitCode::from(error.exit_code())
        }
        Err(_) => {
            terminal::report_bug();
            ExitCode::from(cellstone_report::exit::UNEXPECTED)
        }
    }
}
