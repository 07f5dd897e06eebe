//! Which rows of a 10x matrix become genes: the choice of feature type and genome.

use cellstone_core::{Error, Result, Var, nearest};
use std::collections::BTreeMap;

/// The feature type that is kept unless another is asked for.
pub(crate) const GENE_EXPRESSION: &str = "Gene Expression";

/// Which part of a 10x file is wanted.
///
/// # Parameters
/// | name | default | meaning |
/// |---|---|---|
/// | `genome` | none | the genome, needed only where the file holds several |
/// | `feature_type` | `Gene Expression` | the features that are kept; the others are counted and left out |
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenxChoice {
    /// The genome; none chosen means there must be one only.
    pub genome: Option<String>,
    /// The feature type; `Gene Expression` unless set. Version 2 files have no types and keep everything.
    pub feature_type: Option<String>,
}

/// The features of a file, before any is left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Features {
    pub ids: Vec<String>,
    pub symbols: Option<Vec<String>>,
    pub types: Option<Vec<String>>,
    pub genomes: Option<Vec<String>>,
}

/// The features that are kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub var: Var,
    /// For each feature of the file its gene, unless it is left out.
    pub column_of: Vec<Option<u32>>,
    /// How many features of each type (or of other genomes) are left out.
    pub left_out: BTreeMap<String, usize>,
}

impl Features {
    /// Applies the choice.
    pub(crate) fn keep(self, name: &str, choice: &TenxChoice) -> Result<Kept> {
        let mut keep = vec![true; self.ids.len()];
        let mut left_out = BTreeMap::new();
        self.drop_other_types(name, choice, &mut keep, &mut left_out)?;
        self.drop_other_genomes(name, choice, &mut keep, &mut left_out)?;
        let mut column_of = vec![None; keep.len()];
        let kept: Vec<usize> = (0..keep.len()).filter(|it| keep[*it]).collect();
        for (col, row) in kept.iter().enumerate() {
            column_of[*row] = Some(col as u32);
        }
        let pick = |all: &[String]| kept.iter().map(|it| all[*it].clone()).collect::<Vec<_>>();
        let var = Var::new(pick(&self.ids), self.symbols.as_deref().map(pick))
            .map_err(|error| error.context(format!("features of `{name}`")))?;
        for (what, count) in &left_out {
            tracing::info!(file = name, count, "features left out: {what}");
        }
        Ok(Kept { var, column_of, left_out })
    }

    fn drop_other_types(
        &self,
        name: &str,
        choice: &TenxChoice,
        keep: &mut [bool],
        left_out: &mut BTreeMap<String, usize>,
    ) -> Result<()> {
        let Some(types) = &self.types else {
            return match &choice.feature_type {
                Some(asked) if asked != GENE_EXPRESSION => {
                    Err(Error::invalid_input(format!("`{name}` has no feature types, expected `{asked}`"))
                        .with_hint("files of version 2 hold gene expression only: leave the feature type out"))
                }
                _ => Ok(()),
            };
        };
        let wanted = choice.feature_type.as_deref().unwrap_or(GENE_EXPRESSION);
        if !types.is_empty() && !types.iter().any(|it| it == wanted) {
            let found = distinct(types.iter());
            let error =
                Error::invalid_input(format!("`{name}` has no feature of type `{wanted}` (types: {})", list(&found)));
            return Err(
                match nearest(wanted, found.iter().map(String::as_str)).or(found.first().map(String::as_str)) {
                    Some(near) => error.with_hint(format!("set feature_type = \"{near}\"")),
                    None => error,
                },
            );
        }
        for (at, kind) in types.iter().enumerate() {
            if kind != wanted {
                keep[at] = false;
                *left_out.entry(kind.clone()).or_insert(0) += 1;
            }
        }
        Ok(())
    }

    fn drop_other_genomes(
        &self,
        name: &str,
        choice: &TenxChoice,
        keep: &mut [bool],
        left_out: &mut BTreeMap<String, usize>,
    ) -> Result<()> {
        let Some(genomes) = &self.genomes else { return Ok(()) };
        // Antibodies and guides carry an empty genome.
        let kept = genomes.iter().zip(&*keep).filter(|(it, keep)| **keep && !it.is_empty()).map(|it| it.0);
        let Some(chosen) = choose_genome(name, &distinct(kept), choice.genome.as_deref())? else { return Ok(()) };
        for (at, genome) in genomes.iter().enumerate() {
            if keep[at] && !genome.is_empty() && *genome != chosen {
                keep[at] = false;
                *left_out.entry(format!("genome {genome}")).or_insert(0) += 1;
            }
        }
        Ok(())
    }
}

/// The one genome to read; `None` where the file names none and none is asked for.
pub(crate) fn choose_genome(name: &str, found: &[String], asked: Option<&str>) -> Result<Option<String>> {
    match (asked, found) {
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(only.clone())),
        (None, many) => Err(Error::invalid_input(format!(
            "`{name}` holds {} genomes ({}) and none is chosen",
            many.len(),
            list(many)
        ))
        .with_hint(format!("set genome = \"{}\"", many[0]))),
        (Some(asked), found) if found.iter().any(|it| it == asked) => Ok(Some(asked.to_owned())),
        (Some(asked), found) => {
            let error =
                Error::invalid_input(format!("genome `{asked}` not found in `{name}` (genomes: {})", list(found)));
            Err(match nearest(asked, found.iter().map(String::as_str)) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            })
        }
    }
}

/// The values without repeats, in order of appearance.
fn distinct<'a>(values: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in values {
        if !found.contains(value) {
            found.push(value.clone());
        }
    }
    found
}

fn list(names: &[String]) -> String {
    cellstone_core::quoted(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features() -> Features {
        let texts = |it: [&str; 4]| it.map(str::to_owned).to_vec();
        Features {
            ids: texts(["E1", "M1", "CD3", "E2"]),
            symbols: Some(texts(["A", "a", "CD3_TotalSeqB", "B"])),
            types: Some(texts([GENE_EXPRESSION, GENE_EXPRESSION, "Antibody Capture", GENE_EXPRESSION])),
            genomes: Some(texts(["GRCh38", "mm10", "", "GRCh38"])),
        }
    }

    #[test]
    fn one_genome_of_one_type() {
        let choice = TenxChoice { genome: Some("GRCh38".into()), feature_type: None };
        let kept = features().keep("x.h5", &choice).expect("chosen");
        assert_eq!(kept.var.ids(), ["E1", "E2"]);
        assert_eq!(kept.column_of, [Some(0), None, None, Some(1)]);
        let want = BTreeMap::from([("Antibody Capture".to_owned(), 1), ("genome mm10".to_owned(), 1)]);
        assert_eq!(kept.left_out, want);
        let choice = TenxChoice { genome: None, feature_type: Some("Antibody Capture".into()) };
        assert_eq!(features().keep("x.h5", &choice).expect("chosen").var.ids(), ["CD3"]);
    }

    #[test]
    fn unclear_choices_are_refused() {
        let check = |genome: Option<&str>, kind: Option<&str>, want: &str, hint: &str| {
            let choice = TenxChoice { genome: genome.map(Into::into), feature_type: kind.map(Into::into) };
            let error = features().keep("x.h5", &choice).expect_err("unclear");
            assert_eq!(error.to_string(), want);
            assert_eq!(error.hints(), [hint]);
        };
        check(None, None, "`x.h5` holds 2 genomes (`GRCh38`, `mm10`) and none is chosen", "set genome = \"GRCh38\"");
        check(
            Some("GRCh37"),
            None,
            "genome `GRCh37` not found in `x.h5` (genomes: `GRCh38`, `mm10`)",
            "did you mean `GRCh38`?",
        );
        check(
            None,
            Some("Antibody"),
            "`x.h5` has no feature of type `Antibody` (types: `Gene Expression`, `Antibody Capture`)",
            "set feature_type = \"Antibody Capture\"",
        );
    }
}
