//! Simulated counts: moments, determinism, sizes.

use cellstone_core::{CountSource, Csr, Seed};
use cellstone_fixtures::{PerturbSeq, PerturbSeqSpec, conformance};

fn tiny(change: impl Fn(&mut PerturbSeqSpec)) -> PerturbSeq {
    let mut spec = PerturbSeqSpec::preset("tiny").expect("preset");
    change(&mut spec);
    PerturbSeq::new(spec, Seed::new(1)).expect("valid")
}

fn blocks(source: &dyn CountSource) -> Vec<Csr<f32>> {
    source.blocks(0).expect("opens").map(|it| it.expect("reads").x).collect()
}

/// Sum of the counts of each gene over the cells that `keep` chooses by index, and their number.
fn sums(source: &dyn CountSource, keep: impl Fn(usize) -> bool) -> (Vec<f64>, f64) {
    let (mut sums, mut n, mut at) = (vec![0.0; source.var().len()], 0.0, 0);
    for x in blocks(source) {
        for row in 0..x.shape().0 {
            if keep(at) {
                n += 1.0;
                let (cols, values) = x.row(row);
                cols.iter().zip(values).for_each(|(col, value)| sums[*col as usize] += f64::from(*value));
            }
            at += 1;
        }
    }
    (sums, n)
}

#[test]
fn the_simulator_is_a_conforming_source() {
    let source = tiny(|it| it.contexts = vec!["a".into(), "b".into()]).with_block_rows(33);
    conformance::assert_conforms(
        "PerturbSeq",
        &conformance::source::check(&source, &conformance::source::Options::default()),
    );
}

#[test]
fn block_length_changes_nothing_and_the_seed_everything() {
    let rows = |source: &PerturbSeq| {
        let all = blocks(source);
        let row = |x: &Csr<f32>, it: usize| (x.row(it).0.to_vec(), x.row(it).1.to_vec());
        all.iter().flat_map(|x| (0..x.shape().0).map(|it| row(x, it))).collect::<Vec<_>>()
    };
    let source = tiny(|_| ());
    let base = rows(&source);
    assert_eq!(base, rows(&tiny(|_| ()).with_block_rows(7)));
    let other = PerturbSeq::new(source.spec().clone(), Seed::new(2)).expect("valid");
    assert_ne!(base, rows(&other));
}

#[test]
fn a_larger_experiment_plants_the_same_truth() {
    let (small, large) = (tiny(|_| ()), tiny(|it| it.n_obs = 900));
    for condition in 0..small.truth().conditions().len() {
        assert_eq!(small.truth().log_delta(0, condition), large.truth().log_delta(0, condition));
    }
}

#[test]
fn condition_means_are_the_planted_shares() {
    // Many cells of few molecules: the error of a share is that of counting.
    let source = tiny(|it| {
        it.n_obs = 22_000;
        it.batch_sd = 0.0;
        it.library_sd = 0.0;
        it.dispersion.theta_median = 50.0;
        it.guide_efficiency = 0.7;
    });
    let labels: Vec<usize> = source.labels().collect();
    for condition in [0, 1, 4, 7, 10] {
        let (sums, n) = sums(&source, |it| labels[it] == condition);
        let total: f64 = sums.iter().sum();
        assert!((total / n / source.spec().library_median - 1.0).abs() < 0.02, "library of condition {condition}");
        let distance = |shares: &[f64]| sums.iter().zip(shares).map(|(s, p)| (s / total - p).abs()).sum::<f64>();
        let planted = distance(&source.truth().mean_shares(0, condition));
        assert!(planted < 0.02, "condition {condition} is {planted} from its planted shares");
        let other = if condition == 1 { 2 } else { 1 };
        assert!(distance(&source.truth().mean_shares(0, other)) > 5.0 * planted, "the test could not tell");
    }
}

#[test]
fn counts_are_overdispersed_as_planted() {
    let source = tiny(|it| {
        it.n_obs = 20_000;
        it.control_fraction = 0.9;
        it.batch_sd = 0.0;
        it.library_sd = 0.0;
        it.library_median = 2_000.0;
        it.dispersion.theta_median = 1.5;
    });
    let states: Vec<usize> = source.labels().collect();
    let (mean, n) = sums(&source, |it| states[it] == 0);
    let mut squares = vec![0.0; mean.len()];
    let mut at = 0;
    for x in blocks(&source) {
        for row in 0..x.shape().0 {
            if states[at] == 0 {
                let (cols, values) = x.row(row);
                cols.iter().zip(values).for_each(|(col, v)| squares[*col as usize] += f64::from(*v).powi(2));
            }
            at += 1;
        }
    }
    let shares = source.truth().shares(0, 0);
    for gene in 0..mean.len() {
        let m = 2_000.0 * shares[gene];
        let want = m + m * m / source.truth().theta()[gene];
        let seen_mean = mean[gene] / n;
        let seen = squares[gene] / n - seen_mean * seen_mean;
        assert!((seen_mean - m).abs() < 5.0 * (want / n).sqrt(), "gene {gene}: mean {seen_mean}, planted {m}");
        assert!((seen / want - 1.0).abs() < 0.15, "gene {gene}: variance {seen}, planted {want}");
    }
}

#[test]
fn batches_move_genes_as_planted() {
    let source = tiny(|it| {
        it.n_obs = 30_000;
        it.control_fraction = 0.9;
        it.batch_sd = 0.5;
    });
    let (batch, _) = source.obs().column("batch").expect("column").to_codes();
    let labels: Vec<usize> = source.labels().collect();
    let shares = |which: u32| {
        let (sums, _) = sums(&source, |it| labels[it] == 0 && batch[it] == Some(which));
        let total: f64 = sums.iter().sum();
        sums.into_iter().map(|it| it / total).collect::<Vec<_>>()
    };
    let (first, second) = (shares(0), shares(1));
    let base = source.truth().shares(0, 0);
    let ratios: Vec<f64> = (0..base.len())
        .filter(|it| base[*it] > 0.005)
        .map(|it| {
            let planted = source.truth().log_batch(0)[it] - source.truth().log_batch(1)[it];
            (first[it] / second[it]).ln() - planted
        })
        .collect();
    // Shares sum to one, so that ratios agree up to one constant for all genes.
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!(ratios.len() > 20);
    assert!(ratios.iter().all(|it| (it - mean).abs() < 0.1), "{ratios:?}");
}

#[test]
fn guides_fail_as_often_as_planted() {
    let source = tiny(|it| {
        it.n_obs = 20_000;
        it.guide_efficiency = 0.6;
    });
    let obs = source.obs();
    let (labels, states) = (obs.column("perturbation").expect("column"), obs.column("planted_state").expect("column"));
    let single = &source.truth().targets()[0];
    let cells: Vec<usize> =
        (0..source.n_obs()).filter(|it| labels.text(*it).as_ref() == Some(&single.symbol)).collect();
    let works = cells.iter().filter(|it| states.text(**it).as_ref() == Some(&single.symbol)).count();
    let (share, n) = (works as f64 / cells.len() as f64, cells.len() as f64);
    let error = (single.efficiency * (1.0 - single.efficiency) / n).sqrt();
    assert!((share - single.efficiency).abs() < 4.0 * error, "{share}, planted {}", single.efficiency);
}

#[test]
fn cells_have_as_many_genes_as_asked() {
    let spec = PerturbSeqSpec::preset("norman").expect("preset").with_size(Some(1_200), Some(3_000)).expect("valid");
    let want = spec.genes_per_cell.expect("set");
    let source = PerturbSeq::new(spec, Seed::new(4)).expect("valid");
    let nnz: usize = blocks(&source).iter().map(Csr::nnz).sum();
    let seen = nnz as f64 / source.n_obs() as f64;
    assert!((seen / want - 1.0).abs() < 0.1, "{seen} genes per cell, asked for {want}");
}

#[test]
fn targets_are_genes_and_columns_are_complete() {
    let source = tiny(|_| ());
    for target in source.truth().targets() {
        assert_eq!(source.var().columns_of(&target.symbol), [target.gene]);
    }
    assert_eq!(source.obs().names(), ["perturbation", "context", "batch", "guide", "planted_state"]);
    let embedding = source.truth().target_embedding("planted").expect("finite");
    assert_eq!(embedding.values().dim(), (6, 3));
    let json: serde_json::Value = serde_json::from_str(&source.truth().to_json()).expect("json");
    assert_eq!(json["conditions"][0]["label"], "control");
    assert_eq!(json["targets"].as_array().map(Vec::len), Some(6));
}
