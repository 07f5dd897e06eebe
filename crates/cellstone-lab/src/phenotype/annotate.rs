//! Predicted phenotypes of the cells of a file, as a stream: no split, no baseline, no calibration.

use super::network::{PhenotypeNetwork, condition};
use crate::progress::Progress;
use cellstone_core::{CellInput, CountSource, Encoded, Error, Result, Seed, cell_seed};
use cellstone_metrics::phenotype::{Floor, entropies, smoothing_floor, true_ranks};
use ndarray::{Array2, Axis};
use std::collections::BTreeMap;

/// Cells that are run at once.
const CHUNK: usize = 256;

/// What a network says about the cells of a file.
#[derive(Debug, Clone)]
pub struct Annotation {
    /// The category.
    pub category: String,
    /// Names of its classes: columns of `p`.
    pub classes: Vec<String>,
    /// Ids of the cells that the encoder took.
    pub cells: Vec<String>,
    /// What the file calls each cell, where it has the column; text that the network does not know is there too.
    pub truth: Option<Vec<Option<String>>>,
    /// The class of the same, where the network knows it.
    pub class: Vec<Option<u32>>,
    /// Probabilities of the classes, `[cells, classes]`, de-smoothed, no temperature.
    pub p: Array2<f64>,
    /// Entropy over everything that competes, as the network says it, nats.
    pub h_full: Vec<f64>,
    /// Cells that the encoder rejected, by reason.
    pub rejected: BTreeMap<String, usize>,
    /// Label smoothing, ids it was spread over, and the floor of the entropy that follows.
    pub smoothing: (f64, usize, Floor),
    /// Cells whose classes were all clipped by de-smoothing.
    pub n_fallback: usize,
}

impl Annotation {
    /// Entropy of every cell, nats.
    pub fn entropies(&self) -> Vec<f64> {
        entropies(self.p.view())
    }

    /// Rank of the true class of every cell, ties counted against it; `None` where it is not known.
    ///
    /// # Errors
    /// Never for probabilities of a network.
    pub fn ranks(&self) -> Result<Vec<Option<u32>>> {
        let known: Vec<usize> = (0..self.class.len()).filter(|it| self.class[*it].is_some()).collect();
        let truth: Vec<u32> = known.iter().filter_map(|it| self.class[*it]).collect();
        let found = true_ranks(self.p.select(Axis(0), &known).view(), &truth)?.rank;
        let mut ranks = vec![None; self.class.len()];
        known.into_iter().zip(found).for_each(|(at, rank)| ranks[at] = Some(rank));
        Ok(ranks)
    }

    /// Share of the cells of known class that are called it; `None` if there is none.
    ///
    /// # Errors
    /// As [`Annotation::ranks`].
    pub fn accuracy(&self) -> Result<Option<f64>> {
        let ranks: Vec<u32> = self.ranks()?.into_iter().flatten().collect();
        let hits = ranks.iter().filter(|it| **it == 1).count();
        Ok((!ranks.is_empty()).then(|| hits as f64 / ranks.len() as f64))
    }
}

/// Predicts one category for every cell of a source, block by block. `shown` is `masked`, `visible` or `dropped`.
///
/// Phenotypes are read from the columns of obs that have the names of the categories, or from
/// `NAME_ontology_term_id`.
///
/// # Errors
/// If the category or the condition is unknown, no gene of the file is in the vocabulary, or no cell has a token.
pub fn annotate(
    source: &dyn CountSource,
    network: &PhenotypeNetwork,
    category: &str,
    shown: &str,
    progress: &dyn Progress,
) -> Result<Annotation> {
    let at = network.category(category)?;
    let condition = condition(shown)?;
    let bound = network.bind(source.var(), source.scale())?;
    let vocab = network.vocab()?;
    let candidates = vocab.category_ids(at).to_vec();
    let (e, over) = network.smoothing(at)?;
    let texts = texts(source, network)?;
    let obs = source.obs();
    let classes = vocab.categories()[at].values.iter().map(|it| it.label.clone()).collect();
    let mut out = Annotation {
        category: category.to_owned(),
        classes,
        cells: Vec::new(),
        truth: obs.get(category).map(|_| Vec::new()),
        class: Vec::new(),
        p: Array2::zeros((0, candidates.len())),
        h_full: Vec::new(),
        rejected: BTreeMap::new(),
        smoothing: (e, over, smoothing_floor(e, over)?),
        n_fallback: 0,
    };
    progress.begin("predicting", Some(source.n_obs() as u64), "cells");
    let seed = Seed::new(0).derive("annotate");
    for block in source.blocks(0)? {
        let block = block?;
        let n = block.x.shape().0;
        for from in (0..n).step_by(CHUNK) {
            let to = (from + CHUNK).min(n);
            let mut rows = Vec::with_capacity(to - from);
            for row in from..to {
                let cell = block.start + row;
                let (columns, values) = block.x.row(row);
                let phenotypes: Vec<Option<&str>> =
                    texts.iter().map(|it| it.as_ref().and_then(|it| it[cell].as_deref())).collect();
                let input = CellInput {
                    columns,
                    values,
                    n_counts: values.iter().map(|it| f64::from(*it)).sum(),
                    phenotypes: &phenotypes,
                    seed: cell_seed(seed, "", &obs.index()[cell]),
                };
                match bound.encode(&input) {
                    Encoded::Row(it) => {
                        rows.push(it);
                        out.cells.push(obs.index()[cell].clone());
                        let known = phenotypes[at].and_then(|it| vocab.value_id(at, it));
                        out.class
                            .push(known.and_then(|id| candidates.iter().position(|it| *it == id)).map(|it| it as u32));
                        if let Some(truth) = &mut out.truth {
                            truth.push(obs.get(category).and_then(|it| it.text(cell)));
                        }
                    }
                    Encoded::Rejected { reason, .. } => *out.rejected.entry(reason.to_owned()).or_default() += 1,
                }
            }
            if !rows.is_empty() {
                let said = network.say(&rows, at, condition, &candidates)?;
                out.p.append(Axis(0), said.p.view()).map_err(|error| Error::invalid_input(error.to_string()))?;
                out.h_full.extend(said.h_full);
                out.n_fallback += said.n_fallback;
            }
            progress.advance((to - from) as u64);
        }
    }
    progress.end();
    if out.cells.is_empty() {
        let why: Vec<String> = out.rejected.iter().map(|(reason, n)| format!("{reason}: {n}")).collect();
        return Err(Error::invalid_input(format!("the encoder of the network takes no cell ({})", why.join(", "))));
    }
    Ok(out)
}

/// Texts of every category that the file has, as far as the network knows them.
fn texts(source: &dyn CountSource, network: &PhenotypeNetwork) -> Result<Vec<Option<Vec<Option<String>>>>> {
    let vocab = network.vocab()?;
    let obs = source.obs();
    let of = |(at, name): (usize, String)| {
        let (column, terms) = (obs.get(&name), obs.get(&format!("{name}_ontology_term_id")));
        if column.is_none() && terms.is_none() {
            return None;
        }
        let known = |text: String| vocab.value_id(at, &text).map(|_| text);
        let one = |row: usize| {
            terms
                .and_then(|it| it.text(row))
                .and_then(known)
                .or_else(|| column.and_then(|it| it.text(row)).and_then(known))
        };
        Some((0..obs.n_rows()).map(one).collect())
    };
    Ok(network.categories()?.into_iter().enumerate().map(of).collect())
}
