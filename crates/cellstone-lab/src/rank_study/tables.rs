//! The tables of a study, and what is said about its data.

use super::cells::Cells;
use super::config::{Stratum, StudyConfig, Unit};
use super::relations::Relations;
use super::sample::Sampled;
use super::study::Study;
use super::summary::Draws;
use super::thinning::median_total;
use super::unit::UnitTables;
use cellstone_core::Result;
use cellstone_metrics::stats::bootstrap_ci;
use cellstone_report::rank_study::schema::{
    AgreementRow, DistributionRow, GradedRow, HypothesisRow, NeighborRow, PairRow, RelationRow, SeedRow, StratumRow,
    SummaryRow, ThinningRow, ThinningSummaryRow, TransferRow, TypeRow, UnitRow, UnitRunRow, WhyRow,
};
use cellstone_report::schema::NoteRow;
use cellstone_report::write_table;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Donors of a type, and types with so many, that the primary claim needs.
const PRIMARY: (usize, usize) = (3, 20);

/// Everything that a study writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct StudyTables {
    pub(crate) units: Vec<UnitRow>,
    pub(crate) runs: Vec<UnitRunRow>,
    pub(crate) types: Vec<TypeRow>,
    pub(crate) pairs: Vec<PairRow>,
    pub(crate) strata: Vec<StratumRow>,
    pub(crate) neighbors: Vec<NeighborRow>,
    pub(crate) relations: Vec<RelationRow>,
    pub(crate) distributions: Vec<DistributionRow>,
    pub(crate) seeds: Vec<SeedRow>,
    pub(crate) summary: Vec<SummaryRow>,
    pub(crate) hypotheses: Vec<HypothesisRow>,
    pub(crate) thinning: Vec<ThinningRow>,
    pub(crate) thinning_summary: Vec<ThinningSummaryRow>,
    pub(crate) transfer: Vec<TransferRow>,
    pub(crate) agreement: Vec<AgreementRow>,
    pub(crate) graded: Vec<GradedRow>,
    pub(crate) why: Vec<WhyRow>,
    pub(crate) notes: Vec<NoteRow>,
}

impl StudyTables {
    /// Takes in what is kept of a unit; pictures are those of the first seed.
    pub(crate) fn add(&mut self, it: UnitTables, first: bool) {
        self.runs.extend(it.runs);
        self.pairs.extend(it.pairs);
        self.strata.extend(it.strata);
        self.neighbors.extend(it.neighbors);
        self.relations.extend(it.relations);
        self.seeds.extend(it.seeds);
        if first {
            self.distributions.extend(it.distributions);
        }
    }

    /// Writes all tables.
    ///
    /// # Errors
    /// If one cannot be written.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        write_table(dir, "units", &self.units)?;
        write_table(dir, "unit_runs", &self.runs)?;
        write_table(dir, "types", &self.types)?;
        write_table(dir, "pairs_summary", &self.pairs)?;
        write_table(dir, "strata_auroc", &self.strata)?;
        write_table(dir, "neighbors", &self.neighbors)?;
        write_table(dir, "relation_calls", &self.relations)?;
        write_table(dir, "distributions", &self.distributions)?;
        write_table(dir, "seeds", &self.seeds)?;
        write_table(dir, "study_summary", &self.summary)?;
        write_table(dir, "hypotheses", &self.hypotheses)?;
        write_table(dir, "thinning", &self.thinning)?;
        write_table(dir, "thinning_summary", &self.thinning_summary)?;
        write_table(dir, "transfer", &self.transfer)?;
        write_table(dir, "agreement", &self.agreement)?;
        write_table(dir, "graded", &self.graded)?;
        write_table(dir, "why", &self.why)?;
        write_table(dir, "notes", &self.notes)?;
        Ok(())
    }
}

/// A remark for the reader.
pub(crate) fn note(level: &str, text: impl Into<String>) -> NoteRow {
    NoteRow { level: level.to_owned(), text: text.into() }
}

/// What a reader should know about the data before any number.
pub(crate) fn study_notes(
    config: &StudyConfig,
    cells: &Cells,
    relations: &Relations,
    samples: &[(u64, Sampled)],
) -> Vec<NoteRow> {
    let mut notes: Vec<NoteRow> =
        cells.notes.iter().chain(&relations.notes).map(|(level, text)| note(level, text.clone())).collect();
    let Some((_, first)) = samples.first() else { return notes };
    let named = |list: &[(u32, usize)]| {
        list.iter()
            .map(|(kind, n)| format!("{} ({n})", cells.type_names[*kind as usize]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !first.too_few.is_empty() {
        let least = config.subsample.min_per_type;
        notes
            .push(note("warning", format!("types with fewer than {least} cells, left out: {}", named(&first.too_few))));
    }
    if !first.short.is_empty() {
        let asked = config.subsample.n_per_type;
        notes.push(note("info", format!("types with fewer than {asked} cells: {}", named(&first.short))));
    }
    if !relations.known {
        notes
            .push(note("info", "no ontology: pairs of two types count as different, and there are no graded purities"));
    }
    notes.push(primary_note(config, cells, first));
    if !config.skipped.is_empty() {
        let text =
            format!("{} combinations of the grid were left out: {}", config.skipped.len(), config.skipped.join("; "));
        notes.push(note("info", text));
    }
    notes
}

/// Whether the data can carry a claim about encodings at all.
fn primary_note(config: &StudyConfig, cells: &Cells, sample: &Sampled) -> NoteRow {
    let Some(strata) = cells.strata(config) else {
        return note(
            "warning",
            "neither donors nor batches: pairs of one donor are alike for technical reasons, so nothing here is a claim about cell types in general",
        );
    };
    let mut of_type = BTreeMap::<u32, BTreeSet<u32>>::new();
    for row in &sample.rows {
        if let Some(kind) = cells.types[*row] {
            of_type.entry(kind).or_default().insert(strata.codes[*row]);
        }
    }
    let enough = of_type.values().filter(|it| it.len() >= PRIMARY.0).count();
    let what = if config.data.stratum == Some(Stratum::Donor) { "donors" } else { "batches" };
    if enough >= PRIMARY.1 {
        return note("info", format!("{enough} types have cells of {} {what} or more", PRIMARY.0));
    }
    note(
        "warning",
        format!(
            "{enough} types have cells of {} {what} or more, and a claim about encodings in general needs {} such types: results here are about these data",
            PRIMARY.0, PRIMARY.1
        ),
    )
}

/// The types of the data, those left out among them.
pub(crate) fn type_rows(cells: &Cells, study: &Study<'_>, sample: &Sampled, relations: &Relations) -> Vec<TypeRow> {
    let n_genes = study.counts.x.shape().1 as f64;
    let row = |kind: usize| {
        let used: Vec<usize> = (0..study.types.len()).filter(|it| study.types[*it] as usize == kind).collect();
        let strata: BTreeSet<u32> =
            study.stratum_codes().map(|codes| used.iter().map(|it| codes[*it]).collect()).unwrap_or_default();
        let detected: Vec<f64> = used.iter().map(|it| study.counts.x.row(*it).0.len() as f64 / n_genes).collect();
        let nearest = relations.nearest(kind as u32).filter(|_| relations.known);
        let few = |list: &[(u32, usize)]| list.iter().find(|it| it.0 as usize == kind).map(|it| it.1);
        let remark = match (few(&sample.too_few), few(&sample.short)) {
            (Some(n), _) => Some(format!("left out: {n} cells")),
            (None, Some(n)) => Some(format!("{n} cells, fewer than asked for")),
            (None, None) => None,
        };
        TypeRow {
            cell_type: study.type_names[kind].clone(),
            term: cells.terms[kind].clone(),
            n_available: cells.types.iter().filter(|it| **it == Some(kind as u32)).count() as i64,
            n_used: used.len() as i64,
            n_strata: strata.len() as i64,
            median_total: median_total(&study.counts.totals, &used),
            detected: cellstone_core::sum::mean(&detected),
            nearest: nearest.map(|it| study.type_names[it.0 as usize].clone()),
            nearest_distance: nearest.map(|it| i64::from(it.1)),
            remark,
        }
    };
    (0..study.n_types()).map(row).collect()
}

/// A unit with the ids of the protocol.
pub(crate) fn unit_row(unit: &Unit) -> UnitRow {
    UnitRow {
        unit: unit.name(),
        genes: unit.genes.to_string(),
        encoder: unit.encoder.to_string(),
        encoder_code: unit.encoder.code(),
        projection: unit.projection.to_string(),
        metric: unit.metric.to_string(),
        metric_code: unit.metric.code().to_owned(),
        all_pairs: unit.metric.takes_all_pairs(),
    }
}

/// Means over types of what thinning does, with intervals, and the change of the AUROC when molecules are halved.
pub(crate) fn thinning_summary(rows: &[ThinningRow], draws: Draws) -> Vec<ThinningSummaryRow> {
    // By unit, mode, statistic and place of the rate: values by type over seeds, and the rates of the seeds.
    let mut groups = BTreeMap::<(&str, &str, &str, u64), (BTreeMap<&str, Vec<f64>>, Vec<f64>)>::new();
    for row in rows {
        let Some(value) = row.value else { continue };
        // Rates of equal depth differ by seed; asked shares are the same to the bit, and order like their bits.
        let place = if row.mode == "share" { row.rate.to_bits() } else { 0 };
        let slot = groups.entry((&row.unit, &row.mode, &row.statistic, place)).or_default();
        slot.0.entry(&row.cell_type).or_default().push(value);
        slot.1.push(row.rate);
    }
    let mean = |values: &[f64]| cellstone_core::sum::mean(values);
    let mut out = Vec::new();
    let mut curves = BTreeMap::<&str, BTreeMap<&str, Vec<(f64, f64)>>>::new();
    for ((unit, mode, statistic, _), (by_type, rates)) in &groups {
        let types: Vec<f64> = by_type.values().filter_map(|it| mean(it)).collect();
        let rate = mean(rates).unwrap_or(1.0);
        out.push(summary_row(unit, mode, rate, statistic, &types, draws));
        if (*mode, *statistic) == ("share", "auroc") {
            for (kind, values) in by_type {
                let points = curves.entry(unit).or_default().entry(kind).or_default();
                points.extend(mean(values).map(|it| (rate.log2(), it)));
            }
        }
    }
    for (unit, of_type) in curves {
        // The regression on log2 of the rate rises by the slope when the rate doubles.
        let slopes: Vec<f64> = of_type.values().filter_map(|it| slope(it)).map(|it| -it).collect();
        out.push(summary_row(unit, "share", 0.5, "slope_auroc", &slopes, draws));
    }
    out
}

fn summary_row(unit: &str, mode: &str, rate: f64, statistic: &str, types: &[f64], draws: Draws) -> ThinningSummaryRow {
    let interval = (types.len() > 1).then(|| bootstrap_ci(types, draws.n, draws.seed)).flatten();
    ThinningSummaryRow {
        unit: unit.to_owned(),
        mode: mode.to_owned(),
        rate,
        statistic: statistic.to_owned(),
        value: cellstone_core::sum::mean(types),
        ci_lo: interval.map(|it| it.0),
        ci_hi: interval.map(|it| it.1),
        n: types.len() as i64,
    }
}

/// The slope of the least-squares line; `None` with fewer than two places on the x axis.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0 / n, sum.1 + it.1 / n));
    let spread: f64 = points.iter().map(|it| (it.0 - x).powi(2)).sum();
    (spread > 0.0).then(|| points.iter().map(|it| (it.0 - x) * (it.1 - y)).sum::<f64>() / spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Seed;

    #[test]
    fn slopes_are_per_halving() {
        let row = |rate: f64, kind: &str, value: f64| ThinningRow {
            unit: "u".into(),
            mode: "share".into(),
            rate,
            statistic: "auroc".into(),
            cell_type: kind.into(),
            value: Some(value),
            ..ThinningRow::default()
        };
        let rows = [
            row(1.0, "A", 0.9),
            row(0.5, "A", 0.8),
            row(0.25, "A", 0.7),
            row(1.0, "B", 0.9),
            row(0.5, "B", 0.9),
            row(0.25, "B", 0.9),
        ];
        let found = thinning_summary(&rows, Draws { n: 200, seed: Seed::new(1) });
        let of = |statistic: &str, rate: f64| {
            found.iter().find(|it| it.statistic == statistic && it.rate == rate).and_then(|it| it.value)
        };
        assert!((of("slope_auroc", 0.5).expect("there") + 0.05).abs() < 1e-12);
        assert!((of("auroc", 0.25).expect("there") - 0.8).abs() < 1e-12);
        assert_eq!(found.len(), 4);
    }
}
