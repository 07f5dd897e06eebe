//! Registries and experiments: unique ids, complete entries, files that resolve.

use super::{Finding, files_below, relative};
use cellstone_core::Result;
use cellstone_lab::{Registry, load_config};
use std::collections::BTreeSet;
use std::path::Path;

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let registry = Registry::builtin();
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for it in registry.predictors() {
        let id = it.info.id.to_string();
        if !snake(&id) || it.info.name.is_empty() || it.info.summary.is_empty() {
            findings.push(Finding::new(&id, "method without a lower snake case id, a name or a summary"));
        }
        if !seen.insert(id.clone()) {
            findings.push(Finding::new(&id, "two methods have this id"));
        }
    }
    let mut seen = BTreeSet::new();
    for it in registry.metrics() {
        let info = it.info();
        if !snake(&info.id) || info.name.is_empty() || info.formula.is_empty() || info.source.is_empty() {
            findings
                .push(Finding::new(&info.id, "metric without a lower snake case id, a name, a formula or a source"));
        }
        if !seen.insert(info.id.to_string()) {
            findings.push(Finding::new(&info.id, "two metrics have this id"));
        }
    }
    for path in files_below(&root.join("experiments"), &[".toml"])? {
        let found = if crate::commands::is_rank_study(&path) {
            cellstone_lab::rank_study::load_study(&path, &[]).map(|_| ())
        } else if crate::commands::is_pretrain(&path) {
            cellstone_lab::pretrain::load_pretrain(&path, &[]).map(|_| ())
        } else if crate::commands::is_phenotype(&path) {
            cellstone_lab::phenotype::load_phenotype(&path, &[]).map(|_| ())
        } else {
            load_config(&path, &[], &registry).map(|_| ())
        };
        if let Err(error) = found {
            findings.push(Finding::new(relative(root, &path), error.to_string()));
        }
    }
    Ok(findings)
}

fn snake(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
}
