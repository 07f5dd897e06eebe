//! Everything the page reads, loaded once, with names for people.

use super::schema::{
    CalibrationRow, CamRow, ClassRow, ClassScoreRow, ConformalRow, DifferenceRow, EntropyGroupRow, ExcludedRow,
    FloorRow, HierarchyRow, InformationRow, ModelRow, PermutationRow, PhenotypeScoreRow, RecoveryRow, RegressionRow,
    ReliabilityTableRow, TaskRow,
};
use crate::run_dir::{Manifest, RunDir};
use crate::schema::NoteRow;
use crate::table::{Row, read_table_if_present};
use cellstone_core::Result;

/// Id of the network in the tables.
pub(super) const NETWORK: &str = "polygene";

/// The tables, manifest and configuration of a study.
pub(super) struct PhenotypeReport {
    pub(super) manifest: Manifest,
    pub(super) config: Option<String>,
    pub(super) models: Vec<ModelRow>,
    pub(super) tasks: Vec<TaskRow>,
    pub(super) classes: Vec<ClassRow>,
    pub(super) scores: Vec<PhenotypeScoreRow>,
    pub(super) class_scores: Vec<ClassScoreRow>,
    pub(super) differences: Vec<DifferenceRow>,
    pub(super) calibration: Vec<CalibrationRow>,
    pub(super) reliability: Vec<ReliabilityTableRow>,
    pub(super) conformal: Vec<ConformalRow>,
    pub(super) floors: Vec<FloorRow>,
    pub(super) hierarchy: Vec<HierarchyRow>,
    pub(super) groups: Vec<EntropyGroupRow>,
    pub(super) regression: Vec<RegressionRow>,
    pub(super) permutation: Vec<PermutationRow>,
    pub(super) information: Vec<InformationRow>,
    pub(super) excluded: Vec<ExcludedRow>,
    pub(super) recovery: Vec<RecoveryRow>,
    pub(super) cam: Vec<CamRow>,
    pub(super) notes: Vec<NoteRow>,
}

fn load<R: Row>(run: &RunDir) -> Result<Vec<R>> {
    Ok(read_table_if_present(&run.tables_dir(), R::TABLE)?.unwrap_or_default())
}

impl PhenotypeReport {
    /// Loads what is there.
    pub(super) fn load(run: &RunDir) -> Result<Self> {
        Ok(Self {
            manifest: run.manifest()?,
            config: run.config()?,
            models: load(run)?,
            tasks: load(run)?,
            classes: load(run)?,
            scores: load(run)?,
            class_scores: load(run)?,
            differences: load(run)?,
            calibration: load(run)?,
            reliability: load(run)?,
            conformal: load(run)?,
            floors: load(run)?,
            hierarchy: load(run)?,
            groups: load(run)?,
            regression: load(run)?,
            permutation: load(run)?,
            information: load(run)?,
            excluded: load(run)?,
            recovery: load(run)?,
            cam: load(run)?,
            notes: load(run)?,
        })
    }

    /// Categories that were scored, in the order of the study.
    pub(super) fn categories(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for it in self.tasks.iter().filter(|it| it.status == "ok") {
            if !names.contains(&it.category.as_str()) {
                names.push(&it.category);
            }
        }
        names
    }

    /// Name of a model for people.
    pub(super) fn name(&self, model: &str) -> String {
        self.models.iter().find(|it| it.model == model).map_or_else(|| model.to_owned(), |it| it.name.clone())
    }

    /// Name of a model with its condition, where that says something.
    pub(super) fn label(&self, model: &str, condition: &str) -> String {
        match condition {
            "genes" | "none" => self.name(model),
            "visible" if model != NETWORK => self.name(model),
            "no_genes" => format!("{}, no genes", self.name(model)),
            other => format!("{}, {other}", self.name(model)),
        }
    }

    /// The condition of the network that conclusions rest on: the first that has a score.
    pub(super) fn headline(&self) -> Option<&str> {
        self.scores.iter().find(|it| it.model == NETWORK).map(|it| it.condition.as_str())
    }

    /// A score over closed candidates, every cell alike.
    pub(super) fn score(
        &self,
        category: &str,
        model: &str,
        condition: &str,
        metric: &str,
    ) -> Option<&PhenotypeScoreRow> {
        self.scores.iter().find(|it| {
            it.category == category
                && it.model == model
                && it.condition == condition
                && it.metric == metric
                && it.candidates == "closed"
                && it.weighting == "cell"
        })
    }

    /// Models and conditions with a score in a category: the network first, headline before the others, then baselines
    /// as listed.
    pub(super) fn series(&self, category: &str) -> Vec<(&str, &str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for it in self.scores.iter().filter(|it| it.category == category) {
            let key = (it.model.as_str(), it.condition.as_str());
            if !found.contains(&key) {
                found.push(key);
            }
        }
        let place = |model: &str| self.models.iter().position(|it| it.model == model).unwrap_or(usize::MAX);
        let condition = |it: &str| ["masked", "dropped", "visible", "no_genes"].iter().position(|name| *name == it);
        let headline = self.headline().unwrap_or_default().to_owned();
        found.sort_by_key(|it| (place(it.0), it.1 != headline, condition(it.1)));
        found
    }

    /// The series that pictures are about: the network, or else the best baseline that reads genes.
    pub(super) fn chosen(&self, category: &str) -> Option<(&str, &str)> {
        let all = self.series(category);
        if let Some(it) = all.iter().find(|it| it.0 == NETWORK) {
            return Some(*it);
        }
        let value = |it: &(&str, &str)| self.score(category, it.0, it.1, "macro_f1").and_then(|it| it.value);
        all.into_iter()
            .filter(|it| it.1 == "genes")
            .max_by(|a, b| value(a).unwrap_or(0.0).total_cmp(&value(b).unwrap_or(0.0)).then_with(|| b.cmp(a)))
    }

    /// What intervals of a category are over.
    pub(super) fn cluster(&self, category: &str) -> &str {
        self.tasks.iter().find(|it| it.category == category).map_or("donor", |it| it.cluster.as_str())
    }

    /// Name of a class for people.
    pub(super) fn class_name(&self, category: &str, class: &str) -> String {
        let found = self.classes.iter().find(|it| it.category == category && it.class == class);
        found.map_or_else(|| class.to_owned(), |it| it.label.clone())
    }
}

/// A metric for people.
pub(super) fn metric_name(id: &str) -> &str {
    match id {
        "macro_f1" => "Macro-F1",
        "balanced_accuracy" => "Balanced accuracy",
        "top1" => "Top-1",
        "top3" => "Top-3",
        "mrr" => "MRR",
        "auroc_macro" => "AUROC",
        "nll" => "NLL (nats)",
        other => other,
    }
}

/// A category for people.
pub(super) fn category_name(id: &str) -> String {
    id.replace('_', " ")
}
