//! Rows for the rank-value study: against SciPy and scanpy, and against the definitions written out over dense rows.

use crate::common::golden;
use cellstone_core::{Csr, Seed, cell_seed};
use cellstone_rank::{
    BinTies, CountRows, Medians, PearsonResiduals, QuantileBins, RowEncoder, ZScore, average_ranks, encode_rows,
    encode_rows_dense,
};
use ndarray::{Array2, array};
use proptest::prelude::*;

fn table(value: &serde_json::Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).expect("rows of numbers");
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).expect("a table")
}

#[test]
fn golden_rank_offsets_and_the_sparse_identity() {
    let file = golden("vectors/golden.json");
    let counts = table(&file["counts"]).mapv(|it| it as f32);
    let x = Csr::from_dense(&counts);
    let ranks = encode_rows(&CountRows::new(&x), &RowEncoder::RankAll).expect("counts");
    assert_eq!(ranks.to_dense(), table(&file["offsets"]).mapv(|it| it as f32));
    // Spearman from the offsets and the rank of zeros alone.
    let (n_obs, n_vars) = x.shape();
    let g = n_vars as f64;
    let offsets = ranks.to_dense().mapv(f64::from);
    let zero: Vec<f64> = serde_json::from_value(file["zero_rank"].clone()).expect("numbers");
    let want = table(&file["spearman"]);
    let centre: Vec<f64> = zero.iter().map(|it| (g + 1.0) / 2.0 - it).collect();
    let product = |a: usize, b: usize| {
        offsets.row(a).iter().zip(offsets.row(b)).map(|(a, b)| a * b).sum::<f64>() - g * centre[a] * centre[b]
    };
    for a in 0..n_obs {
        for b in 0..n_obs {
            let rho = product(a, b) / (product(a, a) * product(b, b)).sqrt();
            assert!((rho - want[[a, b]]).abs() < 1e-12, "cells {a} and {b}: {rho} for {}", want[[a, b]]);
        }
    }
}

#[test]
fn golden_pearson_residuals() {
    let file = golden("vectors/golden.json");
    let x = Csr::from_dense(&table(&file["counts"]).mapv(|it| it as f32));
    let cells = CountRows::new(&x);
    let fitted = PearsonResiduals::fit(&cells, 100.0, None).expect("counts");
    let found = encode_rows_dense(&cells, &RowEncoder::Pearson(fitted)).expect("counts");
    for (found, want) in found.iter().zip(&table(&file["pearson_residuals"])) {
        assert!((f64::from(*found) - want).abs() < 1e-6 * (1.0 + want.abs()), "{found} for {want}");
    }
}

/// Every encoder over a dense row of counts, as the study defines it.
fn naive(encoder: &RowEncoder, row: &[f32], total: f64, seed: Seed) -> Vec<f32> {
    let wide: Vec<f64> = row.iter().map(|it| f64::from(*it)).collect();
    // An empty row stays empty, whatever it would be divided by.
    let total = if total > 0.0 { total } else { 1.0 };
    let detected: Vec<usize> = (0..row.len()).filter(|it| row[*it] > 0.0).collect();
    let scaled = |medians: &Medians| -> Vec<f64> {
        wide.iter().zip(medians).map(|(it, median)| median.map_or(0.0, |m| it / total * 1e4 / m)).collect()
    };
    let among = |values: &[f64]| {
        let kept: Vec<usize> = (0..values.len()).filter(|it| values[*it] > 0.0).collect();
        let ranks = average_ranks(&kept.iter().map(|it| values[*it]).collect::<Vec<_>>());
        let mut out = vec![0.0; values.len()];
        kept.iter().zip(ranks).for_each(|(at, rank)| out[*at] = rank);
        (out, kept.len())
    };
    let out: Vec<f64> = match encoder {
        RowEncoder::Raw => wide,
        RowEncoder::Binary => wide.iter().map(|it| f64::from(u8::from(*it > 0.0))).collect(),
        RowEncoder::LogNorm { target } => wide.iter().map(|it| (it / total * target).ln_1p()).collect(),
        RowEncoder::RankAll => {
            let zero = (row.len() - detected.len() + 1) as f64 / 2.0;
            let ranks = average_ranks(&wide);
            ranks.iter().zip(&wide).map(|(rank, it)| if *it > 0.0 { rank - zero } else { 0.0 }).collect()
        }
        RowEncoder::RankDetected => {
            let (ranks, n) = among(&wide);
            ranks.iter().map(|it| (*it as f32 / n.max(1) as f32) as f64).collect()
        }
        RowEncoder::GeneformerScaled { medians } => scaled(medians),
        RowEncoder::GeneformerRank { medians } => among(&scaled(medians)).0,
        RowEncoder::TopK { medians, k } => {
            let values = scaled(medians);
            let mut order: Vec<usize> = (0..values.len()).filter(|it| values[*it] > 0.0).collect();
            order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
            let mut out = vec![0.0; values.len()];
            order.iter().take(*k).enumerate().for_each(|(at, it)| out[*it] = (k - at) as f64 / *k as f64);
            out
        }
        RowEncoder::Bins { n_bins, ties } => {
            let mut bins = QuantileBins::new(*n_bins).expect("enough");
            bins.fit(&detected.iter().map(|it| wide[*it]).collect::<Vec<_>>());
            let mut rng = seed.derive("scgpt.bin").rng();
            wide.iter().map(|it| if *it > 0.0 { f64::from(bins.bin(*it, *ties, &mut rng)) } else { 0.0 }).collect()
        }
        RowEncoder::ZScore(_) | RowEncoder::Pearson(_) => unreachable!("dense"),
    };
    out.into_iter().map(|it| it as f32).collect()
}

fn medians(n: usize) -> Medians {
    // One gene in five has none; two share one.
    (0..n).map(|it| (it % 5 != 2).then_some([0.5, 2.0, 2.0, 1e-6][it % 4])).collect()
}

fn sparse_encoders(n: usize) -> Vec<RowEncoder> {
    let medians = medians(n);
    vec![
        RowEncoder::Raw,
        RowEncoder::LogNorm { target: 1e4 },
        RowEncoder::RankAll,
        RowEncoder::RankDetected,
        RowEncoder::GeneformerRank { medians: medians.clone() },
        RowEncoder::GeneformerScaled { medians: medians.clone() },
        RowEncoder::TopK { medians: medians.clone(), k: 3 },
        RowEncoder::TopK { medians, k: 500 },
        RowEncoder::Bins { n_bins: 51, ties: BinTies::Random },
        RowEncoder::Bins { n_bins: 7, ties: BinTies::Middle },
        RowEncoder::Binary,
    ]
}

fn rows() -> impl Strategy<Value = Array2<f32>> {
    let value = prop_oneof![
        4 => Just(0.0_f32),
        4 => (1_u16..6).prop_map(f32::from),
        1 => (1_u16..9000).prop_map(f32::from),
        1 => 0.01_f32..40.0,
    ];
    (1_usize..7, 1_usize..24).prop_flat_map(move |(n, p)| {
        prop::collection::vec(value.clone(), n * p)
            .prop_map(move |it| Array2::from_shape_vec((n, p), it).expect("a table"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn sparse_rows_are_those_of_the_definition(dense in rows(), given in prop::option::of(1.0_f64..5.0)) {
        let x = Csr::from_dense(&dense);
        let sums: Vec<f64> = dense.rows().into_iter().map(|it| it.iter().map(|v| f64::from(*v)).sum()).collect();
        // Totals over more genes than the matrix has.
        let totals: Option<Vec<f64>> = given.map(|more| sums.iter().map(|it| it * more + 1.0).collect());
        let seeds: Vec<Seed> = (0..dense.nrows()).map(|it| cell_seed(Seed::new(1), "d", &it.to_string())).collect();
        let cells = CountRows { x: &x, totals: totals.as_deref(), seeds: Some(&seeds) };
        for encoder in sparse_encoders(dense.ncols()) {
            if dense.ncols() <= 2 && matches!(encoder, RowEncoder::GeneformerRank { .. }) {
                continue;
            }
            let found = encode_rows(&cells, &encoder).expect("counts");
            prop_assert!(found.data().iter().all(|it| *it != 0.0), "stored zeros");
            let found = found.to_dense();
            for (at, row) in dense.rows().into_iter().enumerate() {
                let total = totals.as_ref().map_or(sums[at], |it| it[at]);
                let want = naive(&encoder, &row.to_vec(), total, seeds[at]);
                prop_assert_eq!(found.row(at).to_vec(), want, "{} of {:?}", encoder.id(), row);
            }
        }
    }
}

#[test]
fn threads_blocks_and_stored_zeros_do_not_show() {
    let n = 1000;
    let dense = Array2::from_shape_fn((n, 30), |(row, col)| ((row * 31 + col * 17) % 7).saturating_sub(3) as f32);
    let x = Csr::from_dense(&dense);
    let indices: Vec<u32> = (0..n).flat_map(|_| 0..30).collect();
    let full = Csr::new(n, 30, (0..=n).map(|it| it * 30).collect(), indices, dense.iter().copied().collect());
    let full = full.expect("a matrix");
    let seeds: Vec<Seed> = (0..n as u64).map(Seed::new).collect();
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("a pool");
    for encoder in sparse_encoders(30) {
        let encode =
            |x| encode_rows(&CountRows { seeds: Some(&seeds), ..CountRows::new(x) }, &encoder).expect("counts");
        let one = pool(1).install(|| encode(&x));
        assert_eq!(one, pool(3).install(|| encode(&x)), "{}", encoder.id());
        assert_eq!(one, encode(&full), "{}", encoder.id());
    }
}

#[test]
fn z_scores_by_hand() {
    // Totals 4 and 8: shares 1/4, 3/4 and 1/2, 1/2 at a library size of 4; the third gene is constant.
    let x = Csr::from_dense(&array![[1.0_f32, 3.0, 0.0], [4.0, 4.0, 0.0]]);
    let cells = CountRows::new(&x);
    let fitted = ZScore::fit(&cells, 4.0, 10.0).expect("two cells");
    let found = encode_rows_dense(&cells, &RowEncoder::ZScore(fitted)).expect("counts");
    // Two values are always 1/√2 standard deviations from their mean.
    let half = 0.5_f32.sqrt();
    let want = array![[-half, half, 0.0], [half, -half, 0.0]];
    assert!(found.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-6), "{found}");
    // Cells that were not fitted, and the clip.
    let other = Csr::from_dense(&array![[0.0_f32, 1.0, 5.0]]);
    let totals = [100.0];
    let cells = CountRows { totals: Some(&totals), ..CountRows::new(&other) };
    let fitted = ZScore::fit(&CountRows::new(&x), 4.0, 3.0).expect("two cells");
    let found = encode_rows_dense(&cells, &RowEncoder::ZScore(fitted)).expect("counts");
    let (low, high) = (2.0_f64.ln(), 3.0_f64.ln());
    let (mean, sd) = ((low + high) / 2.0, (high - low) / 2.0_f64.sqrt());
    assert!((f64::from(found[[0, 0]]) - (-mean / sd).max(-3.0)).abs() < 1e-6, "{found}");
    assert_eq!(found[[0, 2]], 0.0);
}

#[test]
fn dense_and_sparse_agree_where_both_are_made() {
    let x = Csr::from_dense(&array![[0.0_f32, 2.0, 1.0], [0.0, 0.0, 0.0]]);
    let cells = CountRows::new(&x);
    let dense = encode_rows_dense(&cells, &RowEncoder::RankAll).expect("counts");
    assert_eq!(dense, array![[0.0, 2.0, 1.0], [0.0, 0.0, 0.0]]);
    // An empty cell has residuals of 0.
    let fitted = PearsonResiduals::fit(&cells, 100.0, Some(5.0)).expect("some counts");
    let found = encode_rows_dense(&cells, &RowEncoder::Pearson(fitted)).expect("counts");
    assert!(found.iter().all(|it| it.is_finite()) && found.row(1).iter().all(|it| *it == 0.0));
}

#[test]
fn bad_input_is_named() {
    let x = Csr::from_dense(&array![[1.0_f32, 2.0], [0.0, -1.0]]);
    let said =
        |cells: &CountRows<'_>, encoder: &RowEncoder| encode_rows(cells, encoder).expect_err("refused").to_string();
    let error = said(&CountRows::new(&x), &RowEncoder::RankAll);
    assert_eq!(error, "cell 1 gene 1 holds -1, expected a count: ranks are defined for values from 0");
    let x = Csr::from_dense(&array![[1.0_f32, 2.0]]);
    let cells = CountRows::new(&x);
    let short = [1.0, 2.0];
    let error = said(&CountRows { totals: Some(&short), ..cells }, &RowEncoder::Raw);
    assert_eq!(error, "2 totals for 1 cells, expected one each");
    let error = said(&CountRows { totals: Some(&[0.0]), ..cells }, &RowEncoder::Raw);
    assert_eq!(error, "cell 0 has a total of 0, expected at least its own counts");
    let medians = |it| RowEncoder::GeneformerRank { medians: it };
    assert_eq!(said(&cells, &medians(vec![None])), "1 medians for 2 genes, expected one each");
    assert_eq!(said(&cells, &medians(vec![None, None])), "none of 2 genes has a median");
    assert_eq!(said(&cells, &medians(vec![None, Some(0.0)])), "gene 1 has a median of 0, expected above 0");
    let bins = RowEncoder::Bins { n_bins: 51, ties: BinTies::Random };
    assert_eq!(said(&cells, &bins), "bins with random ties need a seed per cell");
    let fitted = PearsonResiduals::fit(&cells, 100.0, None).expect("counts");
    assert_eq!(said(&cells, &RowEncoder::Pearson(fitted)), "encoder `pearson_residuals` makes dense rows");
    assert!(ZScore::fit(&cells, 1e4, 10.0).expect_err("one cell").to_string().contains("at least 2"));
    let empty = Csr::from_dense(&array![[0.0_f32, 0.0]]);
    assert!(PearsonResiduals::fit(&CountRows::new(&empty), 100.0, None).is_err());
}
