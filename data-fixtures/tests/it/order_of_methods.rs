//! The planted order of methods comes out: no change is worse than additive, additive than shrunk additive.

use cellstone_core::{CountSource, Seed};
use cellstone_fixtures::{PerturbSeq, PerturbSeqSpec};
use ndarray::{Array1, Array2, ArrayView1};

/// Mean of `ln(1 + 1e4 x / Σx)` over the cells of each condition.
fn means(source: &PerturbSeq) -> Array2<f64> {
    let n_conditions = source.truth().conditions().len();
    let labels: Vec<usize> = source.labels().collect();
    let mut means = Array2::zeros((n_conditions, source.var().len()));
    let mut n = Array1::<f64>::zeros(n_conditions);
    for block in source.blocks(0).expect("opens") {
        let block = block.expect("reads");
        for row in 0..block.x.shape().0 {
            let (cols, values) = block.x.row(row);
            let total: f64 = values.iter().map(|it| f64::from(*it)).sum();
            let label = labels[block.start + row];
            n[label] += 1.0;
            for (col, value) in cols.iter().zip(values) {
                means[[label, *col as usize]] += (1e4 * f64::from(*value) / total).ln_1p();
            }
        }
    }
    for (mut row, n) in means.rows_mut().into_iter().zip(&n) {
        row /= *n;
    }
    means
}

fn norm(it: ArrayView1<'_, f64>) -> f64 {
    it.dot(&it).sqrt()
}

#[test]
fn no_change_is_worse_than_additive_and_additive_than_shrunk() {
    for seed in [1, 2] {
        let spec = PerturbSeqSpec::preset("demo").expect("preset");
        let source = PerturbSeq::new(spec, Seed::new(seed)).expect("valid");
        let means = means(&source);
        let delta = &means - &means.row(0);
        let truth = source.truth();
        let doubles: Vec<usize> = (0..delta.nrows()).filter(|it| truth.conditions()[*it].targets.len() == 2).collect();
        let sum = |double: usize| {
            let targets = &truth.conditions()[double].targets;
            &delta.row(truth.single(targets[0])) + &delta.row(truth.single(targets[1]))
        };
        // The shrinkage is fitted on every other double and judged on the rest.
        let (train, test): (Vec<usize>, Vec<usize>) = doubles.iter().partition(|it| *it % 2 == 0);
        let dot: f64 = train.iter().map(|it| sum(*it).dot(&delta.row(*it))).sum();
        let alpha = dot / train.iter().map(|it| sum(*it).dot(&sum(*it))).sum::<f64>();
        let error = |factor: f64| {
            test.iter().map(|it| norm((&delta.row(*it) - &(sum(*it) * factor)).view())).sum::<f64>() / test.len() as f64
        };
        let (no_change, additive, shrunk) = (error(0.0), error(1.0), error(alpha));
        assert!(alpha > 0.5 && alpha < 0.95, "shrinkage {alpha}");
        assert!(additive < 0.8 * no_change, "additive {additive}, no change {no_change}");
        assert!(shrunk < 0.97 * additive, "shrunk {shrunk}, additive {additive}");
    }
}

#[test]
fn targets_of_one_group_act_alike() {
    let source = PerturbSeq::new(PerturbSeqSpec::preset("demo").expect("preset"), Seed::new(3)).expect("valid");
    let means = means(&source);
    let delta = &means - &means.row(0);
    let targets = source.truth().targets();
    let (mut inside, mut across) = (Vec::new(), Vec::new());
    for a in 0..targets.len() {
        for b in a + 1..targets.len() {
            let (x, y) = (delta.row(1 + a), delta.row(1 + b));
            let cosine = x.dot(&y) / (norm(x) * norm(y));
            if targets[a].group == targets[b].group { inside.push(cosine) } else { across.push(cosine) }
        }
    }
    let mean = |it: &[f64]| it.iter().sum::<f64>() / it.len() as f64;
    assert!(mean(&inside) > mean(&across) + 0.3, "{} inside, {} across", mean(&inside), mean(&across));
}
