//! The discrimination metrics as entries of the list.

use super::pairs::{PairCache, PairKey, Space};
use super::ranks::{Among, Distance, MatchRank, Ranking};
use crate::info::{Text, source};
use crate::input::Panel;
use cellstone_core::{CeilingRule, Direction, Mask, Metric, MetricInfo, MetricInput, Result, Score, Scores, Seed, Why};
use std::sync::Arc;

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

/// Truths that `retrieval_tx` draws beside the match.
const SAMPLED: usize = 100;

pub(crate) struct Retrieval {
    info: MetricInfo,
    mask: Mask,
    distance: Distance,
    space: Space,
    side: Side,
    rule: Rule,
    /// Whether the metric follows a reference to the letter: no minimum of conditions, ties by key, no strict mask.
    parity: bool,
    /// Whether ties go to the first key.
    by_key: bool,
    /// Whether a match is compared with a sample of the others instead of all.
    sampled: bool,
}

/// Every discrimination metric, in the order of the list.
pub(crate) fn metrics() -> Vec<Arc<Retrieval>> {
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
    all.push(retrieval_tx());
    all.extend(top_and_mrr());
    all.into_iter().map(Arc::new).collect()
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
        sampled: false,
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

// DIVERGES(retrieval-tx-sample)
fn retrieval_tx() -> Retrieval {
    let text = Text::new(
        "retrieval_tx",
        "Retrieval (TxPert)",
        "place from 0, by ascending Pearson of deltas and then by key, of the match among itself and at most 100 other truths, / their number; targets of the panel left out",
        source::TXPERT,
    );
    let best = SAMPLED as f64 / (SAMPLED + 1) as f64;
    let info = text.info("", Direction::HigherIsBetter, best, (0.0, best), CeilingRule::AsIs);
    Retrieval { by_key: true, sampled: true, ..base(info, Distance::Correlation, place_share) }
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

fn place_share(rank: MatchRank, ranked: usize) -> f64 {
    (ranked - 1 - rank.closer - rank.tied + rank.tied_before) as f64 / ranked as f64
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
        self.scores(&Panel::new(input)?, &mut PairCache::default())
    }
}

impl Retrieval {
    /// The scores of a panel; matrices that the cache holds are not made again.
    pub(crate) fn scores(&self, panel: &Panel<'_>, cache: &mut PairCache<'_>) -> Result<Scores> {
        if let Some(why) = self.undefined(panel)? {
            return Ok(Scores::PerPerturbation(vec![Score::Undefined(why); panel.n_rows()]));
        }
        let scores = self.with_ranking(panel, cache, |ranking, drops, among| {
            let ranks = ranking.ranks(self.distance, drops, among);
            ranks.into_iter().enumerate().map(|(at, rank)| self.score(rank, ranking, among, at)).collect()
        })?;
        Ok(Scores::PerPerturbation(scores))
    }

    /// The score that every query would have with every label, `[query][label]`; `None` where the metric is undefined.
    pub(super) fn score_table(&self, panel: &Panel<'_>, cache: &mut PairCache<'_>) -> Result<Option<Vec<Vec<Score>>>> {
        if self.undefined(panel)?.is_some() {
            return Ok(None);
        }
        let n = panel.n_rows();
        let table = self.with_ranking(panel, cache, |ranking, drops, among| {
            let row = |i: usize| {
                let distances = ranking.distances(i, self.distance, drops);
                (0..n).map(|label| self.score(among.rank(&distances, label), ranking, among, label)).collect()
            };
            cellstone_core::sum::map_ordered(n, row)
        })?;
        Ok(Some(table))
    }

    /// Why the panel has no scores, if so.
    fn undefined(&self, panel: &Panel<'_>) -> Result<Option<Why>> {
        if !self.parity {
            panel.check_mask()?;
        }
        Ok(if !self.parity && panel.n_rows() < MIN_CONDITIONS {
            Some(Why::TooFewConditions)
        } else if panel.n_genes() == 0 {
            Some(Why::TooFewGenes)
        } else if self.side == Side::TruthsAndTrain && !panel.has_train_profiles() {
            Some(Why::NotGiven)
        } else {
            None
        })
    }

    fn score(&self, rank: MatchRank, ranking: &Ranking<'_>, among: &Among, label: usize) -> Score {
        let ranked = among.lists.as_ref().map_or(ranking.n_references(), |it| it[label].len() + 1);
        Score::finite_or((self.rule)(rank, ranked), Why::NotFinite)
    }

    fn with_ranking<T>(
        &self,
        panel: &Panel<'_>,
        cache: &mut PairCache<'_>,
        work: impl FnOnce(&Ranking<'_>, &[Vec<usize>], &Among) -> T,
    ) -> Result<T> {
        let pairs = cache.pairs(panel, self.key(panel))?;
        let drops: Vec<Vec<usize>> = (0..panel.n_rows()).map(|at| panel.own_drops(at)).collect();
        let drops = if drops.iter().all(Vec::is_empty) { &[][..] } else { &drops };
        let among = Among {
            lists: self.sampled.then(|| sampled(panel.keys())),
            places: self.by_key.then(|| places(panel.keys())),
        };
        Ok(work(&pairs.view(self.side == Side::Predictions), drops, &among))
    }

    /// Which points are compared; each side's own control is that of the truth where the prediction brings none.
    pub(crate) fn key(&self, panel: &Panel<'_>) -> PairKey {
        let same_control = self.space == Space::OwnDelta && !panel.has_pred_control();
        let space = if same_control { Space::Delta } else { self.space };
        PairKey { space, train: self.side == Side::TruthsAndTrain }
    }
}

/// The place of every key in sorted order.
fn places(keys: &[String]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|at| &keys[*at]);
    let mut places = vec![0; keys.len()];
    for (place, at) in order.into_iter().enumerate() {
        places[at] = place;
    }
    places
}

/// At most 100 others for each condition, ascending. The draw depends on keys alone, not on the order of the rows.
fn sampled(keys: &[String]) -> Vec<Vec<usize>> {
    let draw = |of: usize| {
        let others = (0..keys.len()).filter(|it| *it != of);
        if keys.len() <= SAMPLED + 1 {
            return others.collect();
        }
        let seed = Seed::new(0).derive("retrieval_tx").derive(&keys[of]);
        let mut drawn: Vec<(u64, usize)> = others.map(|it| (seed.derive(&keys[it]).value(), it)).collect();
        drawn.sort_unstable_by_key(|(value, at)| (*value, &keys[*at]));
        let mut drawn: Vec<usize> = drawn[..SAMPLED].iter().map(|it| it.1).collect();
        drawn.sort_unstable();
        drawn
    };
    (0..keys.len()).map(draw).collect()
}
