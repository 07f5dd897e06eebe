//! All names of a matrix at once, in two modes.

use super::coverage::{Coverage, EXAMPLES, Shared};
use super::table::{GeneTable, IdKind, IdTarget, Resolution, is_whole_number};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// What happens to names that lead to no gene, to several, or to one that another name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapMode {
    /// Any of these is an error.
    Strict,
    /// They are reported: the first two have no id, the last keep the id they share.
    Lenient,
}

/// Names and what they became.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The id or symbol of every name, in the order of the names; `None` where unknown or ambiguous.
    pub ids: Vec<Option<String>>,
    /// How every name was found.
    pub kinds: Vec<IdKind>,
    /// What can be said of all of them.
    pub report: Coverage,
}

impl GeneTable {
    /// Maps every name to the id or symbol of its gene, as [`GeneTable::resolve`] does for one.
    ///
    /// # Errors
    /// In strict mode, if any name is unknown or ambiguous or if two lead to the same id: how many, the first of them,
    /// and what may be the matter.
    ///
    /// # Examples
    /// ```
    /// use cellstone_core::genes::{Gene, GeneTable, IdTarget, MapMode};
    /// let table = GeneTable::new(vec![Gene::new("ENSG01", "A")?, Gene::new("ENSG02", "B")?])?;
    /// let error = table.map(&["A", "ENSG01.3", "C"], IdTarget::Ensembl, MapMode::Strict).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "1 of 3 genes have no Ensembl id: 1 unknown (`C`); 1 Ensembl id stands for 2 genes: `ENSG01` (`A`, `ENSG01.3`)"
    /// );
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    pub fn map<S: AsRef<str>>(&self, names: &[S], target: IdTarget, mode: MapMode) -> Result<Mapped> {
        let mut report = Coverage::new(names.len(), target);
        let (mut ids, mut kinds) = (Vec::with_capacity(names.len()), Vec::with_capacity(names.len()));
        for name in names {
            let (name, found) = (name.as_ref(), self.resolve(name.as_ref(), target));
            report.add(name, &found);
            kinds.push(found.kind());
            ids.push(found.id().map(str::to_owned));
        }
        self.count_unnamed(&ids, &mut report);
        count_shared(names, &ids, &mut report);
        report.hints = self.hints(names, &kinds);
        if mode == MapMode::Strict && !report.is_clean() {
            return Err(refusal(&report));
        }
        Ok(Mapped { ids, kinds, report })
    }

    fn count_unnamed(&self, ids: &[Option<String>], report: &mut Coverage) {
        if report.target == IdTarget::Symbol {
            let unnamed = |it: &&String| self.gene(it).is_some_and(|gene| gene.symbol().is_none());
            report.unnamed = ids.iter().flatten().filter(unnamed).count();
        }
    }

    /// What may be the matter with the names that were not found.
    fn hints<S: AsRef<str>>(&self, names: &[S], kinds: &[IdKind]) -> Vec<String> {
        let unknown = || {
            let pairs = names.iter().zip(kinds);
            pairs.filter(|it| *it.1 == IdKind::Unknown).map(|it| it.0.as_ref().trim())
        };
        let mut hints = Vec::new();
        let strange = unknown().filter_map(id_prefix).find(|it| !self.has_prefix(it));
        if let (Some(found), Some(own)) = (strange, self.genes().first().and_then(|it| id_prefix(it.id()))) {
            hints.push(format!(
                "ids that begin with `{found}` and not with `{own}` are of another species: take its table"
            ));
        }
        if let Some(it) = unknown().find(|it| is_whole_number(it)) {
            hints.push(format!("`{it}` is a number and no gene name: are these the names of the genes?"));
        }
        let is_name = |it: &str| id_prefix(it).is_none() && !is_whole_number(it);
        if !self.has_aliases() && unknown().any(is_name) {
            hints.push("a table of aliases and previous symbols (HGNC) may know more names".to_owned());
        }
        hints
    }
}

/// The letters of an Ensembl id, in capitals: `ENSG` of `ENSG00000141510`.
fn id_prefix(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let letters = upper.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = upper.bytes().skip(letters).take_while(u8::is_ascii_digit).count();
    (upper.starts_with("ENS") && letters > 3 && digits >= 6).then(|| upper[..letters].to_owned())
}

/// Counts ids that several names lead to, in the order of their first name.
fn count_shared<S: AsRef<str>>(names: &[S], ids: &[Option<String>], report: &mut Coverage) {
    let mut by_id = BTreeMap::<&str, Vec<usize>>::new();
    for (at, id) in ids.iter().enumerate() {
        if let Some(id) = id {
            by_id.entry(id).or_default().push(at);
        }
    }
    let mut shared: Vec<(&str, Vec<usize>)> = by_id.into_iter().filter(|it| it.1.len() > 1).collect();
    shared.sort_unstable_by_key(|it| it.1[0]);
    report.shared = shared.len();
    report.sharing = shared.iter().map(|it| it.1.len()).sum();
    let example = |(id, at): &(&str, Vec<usize>)| Shared {
        id: (*id).to_owned(),
        n: at.len(),
        names: at.iter().take(EXAMPLES).map(|it| names[*it].as_ref().to_owned()).collect(),
    };
    report.first_shared = shared.iter().take(EXAMPLES).map(example).collect();
}

fn refusal(report: &Coverage) -> Error {
    let mut error = Error::invalid_input(report.faults());
    for it in &report.hints {
        error = error.with_hint(it.clone());
    }
    error.with_hint("map leniently (without --strict) to keep the genes that are found")
}

impl Coverage {
    /// Counts one name.
    fn add(&mut self, name: &str, found: &Resolution<'_>) {
        match found {
            Resolution::Exact(_) => self.ensembl += 1,
            Resolution::Versioned(_) => self.versioned += 1,
            Resolution::Symbol(_) => self.symbol += 1,
            Resolution::Alias(id) => {
                self.alias += 1;
                if self.first_aliases.len() < EXAMPLES {
                    self.first_aliases.push((name.to_owned(), (*id).to_owned()));
                }
            }
            Resolution::Ambiguous(of) => {
                self.ambiguous += 1;
                if self.first_ambiguous.len() < EXAMPLES {
                    let of = of.iter().map(|it| (*it).to_owned()).collect();
                    self.first_ambiguous.push((name.to_owned(), of));
                }
            }
            Resolution::Unknown => {
                self.unknown += 1;
                if self.first_unknown.len() < EXAMPLES {
                    self.first_unknown.push(name.to_owned());
                }
            }
        }
    }
}
