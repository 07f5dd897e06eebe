//! Permuting held-out truth changes no prediction by a bit.

use crate::common::{EXPERIMENT, cells, config};
use cellstone_core::{Part, Priors, Pseudobulk};
use cellstone_lab::{Bundle, Registry, Silent, load, run_unit, variants};
use cellstone_prep::{SplitCondition, SplitParams, make_splits};
use ndarray::{Array2, Axis};

#[test]
fn permuting_held_out_truth_changes_no_prediction() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let config = config(dir.path(), EXPERIMENT, &["output.predictions=all"]).expect("resolves");
    let registry = Registry::builtin();
    let loaded = load(&config, &Silent).expect("loads");
    let conditions: Vec<SplitCondition> = loaded
        .bulk
        .rows()
        .iter()
        .map(|it| SplitCondition { context: it.context.clone(), condition: it.condition.clone(), raw: it.raw.clone() })
        .collect();
    let split = make_splits("norman_doubles", &SplitParams::default(), &conditions, 1).expect("splits").remove(0);
    let held_out: Vec<usize> = (0..loaded.bulk.rows().len())
        .filter(|it| {
            let row = &loaded.bulk.rows()[*it];
            matches!(split.part(&row.context, &row.raw), Some(Part::Test | Part::Val))
        })
        .collect();
    assert!(held_out.len() > 1, "something must be held out");
    let permuted = permute(&loaded.bulk, &held_out);
    let variants = variants(&config.metrics, loaded.bulk.var().len(), true, &registry).expect("variants");
    let priors = Priors::new();
    let unit = |bulk: &Pseudobulk| {
        let bundle =
            Bundle { config: &config, registry: &registry, bulk, weights: None, priors: &priors, variants: &variants };
        run_unit(&bundle, &split, 0).expect("unit")
    };
    let (before, after) = (unit(&loaded.bulk), unit(&permuted));
    assert!(!before.predictions.is_empty());
    assert_eq!(before.predictions, after.predictions);
    assert_eq!(before.fits, after.fits);
    assert_ne!(before.scores, after.scores, "the scores must move: otherwise nothing was permuted");
}

/// The same means with the profiles of `rows` moved round by one.
fn permute(bulk: &Pseudobulk, rows: &[usize]) -> Pseudobulk {
    let mut profiles: Array2<f64> = bulk.profiles().clone();
    for (at, row) in rows.iter().enumerate() {
        let from = rows[(at + 1) % rows.len()];
        profiles.index_axis_mut(Axis(0), *row).assign(&bulk.profiles().row(from));
    }
    let variance = bulk.sampling_var().expect("simulated cells have a spread").clone();
    Pseudobulk::new(bulk.var().clone(), bulk.scale(), bulk.averaging(), bulk.rows().to_vec(), profiles)
        .and_then(|it| it.with_sampling_var(variance))
        .expect("same shape")
}
