//! What one model says about the cells of a category, over all folds, before and after its temperature.

use super::cells::Cells;
use super::config::PhenotypeConfig;
use super::task::Task;
use super::unit::{ProbabilityRow, UnitTables, probabilities};
use cellstone_core::Result;
use cellstone_metrics::phenotype::{fit_temperature, log_of, scale_temperature};
use ndarray::{Array2, Axis};
use std::collections::BTreeSet;

/// One model in one condition.
pub(crate) struct Series<'a> {
    pub(crate) model: String,
    pub(crate) condition: String,
    /// Test cells, fold by fold.
    pub(crate) test: Vec<&'a ProbabilityRow>,
    /// Fold of each test cell.
    pub(crate) fold: Vec<usize>,
    /// Class of each test cell.
    pub(crate) truth: Vec<u32>,
    /// Cluster of each test cell.
    pub(crate) cluster: Vec<u32>,
    /// Probabilities as they come, `[cells, classes]`.
    pub(crate) before: Array2<f64>,
    /// After the temperature of the fold.
    pub(crate) after: Array2<f64>,
    pub(crate) folds: Vec<FoldSeries>,
}

/// One fold of a series.
pub(crate) struct FoldSeries {
    /// Temperature; 1 without calibration cells.
    pub(crate) t: f64,
    pub(crate) boundary: bool,
    /// Calibration probabilities after the temperature.
    pub(crate) calibration: Array2<f64>,
    pub(crate) truth: Vec<u32>,
    pub(crate) cluster: Vec<u32>,
}

impl Series<'_> {
    /// Cells that temperatures were fitted on.
    pub(crate) fn n_calibration(&self) -> usize {
        self.folds.iter().map(|it| it.truth.len()).sum()
    }

    /// The temperature, the mean of several folds.
    pub(crate) fn t(&self) -> f64 {
        self.folds.iter().map(|it| it.t).sum::<f64>() / self.folds.len().max(1) as f64
    }

    /// Places of the test cells of a fold.
    pub(crate) fn of_fold(&self, fold: usize) -> Vec<usize> {
        (0..self.fold.len()).filter(|it| self.fold[*it] == fold).collect()
    }
}

/// What intervals of a category are clustered by, and a warning where that is not the donor.
pub(crate) fn cluster_of(config: &PhenotypeConfig, cells: &Cells, task: &Task) -> (&'static str, Option<String>) {
    let donors: BTreeSet<u32> = task.folds.iter().flat_map(|it| &it.test).map(|it| cells.donors.codes[it.0]).collect();
    match config.evaluation.cluster.as_str() {
        "cell" => ("cell", None),
        "auto" if donors.len() < 5 => (
            "cell",
            Some(format!(
                "TooFewDonors: {} in the test of `{}`, an interval over donors needs 5; intervals are over cells and say nothing about other donors",
                donors.len(),
                task.name
            )),
        ),
        _ => ("donor", None),
    }
}

/// All series of a category. `units` has one entry a fold.
///
/// # Errors
/// If probabilities are none.
pub(crate) fn series<'a>(
    cells: &Cells,
    task: &Task,
    units: &'a [UnitTables],
    by_cell: bool,
) -> Result<Vec<Series<'a>>> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for row in units.iter().flat_map(|it| &it.rows) {
        let name = (row.model.as_str(), row.condition.as_str());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let classes: Vec<u32> = (0..task.classes.len() as u32).collect();
    let cluster = |row: &ProbabilityRow| {
        let cell = row.cell as usize;
        if by_cell { cell as u32 } else { cells.donors.codes[cell] }
    };
    let mut all = Vec::new();
    for (model, condition) in names {
        let mut it = Series {
            model: model.to_owned(),
            condition: condition.to_owned(),
            test: Vec::new(),
            fold: Vec::new(),
            truth: Vec::new(),
            cluster: Vec::new(),
            before: Array2::zeros((0, classes.len())),
            after: Array2::zeros((0, classes.len())),
            folds: Vec::new(),
        };
        for (fold, unit) in units.iter().enumerate() {
            let of: Vec<&ProbabilityRow> =
                unit.rows.iter().filter(|row| row.model == model && row.condition == condition).collect();
            let (test, calibration): (Vec<_>, Vec<_>) = of.into_iter().partition(|row| row.test);
            let truth = |rows: &[&ProbabilityRow]| rows.iter().map(|row| row.truth as u32).collect::<Vec<_>>();
            let clusters = |rows: &[&ProbabilityRow]| rows.iter().map(|row| cluster(row)).collect::<Vec<_>>();
            let (p, q) = (probabilities(&test, &classes)?, probabilities(&calibration, &classes)?);
            let fitted = if calibration.is_empty() {
                None
            } else {
                Some(fit_temperature(log_of(q.view()).view(), &truth(&calibration), &clusters(&calibration))?)
            };
            let t = fitted.map_or(1.0, |it| it.t);
            let scaled = |p: &Array2<f64>| {
                if fitted.is_some() { scale_temperature(log_of(p.view()).view(), t) } else { Ok(p.clone()) }
            };
            let joined = |all: &mut Array2<f64>, more: &Array2<f64>| {
                all.append(Axis(0), more.view())
                    .map_err(|error| cellstone_core::Error::invalid_input(error.to_string()))
            };
            if !test.is_empty() {
                joined(&mut it.before, &p)?;
                joined(&mut it.after, &scaled(&p)?)?;
            }
            it.folds.push(FoldSeries {
                t,
                boundary: fitted.is_some_and(|it| it.boundary),
                calibration: scaled(&q)?,
                truth: truth(&calibration),
                cluster: clusters(&calibration),
            });
            it.truth.extend(truth(&test));
            it.cluster.extend(clusters(&test));
            it.fold.extend(std::iter::repeat_n(fold, test.len()));
            it.test.extend(test);
        }
        if !it.test.is_empty() {
            all.push(it);
        }
    }
    Ok(all)
}
