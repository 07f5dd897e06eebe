//! Which crate may depend on which, and which crate fences which heavy dependency.

use super::{Finding, read, relative};
use cellstone_core::{Error, Result};
use std::path::Path;

/// The allowed arrows: crate and the internal crates it may use.
const ARROWS: [(&str, &[&str]); 12] = [
    ("core", &[]),
    ("io", &["core"]),
    ("lapack", &[]),
    ("prep", &["core", "lapack"]),
    ("rank", &["core"]),
    ("neighbors", &["core"]),
    ("metrics", &["core"]),
    ("baselines", &["core", "lapack", "prep", "neighbors"]),
    ("model", &["core", "rank"]),
    ("attribution", &["core", "rank", "model"]),
    ("report", &["core"]),
    (
        "lab",
        &[
            "core",
            "io",
            "lapack",
            "prep",
            "rank",
            "neighbors",
            "metrics",
            "baselines",
            "model",
            "attribution",
            "report",
        ],
    ),
];

/// Heavy dependencies and the crates that may see them.
const FENCES: [(&str, &[&str]); 6] = [
    ("hdf5-pure", &["io"]),
    ("polars", &["io", "report", "lab"]),
    ("burn", &["model", "attribution"]),
    ("burn-wgpu", &["model", "attribution"]),
    ("ndarray-linalg", &["prep", "baselines", "lapack"]),
    ("clap", &[]),
];

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let crates = root.join("crates");
    for entry in std::fs::read_dir(&crates).map_err(|error| Error::io(&crates, error))? {
        let dir = entry.map_err(|error| Error::io(&crates, error))?.path();
        let manifest = dir.join("Cargo.toml");
        let place = relative(root, &manifest);
        let table: toml::Table =
            read(&manifest)?.parse().map_err(|error| Error::config(format!("`{place}`: {error}")))?;
        let name = table.get("package").and_then(|it| it.get("name")).and_then(toml::Value::as_str).unwrap_or_default();
        if dir.file_name().is_none_or(|it| it.to_string_lossy() != name) {
            findings.push(Finding::new(&place, format!("crate `{name}` does not have the name of its folder")));
        }
        let short = name.trim_start_matches("cellstone-");
        let Some((_, allowed)) = ARROWS.iter().find(|it| it.0 == short) else {
            findings.push(Finding::new(
                &place,
                format!("crate `{name}` is not in the table of arrows: twelve crates are the ceiling"),
            ));
            continue;
        };
        let empty = toml::Table::new();
        let deps = table.get("dependencies").and_then(toml::Value::as_table).unwrap_or(&empty);
        for dep in deps.keys() {
            if let Some(internal) = dep.strip_prefix("cellstone-")
                && !allowed.contains(&internal)
            {
                findings.push(Finding::new(&place, format!("`{name}` must not depend on `{dep}`")));
            }
            if let Some((_, inside)) = FENCES.iter().find(|it| it.0 == dep)
                && !inside.contains(&short)
            {
                findings.push(Finding::new(&place, format!("`{dep}` is fenced: it belongs to {inside:?}")));
            }
        }
        if table.get("lints").and_then(|it| it.get("workspace")).and_then(toml::Value::as_bool) != Some(true) {
            findings.push(Finding::new(&place, "the workspace lints are not switched on"));
        }
    }
    Ok(findings)
}
