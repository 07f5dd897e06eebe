//! From cells to what a network sees and is asked.

use super::config::MaskSettings;
use super::rows::Cell;
use cellstone_core::Result;
use cellstone_model::{MaskedBatch, masked_batch};
use cellstone_rank::{CutGenes, MaskLaw, MaskedRow, MeasuredGenes, Negatives, PolygeneVocab, mask};
use rayon::prelude::*;

/// The epoch of the masks of validation cells: the same ones at every look.
pub(crate) const FIXED: u64 = u64::MAX;

/// Everything that masks depend on apart from cell and epoch.
pub(crate) struct Masking<'a> {
    pub(crate) vocab: &'a PolygeneVocab,
    pub(crate) law: MaskLaw,
    pub(crate) measured: MeasuredGenes,
}

impl Masking<'_> {
    /// A batch as it is learnt from in an epoch.
    ///
    /// # Errors
    /// If the law does not fit the vocabulary.
    pub(crate) fn batch(&self, cells: &[Cell], epoch: u64) -> Result<MaskedBatch> {
        let one = |it: &Cell| -> Result<MaskedRow> {
            let cut = it.cut.as_deref().map_or(CutGenes::ByRank, CutGenes::Listed);
            mask(self.vocab, &self.law, &it.tokens, &self.measured, cut, epoch, it.seed)
        };
        let rows = cells.par_iter().map(one).collect::<Result<Vec<_>>>()?;
        masked_batch(&rows, PolygeneVocab::PAD)
    }
}

/// The law that a configuration asks for.
pub(crate) fn law(settings: &MaskSettings) -> MaskLaw {
    MaskLaw {
        gene: settings.gene,
        phenotype: settings.phenotype,
        drop: settings.drop,
        negative_rows: settings.negative_rows,
        negatives: if settings.negatives == "uniform" { Negatives::Uniform } else { Negatives::Detection },
        reference: false,
    }
}
