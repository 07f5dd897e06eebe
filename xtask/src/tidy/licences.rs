//! Licences of everything that is compiled in, against the list of those that may be.

use super::Finding;
use cellstone_core::{Error, Result};
use std::path::Path;

const ALLOWED: [&str; 15] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "0BSD",
    "ISC",
    "Zlib",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "CC0-1.0",
    "BSL-1.0",
    "Unlicense",
];

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let output = std::process::Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["tree", "--workspace", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}|{l}"])
        .current_dir(root)
        .output()
        .map_err(|error| Error::io(Path::new("cargo"), error))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Ok(vec![Finding::new("cargo tree", text.lines().last().unwrap_or_default())]);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    Ok(lines.into_iter().filter_map(finding).collect())
}

/// The finding of one `package vVERSION|licence` line.
fn finding(line: &str) -> Option<Finding> {
    let (package, licence) = line.split_once('|')?;
    // Our own crates stand with their folder; a star marks a line that was printed before.
    let licence = licence.trim_end_matches("(*)").trim();
    let ours = package.starts_with("cellstone") || package.starts_with("xtask");
    (!ours && !allowed(licence))
        .then(|| Finding::new(package, format!("has the licence `{licence}`, which is not on the list")))
}

/// Whether an SPDX expression leaves a way that is allowed: any alternative, and in it every part.
fn allowed(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" AND ").all(|part| part.split(" OR ").any(|it| ALLOWED.contains(&it.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        assert!(allowed("MIT OR Apache-2.0"));
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(allowed("Apache-2.0/MIT"));
        assert!(!allowed("GPL-3.0"));
        assert!(!allowed("MIT AND GPL-3.0"));
        assert!(allowed("MIT OR GPL-3.0"));
    }
}
