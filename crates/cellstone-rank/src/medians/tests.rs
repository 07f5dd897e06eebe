//! A corpus in memory, its medians by sorting, and by both methods.

use super::*;
use crate::vocab::GeneVocab;
use cellstone_core::genes::IdTarget;
use cellstone_core::{CountSource, Csr, ObsTable, Result, RowBlock, Scale, Seed, Var};
use proptest::prelude::*;
use rand::RngExt;

struct Memory {
    x: Csr<f32>,
    var: Var,
    obs: ObsTable,
    scale: Scale,
    block: usize,
}

impl Memory {
    fn new(names: &[&str], rows: &[Vec<f32>], block: usize) -> Self {
        let (mut indptr, mut indices, mut data) = (vec![0], Vec::new(), Vec::new());
        for row in rows {
            for (col, value) in row.iter().enumerate().filter(|it| *it.1 != 0.0) {
                indices.push(col as u32);
                data.push(*value);
            }
            indptr.push(data.len());
        }
        let x = Csr::new(rows.len(), names.len(), indptr, indices, data).expect("a matrix");
        let obs = ObsTable::new((0..rows.len()).map(|it| it.to_string()).collect());
        let var = Var::from_ids(names.iter().copied()).expect("unique");
        Self { x, var, obs, scale: Scale::Counts, block }
    }
}

impl CountSource for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn n_obs(&self) -> usize {
        self.x.shape().0
    }

    fn var(&self) -> &Var {
        &self.var
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        let n_obs = self.n_obs();
        let block = move |start: usize| {
            let rows: Vec<usize> = (start..(start + self.block).min(n_obs)).collect();
            Ok(RowBlock { start, x: self.x.select_rows(&rows) })
        };
        Ok(Box::new((start_row..n_obs).step_by(self.block).map(block)))
    }
}

fn medians(sources: &[&Memory], method: MedianMethod) -> Result<CorpusMedians> {
    let sources: Vec<&dyn CountSource> = sources.iter().map(|it| *it as &dyn CountSource).collect();
    let vars: Vec<&Var> = sources.iter().map(|it| it.var()).collect();
    let vocab = corpus_genes(&vars, None)?;
    corpus_medians(&sources, &vocab, None, &MedianOptions { method, min_detected: 3 })
}

/// The definition, on one matrix.
fn by_sorting(rows: &[Vec<f32>], gene: usize) -> Option<f64> {
    let value = |row: &Vec<f32>| {
        let total: f64 = row.iter().map(|it| f64::from(*it)).sum();
        ((f64::from(row[gene]) / total) * 1e4) as f32
    };
    let mut values: Vec<f32> = rows.iter().filter(|it| it[gene] > 0.0).map(value).collect();
    values.sort_by(f32::total_cmp);
    let n = values.len();
    (n > 0).then(|| (f64::from(values[(n - 1) / 2]) + f64::from(values[n / 2])) / 2.0)
}

const NAMES: [&str; 4] = ["ENSG00000000004", "ENSG00000000001.2", "other", "ENSG00000000003"];

#[test]
fn medians_by_hand() {
    // Totals 10, 20, 5, 0; A: 1000, 500, 2000; B: 9000, 9500 (even number); the third in one cell, the fourth in none.
    let rows = [vec![1.0, 9.0, 0.0, 0.0], vec![1.0, 19.0, 0.0, 0.0], vec![1.0, 0.0, 4.0, 0.0], vec![0.0; 4]];
    let source = Memory::new(&NAMES, &rows, 2);
    for method in [MedianMethod::Exact, MedianMethod::Tdigest] {
        let found = medians(&[&source], method).expect("counts");
        let gene = |at: usize| {
            let it = &found.genes[at];
            (it.gene_id.as_str(), it.median, it.n_cells_detected, it.n_cells_total, it.low_support)
        };
        assert_eq!(gene(0), ("ENSG00000000001", 9250.0, 2, 4, true));
        assert_eq!(gene(1), ("ENSG00000000004", 1000.0, 3, 4, false));
        assert_eq!(gene(2), ("other", 8000.0, 1, 4, true));
        assert_eq!((found.genes.len(), found.n_cells, found.n_empty, found.n_undetected), (3, 4, 1, 1));
    }
}

#[test]
fn files_of_other_genes_are_one_corpus() {
    let first = Memory::new(&["ENSG00000000001", "ENSG00000000002"], &[vec![1.0, 1.0], vec![1.0, 3.0]], 1);
    let second = Memory::new(&["ENSG00000000002.9", "ENSG00000000002_PAR_Y"], &[vec![2.0, 8.0]], 1);
    for method in [MedianMethod::Exact, MedianMethod::Tdigest] {
        let found = medians(&[&first, &second], method).expect("counts");
        let totals: Vec<(u64, u64)> = found.genes.iter().map(|it| (it.n_cells_detected, it.n_cells_total)).collect();
        assert_eq!(totals, [(2, 2), (3, 3)]);
        // 5000, 7500 and, from two columns of one gene, 10000.
        assert_eq!(found.genes[1].median, 7500.0);
    }
}

#[test]
fn what_is_no_count_is_named() {
    let said = |source: &Memory, method| medians(&[source], method).expect_err("no counts").to_string();
    for method in [MedianMethod::Exact, MedianMethod::Tdigest] {
        for (bad, word) in [(-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
            let source = Memory::new(&["A", "B"], &[vec![1.0, 1.0], vec![1.0, 2.0], vec![1.0, bad]], 2);
            assert_eq!(said(&source, method), format!("`memory` cell 2 column 1 holds {word}, expected a count"));
        }
        let mut source = Memory::new(&["A"], &[vec![1.0]], 2);
        source.scale = Scale::LogNorm { target_sum: None };
        assert!(said(&source, method).contains("expected raw counts"));
        assert!(said(&Memory::new(&["A"], &[], 2), method).contains("no cell"));
    }
    let nothing = GeneVocab::new("x", IdTarget::Symbol, vec![("A".to_owned(), 0)]).expect("a gene");
    assert!(corpus_medians(&[], &nothing, None, &MedianOptions::default()).is_err());
}

#[test]
fn a_digest_of_few_values_is_exact() {
    let mut digest = TDigest::default();
    assert_eq!((digest.n(), digest.quantile(0.5)), (0, None));
    digest.add(3.0);
    assert_eq!(digest.quantile(0.5), Some(3.0));
    let mut other = TDigest::default();
    other.add(5.0);
    digest.merge(other);
    assert_eq!((digest.n(), digest.quantile(0.5)), (2, Some(4.0)));
    assert_eq!((digest.quantile(0.0), digest.quantile(1.0)), (Some(3.0), Some(5.0)));
}

/// Distance of the share of values below and up to `value` from a half.
fn rank_error(values: &[f32], value: f64) -> f64 {
    let n = values.len() as f64;
    let below = values.iter().filter(|it| f64::from(**it) < value).count() as f64 / n;
    let up_to = values.iter().filter(|it| f64::from(**it) <= value).count() as f64 / n;
    (below - 0.5).max(0.5 - up_to).max(0.0)
}

proptest! {
    #[test]
    fn exact_medians_equal_sorting_in_any_blocks_and_threads(
        rows in prop::collection::vec(prop::collection::vec(0_u8..5, 4), 1..120),
        scale in prop::sample::select(vec![1.0_f32, 977.0]),
        block in 1_usize..50,
        split in 0_usize..120,
    ) {
        let rows: Vec<Vec<f32>> = rows.iter().map(|it| it.iter().map(|it| f32::from(*it) * scale).collect()).collect();
        let whole = Memory::new(&NAMES, &rows, block);
        let pool = |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("pool");
        let found = pool(1).install(|| medians(&[&whole], MedianMethod::Exact)).expect("counts");
        prop_assert_eq!(&found, &pool(3).install(|| medians(&[&whole], MedianMethod::Exact)).expect("counts"));
        for it in &found.genes {
            let col = NAMES.iter().position(|name| name.starts_with(&it.gene_id)).expect("a gene");
            prop_assert_eq!(Some(it.median), by_sorting(&rows, col));
        }
        // Cells in another order and in two files.
        let (mut first, mut second) = (rows.clone(), rows.clone());
        first.truncate(split.min(rows.len()));
        second.drain(..split.min(rows.len()));
        second.reverse();
        let parts = [Memory::new(&NAMES, &second, 7), Memory::new(&NAMES, &first, block)];
        prop_assert_eq!(&found, &medians(&[&parts[0], &parts[1]], MedianMethod::Exact).expect("counts"));
        // A digest of so few values holds them one by one at the middle, or nearly.
        let digest = medians(&[&whole], MedianMethod::Tdigest).expect("counts");
        prop_assert_eq!(&digest, &pool(3).install(|| medians(&[&whole], MedianMethod::Tdigest)).expect("counts"));
        let seen = |it: &CorpusMedians| it.genes.iter().map(|it| it.n_cells_detected).collect::<Vec<_>>();
        prop_assert_eq!(seen(&digest), seen(&found));
    }

    #[test]
    fn a_digest_is_half_a_per_cent_off_at_most(seed in 0_u64..10_000, n in 1_usize..20_000, parts in 1_usize..5) {
        let mut rng = Seed::new(seed).rng();
        // Skewed, as counts are: from 1 to a million.
        let values: Vec<f32> = (0..n).map(|_| (rng.random::<f64>().powi(3) * 13.8).exp() as f32).collect();
        let mut digest = TDigest::default();
        for part in values.chunks(n.div_ceil(parts)) {
            let mut one = TDigest::default();
            part.iter().for_each(|it| one.add(*it));
            digest.merge(one);
        }
        prop_assert_eq!(digest.n(), n as u64);
        let error = rank_error(&values, digest.quantile(0.5).expect("has values"));
        // Ranks are whole numbers: of few values one alone is a share that counts.
        prop_assert!(error <= 0.005 + 1.0 / n as f64, "rank error {} of {} values", error, n);
    }
}
