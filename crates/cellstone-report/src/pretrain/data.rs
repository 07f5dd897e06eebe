//! The tables of a pretraining, read once.

use super::schema::{CorpusRow, FactRow, HeldOutRow, LossRow, SlotLossRow};
use crate::run_dir::{Manifest, RunDir};
use crate::table::read_table_if_present;
use cellstone_core::Result;

/// Everything the page is made from.
pub(super) struct PretrainData {
    pub(super) manifest: Manifest,
    pub(super) config: String,
    pub(super) losses: Vec<LossRow>,
    pub(super) slots: Vec<SlotLossRow>,
    pub(super) held_out: Vec<HeldOutRow>,
    pub(super) corpus: Vec<CorpusRow>,
    facts: Vec<FactRow>,
}

impl PretrainData {
    pub(super) fn load(run: &RunDir) -> Result<Self> {
        let dir = run.tables_dir();
        Ok(Self {
            manifest: run.manifest()?,
            config: run.config()?.unwrap_or_default(),
            losses: read_table_if_present(&dir, "losses")?.unwrap_or_default(),
            slots: read_table_if_present(&dir, "losses_by_slot")?.unwrap_or_default(),
            held_out: read_table_if_present(&dir, "held_out_phenotypes")?.unwrap_or_default(),
            corpus: read_table_if_present(&dir, "corpus")?.unwrap_or_default(),
            facts: read_table_if_present(&dir, "run_facts")?.unwrap_or_default(),
        })
    }

    pub(super) fn fact(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|it| it.name == name).map(|it| it.value.as_str())
    }

    /// Seconds of training over all processes.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.manifest.phases.iter().rev().find(|it| it.name == "training in all").map(|it| it.seconds)
    }

    /// Names of the slots in their order.
    pub(super) fn slot_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for it in &self.slots {
            if !names.contains(&it.slot.as_str()) {
                names.push(&it.slot);
            }
        }
        names
    }

    /// The step with the lowest validation loss.
    pub(super) fn best(&self) -> Option<&LossRow> {
        self.losses
            .iter()
            .filter(|it| it.validation_loss.is_some())
            .min_by(|a, b| a.validation_loss.unwrap_or(f64::NAN).total_cmp(&b.validation_loss.unwrap_or(f64::NAN)))
    }
}
