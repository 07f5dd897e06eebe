//! The discrimination metrics as entries of the list.

use super::points::Points;
use super::ranks::{Distance, MatchRank, rank_all};
use crate::info::{Text, source};
use crate::input::Panel;
use crate::kernels::sum2;
use cellstone_core::{
    CeilingRule, Direction, Error, Mask, Metric, MetricInfo, MetricInput, Result, Score, Scores, Why,
};
use std::borrow::Cow;
use std::sync::Arc;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    /// Shifts from the control of the truth on both sides.
    Delta,
    /// Shifts of each side from its own control.
    OwnDelta,
    /// Profiles.
    Profile,
    /// `log2(m + 0.1) − log2(m_0 + 0.1)` of profiles.
    LogRatio,
}

/// What is ranked for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// For a prediction, the truths of the panel.
    Truths,
    /// For a prediction, the truths of the panel and of the train perturbations.
    TruthsAndTrain,
    /// For a truth, the predictions.
    Predictions,
}

/// How a rank becomes a score; the second number is how many were ranked.
type Rule = fn(MatchRank, usize) -> f64;

/// Conditions below which a rank says nothing.
// DIVERGES(few-conditions)
const MIN_CONDITIONS: usize = 10;

struct Retrieval {
    info: MetricInfo,
    mask: Mask,
    distance: Distance,
    space: Space,
    side: Side,
    rule: Rule,
    /// Whether the metric follows a reference to the letter: no minimum of conditions, ties by key, no strict mask.
    parity: bool,
    by_key: bool,
}

/// Every discrimination metric, in the order of the list.
pub(crate) fn metrics() -> Vec<Arc<dyn Metric>> {
    let mut all: Vec<Retrieval> = Vec::new();
    for (distance, tag) in [(Distance::L1, "l1"), (Distance::L2, "l2"), (Distance::Cosine, "cosine")] {
        all.extend([
            pds_v2(distance, tag),
            pds_cell_eval2(distance, tag),
            pds_v1(distance, tag),
            pds_cell_eval(distance, tag),
        ]);
    }
    all.extend(centroids());
    all.extend(rank_pb());
    all.extend(top_and_mrr());
    all.into_iter().map(|it| Arc::new(it) as Arc<dyn Metric>).collect()
}

fn base(info: MetricInfo, distance: Distance, rule: Rule) -> Retrieval {
    Retrieval {
        info,
        mask: Mask::Panel,
        distance,
        space: Space::Delta,
        side: Side::Truths,
        rule,
        parity: false,
        by_key: false,
    }
}

fn pds_v2(distance: Distance, tag: &str) -> Retrieval {
    let formula = "1 − k/(Q−1), k = truths nearer to the prediction + half of those tied; control of the truth, targets of the panel left out";
    let text =
        Text::new(format!("pds_v2_{tag}"), format!("Discrimination score ({tag})"), formula, source::CELL_EVAL2_PDS);
    base(text.agreement(0.0, CeilingRule::AsIs), distance, midrank_score)
}

fn pds_cell_eval2(distance: Distance, tag: &str) -> Retrieval {
    let formula =
        "cell-eval2 0.20 `pds_*` (v2 settings): 1 − midrank/(Q−1), control of the truth, targets of the panel left out";
    let text = Text::new(
        format!("pds_{tag}"),
        format!("Discrimination score, cell-eval2 ({tag})"),
        formula,
        source::CELL_EVAL2_PDS,
    );
    Retrieval { parity: true, ..base(text.agreement(0.0, CeilingRule::AsIs), distance, midrank_score) }
}

fn pds_v1(distance: Distance, tag: &str) -> Retrieval {
    let formula = "1 − rank/Q, each side from its own control, own targets left out of the row, ties by key";
    let text =
        Text::new(format!("pds_v1_{tag}"), format!("Discrimination score 2025 ({tag})"), formula, source::CELL_EVAL);
    let base = base(text.agreement(0.0, CeilingRule::AsIs), distance, position_score);
    Retrieval { mask: Mask::OwnTargets, space: Space::OwnDelta, by_key: true, ..base }
}

// DIVERGES(discrimination-score-combinations)
fn pds_cell_eval(distance: Distance, tag: &str) -> Retrieval {
    let formula = "cell-eval 0.8 `discrimination_score_*`: 1 − rank/Q, each side from its own control, own targets left out of the row, ties by key";
    let text = Text::new(
        format!("discrimination_score_{tag}"),
        format!("Discrimination score, cell-eval ({tag})"),
        formula,
        source::CELL_EVAL,
    );
    let base = base(text.agreement(0.0, CeilingRule::AsIs), distance, position_score);
    Retrieval { mask: Mask::OwnTargets, space: Space::OwnDelta, by_key: true, parity: true, ..base }
}

fn centroids() -> [Retrieval; 2] {
    let accuracy = Text::new(
        "centroid_accuracy",
        "Centroid accuracy",
        "share of other centroids, train perturbations included, farther (Euclidean, strict) from the prediction than its own",
        source::SYSTEMA_CENTROID,
    );
    let nir = Text::new(
        "nir",
        "Normalized inverse rank",
        "share of the other conditions' centroids farther (Euclidean, strict) from the prediction than its own",
        source::CELLSIMBENCH,
    );
    [(accuracy, Side::TruthsAndTrain), (nir, Side::Truths)].map(|(text, side)| Retrieval {
        space: Space::Profile,
        side,
        ..base(text.agreement(0.0, CeilingRule::AsIs), Distance::L2, strict_share)
    })
}

// DIVERGES(rank-pb-ties)
// DIVERGES(rank-pb-negative-means)
fn rank_pb() -> [Retrieval; 2] {
    let rmse = Text::new(
        "rank_pb_rmse",
        "Rank of the matched prediction (RMSE)",
        "for each truth, midrank of its prediction among all predictions by RMSE of profiles, / P",
        source::PERTURBENCH,
    );
    let cosine = Text::new(
        "rank_pb_cosine",
        "Rank of the matched prediction (cosine)",
        "for each truth, midrank of its prediction among all predictions by cosine of log2(m+0.1) − log2(m_0+0.1), / P",
        source::PERTURBENCH,
    );
    [(rmse, Distance::L2, Space::Profile), (cosine, Distance::Cosine, Space::LogRatio)].map(
        |(text, distance, space)| {
            let info = text.info("", Direction::LowerIsBetter, 0.0, (0.0, 1.0), CeilingRule::AsIs);
            Retrieval { space, side: Side::Predictions, mask: Mask::None, ..base(info, distance, midrank_share) }
        },
    )
}

fn top_and_mrr() -> Vec<Retrieval> {
    let sides = [
        (Side::Truths, "", "truths for the prediction"),
        (Side::Predictions, "_by_truth", "predictions for the truth"),
    ];
    let rules: [(&str, &str, Rule); 3] = [
        ("top1_retrieval", "k < 1", |rank, _| f64::from(u8::from(rank.midrank() < 1.0))),
        ("top5_retrieval", "k < 5", |rank, _| f64::from(u8::from(rank.midrank() < 5.0))),
        ("mrr", "1/(1+k)", |rank, _| 1.0 / (1.0 + rank.midrank())),
    ];
    let mut all = Vec::new();
    for (side, tag, ranked) in sides {
        for (id, formula, rule) in rules {
            let name = match id {
                "mrr" => format!("Reciprocal rank ({ranked})"),
                _ => format!("Match among the {} nearest ({ranked})", &id[3..4]),
            };
            let formula = format!(
                "{formula}, k = midrank of the match by cosine of deltas among the {ranked}; control of the truth"
            );
            let text = Text::new(format!("{id}{tag}"), name, formula, source::OURS);
            all.push(Retrieval { side, ..base(text.agreement(0.0, CeilingRule::AsIs), Distance::Cosine, rule) });
        }
    }
    all
}

fn midrank_score(rank: MatchRank, ranked: usize) -> f64 {
    if ranked <= 1 { 1.0 } else { 1.0 - rank.midrank() / (ranked - 1) as f64 }
}

fn position_score(rank: MatchRank, ranked: usize) -> f64 {
    1.0 - (rank.closer + rank.tied_before) as f64 / ranked as f64
}

fn strict_share(rank: MatchRank, ranked: usize) -> f64 {
    1.0 - (rank.closer + rank.tied) as f64 / (ranked - 1) as f64
}

fn midrank_share(rank: MatchRank, ranked: usize) -> f64 {
    rank.midrank() / ranked as f64
}

impl Metric for Retrieval {
    fn info(&self) -> &MetricInfo {
        &self.info
    }

    fn default_mask(&self) -> Mask {
        self.mask
    }

    fn compute(&self, input: &MetricInput<'_>) -> Result<Scores> {
        let panel = Panel::new(input, !self.parity)?;
        let n = panel.n_rows();
        let why = if !self.parity && n < MIN_CONDITIONS {
            Some(Why::TooFewConditions)
        } else if panel.n_genes() == 0 {
            Some(Why::TooFewGenes)
        } else if self.side == Side::TruthsAndTrain && !panel.has_train_profiles() {
            Some(Why::NotGiven)
        } else {
            None
        };
        if let Some(why) = why {
            return Ok(Scores::PerPerturbation(vec![Score::Undefined(why); n]));
        }
        // Ties by key want the rows in the order of their keys.
        let mut order: Vec<usize> = (0..n).collect();
        if self.by_key {
            order.sort_by(|a, b| panel.keys()[*a].cmp(&panel.keys()[*b]));
        }
        let (queries, references) = self.points(&panel, &order)?;
        let drops: Vec<Vec<usize>> = order.iter().map(|at| panel.own_drops(*at)).collect();
        let drops = if drops.iter().all(Vec::is_empty) { &[][..] } else { &drops };
        let ranks = rank_all(&queries, &references, self.distance, drops);
        let mut scores = vec![Score::Undefined(Why::NotFinite); n];
        for (at, rank) in order.iter().zip(ranks) {
            scores[*at] = Score::finite_or((self.rule)(rank, references.n), Why::NotFinite);
        }
        Ok(Scores::PerPerturbation(scores))
    }
}

impl Retrieval {
    /// Queries and references in the given order of conditions.
    fn points(&self, panel: &Panel<'_>, order: &[usize]) -> Result<(Points, Points)> {
        let train: Vec<_> = if self.side == Side::TruthsAndTrain { panel.train_rows().collect() } else { Vec::new() };
        let (n, width) = (order.len(), panel.n_genes());
        let control: Cow<'_, [f64]> = match self.space {
            Space::LogRatio => panel.control().iter().map(|it| shifted_log(*it)).collect(),
            _ => Cow::Borrowed(panel.control()),
        };
        let truths = Points::new(n + train.len(), width, |at, out| match order.get(at) {
            Some(row) => self.write(&panel.truth_row(*row), &control, out),
            None => self.write(&train[at - n], &control, out),
        });
        let pred_control = if self.space == Space::OwnDelta { panel.own_control() } else { &control };
        let preds = Points::new(n, width, |at, out| self.write(&panel.pred_row(order[at]), pred_control, out));
        for (what, it) in [("truth", &truths), ("prediction", &preds)] {
            if let Some(at) = it.first_not_finite() {
                let of = order.get(at).map_or("a train perturbation", |row| panel.key(*row));
                return Err(Error::invalid_input(format!("{what} of `{of}` is not finite")));
            }
        }
        Ok(if self.side == Side::Predictions { (truths, preds) } else { (preds, truths) })
    }

    /// Writes one row in the space of the metric; returns the squared length of what it was computed from.
    fn write(&self, profile: &[f64], control: &[f64], out: &mut [f64]) -> f64 {
        match self.space {
            Space::Profile => {
                out.copy_from_slice(profile);
                0.0
            }
            Space::Delta | Space::OwnDelta => {
                for ((out, y), y0) in out.iter_mut().zip(profile).zip(control) {
                    *out = y - y0;
                }
                sum2(profile, control, |a, b| a * a + b * b)
            }
            Space::LogRatio => {
                // The control comes with its logarithm taken: see `points`.
                let mut squares = 0.0;
                for ((out, y), log_y0) in out.iter_mut().zip(profile).zip(control) {
                    let log_y = shifted_log(*y);
                    *out = log_y - log_y0;
                    squares += log_y * log_y + log_y0 * log_y0;
                }
                squares
            }
        }
    }
}

/// `log2(max(m, 0) + 0.1)`; NaN stays.
fn shifted_log(mean: f64) -> f64 {
    if mean.is_nan() { mean } else { (mean.max(0.0) + 0.1).log2() }
}
