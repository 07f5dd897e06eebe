//! Down-sampling: does a cell find itself again, and do types stay apart, when most molecules are gone?

use super::config::{Thinning, Unit};
use super::cross::{Ready, top};
use super::encode::{CellRows, Cut, encode};
use super::genes::middle;
use super::load::CellCounts;
use super::purity::neighbor_means;
use super::study::Study;
use super::thin::{Thin, thin};
use super::unit::similarity;
use cellstone_core::{Error, Result};
use cellstone_neighbors::{PairOptions, Relation, all_pairs};
use cellstone_rank::RowEncoder;
use cellstone_report::rank_study::schema::ThinningRow;

/// Neighbours whose types are compared.
const K: usize = 15;
/// Queries that are compared with all cells at a time: a block of `f32`.
const QUERY_BLOCK: usize = 256;
/// Cells with fewer molecules than this share of the cells keep all they have when depths are made equal.
const EQUAL_DEPTH_QUANTILE: f64 = 0.2;

/// One way of thinning a study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) mode: &'static str,
    pub(crate) how: Thin,
}

/// The identity, the asked shares, and equal depths.
pub(crate) fn steps(config: &Thinning, counts: &CellCounts) -> Vec<Step> {
    let share = |it: f64| Step { mode: "share", how: Thin::Share(it) };
    let mut steps = vec![share(1.0)];
    steps.extend(config.rates.iter().map(|it| share(*it)));
    let depth = cellstone_metrics::stats::quantile(&counts.totals, EQUAL_DEPTH_QUANTILE).unwrap_or(0.0);
    if depth >= 1.0 {
        steps.push(Step { mode: "equal_depth", how: Thin::Depth(depth) });
    }
    steps
}

/// Counts after a step, with the mean share of molecules that are left.
///
/// # Errors
/// As [`thin`].
pub(crate) fn thinned(study: &Study<'_>, step: Step) -> Result<(CellCounts, f64)> {
    let less = thin(&study.counts, step.how, &study.seeds)?;
    let shares: Vec<f64> = less
        .totals
        .iter()
        .zip(&study.counts.totals)
        .filter(|it| *it.1 > 0.0)
        .map(|(after, before)| after / before)
        .collect();
    let rate = match step.how {
        Thin::Share(it) => it,
        Thin::Depth(_) => cellstone_core::sum::mean(&shares).unwrap_or(1.0),
    };
    Ok((less, rate))
}

/// What thinning does to one unit. `full` are the rows of the whole cells, `cut` the thinned counts over the same genes.
///
/// # Errors
/// As the encoder and the engine say.
#[expect(clippy::too_many_arguments, reason = "one call site; the parts are independent")]
pub(crate) fn run_thinning(
    study: &Study<'_>,
    unit: &Unit,
    encoder: &RowEncoder,
    full: &CellRows,
    cut: &Cut,
    step: Step,
    rate: f64,
    n_queries: usize,
) -> Result<Vec<ThinningRow>> {
    let rows = encode(cut, encoder, unit)?;
    let mut out = Rows { study, unit: unit.name(), step, rate, rows: Vec::new() };
    queries(study, unit, full, &rows, n_queries, &mut out);
    all_thinned(study, unit, &rows, &mut out)?;
    Ok(out.rows)
}

struct Rows<'a> {
    study: &'a Study<'a>,
    unit: String,
    step: Step,
    rate: f64,
    rows: Vec<ThinningRow>,
}

impl Rows<'_> {
    fn push(&mut self, statistic: &str, kind: usize, value: Option<f64>, n: usize) {
        self.rows.push(ThinningRow {
            seed: self.study.seed as i64,
            unit: self.unit.clone(),
            mode: self.step.mode.to_owned(),
            rate: self.rate,
            statistic: statistic.to_owned(),
            cell_type: self.study.type_names[kind].clone(),
            value: value.filter(|it| it.is_finite()),
            n: n as i64,
        });
    }

    /// The mean over the cells of every type.
    fn push_means(&mut self, statistic: &str, values: &[(usize, f64)]) {
        for kind in 0..self.study.n_types() {
            let of_kind: Vec<f64> =
                values.iter().filter(|it| self.study.types[it.0] as usize == kind).map(|it| it.1).collect();
            if !of_kind.is_empty() {
                self.push(statistic, kind, cellstone_core::sum::mean(&of_kind), of_kind.len());
            }
        }
    }
}

/// Cells that look for themselves: as many of every type as there is room for, by the hash of the cell.
fn choose_queries(study: &Study<'_>, n: usize) -> Vec<usize> {
    let mut of_type = vec![Vec::new(); study.n_types()];
    study.types.iter().enumerate().for_each(|(cell, kind)| of_type[*kind as usize].push(cell));
    let n_used = of_type.iter().filter(|it| !it.is_empty()).count().max(1);
    let each = n.div_ceil(n_used);
    let mut chosen = Vec::new();
    for mut cells in of_type {
        cells.sort_by_key(|it| study.seeds[*it].derive("query").value());
        chosen.extend(cells.into_iter().take(each));
    }
    chosen.sort_unstable();
    chosen
}

/// Thinned cells against all whole ones.
fn queries(study: &Study<'_>, unit: &Unit, full: &CellRows, thin: &CellRows, n: usize, out: &mut Rows<'_>) {
    let chosen = choose_queries(study, n);
    let all: Vec<usize> = (0..study.types.len()).collect();
    let references = Ready::new(full, &all, unit.metric);
    let (mut own, mut reciprocal, mut first, mut pure) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for cells in chosen.chunks(QUERY_BLOCK) {
        let ready = Ready::new(thin, cells, unit.metric);
        let block = ready.against(&references);
        for (at, cell) in cells.iter().enumerate() {
            let row = block.row(at);
            let mine = row[*cell];
            if mine == f32::NEG_INFINITY {
                // A cell without a molecule left finds nothing.
                reciprocal.push((*cell, 0.0));
                first.push((*cell, 0.0));
                continue;
            }
            own.push((*cell, f64::from(mine)));
            let above = row.iter().filter(|it| **it > mine).count() as f64;
            let equal = row.iter().filter(|it| **it == mine).count() as f64;
            // The cell is one of the equal ones: its place is in their middle.
            reciprocal.push((*cell, 1.0 / (above + (equal + 1.0) / 2.0)));
            first.push((*cell, if above == 0.0 { 1.0 / equal } else { 0.0 }));
            let near = top(&row.to_vec(), K, Some(*cell));
            if !near.is_empty() {
                let hits = near.iter().filter(|it| study.types[**it as usize] == study.types[*cell]).count();
                pure.push((*cell, hits as f64 / near.len() as f64));
            }
        }
    }
    out.push_means("self_similarity", &own);
    out.push_means("mrr", &reciprocal);
    out.push_means("top1", &first);
    out.push_means("purity_full", &pure);
}

/// Thinned cells among themselves.
fn all_thinned(study: &Study<'_>, unit: &Unit, rows: &CellRows, out: &mut Rows<'_>) -> Result<()> {
    let Some(similarity) = similarity(unit.metric) else { return Ok(()) };
    let strata = study.stratum_codes().filter(|_| study.has_other_strata());
    let k = K.min(study.types.len() - 1);
    let options = PairOptions { strata, k, ..PairOptions::new(&study.types, study.n_types()) };
    let summaries = match all_pairs(rows.view(), similarity, &options) {
        Ok(it) => it,
        // So few molecules that no two rows vary: there is nothing to compare.
        Err(error) if n_varying(rows) < 2 => {
            return if error.is_invalid_input() { Ok(()) } else { Err(error) };
        }
        Err(error) => return Err(error),
    };
    let scope = if strata.is_some() { Relation::Other } else { Relation::All };
    for kind in 0..study.n_types() {
        let found = summaries.separation_of(kind as u32, scope).auroc.value();
        if found.is_some() {
            out.push("auroc", kind, found, summaries.pair(kind as u32, kind as u32, scope).n() as usize);
        }
    }
    let lists = summaries.neighbors().ok_or_else(|| Error::invalid_input("no neighbours of thinned cells"))?;
    let means = neighbor_means(&study.known(), &|it| lists.neighbors(it).0, &[K], false);
    for kind in 0..study.n_types() {
        let parts: Vec<(f64, u64)> = means
            .iter()
            .filter(|it| it.statistic == "purity" && it.kind as usize == kind)
            .map(|it| (it.mean * it.n as f64, it.n))
            .collect();
        let n: u64 = parts.iter().map(|it| it.1).sum();
        if n > 0 {
            out.push("purity_thin", kind, Some(parts.iter().map(|it| it.0).sum::<f64>() / n as f64), n as usize);
        }
    }
    Ok(())
}

fn n_varying(rows: &CellRows) -> usize {
    match rows {
        CellRows::Sparse(x) => (0..x.shape().0).filter(|it| !x.row(*it).0.is_empty()).count(),
        CellRows::Dense(x) => x.rows().into_iter().filter(|it| it.iter().any(|v| *v != it[0])).count(),
    }
}

/// The median total of some cells.
pub(crate) fn median_total(totals: &[f64], cells: &[usize]) -> Option<f64> {
    middle(cells.iter().map(|it| totals[*it]).collect())
}
