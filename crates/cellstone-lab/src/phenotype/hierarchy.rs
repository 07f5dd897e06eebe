//! Scores that know the ontology: how far a wrong answer is from the right one.

use super::cells::Cells;
use super::config::Category;
use super::scores::number;
use super::series::Series;
use super::task::Task;
use cellstone_core::Result;
use cellstone_io::read_obo;
use cellstone_metrics::phenotype::{
    Closure, Hierarchy, cut_back, cut_back_scores, decisions, frequent_terms, information_content,
};
use cellstone_neighbors::Ontology;
use cellstone_report::phenotype::schema::HierarchyRow;
use std::collections::BTreeSet;

/// A term that so many of the training cells are a kind of says nothing.
const FREQUENT: f64 = 0.9;
/// Probability that a term needs to be called.
const TAU: f64 = 0.8;

/// The ontology of a category, with the term of every class.
pub(crate) struct Tree {
    closure: Closure,
    excluded: BTreeSet<u32>,
    /// Term of every class.
    terms: Vec<u32>,
    /// Information content of every term in training.
    content: Vec<Option<f64>>,
}

impl Tree {
    /// Reads the ontology of a category; `None` where the study names none.
    ///
    /// # Errors
    /// As the reader says; `UnknownTerm` where a class has no term in use, or a root is none.
    pub(crate) fn read(category: &Category, cells: &Cells, task: &Task) -> Result<Option<Self>> {
        let Some(path) = &category.obo else { return Ok(None) };
        let obo = read_obo(path)?;
        let used = obo.terms().iter().filter(|it| !it.is_obsolete);
        let ontology = Ontology::new(used.map(|it| (it.id.clone(), it.parents())))?;
        let above = |term: usize| ontology.ancestors(term).into_iter().map(|(at, steps)| (at as u32, steps)).collect();
        let closure = Closure::new((0..ontology.len()).map(above).collect())?;
        let labels = &cells.labels[task.at];
        let mut terms = Vec::with_capacity(task.classes.len());
        for code in &task.classes {
            let id = &labels.ids[*code as usize];
            let found =
                obo.resolve(id).map_err(|error| error.context(format!("UnknownTerm `{id}` of `{}`", task.name)))?;
            terms.push(ontology.index(&found.id)? as u32);
        }
        let train: Vec<u32> = task.folds.iter().flat_map(|it| &it.train).map(|it| terms[it.1 as usize]).collect();
        let mut excluded = frequent_terms(&closure, &train, FREQUENT);
        let roots: Vec<&str> = category.roots.iter().map(String::as_str).collect();
        excluded.extend(ontology.upper(&roots)?.into_iter().map(|it| it as u32));
        let content = information_content(&closure, &train);
        Ok(Some(Self { closure, excluded, terms, content }))
    }

    /// Scores of one series.
    ///
    /// # Errors
    /// As the metrics say.
    pub(crate) fn row(&self, task: &Task, series: &Series<'_>) -> Result<HierarchyRow> {
        let hierarchy = Hierarchy::new(&self.closure, &self.terms, &self.excluded)?;
        let decided = decisions(series.after.view(), &series.truth)?;
        let found = hierarchy.score(&series.truth, &decided, &self.content)?;
        let cut = cut_back_scores(&hierarchy, &cut_back(&hierarchy, series.after.view(), TAU)?, &series.truth)?;
        Ok(HierarchyRow {
            model: series.model.clone(),
            category: task.name.clone(),
            condition: series.condition.clone(),
            precision: number(found.precision).0,
            recall: number(found.recall).0,
            f: number(found.f).0,
            macro_f: number(found.macro_f).0,
            distance: number(found.distance).0,
            exact: found.relations.exact,
            under_specific: found.relations.under_specific,
            over_specific: found.relations.over_specific,
            sibling: found.relations.sibling,
            other: found.relations.other,
            lin: number(found.lin).0,
            cut_coverage: cut.coverage,
            cut_accuracy: number(cut.accuracy).0,
            cut_exact: number(cut.exact).0,
        })
    }
}
