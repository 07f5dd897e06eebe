//! `ci` and `tidy`: what is checked before anything lands, the same for people and machines.

use crate::cli::{Ci, Common};
use crate::terminal::{out, say};
use crate::tidy::{check, gate, workspace_root};
use cellstone_core::{Error, ErrorKind, Result};
use std::process::Command;

/// Checks what no compiler checks.
pub(super) fn tidy(common: &Common) -> Result<u8> {
    gate(&check(&workspace_root())?)?;
    say(common, "tidy");
    Ok(0)
}

/// Runs every check, cheapest first, and stops at the first that fails.
pub(super) fn ci(args: &Ci) -> Result<u8> {
    step("format", &["fmt", "--all", "--", "--check"], &[])?;
    out("tidy");
    gate(&check(&workspace_root())?)?;
    if args.quick {
        return Ok(0);
    }
    // Lints first: they need no machine code, and most of what fails fails here. Not by default, like the documentation:
    // from an empty target directory both look at every dependency once more, minutes that tests do not need.
    if args.full && has("clippy") {
        step("lints", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], &[])?;
    } else if args.full {
        out("lints: skipped, `cargo clippy` is not installed (rustup component add clippy)");
    }
    step("tests", &["test", "--workspace", "--lib", "--bins", "--tests", "--locked", "--no-fail-fast"], &[])?;
    if args.full {
        step("documentation", &["doc", "--workspace", "--no-deps", "--locked"], &[("RUSTDOCFLAGS", "-D warnings")])?;
        step("examples in the documentation", &["test", "--workspace", "--doc", "--locked", "--no-fail-fast"], &[])?;
    }
    Ok(0)
}

/// Whether a component of the toolchain is there: a bare compiler comes without.
fn has(component: &str) -> bool {
    let mut command = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    command.args([component, "--version"]).output().is_ok_and(|it| it.status.success())
}

fn step(name: &str, args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    out(&format!("{name}: cargo {}", args.join(" ")));
    let status = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(args)
        .envs(env.iter().copied())
        .current_dir(workspace_root())
        .status()
        .map_err(|error| Error::io("cargo".as_ref(), error))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Gate, format!("{name} failed: cargo {}", args.join(" "))))
}
