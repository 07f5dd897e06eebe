//! Golden files: every folder says which tool made it, how, and why its tolerance is what it is.

use super::{Finding, files_below, read, relative};
use cellstone_core::{Error, Result};
use std::path::Path;

/// A golden file must stay small enough to read.
const MAX_BYTES: u64 = 1 << 20;

/// All golden files together.
const MAX_TOTAL: u64 = 10 << 20;

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let golden = root.join("data-fixtures/golden");
    let mut findings = Vec::new();
    if !golden.is_dir() {
        return Ok(findings);
    }
    let mut total = 0;
    for path in files_below(&golden, &[""])? {
        let size = std::fs::metadata(&path).map_err(|error| Error::io(&path, error))?.len();
        total += size;
        if size > MAX_BYTES {
            findings
                .push(Finding::new(relative(root, &path), format!("has {size} bytes, expected at most {MAX_BYTES}")));
        }
    }
    if total > MAX_TOTAL {
        findings.push(Finding::new("data-fixtures/golden", format!("has {total} bytes, expected at most {MAX_TOTAL}")));
    }
    for entry in std::fs::read_dir(&golden).map_err(|error| Error::io(&golden, error))? {
        let dir = entry.map_err(|error| Error::io(&golden, error))?.path();
        if dir.is_dir() {
            findings.extend(subjects(root, &dir)?);
        }
    }
    Ok(findings)
}

/// A subject, or a folder of subjects.
fn subjects(root: &Path, dir: &Path) -> Result<Vec<Finding>> {
    let entries = std::fs::read_dir(dir).map_err(|error| Error::io(dir, error))?;
    let mut below: Vec<_> = entries.flatten().map(|it| it.path()).collect();
    below.sort();
    if below.iter().all(|it| it.is_dir()) && !below.is_empty() {
        let found: Result<Vec<Vec<Finding>>> = below.iter().map(|it| subject(root, it)).collect();
        return Ok(found?.concat());
    }
    subject(root, dir)
}

fn subject(root: &Path, dir: &Path) -> Result<Vec<Finding>> {
    let place = relative(root, dir);
    let mut findings = Vec::new();
    let generator = dir.join("generate.py");
    if !generator.is_file() {
        findings.push(Finding::new(&place, "has no generate.py"));
    } else if !read(&generator)?.contains("# dependencies = [") {
        findings.push(Finding::new(&place, "generate.py does not pin its dependencies inline (PEP 723)"));
    }
    let meta = dir.join("golden.toml");
    if !meta.is_file() {
        findings.push(Finding::new(&place, "has no golden.toml"));
        return Ok(findings);
    }
    let text = read(&meta)?;
    let table: toml::Table = text.parse().map_err(|error| Error::config(format!("`{place}/golden.toml`: {error}")))?;
    for key in ["reference", "why"] {
        // Either at the top or in every section.
        let top = table.get(key).is_some_and(|it| it.as_str().is_some_and(|it| !it.is_empty()));
        let sections: Vec<&toml::Table> = table.values().filter_map(toml::Value::as_table).collect();
        let below = !sections.is_empty() && sections.iter().all(|it| it.contains_key(key));
        if !top && !below {
            findings.push(Finding::new(&place, format!("golden.toml does not say `{key}`")));
        }
    }
    Ok(findings)
}
