//! Gene sets in GMT files: `name`, `description`, genes, separated by tabs.

use crate::text::Lines;
use cellstone_core::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A named set of genes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneSet {
    /// The name, unique in a file.
    pub name: String,
    /// The second column, often an id or a link; may be empty.
    pub description: String,
    /// The genes in file order, each once.
    pub genes: Vec<String>,
}

/// Reads a GMT file, gzipped or not. Empty gene fields and repeats inside a set are dropped.
///
/// Enrichr writes `gene,weight`; a weight that is a number is cut off.
///
/// # Errors
/// Names file and line of a set without a gene column or of a repeated name; refuses a file without sets.
///
/// # Examples
/// ```
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("sets.gmt");
/// std::fs::write(&path, "S phase\tTirosh\tMCM5\tPCNA\tMCM5\n").unwrap();
/// assert_eq!(cellstone_io::read_gmt(&path)?[0].genes, ["MCM5", "PCNA"]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn read_gmt(path: &Path) -> Result<Vec<GeneSet>> {
    let mut lines = Lines::open(path)?;
    let (mut sets, mut names) = (Vec::new(), BTreeMap::new());
    while let Some(text) = lines.next_text()? {
        if text.trim().is_empty() {
            continue;
        }
        let mut fields = text.split('\t');
        let name = fields.next().unwrap_or_default().trim().to_owned();
        let Some(description) = fields.next() else {
            return Err(lines.error("one column, expected `name<TAB>description<TAB>genes…`"));
        };
        if let Some(first) = names.insert(name.clone(), lines.number()) {
            return Err(lines.error(format!("gene set `{name}` stands at line {first} already, expected once")));
        }
        let mut seen = BTreeSet::new();
        let genes = fields
            .map(|it| without_weight(it.trim()))
            .filter(|it| !it.is_empty() && seen.insert(*it))
            .map(str::to_owned)
            .collect();
        sets.push(GeneSet { name, description: description.trim().to_owned(), genes });
    }
    if sets.is_empty() {
        return Err(Error::invalid_input(format!("`{}` holds no gene set", path.display())));
    }
    Ok(sets)
}

fn without_weight(field: &str) -> &str {
    match field.rsplit_once(',') {
        Some((gene, weight)) if weight.parse::<f64>().is_ok() => gene,
        _ => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<GeneSet>> {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("s.gmt");
        std::fs::write(&path, text).expect("written");
        read_gmt(&path)
    }

    #[test]
    fn sets_in_file_order() {
        let sets = read("b\t\tG1,1.0\tG2\t\r\n\na\tabout a\n").expect("valid");
        assert_eq!(sets[0].genes, ["G1", "G2"]);
        assert_eq!((sets[1].name.as_str(), sets[1].genes.len()), ("a", 0));
    }

    #[test]
    fn bad_files_are_named() {
        let check = |text: &str, want: &str| {
            let error = read(text).expect_err("bad").to_string();
            assert!(error.ends_with(want), "{error}");
        };
        check("", "s.gmt` holds no gene set");
        check("a b c\n", "s.gmt` line 1: one column, expected `name<TAB>description<TAB>genes…`");
        check("a\tx\tG\na\tx\tG\n", "s.gmt` line 2: gene set `a` stands at line 1 already, expected once");
    }
}
