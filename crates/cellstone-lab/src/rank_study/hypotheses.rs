//! The hypotheses of the study, stated before it runs, each a paired comparison over types and over strata.

use super::book::Book;
use super::config::{EncoderName, PairMetric, Projection, StudyConfig, Unit};
use super::summary::Draws;
use cellstone_metrics::stats::{PairedParams, holm, paired};
use cellstone_report::rank_study::schema::{HypothesisRow, ThinningRow};
use std::collections::BTreeMap;

/// Sign flips of a test.
const FLIPS: usize = 100_000;
/// Level of adjusted p values.
const ALPHA: f64 = 0.05;
/// Neighbours of the comparisons on neighbours.
const K: i64 = 15;

/// What each hypothesis claims, and the sign of the difference if it is right.
const CLAIMS: [(&str, &str, f64); 5] = [
    (
        "H1",
        "rank loses likeness inside types: the AUROC of Spearman on all genes is below that of the cosine of log-normalised values at equal projection",
        -1.0,
    ),
    (
        "H2",
        "zeros cause the loss: without them (genes detected in both cells, or equal depth) at least half of it is gone",
        1.0,
    ),
    ("H3", "rank is more robust against batches: fewer neighbours of the own batch than its share", -1.0),
    ("H4", "scaling by gene medians raises the purity of neighbours over plain ranks", 1.0),
    ("H5", "the first 100 genes lose purity against the first 2,048", -1.0),
];

/// All comparisons that the grid allows; p values are adjusted inside each hypothesis.
pub(crate) fn hypotheses(
    config: &StudyConfig,
    book: &Book,
    thinning: &[ThinningRow],
    draws: Draws,
) -> Vec<HypothesisRow> {
    let test = Test { config, book, draws, scope: scope(config, book) };
    let mut rows = Vec::new();
    for (id, claim, sign) in CLAIMS {
        let mut found = match id {
            "H1" => test.separation(),
            "H2" => test.zeros(thinning),
            "H3" => test.batches(),
            "H4" => test.medians(),
            _ => test.lengths(),
        };
        if found.is_empty() {
            let reason = Some("the grid has no two units to compare".to_owned());
            found.push(HypothesisRow { verdict: "undefined".to_owned(), reason, ..HypothesisRow::default() });
        }
        adjust(&mut found, sign);
        rows.extend(found.into_iter().map(|it| HypothesisRow {
            hypothesis: id.to_owned(),
            claim: claim.to_owned(),
            ..it
        }));
    }
    rows
}

/// Pairs of other strata where the data have them.
pub(crate) fn scope(config: &StudyConfig, book: &Book) -> &'static str {
    let other = config.unit.iter().any(|it| book.figures.contains_key(&(it.name(), "other".to_owned())));
    if other { "other" } else { "all" }
}

/// Units of log-normalised values, each with the one that ranks the same genes under the same projection.
pub(crate) fn value_and_rank(config: &StudyConfig, book: &Book, draws: Draws) -> Vec<(Unit, Unit)> {
    let test = Test { config, book, draws, scope: scope(config, book) };
    test.log_units().into_iter().filter_map(|log| Some((log, test.rank_unit(&log)?))).collect()
}

/// Holm inside a hypothesis, then the verdicts: a direction is called only where the interval leaves out zero.
fn adjust(rows: &mut [HypothesisRow], sign: f64) {
    let tested: Vec<usize> = (0..rows.len()).filter(|it| rows[*it].p.is_some()).collect();
    let adjusted = holm(&tested.iter().filter_map(|it| rows[*it].p).collect::<Vec<f64>>());
    for (at, p) in tested.into_iter().zip(adjusted) {
        rows[at].p_holm = Some(p);
    }
    for row in rows.iter_mut().filter(|it| it.verdict.is_empty()) {
        let verdict = match (row.ci_lo, row.ci_hi, row.p_holm) {
            (Some(lo), Some(hi), Some(p)) if p < ALPHA && (lo > 0.0 || hi < 0.0) => {
                if (lo > 0.0) == (sign > 0.0) {
                    "holds"
                } else {
                    "contradicted"
                }
            }
            (Some(_), Some(_), Some(_)) => "open",
            _ => "undefined",
        };
        verdict.clone_into(&mut row.verdict);
        // 2ⁿ sign patterns: the least two-sided p is 2/2ⁿ.
        let least = 2.0_f64.powi(1 - row.n.min(60) as i32);
        if row.verdict == "open" && least >= ALPHA {
            row.reason = Some(format!("with {} values p cannot be below {least:.2}", row.n));
        }
    }
}

struct Test<'a> {
    config: &'a StudyConfig,
    book: &'a Book,
    draws: Draws,
    scope: &'static str,
}

impl Test<'_> {
    fn find(&self, like: &Unit, encoder: EncoderName, metrics: &[PairMetric]) -> Option<Unit> {
        let fits = |it: &&Unit, metric: PairMetric| {
            it.genes == like.genes && it.projection == like.projection && it.encoder == encoder && it.metric == metric
        };
        metrics.iter().find_map(|metric| self.config.unit.iter().find(|it| fits(it, *metric)).copied())
    }

    /// The unit that compares ranks over all genes where `like` compares log-normalised values.
    fn rank_unit(&self, like: &Unit) -> Option<Unit> {
        if like.projection == Projection::None {
            let ranks = [PairMetric::Spearman, PairMetric::Pearson];
            return self
                .find(like, EncoderName::RankAll, &ranks)
                .or_else(|| self.find(like, EncoderName::LogNorm, &[PairMetric::Spearman]));
        }
        self.find(like, EncoderName::RankAll, &[PairMetric::Cosine, PairMetric::Pearson])
    }

    /// Cosine of log-normalised values under every gene set and projection.
    fn log_units(&self) -> Vec<Unit> {
        let is = |it: &&Unit| it.encoder == EncoderName::LogNorm && it.metric == PairMetric::Cosine;
        self.config.unit.iter().filter(is).copied().collect()
    }

    fn separation(&self) -> Vec<HypothesisRow> {
        let pairs = self.log_units().into_iter().filter_map(|log| Some((self.rank_unit(&log)?, log)));
        pairs.flat_map(|(rank, log)| self.compare(&rank, &log, "auroc_macro", None)).collect()
    }

    fn zeros(&self, thinning: &[ThinningRow]) -> Vec<HypothesisRow> {
        let mut rows = Vec::new();
        for log in self.log_units().into_iter().filter(|it| it.projection == Projection::None) {
            let Some(rank) = self.rank_unit(&log) else { continue };
            let shared = self.find(&log, EncoderName::LogNorm, &[PairMetric::SpearmanCodetected]);
            if let Some(shared) = shared {
                let of = |unit: &Unit| self.sampled_auroc(unit);
                if let (Some(a), Some(b), Some(c)) = (of(&log), of(&rank), of(&shared)) {
                    rows.push(self.loss(&rank, &shared, "sampled", &[a.clone(), b, a, c]));
                }
            }
            let equal = |unit: &Unit, mode: &str| thinned_auroc(thinning, &unit.name(), mode);
            let four =
                [equal(&log, "share"), equal(&rank, "share"), equal(&log, "equal_depth"), equal(&rank, "equal_depth")];
            if four.iter().all(|it| !it.is_empty()) {
                rows.push(self.loss(&rank, &log, "equal_depth", &four));
            }
        }
        rows
    }

    /// With the loss `L = log − rank` as it is and `L'` without zeros, by type: whether `L/2 − L'` is above 0.
    fn loss(&self, a: &Unit, b: &Unit, scope: &str, four: &[BTreeMap<String, f64>; 4]) -> HypothesisRow {
        let [log, rank, log_without, rank_without] = four;
        let kinds: Vec<&String> = log.keys().filter(|it| four.iter().all(|map| map.contains_key(*it))).collect();
        let losses: Vec<(f64, f64)> =
            kinds.iter().map(|it| (log[*it] - rank[*it], log_without[*it] - rank_without[*it])).collect();
        let n = losses.len();
        let total: f64 = losses.iter().map(|it| it.0).sum();
        let base = HypothesisRow {
            comparison: "half of the loss minus the loss without zeros".to_owned(),
            unit_a: a.name(),
            unit_b: b.name(),
            statistic: "auroc_macro".to_owned(),
            scope: scope.to_owned(),
            over: "types".to_owned(),
            n: n as i64,
            ..HypothesisRow::default()
        };
        if n < 2 || total <= 0.0 {
            let reason = if n < 2 { "fewer than 2 types" } else { "rank does not lose: there is nothing to explain" };
            return HypothesisRow { verdict: "undefined".to_owned(), reason: Some(reason.to_owned()), ..base };
        }
        let differences: Vec<f64> = losses.iter().map(|it| it.0 / 2.0 - it.1).collect();
        self.filled(base, &differences)
    }

    fn batches(&self) -> Vec<HypothesisRow> {
        let pairs = self.log_units().into_iter().filter_map(|log| Some((self.rank_unit(&log)?, log)));
        pairs.flat_map(|(rank, log)| self.compare(&rank, &log, "batch_excess", Some(self.k()))).collect()
    }

    fn medians(&self) -> Vec<HypothesisRow> {
        let mut rows = Vec::new();
        for log in self.log_units() {
            let scaled = self.find(&log, EncoderName::Geneformer, &[PairMetric::Cosine]);
            if let (Some(scaled), Some(rank)) = (scaled, self.rank_unit(&log)) {
                rows.extend(self.compare(&scaled, &rank, "purity", Some(self.k())));
            }
        }
        rows
    }

    fn lengths(&self) -> Vec<HypothesisRow> {
        let mut rows = Vec::new();
        let is_long = |it: &&Unit| it.encoder == EncoderName::TopK(2048) && it.metric == PairMetric::Cosine;
        for long in self.config.unit.iter().filter(is_long) {
            if let Some(short) = self.find(long, EncoderName::TopK(100), &[PairMetric::Cosine]) {
                rows.extend(self.compare(&short, long, "purity", Some(self.k())));
            }
        }
        rows
    }

    /// 15 neighbours, or the largest number that was asked for.
    fn k(&self) -> i64 {
        let asked = &self.config.k;
        if asked.contains(&(K as usize)) { K } else { asked.last().map_or(K, |it| *it as i64) }
    }

    /// `a − b`, over types and, where there are strata, over strata.
    fn compare(&self, a: &Unit, b: &Unit, statistic: &str, k: Option<i64>) -> Vec<HypothesisRow> {
        let scope = if statistic == "batch_excess" { "all" } else { self.scope };
        let (Some(first), Some(second)) =
            (self.book.get(&a.name(), statistic, scope, k), self.book.get(&b.name(), statistic, scope, k))
        else {
            return Vec::new();
        };
        let sides = [("types", &first.by_type, &second.by_type), ("strata", &first.by_stratum, &second.by_stratum)];
        let mut rows = Vec::new();
        for (over, first, second) in sides {
            let differences: Vec<f64> = first.iter().filter_map(|(name, it)| Some(it - second.get(name)?)).collect();
            if over == "strata" && differences.len() < 2 {
                continue;
            }
            let base = HypothesisRow {
                comparison: format!("{} minus {}", short(a), short(b)),
                unit_a: a.name(),
                unit_b: b.name(),
                statistic: statistic.to_owned(),
                scope: scope.to_owned(),
                over: over.to_owned(),
                n: differences.len() as i64,
                ..HypothesisRow::default()
            };
            rows.push(self.filled(base, &differences));
        }
        rows
    }

    fn filled(&self, base: HypothesisRow, differences: &[f64]) -> HypothesisRow {
        let clustered: Vec<(u32, f64)> = (0..).zip(differences.iter().copied()).collect();
        let params = PairedParams { draws: self.draws.n, flips: FLIPS, seed: self.draws.seed };
        let found = (differences.len() > 1).then(|| paired(&clustered, &params)).flatten();
        let Some(found) = found else {
            let reason = Some(format!("{} values, expected at least 2", differences.len()));
            return HypothesisRow { verdict: "undefined".to_owned(), reason, ..base };
        };
        let n = differences.len() as f64;
        let scatter: f64 = differences.iter().map(|it| (it - found.mean).powi(2)).sum();
        let sd = (scatter / (n - 1.0)).sqrt();
        HypothesisRow {
            difference: Some(found.mean),
            ci_lo: Some(found.ci_lo),
            ci_hi: Some(found.ci_hi),
            effect: (sd > 0.0).then(|| found.mean / sd),
            p: Some(found.p),
            ..base
        }
    }

    fn sampled_auroc(&self, unit: &Unit) -> Option<BTreeMap<String, f64>> {
        let values = self.book.get(&unit.name(), "auroc_macro", "sampled", None)?;
        Some(values.by_type.clone())
    }
}

fn short(unit: &Unit) -> String {
    format!("{} {}", unit.encoder, unit.metric)
}

/// AUROC by type, mean over seeds: of whole cells (`share` at rate 1) or at equal depth.
fn thinned_auroc(rows: &[ThinningRow], unit: &str, mode: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::<String, (f64, f64)>::new();
    let is = |it: &&ThinningRow| {
        it.unit == unit && it.mode == mode && it.statistic == "auroc" && (mode != "share" || it.rate == 1.0)
    };
    for row in rows.iter().filter(is) {
        if let Some(value) = row.value {
            let slot = sums.entry(row.cell_type.clone()).or_default();
            *slot = (slot.0 + value, slot.1 + 1.0);
        }
    }
    sums.into_iter().map(|(kind, (sum, n))| (kind, sum / n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(lo: f64, hi: f64, p: f64) -> HypothesisRow {
        HypothesisRow { ci_lo: Some(lo), ci_hi: Some(hi), p: Some(p), ..HypothesisRow::default() }
    }

    #[test]
    fn a_direction_needs_an_interval_and_an_adjusted_p() {
        let mut rows = vec![row(-0.2, -0.1, 0.001), row(0.1, 0.2, 0.001), row(-0.2, 0.1, 0.001), row(-0.2, -0.1, 0.03)];
        rows.push(HypothesisRow::default());
        adjust(&mut rows, -1.0);
        let verdicts: Vec<&str> = rows.iter().map(|it| it.verdict.as_str()).collect();
        assert_eq!(verdicts, ["holds", "contradicted", "open", "holds", "undefined"]);
        assert_eq!(rows[0].p_holm, Some(0.004));
        let mut rows = vec![row(-0.2, -0.1, 0.03), row(-0.2, -0.1, 0.04)];
        adjust(&mut rows, -1.0);
        assert!(rows.iter().all(|it| it.verdict == "open"), "0.06 after adjustment");
    }
}
