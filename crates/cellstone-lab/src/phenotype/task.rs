//! One category: its classes, and the cells of every part that can be scored.

use super::cells::{Cells, Labels, excluded_row};
use super::config::PhenotypeConfig;
use super::counts::StudyCounts;
use super::split::{Fold, Part};
use cellstone_core::{Seed, cell_seed};
use cellstone_report::phenotype::schema::{ClassRow, ExcludedRow, TaskRow};
use std::collections::{BTreeMap, BTreeSet};

/// A category over all folds.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// Place in the study.
    pub(crate) at: usize,
    pub(crate) name: String,
    /// Label codes of the classes that every fold has seen in training: the closed candidates.
    pub(crate) classes: Vec<u32>,
    pub(crate) folds: Vec<TaskFold>,
    /// Why the category cannot be scored.
    pub(crate) skipped: Option<String>,
}

/// The cells of a category in one fold; the class of each is its place among [`Task::classes`].
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskFold {
    pub(crate) train: Vec<(usize, u32)>,
    pub(crate) calibration: Vec<(usize, u32)>,
    pub(crate) test: Vec<(usize, u32)>,
    /// Test cells of classes that training has not seen.
    pub(crate) n_unseen: usize,
}

impl TaskFold {
    /// The cells that predictions are made for: calibration, then test.
    pub(crate) fn asked(&self) -> Vec<(usize, u32, Part)> {
        let of = |cells: &[(usize, u32)], part: Part| cells.iter().map(|it| (it.0, it.1, part)).collect::<Vec<_>>();
        let mut all = of(&self.calibration, Part::Calibration);
        all.extend(of(&self.test, Part::Test));
        all
    }
}

/// The categories of a study.
pub(crate) fn tasks(
    config: &PhenotypeConfig,
    cells: &Cells,
    counts: &StudyCounts,
    folds: &[Fold],
    excluded: &mut Vec<ExcludedRow>,
) -> Vec<Task> {
    (0..config.category.len()).map(|at| task(config, cells, counts, folds, at, excluded)).collect()
}

fn task(
    config: &PhenotypeConfig,
    cells: &Cells,
    counts: &StudyCounts,
    folds: &[Fold],
    at: usize,
    excluded: &mut Vec<ExcludedRow>,
) -> Task {
    let (name, labels) = (config.category[at].name.clone(), &cells.labels[at]);
    let seen = |fold: &Fold| -> BTreeSet<u32> {
        let train = fold.cells(Part::Train).into_iter().filter(|it| counts.place(*it).is_some());
        train.filter_map(|it| labels.codes[it]).collect()
    };
    let mut classes: Option<BTreeSet<u32>> = None;
    for fold in folds {
        let own = seen(fold);
        classes = Some(match classes {
            Some(it) => it.intersection(&own).copied().collect(),
            None => own,
        });
    }
    let classes: Vec<u32> = classes.unwrap_or_default().into_iter().collect();
    let seed = Seed::new(config.seeds[0]).derive("phenotype.sample");
    let mut n_cut = 0;
    let made: Vec<TaskFold> =
        folds.iter().map(|fold| task_fold(config, cells, counts, fold, labels, &classes, seed, &mut n_cut)).collect();
    if n_cut > 0 {
        excluded.push(excluded_row(&name, "beyond per_class_and_donor", n_cut));
    }
    let unseen: usize = made.iter().map(|it| it.n_unseen).sum();
    if unseen > 0 {
        excluded.push(excluded_row(&name, "class never seen in training", unseen));
    }
    let tested: BTreeSet<u32> = made.iter().flat_map(|it| it.test.iter().map(|it| it.1)).collect();
    let skipped = match (classes.len(), tested.len()) {
        (k, _) if k < 2 => Some(format!("TooFewClasses: {k} seen in training, expected 2")),
        (_, k) if k < 2 => Some(format!("TooFewClasses: {k} in the test, expected 2")),
        _ => None,
    };
    Task { at, name, classes, folds: made, skipped }
}

#[expect(clippy::too_many_arguments, reason = "one call, all parts of one selection")]
fn task_fold(
    config: &PhenotypeConfig,
    cells: &Cells,
    counts: &StudyCounts,
    fold: &Fold,
    labels: &Labels,
    classes: &[u32],
    seed: Seed,
    n_cut: &mut usize,
) -> TaskFold {
    let mut it = TaskFold::default();
    let mut groups: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
    for cell in &counts.rows {
        let (Some(part), Some(code)) = (fold.parts[*cell], labels.codes[*cell]) else { continue };
        let Ok(class) = classes.binary_search(&code) else {
            it.n_unseen += usize::from(part == Part::Test);
            continue;
        };
        match part {
            Part::Train => it.train.push((*cell, class as u32)),
            Part::Calibration => it.calibration.push((*cell, class as u32)),
            Part::Test => groups.entry((class as u32, cells.donors.codes[*cell])).or_default().push(*cell),
        }
    }
    let most = config.evaluation.per_class_and_donor;
    for ((class, _), mut members) in groups {
        if members.len() > most {
            members.sort_by_cached_key(|it| cell_seed(seed, "cell", &cells.ids[*it]).value());
            *n_cut += members.len() - most;
            members.truncate(most);
        }
        it.test.extend(members.into_iter().map(|cell| (cell, class)));
    }
    it.test.sort_unstable();
    it
}

impl Task {
    /// Rows about the folds.
    pub(crate) fn rows(&self, config: &PhenotypeConfig, folds: &[Fold], cluster: &str) -> Vec<TaskRow> {
        let n_groups = |cells: &[(usize, u32)], fold: &Fold| {
            cells.iter().map(|it| fold.groups.codes[it.0]).collect::<BTreeSet<_>>().len() as i64
        };
        self.folds
            .iter()
            .zip(folds)
            .enumerate()
            .map(|(at, (it, fold))| TaskRow {
                category: self.name.clone(),
                split: config.split.by.clone(),
                fold: at as i64,
                seed: config.seeds[0] as i64,
                n_train: it.train.len() as i64,
                n_calibration: it.calibration.len() as i64,
                n_test: it.test.len() as i64,
                train_groups: n_groups(&it.train, fold),
                calibration_groups: n_groups(&it.calibration, fold),
                test_groups: n_groups(&it.test, fold),
                n_classes: self.classes.len() as i64,
                n_test_classes: it.test.iter().map(|it| it.1).collect::<BTreeSet<_>>().len() as i64,
                unseen_share: it.n_unseen as f64 / (it.n_unseen + it.test.len()).max(1) as f64,
                cluster: cluster.to_owned(),
                status: if self.skipped.is_some() { "skipped" } else { "ok" }.to_owned(),
                reason: self.skipped.clone(),
            })
            .collect()
    }

    /// Rows about the classes.
    pub(crate) fn class_rows(&self, cells: &Cells) -> Vec<ClassRow> {
        let labels = &cells.labels[self.at];
        let mut rows = Vec::new();
        for (fold, it) in self.folds.iter().enumerate() {
            for (class, code) in self.classes.iter().enumerate() {
                let n = |cells: &[(usize, u32)]| cells.iter().filter(|it| it.1 as usize == class).count() as i64;
                let all = it.train.iter().chain(&it.calibration).chain(&it.test);
                let groups: BTreeSet<u32> =
                    all.filter(|it| it.1 as usize == class).map(|it| cells.donors.codes[it.0]).collect();
                rows.push(ClassRow {
                    category: self.name.clone(),
                    class: labels.ids[*code as usize].clone(),
                    label: labels.names[*code as usize].clone(),
                    fold: fold as i64,
                    n_train: n(&it.train),
                    n_calibration: n(&it.calibration),
                    n_test: n(&it.test),
                    n_groups: groups.len() as i64,
                });
            }
        }
        rows
    }
}
