//! What a caller chooses, and what the computation says besides its result.

use crate::normalize::Normalize;
use cellstone_core::{Averaging, CountSource, Error, Result, Scale, Seed};

/// The most replicates one call makes: a cell remembers its halves in one word.
pub(super) const MAX_REPLICATES: usize = 30;

/// How condition means are made.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `averaging` | [`Averaging::Cells`] | the order of averaging, PB1 to PB5 | not `Given` |
/// | `normalize` | `ln(1 + 1e4 N / Σ N)` | how counts become values; `None` averages the values of the source | counts only |
/// | `n_replicates` | 5 | seeded splits of the cells into two halves | 0..=30 |
/// | `seed` | 0 | decides the halves | |
/// | `min_control_batch` | 10 | a batch with fewer control cells takes the control of its context (PB3, PB4) | |
#[derive(Debug, Clone, PartialEq)]
pub struct PseudobulkParams {
    /// The order of averaging.
    pub averaging: Averaging,
    /// How counts become values; `None` if the source holds what is to be averaged.
    pub normalize: Option<Normalize>,
    /// Number of seeded splits into halves.
    pub n_replicates: usize,
    /// Decides the halves.
    pub seed: Seed,
    /// Fewest control cells of a batch that has a control of its own.
    pub min_control_batch: usize,
}

impl Default for PseudobulkParams {
    fn default() -> Self {
        Self {
            averaging: Averaging::Cells,
            normalize: Some(Normalize::default()),
            n_replicates: 5,
            seed: Seed::new(0),
            min_control_batch: 10,
        }
    }
}

/// What happened on the way to the means.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PseudobulkLog {
    /// Labeled cells without a single count, dropped.
    pub n_dropped_empty: usize,
    /// Pairs of context and batch whose conditions took the control of the context (PB3, PB4).
    pub n_fallback_batches: usize,
    /// `T' = Σ_b ‖y_cb − y_c‖² / (β (β − 1))` of each row of the means, summed over genes: the sampling variance as the β
    /// batches show it, which holds what a perturbation does differently in each of them and the within-batch form does
    /// not. `None` below three batches; empty unless batches are averaged (PB2).
    pub between_batches: Vec<Option<f64>>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl PseudobulkParams {
    /// Refuses what does not fit together.
    pub(super) fn check(&self, source: &dyn CountSource) -> Result<()> {
        if self.n_replicates > MAX_REPLICATES {
            return Err(Error::config(format!(
                "n_replicates is {}, expected at most {MAX_REPLICATES}",
                self.n_replicates
            )));
        }
        if self.averaging == Averaging::Given {
            return Err(Error::config("averaging `given` is for means that came from a file, not for cells")
                .with_hint("choose cells, batches, batches_matched, cells_matched or bulk"));
        }
        let scale = source.scale();
        let counts = scale == Scale::Counts;
        if self.averaging == Averaging::Bulk && !counts {
            return Err(Error::invalid_input(format!(
                "averaging `bulk` sums counts, but the values of `{}` are {scale}",
                source.name()
            ))
            .with_hint("point to the layer that holds the counts, or choose averaging = \"cells\""));
        }
        if let Some(normalize) = &self.normalize
            && self.averaging != Averaging::Bulk
        {
            normalize.check()?;
            if !counts {
                return Err(Error::invalid_input(format!(
                    "normalization needs counts, but the values of `{}` are {scale}",
                    source.name()
                ))
                .with_hint("leave normalization out: the file already holds normalized values"));
            }
        }
        Ok(())
    }
}
