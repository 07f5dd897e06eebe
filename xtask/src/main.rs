//! The command line `cellstone`, reached as `cargo xtask`: it parses, calls the lab, and speaks to the terminal.

#![forbid(unsafe_code)]

mod cli;
mod commands;
mod progress;
mod terminal;
mod tidy;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    terminal::init(&cli.common);
    match commands::dispatch(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            terminal::report_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
