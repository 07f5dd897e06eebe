//! How much of a file has to be found in a vocabulary.

use cellstone_core::{Error, Result, TokenCoverage};
use serde::{Deserialize, Serialize};

/// How strictly the coverage of a vocabulary is judged.
///
/// Three shares: of the counts of the file that lead to genes of the vocabulary (`f_count`), of the genes of the
/// vocabulary that the file has (`f_vocab`), of the features of the file that lead to a gene (`f_feat`).
///
/// | rule | error below | warning below |
/// |---|---|---|
/// | strict | `f_count` 0.80, `f_vocab` 0.50, any ambiguous feature | `f_count` 0.95, `f_vocab` 0.80 |
/// | lenient | `f_count` 0.20, `f_vocab` 0.05 | `f_count` 0.80, `f_vocab` 0.50 |
/// | panel | `f_feat` 0.50 | `f_feat` 0.90 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageRule {
    /// For full transcriptomes.
    #[default]
    Strict,
    /// For what is known to fit badly.
    Lenient,
    /// For a choice of genes, or an assay that targets some.
    Panel,
}

/// A share of a file or vocabulary, with the figures below which it is wrong or worth a word.
struct Share {
    name: &'static str,
    what: &'static str,
    value: f64,
    error: f64,
    warning: f64,
}

impl CoverageRule {
    /// Judges the coverage of a file; `mapped_counts` of `total_counts` lead to genes of the vocabulary.
    ///
    /// Gives the warnings.
    ///
    /// # Errors
    /// If a share is too low, or, strictly, if a feature may be one of several genes: the figures and the first
    /// features that lead nowhere.
    ///
    /// # Examples
    /// ```
    /// use cellstone_core::{Var, genes::IdTarget};
    /// use cellstone_rank::{CoverageRule, GeneVocab};
    /// let genes = ["A", "B", "C", "D"].iter().zip(0..).map(|(it, id)| ((*it).to_owned(), id)).collect();
    /// let vocab = GeneVocab::new("example", IdTarget::Symbol, genes)?;
    /// let bound = vocab.bind(&Var::from_ids(["A", "B", "X"])?, None)?;
    /// let warnings = CoverageRule::Lenient.check(bound.coverage(), 60.0, 100.0)?;
    /// assert_eq!(warnings[0], "60.0 % of the counts lead to genes of the vocabulary (f_count), expected at least 80 %");
    /// assert!(CoverageRule::Strict.check(bound.coverage(), 60.0, 100.0).is_err());
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    pub fn check(self, coverage: &TokenCoverage, mapped_counts: f64, total_counts: f64) -> Result<Vec<String>> {
        let shares = self.shares(coverage, mapped_counts, total_counts);
        let low: Vec<&Share> = shares.iter().filter(|it| it.value < it.error || it.value.is_nan()).collect();
        if !low.is_empty() {
            return Err(self.refusal(coverage, &low));
        }
        let n_ambiguous = coverage.by_rule.iter().find(|it| it.0 == "ambiguous").map_or(0, |it| it.1);
        if self == Self::Strict && n_ambiguous > 0 {
            let names = quoted(&coverage.first_unmapped, n_ambiguous);
            return Err(Error::invalid_input(format!(
                "{n_ambiguous} features may each be one of several genes of the vocabulary: {names}"
            ))
            .with_hint("give Ensembl ids, or drop such features with the lenient rule"));
        }
        let warnings = shares.iter().filter(|it| it.value < it.warning);
        Ok(warnings.map(|it| it.text(it.warning)).collect())
    }

    fn shares(self, coverage: &TokenCoverage, mapped: f64, total: f64) -> Vec<Share> {
        let share = |name, what, part: f64, all: f64, error, warning| {
            // Nothing of nothing is no coverage.
            let value = if all > 0.0 { part / all } else { 0.0 };
            Share { name, what, value, error, warning }
        };
        let counts = |error, warning| {
            share("f_count", "of the counts lead to genes of the vocabulary", mapped, total, error, warning)
        };
        let (hit, all) = (coverage.n_hit as f64, coverage.n_vocabulary as f64);
        let genes = |error, warning| share("f_vocab", "of the vocabulary is in the file", hit, all, error, warning);
        let (found, features) = (coverage.n_mapped as f64, coverage.n_features as f64);
        match self {
            Self::Strict => vec![counts(0.80, 0.95), genes(0.50, 0.80)],
            Self::Lenient => vec![counts(0.20, 0.80), genes(0.05, 0.50)],
            Self::Panel => {
                vec![share("f_feat", "of the features lead to genes of the vocabulary", found, features, 0.50, 0.90)]
            }
        }
    }

    fn refusal(self, coverage: &TokenCoverage, low: &[&Share]) -> Error {
        let figures: Vec<String> = low.iter().map(|it| it.text(it.error)).collect();
        let n_lost = coverage.n_features - coverage.n_mapped;
        let mut message = figures.join("; ");
        if n_lost > 0 {
            message += &format!("; not found: {}", quoted(&coverage.first_unmapped, n_lost));
        }
        let error = Error::invalid_input(message).with_hint(
            "do the genes of the file have the names (and the species) of the vocabulary? a gene table translates",
        );
        match self {
            Self::Strict => error.with_hint("a choice of genes or a targeted assay needs the panel rule"),
            Self::Lenient | Self::Panel => error,
        }
    }
}

impl Share {
    fn text(&self, expected: f64) -> String {
        let (name, what, found) = (self.name, self.what, self.value * 100.0);
        format!("{found:.1} % {what} ({name}), expected at least {} %", expected * 100.0)
    }
}

/// The first five names in backticks, and dots if there are more.
fn quoted(names: &[String], n: usize) -> String {
    let shown: Vec<String> = names.iter().take(n.min(5)).map(|it| format!("`{it}`")).collect();
    if n > shown.len() { format!("{}, …", shown.join(", ")) } else { shown.join(", ") }
}

/// The coverage of a file in words: one line for the whole, one for each rule.
pub fn coverage_text(coverage: &TokenCoverage) -> String {
    let TokenCoverage { n_features, n_mapped, n_vocabulary, n_hit, n_shared, .. } = coverage;
    let mut text =
        format!("{n_mapped} of {n_features} features lead to {n_hit} of {n_vocabulary} genes of the vocabulary");
    for (rule, n) in &coverage.by_rule {
        text += &format!("\n{n:>8} {}", rule.replace('_', " "));
    }
    if *n_shared > 0 {
        text += &format!("\n{n_shared} genes have several features; their values are summed");
    }
    text
}
