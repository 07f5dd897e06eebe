//! How the name of a phenotype becomes a token.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// The rule by which names of phenotypes are written as tokens. Names that are the same by it are one phenotype.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StringRule {
    /// Compatibility decomposition, ASCII alone, small letters, possessive `'s` dropped, anything else but letters and
    /// digits one `_`.
    #[default]
    Normalized,
    /// Spaces become `_`; nothing else changes.
    Spaces,
}

/// A name of a phenotype as a token, without brackets; empty where the rule leaves nothing.
///
/// # Examples
/// ```
/// use cellstone_rank::{StringRule, phenotype_token};
/// let rule = |name| phenotype_token(name, StringRule::Normalized);
/// assert_eq!(rule("Alzheimer's disease"), "alzheimer_disease");
/// assert_eq!(rule("CD14-low, CD16-positive monocyte"), "cd14_low_cd16_positive_monocyte");
/// assert_eq!(rule("[Müller_cell]"), "muller_cell");
/// assert_eq!(phenotype_token("naïve T cell ", StringRule::Spaces), "naïve_T_cell");
/// ```
///
/// # References
/// `louisleger/cellular-aging-map data_utils/tokenization.py` (`normalise_str`);
/// `YufanXia999/PerturbGene data_utils/tokenization.py` (`phenotype_to_token`).
pub fn phenotype_token(name: &str, rule: StringRule) -> String {
    match rule {
        StringRule::Spaces => {
            // Brackets are what a token is wrapped in, and vocabularies are stored with them.
            let name = name.trim();
            let inner = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
            inner.unwrap_or(name).replace(' ', "_")
        }
        StringRule::Normalized => {
            let ascii: String = name.nfkd().filter(char::is_ascii).collect::<String>().to_ascii_lowercase();
            words(&without_possessives(&ascii))
        }
    }
}

/// Drops every `'s` that ends a word.
fn without_possessives(text: &str) -> String {
    let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("'s") {
        let after = &rest[at + 2..];
        kept.push_str(&rest[..at]);
        if after.starts_with(is_word) {
            kept.push_str("'s");
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

fn words(text: &str) -> String {
    let words: Vec<&str> = text.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty()).collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_the_published_rule() {
        for (name, token) in [
            ("Crohn's disease", "crohn_disease"),
            ("it's 'so", "it_so"),
            ("'sinus'", "sinus"),
            ("L2/3-6 intratelencephalic", "l2_3_6_intratelencephalic"),
            ("80 year-old and over stage", "80_year_old_and_over_stage"),
            ("ﬁbroblast β", "fibroblast"),
            ("β", ""),
            ("[pad]", "pad"),
        ] {
            assert_eq!(phenotype_token(name, StringRule::Normalized), token, "{name}");
        }
    }

    #[test]
    fn a_token_is_its_own_token() {
        for name in ["Crohn's disease", "x's'st", "A  b", "naïve T"] {
            for rule in [StringRule::Normalized, StringRule::Spaces] {
                let once = phenotype_token(name, rule);
                assert_eq!(phenotype_token(&once, rule), once);
            }
        }
    }
}
