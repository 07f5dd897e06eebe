//! What evaluation hides of a row.

use super::mask::MaskedRow;
use super::vocab::PolygeneVocab;
use cellstone_core::{Error, Result, TokenRow};

/// What a network knows of the other phenotypes when it predicts one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluationCondition {
    /// The others are shown.
    Visible,
    /// All phenotypes are `[mask]`, each with its label.
    Masked,
    /// The others are `[pad]` of type 0 without attention.
    Dropped,
}

impl EvaluationCondition {
    /// The word for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Visible => "visible",
            Self::Masked => "masked",
            Self::Dropped => "dropped",
        }
    }
}

/// A row in which the phenotype of category `target` (its place in the vocabulary) is to be predicted. Genes are shown.
///
/// # Errors
/// If the row is none of PolyGene v2 or has no token of the category.
///
/// # Examples
/// ```
/// use cellstone_core::TokenRow;
/// use cellstone_rank::{BinEdges, EvaluationCondition, IGNORE_LABEL, PhenotypeCategory, PolygeneVocab, PolygeneVocabSpec};
/// use cellstone_rank::{StringRule, condition_row};
/// let vocab = PolygeneVocab::new(PolygeneVocabSpec {
///     rule: StringRule::Normalized,
///     categories: vec![
///         PhenotypeCategory::from_labels("sex", ["female", "male"]),
///         PhenotypeCategory::from_labels("tissue", ["blood"]),
///     ],
///     genes: vec!["A".into()],
///     edges: BinEdges::binary(),
///     added: vec![],
/// })?;
/// let row = TokenRow { input_ids: vec![0, 5, 6, 8, 1], type_ids: Some(vec![0, 1, 2, 3, 0]), ..TokenRow::default() };
/// let sex = condition_row(&vocab, &row, 0, EvaluationCondition::Dropped)?;
/// assert_eq!(sex.input_ids, [0, PolygeneVocab::MASK, PolygeneVocab::PAD, 8, 1]);
/// assert_eq!((sex.type_ids, sex.attention), (vec![0, 1, 0, 3, 0], vec![1, 1, 0, 1, 1]));
/// assert_eq!(sex.labels, [IGNORE_LABEL, 5, IGNORE_LABEL, IGNORE_LABEL, IGNORE_LABEL]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn condition_row(
    vocab: &PolygeneVocab,
    row: &TokenRow,
    target: usize,
    condition: EvaluationCondition,
) -> Result<MaskedRow> {
    let mut shown = MaskedRow::visible(row)?;
    let places: Vec<(usize, usize)> =
        shown.type_ids.iter().enumerate().filter_map(|(at, it)| Some((at, vocab.category_of(*it)?))).collect();
    if !places.iter().any(|it| it.1 == target) {
        return Err(Error::invalid_input(format!(
            "the row has no token of category {target}, of {} in the vocabulary",
            vocab.categories().len()
        )));
    }
    for (at, category) in places {
        let is_known = shown.input_ids[at] != PolygeneVocab::MASK;
        match condition {
            _ if category == target || condition == EvaluationCondition::Masked => {
                // A value that the cell lacks is masked already, and there is nothing to predict.
                if is_known {
                    shown.hide(at);
                }
            }
            EvaluationCondition::Dropped => shown.drop(at, 0),
            EvaluationCondition::Visible | EvaluationCondition::Masked => {}
        }
    }
    Ok(shown)
}
