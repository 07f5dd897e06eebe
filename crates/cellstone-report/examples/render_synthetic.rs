//! Renders the report of a synthetic run: `cargo run -p cellstone-report --example render_synthetic -- FOLDER`.
//!
//! Twelve methods, two contexts, sixty perturbations, twelve metrics; planted skills, so the order is known.

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let run = common::write_run(&base, &common::Plan::default());
    let page = cellstone_report::render(&run)?;
    writeln!(std::io::stdout(), "{}", page.display())?;
    Ok(())
}
