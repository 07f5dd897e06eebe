//! How the command line speaks: results on stdout, everything else on stderr.

#![expect(clippy::print_stderr, reason = "this is the one place that talks to the terminal")]

use crate::cli::Common;
use cellstone_core::Error;
use std::io::Write as _;

/// Sets the number of threads and the log level.
pub(crate) fn init(common: &Common) {
    if let Some(threads) = common.threads {
        // Fails only if a pool exists already, and this is the first thing that runs.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build_global();
    }
    let level = match (common.quiet, common.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time()
        .try_init();
}

/// Prints a result that can be piped. A closed pipe is no error.
pub(crate) fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = stdout.write_all(b"\n");
    }
}

/// Says something to a person, unless asked to be quiet.
pub(crate) fn say(common: &Common, text: &str) {
    if !common.quiet {
        eprintln!("{text}");
    }
}

/// Prints an error and, apart from it, its hints.
pub(crate) fn report_error(error: &Error) {
    eprintln!("error: {error}");
    for it in error.hints() {
        eprintln!("\nhint: {it}");
    }
}

/// Says, after the message of a panic, whose fault it was.
pub(crate) fn report_bug() {
    eprintln!(
        "error: cellstone did something it never should\n\nhint: please report the message above and the command"
    );
}
