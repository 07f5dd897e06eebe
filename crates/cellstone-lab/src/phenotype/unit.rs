//! A unit of work: one category in one fold, predicted by every model. Kept, so that `--resume` does not do it again.

use super::cells::Cells;
use super::config::PhenotypeConfig;
use super::counts::{Features, StudyCounts};
use super::network::{PhenotypeNetwork, Said, Tokens, condition, embeddings, run, without_genes};
use super::split::Part;
use super::task::{Task, TaskFold};
use crate::progress::Progress;
use cellstone_baselines::classify::{ConditionalFrequency, MISSING, classifier};
use cellstone_core::{Error, Result, Seed};
use cellstone_metrics::phenotype::{cam_hit, restrict};
use cellstone_report::phenotype::schema::CamRow;
use cellstone_report::table_row;
use ndarray::{Array2, Axis};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// The least logarithm of a probability that is kept: that of the least double.
const LEAST: f64 = -745.0;
/// Cells of the published run.
const CAM_CELLS: usize = 1_000;

/// Id of the network in tables.
pub(crate) const NETWORK: &str = "polygene";
/// Condition of a network that sees no gene.
pub(crate) const NO_GENES: &str = "no_genes";

table_row! {
    /// What a model says about one cell; part of the state of a run.
    #[derive(Default)]
    pub struct ProbabilityRow in "probabilities" {
        /// Model.
        model: String,
        /// Condition.
        condition: String,
        /// Place of the cell in the file.
        cell: i64,
        /// Whether it is a test cell; a calibration cell otherwise.
        test: bool,
        /// Class, by its place among the candidates.
        truth: i64,
        /// Logarithms of the probabilities of the candidates.
        log_p: Vec<f32>,
        /// Entropy over everything that competes, nats; networks only.
        h_full: Option<f64>,
        /// `−ln Σ exp z`; networks only.
        energy: Option<f64>,
    }
}

table_row! {
    /// A remark of a unit; part of the state of a run.
    #[derive(Default)]
    pub struct RemarkRow in "remarks" {
        /// `info`, `warning`, or `fallback` with a number.
        level: String,
        /// Model or condition it is about.
        about: String,
        /// The text.
        text: String,
    }
}

/// What a unit made.
#[derive(Debug, Default, Clone)]
pub(crate) struct UnitTables {
    pub(crate) rows: Vec<ProbabilityRow>,
    pub(crate) remarks: Vec<RemarkRow>,
    pub(crate) cam: Vec<CamRow>,
}

/// Everything that a unit reads.
pub(crate) struct Unit<'a> {
    pub(crate) config: &'a PhenotypeConfig,
    pub(crate) cells: &'a Cells,
    pub(crate) counts: &'a StudyCounts,
    pub(crate) features: &'a Features,
    pub(crate) network: Option<&'a PhenotypeNetwork>,
    /// Tokens of the training cells where an embedding is asked for, then of calibration and test cells.
    pub(crate) tokens: Option<&'a Tokens>,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: &'a AtomicBool,
}

impl Unit<'_> {
    /// Predicts one category in one fold.
    ///
    /// # Errors
    /// As the models say; if the user asked to stop.
    pub(crate) fn run(&self, task: &Task, fold: usize) -> Result<UnitTables> {
        let mut tables = UnitTables::default();
        let it = &task.folds[fold];
        for baseline in &self.config.evaluation.baselines {
            self.baseline(baseline, task, it, &mut tables)?;
        }
        if self.network.is_some() {
            self.network(task, it, &mut tables)?;
        }
        Ok(tables)
    }

    fn seed(&self, name: &str) -> Seed {
        Seed::new(self.config.seeds[0]).derive("phenotype.model").derive(name)
    }

    fn baseline(&self, id: &str, task: &Task, fold: &TaskFold, tables: &mut UnitTables) -> Result<()> {
        let asked = fold.asked();
        let n_classes = task.classes.len();
        let y: Vec<u32> = fold.train.iter().map(|it| it.1).collect();
        let donors: Vec<u32> = fold.train.iter().map(|it| self.cells.donors.codes[it.0]).collect();
        let fail = |error: Error| error.context(format!("baseline `{id}`, category `{}`", task.name));
        if id == "conditional_frequency" {
            let visible = self.visible(task);
            if visible.is_empty() {
                let text =
                    "no other phenotype is known: the baseline of conditional frequency does not exist".to_owned();
                tables.remarks.push(RemarkRow { level: "info".into(), about: id.into(), text });
                return Ok(());
            }
            let of = |cells: &[usize]| {
                Array2::from_shape_fn((cells.len(), visible.len()), |(row, column)| visible[column][cells[row]])
            };
            let train: Vec<usize> = fold.train.iter().map(|it| it.0).collect();
            let query: Vec<usize> = asked.iter().map(|it| it.0).collect();
            let fitted = ConditionalFrequency.fit(of(&train).view(), &y, n_classes).map_err(fail)?;
            let p = fitted.predict_proba(of(&query).view()).map_err(fail)?;
            push(tables, id, "visible", &asked, &p, None);
            return Ok(());
        }
        let (model, what) = if id == "knn_embedding" {
            ("knn", "genes")
        } else {
            (id, if id == "majority" { "none" } else { "genes" })
        };
        let (train, query) = if id == "knn_embedding" {
            let (Some(network), Some(tokens)) = (self.network, self.tokens) else { return Ok(()) };
            let place: BTreeMap<usize, usize> = tokens.cells.iter().copied().zip(0..).collect();
            let wanted: Option<Vec<usize>> = fold
                .train
                .iter()
                .map(|it| it.0)
                .chain(asked.iter().map(|it| it.0))
                .map(|it| place.get(&it).copied())
                .collect();
            let Some(wanted) = wanted else {
                let text = "some cells have no tokens: neighbours in the embedding are left out".to_owned();
                tables.remarks.push(RemarkRow { level: "warning".into(), about: id.into(), text });
                return Ok(());
            };
            let all = embeddings(network, tokens, &wanted, self.cancel)?;
            let n = fold.train.len();
            let part = |from: usize, to: usize| all.select(Axis(0), &(from..to).collect::<Vec<_>>());
            (part(0, n), part(n, all.nrows()))
        } else {
            (self.coordinates(fold.train.iter().map(|it| it.0)), self.coordinates(asked.iter().map(|it| it.0)))
        };
        let fitted = classifier(model)
            .and_then(|it| it.fit(train.view(), &y, n_classes, Some(&donors), self.seed(id)))
            .map_err(fail)?;
        let p = fitted.predict_proba(query.view()).map_err(fail)?;
        for (key, value) in fitted.notes() {
            let text = format!("{}: {key} {value}", task.name);
            tables.remarks.push(RemarkRow { level: "info".into(), about: id.into(), text });
        }
        push(tables, id, what, &asked, &p, None);
        Ok(())
    }

    /// Coordinates of cells; every cell of a task has a row of counts.
    fn coordinates(&self, cells: impl Iterator<Item = usize>) -> Array2<f64> {
        let places: Vec<usize> = cells.filter_map(|it| self.counts.place(it)).collect();
        self.features.scores.select(Axis(0), &places)
    }

    /// Codes of the other categories, cell by cell.
    fn visible(&self, task: &Task) -> Vec<Vec<u32>> {
        let others = self.cells.labels.iter().enumerate().filter(|it| it.0 != task.at);
        others.map(|(_, it)| it.codes.iter().map(|code| code.unwrap_or(MISSING)).collect()).collect()
    }

    fn network(&self, task: &Task, fold: &TaskFold, tables: &mut UnitTables) -> Result<()> {
        let (Some(network), Some(tokens)) = (self.network, self.tokens) else { return Ok(()) };
        let category = network.category(&task.name)?;
        let vocab = network.vocab()?;
        let labels = &self.cells.labels[task.at];
        let id_of = |code: &u32| {
            let at = *code as usize;
            vocab.value_id(category, &labels.ids[at]).or_else(|| vocab.value_id(category, &labels.names[at]))
        };
        let ids: Vec<Option<u32>> = task.classes.iter().map(id_of).collect();
        let candidates: Vec<u32> = ids.iter().flatten().copied().collect();
        if candidates.is_empty() {
            return Err(Error::invalid_input(format!(
                "LabelNotInVocabulary: none of the {} classes of `{}` is in the vocabulary of the network",
                ids.len(),
                task.name
            )));
        }
        if candidates.len() < ids.len() {
            let text = format!(
                "LabelNotInVocabulary: the network does not know {} of {} classes of `{}`; it gives them no probability",
                ids.len() - candidates.len(),
                ids.len(),
                task.name
            );
            tables.remarks.push(RemarkRow { level: "warning".into(), about: NETWORK.into(), text });
        }
        let asked = fold.asked();
        let (some, kept) = chosen(tokens, &asked);
        if kept.len() < asked.len() {
            let text = format!("{} cells of `{}` have no token", asked.len() - kept.len(), task.name);
            tables.remarks.push(RemarkRow { level: "warning".into(), about: NETWORK.into(), text });
        }
        let mut conditions: Vec<&str> = self.config.evaluation.conditions.iter().map(String::as_str).collect();
        if conditions.contains(&"visible") {
            conditions.push(NO_GENES);
        }
        for name in conditions {
            let bare = (name == NO_GENES).then(|| without_genes(&some, vocab));
            let shown = if bare.is_some() { "visible" } else { name };
            let rows = bare.as_ref().unwrap_or(&some);
            let said = run(network, rows, category, condition(shown)?, &candidates, self.progress, self.cancel)?;
            let p = spread(&said.p, &ids);
            if said.n_fallback > 0 {
                let about = name.to_owned();
                tables.remarks.push(RemarkRow { level: "fallback".into(), about, text: said.n_fallback.to_string() });
            }
            push(tables, NETWORK, name, &kept, &p, Some(&said));
            if name == "visible" && self.config.protocol == "cam" {
                tables.cam.extend(cam(task, labels, vocab, &kept, &said, &ids));
            }
        }
        Ok(())
    }
}

/// The tokens of the asked cells, in their order, and the asked cells that have some.
fn chosen(tokens: &Tokens, asked: &[(usize, u32, Part)]) -> (Tokens, Vec<(usize, u32, Part)>) {
    let place: BTreeMap<usize, usize> = tokens.cells.iter().copied().zip(0..).collect();
    let kept: Vec<(usize, u32, Part)> = asked.iter().filter(|it| place.contains_key(&it.0)).copied().collect();
    let rows = kept.iter().map(|it| tokens.rows[place[&it.0]].clone()).collect();
    let cells = kept.iter().map(|it| it.0).collect();
    (Tokens { rows, cells, rejected: BTreeMap::new() }, kept)
}

/// Probabilities of the known candidates at their places; nothing for the others.
fn spread(p: &Array2<f64>, ids: &[Option<u32>]) -> Array2<f64> {
    let mut all = Array2::zeros((p.nrows(), ids.len()));
    let known = ids.iter().enumerate().filter(|it| it.1.is_some()).map(|it| it.0);
    for (column, place) in known.enumerate() {
        all.column_mut(place).assign(&p.column(column));
    }
    all
}

fn push(
    tables: &mut UnitTables,
    model: &str,
    condition: &str,
    asked: &[(usize, u32, Part)],
    p: &Array2<f64>,
    said: Option<&Said>,
) {
    for (at, (cell, class, part)) in asked.iter().enumerate() {
        tables.rows.push(ProbabilityRow {
            model: model.to_owned(),
            condition: condition.to_owned(),
            cell: *cell as i64,
            test: *part == Part::Test,
            truth: i64::from(*class),
            log_p: p.row(at).iter().map(|it| it.max(0.0).ln().max(LEAST) as f32).collect(),
            h_full: said.map(|it| it.h_full[at]),
            energy: said.map(|it| it.energy[at]),
        });
    }
}

/// Probabilities of rows, restricted to `columns` of the candidates and normalised.
///
/// # Errors
/// If a row has no probability at all.
pub(crate) fn probabilities(rows: &[&ProbabilityRow], columns: &[u32]) -> Result<Array2<f64>> {
    let Some(k) = rows.first().map(|it| it.log_p.len()) else { return Ok(Array2::zeros((0, columns.len()))) };
    let mut p = Array2::zeros((rows.len(), k));
    for (row, mut to) in rows.iter().zip(p.rows_mut()) {
        let best = row.log_p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for (slot, it) in to.iter_mut().zip(&row.log_p) {
            *slot = if f64::from(*it) <= LEAST { 0.0 } else { f64::from(it - best).exp() };
        }
        let total: f64 = to.sum();
        to.mapv_inplace(|it| it / total);
        // Where a model gives the chosen classes nothing, it does not tell them apart.
        if columns.iter().all(|it| to[*it as usize] <= 0.0) {
            columns.iter().for_each(|it| to[*it as usize] = 1.0 / columns.len() as f64);
        }
    }
    restrict(p.view(), columns)
}

/// Published top-k of the first cells: fuzzy hits over the whole vocabulary, exact ones beside.
fn cam(
    task: &Task,
    labels: &super::cells::Labels,
    vocab: &cellstone_rank::PolygeneVocab,
    kept: &[(usize, u32, Part)],
    said: &Said,
    ids: &[Option<u32>],
) -> Vec<CamRow> {
    let test: Vec<usize> = (0..kept.len()).filter(|it| kept[*it].2 == Part::Test).take(CAM_CELLS).collect();
    let published = |k: usize| {
        let of = [
            ("cell_type", [0.903, 0.985]),
            ("tissue", [0.856, 0.960]),
            ("development_stage", [0.948, 0.992]),
            ("disease", [0.954, 1.0]),
        ];
        of.iter().find(|it| it.0 == task.name).map(|it| it.1[usize::from(k == 3)])
    };
    let row = |k: usize| {
        let (mut fuzzy, mut exact) = (0, 0);
        for at in &test {
            let class = kept[*at].1 as usize;
            let label = &labels.names[task.classes[class] as usize];
            let top = &said.top3[*at][..k];
            // Names are qualified by their category here, and bracketed there.
            let names: Vec<&str> = top
                .iter()
                .filter_map(|it| vocab.value_name(*it))
                .map(|it| it.rsplit(':').next().unwrap_or(it))
                .collect();
            fuzzy += usize::from(cam_hit(label, &names));
            exact += usize::from(ids[class].is_some_and(|it| top.contains(&it)));
        }
        let n = test.len().max(1) as f64;
        CamRow {
            category: task.name.clone(),
            k: k as i64,
            score: fuzzy as f64 / n,
            exact: exact as f64 / n,
            n_cells: test.len() as i64,
            published: published(k),
        }
    };
    vec![row(1), row(3)]
}
