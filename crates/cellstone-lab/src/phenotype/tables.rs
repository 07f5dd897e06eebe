//! The tables of a study, and rows that are about the study itself.

use super::config::PhenotypeConfig;
use super::unit::{NETWORK, UnitTables};
use cellstone_core::Result;
use cellstone_report::phenotype::schema::{
    CalibrationRow, CamRow, ClassRow, ClassScoreRow, ConformalRow, DifferenceRow, EntropyGroupRow, EntropyRow,
    ExcludedRow, FloorRow, HierarchyRow, InformationRow, ModelRow, PermutationRow, PhenotypeScoreRow, PredictionRow,
    RecoveryRow, RegressionRow, ReliabilityTableRow, TaskRow,
};
use cellstone_report::schema::NoteRow;
use cellstone_report::{Row, write_table};
use std::collections::BTreeSet;
use std::path::Path;

/// Everything that a study writes.
#[derive(Debug, Default)]
pub(crate) struct PhenotypeTables {
    pub(crate) models: Vec<ModelRow>,
    pub(crate) tasks: Vec<TaskRow>,
    pub(crate) classes: Vec<ClassRow>,
    pub(crate) predictions: Vec<PredictionRow>,
    pub(crate) scores: Vec<PhenotypeScoreRow>,
    pub(crate) class_scores: Vec<ClassScoreRow>,
    pub(crate) differences: Vec<DifferenceRow>,
    pub(crate) calibration: Vec<CalibrationRow>,
    pub(crate) reliability: Vec<ReliabilityTableRow>,
    pub(crate) hierarchy: Vec<HierarchyRow>,
    pub(crate) conformal: Vec<ConformalRow>,
    pub(crate) entropy: Vec<EntropyRow>,
    pub(crate) floors: Vec<FloorRow>,
    pub(crate) groups: Vec<EntropyGroupRow>,
    pub(crate) regression: Vec<RegressionRow>,
    pub(crate) permutation: Vec<PermutationRow>,
    pub(crate) information: Vec<InformationRow>,
    pub(crate) excluded: Vec<ExcludedRow>,
    pub(crate) recovery: Vec<RecoveryRow>,
    pub(crate) cam: Vec<CamRow>,
    pub(crate) notes: Vec<NoteRow>,
}

impl PhenotypeTables {
    /// Writes all of them; tables of parts that a study does not have are left out.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        put(dir, &self.models)?;
        put(dir, &self.tasks)?;
        put(dir, &self.classes)?;
        put(dir, &self.predictions)?;
        put(dir, &self.scores)?;
        put(dir, &self.class_scores)?;
        put(dir, &self.differences)?;
        put(dir, &self.calibration)?;
        put(dir, &self.reliability)?;
        put(dir, &self.information)?;
        put(dir, &self.excluded)?;
        put(dir, &self.notes)?;
        // These are there only where a study asked for them or has what they need.
        some(dir, &self.hierarchy)?;
        some(dir, &self.conformal)?;
        some(dir, &self.entropy)?;
        some(dir, &self.floors)?;
        some(dir, &self.groups)?;
        some(dir, &self.regression)?;
        some(dir, &self.permutation)?;
        some(dir, &self.recovery)?;
        some(dir, &self.cam)
    }
}

fn put<R: Row>(dir: &Path, rows: &[R]) -> Result<()> {
    write_table(dir, R::TABLE, rows).map(drop)
}

fn some<R: Row>(dir: &Path, rows: &[R]) -> Result<()> {
    if rows.is_empty() { Ok(()) } else { put(dir, rows) }
}

pub(crate) fn note(level: &str, text: String) -> NoteRow {
    NoteRow { level: level.to_owned(), text }
}

/// Id, name and one line on every baseline.
const NAMES: [(&str, &str, &str); 7] = [
    ("majority", "Majority", "the class frequencies of training cells, whatever the cell"),
    (
        "conditional_frequency",
        "Conditional frequency",
        "class frequencies among training cells with the same other phenotypes; no gene",
    ),
    ("knn", "kNN", "15 nearest training cells by cosine in 50 components of 2,000 variable genes"),
    ("nearest_centroid", "Nearest centroid", "distance to the mean of every class in the same components"),
    (
        "logistic",
        "Logistic regression",
        "multinomial, L2, strength chosen by donor-grouped cross-validation, same components",
    ),
    ("logistic_balanced", "Balanced logistic regression", "the same with classes weighted alike"),
    ("knn_embedding", "kNN of the embedding", "15 nearest training cells by cosine in the [cls] state of the network"),
];

/// The models that have a prediction.
pub(crate) fn model_rows(config: &PhenotypeConfig, units: &[Vec<UnitTables>]) -> Vec<ModelRow> {
    let there: BTreeSet<&str> = units.iter().flatten().flat_map(|it| &it.rows).map(|it| it.model.as_str()).collect();
    let mut rows = Vec::new();
    if let Some(it) = config.model.as_ref().filter(|_| there.contains(NETWORK)) {
        rows.push(ModelRow {
            model: NETWORK.to_owned(),
            name: it.name.clone(),
            role: "model".to_owned(),
            summary: "the network predicts the masked phenotype from genes".to_owned(),
        });
    }
    for (id, name, summary) in NAMES.iter().filter(|it| there.contains(it.0)) {
        rows.push(ModelRow {
            model: (*id).to_owned(),
            name: (*name).to_owned(),
            role: "baseline".to_owned(),
            summary: (*summary).to_owned(),
        });
    }
    rows
}
