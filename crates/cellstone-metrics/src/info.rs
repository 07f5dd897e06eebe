//! How the descriptions of the metrics are written down: short builders over [`MetricInfo`].

use cellstone_core::{CeilingRule, Direction, MetricInfo, MetricLevel};
use std::borrow::Cow;

/// What a metric is called and where its definition comes from.
pub(crate) struct Text {
    pub(crate) id: Cow<'static, str>,
    pub(crate) name: Cow<'static, str>,
    pub(crate) formula: Cow<'static, str>,
    pub(crate) source: &'static str,
}

impl Text {
    pub(crate) fn new(
        id: impl Into<Cow<'static, str>>,
        name: impl Into<Cow<'static, str>>,
        formula: impl Into<Cow<'static, str>>,
        source: &'static str,
    ) -> Self {
        Self { id: id.into(), name: name.into(), formula: formula.into(), source }
    }

    /// An error: lower is better, 0 is perfect, no upper bound.
    pub(crate) fn error(self, unit: &'static str, ceiling: CeilingRule) -> MetricInfo {
        self.info(unit, Direction::LowerIsBetter, 0.0, (0.0, f64::INFINITY), ceiling)
    }

    /// An agreement: higher is better, 1 is perfect.
    pub(crate) fn agreement(self, lowest: f64, ceiling: CeilingRule) -> MetricInfo {
        self.info("", Direction::HigherIsBetter, 1.0, (lowest, 1.0), ceiling)
    }

    /// Anything else with one value per perturbation.
    pub(crate) fn info(
        self,
        unit: &'static str,
        direction: Direction,
        best: f64,
        range: (f64, f64),
        ceiling: CeilingRule,
    ) -> MetricInfo {
        MetricInfo {
            id: self.id,
            name: self.name,
            unit: Cow::Borrowed(unit),
            direction,
            best,
            range,
            level: MetricLevel::Perturbation,
            ceiling,
            formula: self.formula,
            source: Cow::Borrowed(self.source),
        }
    }
}

/// Where the definitions come from.
pub(crate) mod source {
    pub(crate) const AE: &str = "doi:10.1038/s41592-025-02772-6";
    pub(crate) const CELL_EVAL: &str = "ArcInstitute/cell-eval 0.8.2 src/cell_eval/metrics/_anndata.py";
    pub(crate) const CELL_EVAL2: &str = "ArcInstitute/cell-eval2 0.20.0 src/cell_eval2/metrics/delta.py";
    pub(crate) const CELL_EVAL2_PDS: &str = "ArcInstitute/cell-eval2 0.20.0 src/cell_eval2/metrics/discrimination.py";
    pub(crate) const PERTURBENCH: &str = "altoslabs/perturbench src/perturbench/analysis/benchmarks/metrics.py";
    pub(crate) const PEREGGRN: &str = "ekernf01/pereggrn pereggrn/evaluator.py";
    pub(crate) const SYSTEMA: &str = "mlbio-epfl/systema evaluation/pearson_delta_reference_metrics.py";
    pub(crate) const SYSTEMA_CENTROID: &str = "mlbio-epfl/systema evaluation/centroid_accuracy.py";
    pub(crate) const CELLSIMBENCH: &str = "doi:10.1101/2025.10.20.683304";
    pub(crate) const GEARS: &str = "snap-stanford/GEARS gears/inference.py";
    pub(crate) const PRESAGE: &str = "Genentech PRESAGE src/evaluator.py";
    pub(crate) const TXPERT: &str = "valence-labs/TxPert gspp/metrics.py";
    pub(crate) const OURS: &str = "cellstone protocol M25";
}
