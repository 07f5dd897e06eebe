//! File headers, sizes, the root folder, machine paths, unsafe code, divergence marks.

use super::{Finding, files_below, read, relative};
use cellstone_core::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// What may stand in the root folder.
const ROOT: [&str; 26] = [
    ".cargo",
    ".ci",
    ".git",
    ".gitattributes",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "clippy.toml",
    "crates",
    "data-fixtures",
    "deny.toml",
    "docs",
    "experiments",
    "runs",
    "rustfmt.toml",
    "target",
    "xtask",
];

/// Lines after which a reader loses the thread.
const MAX_LINES: usize = 900;

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = root_folder(root)?;
    let mut marks = BTreeSet::new();
    for path in files_below(root, &[".rs"])? {
        let place = relative(root, &path);
        let text = read(&path)?;
        if !text.starts_with("//!") {
            findings.push(Finding::new(&place, "does not begin with `//!` and what lives here"));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            findings.push(Finding::new(&place, format!("has {lines} lines, expected at most {MAX_LINES}")));
        }
        let library = place.starts_with("crates/") && place.ends_with("/src/lib.rs");
        if library && lines > 150 {
            findings.push(Finding::new(&place, format!("has {lines} lines, expected at most 150: no logic in lib.rs")));
        }
        if library && !place.contains("cellstone-lapack") && !text.contains("#![forbid(unsafe_code)]") {
            findings.push(Finding::new(&place, "does not forbid unsafe code"));
        }
        marks.extend(divergence_marks(&text));
    }
    for path in files_below(root, &[".rs", ".md", ".toml", ".py", ".sh", "run", ".json", ".snap", ".csv"])? {
        let place = relative(root, &path);
        if let Ok(text) = read(&path) {
            findings.extend(machine_paths(&place, &text));
        }
    }
    findings.extend(divergences(root, &marks)?);
    Ok(findings)
}

fn root_folder(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|error| Error::io(root, error))? {
        let name = entry.map_err(|error| Error::io(root, error))?.file_name().to_string_lossy().into_owned();
        // Hidden leftovers of editors are the ignore file's business.
        if !ROOT.contains(&name.as_str()) && !name.starts_with('.') {
            findings.push(Finding::new(&name, "is not on the list of what the root folder holds"));
        }
    }
    Ok(findings)
}

/// Paths that exist on one machine alone.
fn machine_paths(place: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for folder in ["work", "home", "root", "Users"] {
            let needle = format!("/{folder}/");
            for (at, _) in line.match_indices(&needle) {
                let before = line[..at].chars().next_back();
                let after = line[at + needle.len()..].chars().next();
                let part_of_longer = before.is_some_and(|it| it.is_alphanumeric() || "_./}{)$".contains(it));
                if !part_of_longer && after.is_some_and(char::is_alphabetic) {
                    findings.push(Finding::new(
                        format!("{place}:{}", number + 1),
                        format!("names a path of one machine: `{needle}…`"),
                    ));
                }
            }
        }
    }
    findings
}

/// The anchors of the marks that name an entry of `docs/divergences.md`.
fn divergence_marks(text: &str) -> Vec<String> {
    let opening = concat!("DIVERGES", "(");
    text.match_indices(opening)
        .filter_map(|(at, _)| text[at + opening.len()..].split_once(')').map(|it| it.0.to_owned()))
        .collect()
}

/// Marks in code and headings in `docs/divergences.md` must name each other.
fn divergences(root: &Path, marks: &BTreeSet<String>) -> Result<Vec<Finding>> {
    let path = root.join("docs/divergences.md");
    let text = if path.is_file() { read(&path)? } else { String::new() };
    let anchors: BTreeSet<String> =
        text.lines().filter_map(|it| it.strip_prefix("## ").map(|it| it.trim().to_owned())).collect();
    let mut findings = Vec::new();
    for it in marks.difference(&anchors) {
        findings.push(Finding::new("docs/divergences.md", format!("has no entry `## {it}` for the mark in the code")));
    }
    for it in anchors.difference(marks) {
        findings.push(Finding::new("docs/divergences.md", format!("entry `{it}` has no mark in the code")));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_paths_are_found_and_others_are_not() {
        let bad = format!("see /{}/someone/data", "home");
        assert_eq!(machine_paths("x", &bad).len(), 1);
        assert!(machine_paths("x", "https://example.org/home/page and ../work/x").is_empty());
    }

    #[test]
    fn marks_are_read() {
        assert_eq!(divergence_marks(concat!("// DIVERGES", "(", "abc): why")), ["abc"]);
    }
}
