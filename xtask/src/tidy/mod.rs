//! What no compiler checks: arrows between crates, fences, file headers and sizes, fixtures, paths, licences.

mod arrows;
mod files;
mod fixtures;
mod licences;
mod registry;

use cellstone_core::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) place: String,
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(place: impl ToString, what: impl Into<String>) -> Self {
        Self { place: place.to_string(), what: what.into() }
    }
}

/// Runs every check on the workspace at `root` and reports all failures at once.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = arrows::check(root)?;
    findings.extend(files::check(root)?);
    findings.extend(fixtures::check(root)?);
    findings.extend(registry::check(root)?);
    findings.extend(licences::check(root)?);
    findings.sort();
    Ok(findings)
}

/// The folder of the workspace this binary was built from.
pub(crate) fn workspace_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or_else(|| manifest.to_owned(), Path::to_owned)
}

/// Findings as one error.
pub(crate) fn gate(findings: &[Finding]) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = findings.iter().map(|it| format!("  {}: {}", it.place, it.what)).collect();
    Err(Error::new(ErrorKind::Gate, format!("{} findings\n{}", findings.len(), lines.join("\n"))))
}

/// Every file below `dir` with one of the given endings, sorted; build output and version control left out.
pub(crate) fn files_below(dir: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut stack = vec![dir.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(&dir).map_err(|error| Error::io(&dir, error))? {
            let path = entry.map_err(|error| Error::io(&dir, error))?.path();
            let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | "runs" | ".venv" | "__pycache__")
                    || name == "runs" && dir.ends_with("benches")
                {
                    stack.push(path);
                }
            } else if endings.iter().any(|it| name.ends_with(it)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Error::io(path, error))
}

pub(crate) fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let findings = check(&workspace_root()).expect("readable workspace");
        gate(&findings).expect("tidy");
    }
}
