//! Chance bands and the sampled retrieval score.

use crate::common::{Panel, scores};
use cellstone_core::{Mask, Score, Seed};
use cellstone_metrics::{builtin, by_id, chance_band};
use ndarray::Array2;

#[test]
fn the_band_is_that_of_permuted_predictions() {
    let mut panel = Panel::random(1, 12, 60);
    panel.pred = 0.2 * &panel.pred + 0.8 * &Panel::random(2, 12, 60).pred;
    for id in ["pds_v2_cosine", "pds_v1_l1", "nir", "rank_pb_rmse", "retrieval_tx", "mrr", "centroid_accuracy"] {
        let metric = by_id(id).expect("built in");
        let band = chance_band(&metric, &panel.input(Mask::None), 4000, Seed::new(3)).expect("shapes fit");
        let band = band.expect("twelve conditions");
        // The same by rolling predictions over conditions: the mean over all rotations is that over all labels.
        let mut total = 0.0;
        for shift in 0..12 {
            let rotated = Array2::from_shape_fn((12, 60), |(row, gene)| panel.pred[[(row + shift) % 12, gene]]);
            let mut input = panel.input(Mask::None);
            input.pred = rotated.view();
            total += scores(id, &input).iter().filter_map(|it| it.value()).sum::<f64>() / 144.0;
        }
        assert!((band.mean - total).abs() < 0.01, "{id}: {} and {total}", band.mean);
        assert!(band.low < band.mean && band.mean < band.high, "{id}: {band:?}");
    }
}

#[test]
fn a_constant_prediction_is_worth_chance_whatever_its_label() {
    let mut panel = Panel::random(3, 20, 30);
    panel.pred = panel.train_mean.broadcast((20, 30)).expect("one width").to_owned();
    let band = chance_band(&by_id("pds_v2_l1").expect("built in"), &panel.input(Mask::Panel), 50, Seed::new(1));
    let band = band.expect("shapes fit").expect("twenty conditions");
    assert!((band.low - 0.5).abs() < 1e-12 && (band.high - 0.5).abs() < 1e-12, "{band:?}");
}

#[test]
fn only_ranks_have_a_band() {
    let panel = Panel::random(4, 24, 40);
    let mut with = Vec::new();
    for metric in builtin() {
        let info = metric.info();
        let band = chance_band(&metric, &panel.input(metric.default_mask()), 20, Seed::new(1)).expect("shapes fit");
        if let Some(band) = band {
            assert!(info.range.0 <= band.low && band.low <= band.high && band.high <= info.range.1, "{}", info.id);
            with.push(info.id.to_string());
        }
    }
    assert_eq!(with.len(), 23);
    let few = Panel::random(4, 9, 40);
    let metric = by_id("nir").expect("built in");
    assert_eq!(chance_band(&metric, &few.input(Mask::None), 20, Seed::new(1)).expect("shapes fit"), None);
}

#[test]
fn the_sampled_rank_follows_its_definition() {
    let panel = Panel::random(5, 30, 50);
    let delta = |of: &Array2<f64>, row: usize| &of.row(row) - &panel.control;
    for (row, score) in scores("retrieval_tx", &panel.input(Mask::None)).into_iter().enumerate() {
        let r = |q: usize| {
            let (pred, truth) = (delta(&panel.pred, row), delta(&panel.truth, q));
            cellstone_metrics::pearson(pred.view(), truth.view()).value().expect("varies")
        };
        let below = (0..30).filter(|q| r(*q) < r(row)).count();
        assert_eq!(score, Score::Value(below as f64 / 30.0));
    }
    // Of many conditions, each match meets a hundred others, whatever the order of the rows.
    let many = Panel::random(6, 150, 40);
    for score in scores("retrieval_tx", &many.input(Mask::None)) {
        let place = score.value().expect("defined") * 101.0;
        assert!((place - place.round()).abs() < 1e-9 && place <= 100.0);
    }
    // No effect at all: every correlation counts as 0, and keys decide.
    let mut none = Panel::random(7, 25, 40);
    none.pred = none.control.broadcast((25, 40)).expect("one width").to_owned();
    for (row, score) in scores("retrieval_tx", &none.input(Mask::None)).into_iter().enumerate() {
        assert_eq!(score, Score::Value(row as f64 / 25.0));
    }
}
