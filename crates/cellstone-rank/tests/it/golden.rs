//! The published recipe in plain NumPy, on counts with real ties.

use crate::common::{cell, golden, row};
use cellstone_core::{BoundTokenizer, Scale, Tokenizer, Var};
use cellstone_rank::{Geneformer, GeneformerOptions, GeneformerSeries, RankValues};
use serde_json::Value;
use std::collections::BTreeMap;

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|it| it.as_f64().expect("a number")).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    numbers(value).into_iter().map(|it| it as u32).collect()
}

struct Golden {
    file: Value,
    vocab: Vec<(String, u32)>,
    medians: Vec<(String, f64)>,
    var: Var,
}

impl Golden {
    fn read() -> Self {
        let file = golden("geneformer/golden.json");
        let object = |key: &str| {
            let pairs = file[key].as_object().expect("an object").iter();
            pairs.map(|(name, it)| (name.clone(), it.as_f64().expect("a number"))).collect::<Vec<_>>()
        };
        let vocab = object("tokens").into_iter().map(|(name, it)| (name, it as u32)).collect();
        let medians = object("medians");
        let names = list(&file["columns"]).iter().map(|it| it.as_str().expect("a name"));
        let var = Var::from_ids(names).expect("unique");
        Self { file, vocab, medians, var }
    }

    fn bound(&self, options: GeneformerOptions) -> Box<dyn BoundTokenizer> {
        let encoder = Geneformer::new(self.vocab.clone(), self.medians.clone(), options).expect("valid");
        encoder.bind(&self.var, Scale::Counts).expect("binds")
    }

    /// Columns and counts of each cell, its total, and what the recipe made of it.
    fn cells(&self) -> impl Iterator<Item = (Vec<u32>, Vec<f32>, f64, &Value)> {
        list(&self.file["cells"]).iter().map(|it| {
            let counts = numbers(&it["counts"]).into_iter().map(|it| it as f32).collect();
            (ids(&it["columns"]), counts, it["n_counts"].as_f64().expect("a number"), it)
        })
    }
}

fn options(series: GeneformerSeries, max_len: u64, values: RankValues) -> GeneformerOptions {
    GeneformerOptions { max_len: max_len as usize, values, ..GeneformerOptions::of(series) }
}

#[test]
fn golden_rows_are_equal_under_our_rule() {
    let golden = Golden::read();
    for (series, key) in [(GeneformerSeries::V1, "v1"), (GeneformerSeries::V2, "v2")] {
        let max_len = golden.file["max_len"][key].as_u64().expect("a length");
        let bound = golden.bound(options(series, max_len, RankValues::Counts));
        let mut n_cut = 0;
        for (at, (columns, counts, n_counts, want)) in golden.cells().enumerate() {
            let found = row(bound.encode(&cell(&columns, &counts, n_counts)));
            assert_eq!(found.input_ids, ids(&want[key]["by_token"]), "{key} cell {at}");
            // The recipe keeps normalised counts in f64; rows hold them in f32.
            let beside: Vec<f32> = numbers(&want[key]["counts_by_token"]).into_iter().map(|it| it as f32).collect();
            assert_eq!(found.values, Some(beside), "{key} cell {at}");
            n_cut += u32::from(found.n_truncated > 0);
        }
        assert!(n_cut > 0, "some rows are cut");
    }
}

#[test]
fn golden_rows_are_equal_to_the_published_recipe_up_to_ties() {
    let golden = Golden::read();
    // Long enough for all genes: a cut inside a tie may keep either.
    let bound = golden.bound(options(GeneformerSeries::V1, 100_000, RankValues::MedianScaled));
    let (mut n_ties, mut n_moved) = (0, 0);
    for (at, (columns, counts, n_counts, want)) in golden.cells().enumerate() {
        let found = row(bound.encode(&cell(&columns, &counts, n_counts)));
        let published = ids(&want["published"]);
        let exact: BTreeMap<u32, f64> = ids(&want["tokens"]).into_iter().zip(numbers(&want["values"])).collect();
        assert_eq!(found.input_ids.len(), published.len(), "cell {at}");
        let mut from = 0;
        while from < published.len() {
            let value = exact[&published[from]];
            let n = published[from..].iter().take_while(|it| exact[it] == value).count();
            let sorted = |all: &[u32]| {
                let mut all = all[from..from + n].to_vec();
                all.sort_unstable();
                all
            };
            assert_eq!(sorted(&found.input_ids), sorted(&published), "cell {at}, the {n} genes at {from}");
            n_ties += n - 1;
            from += n;
        }
        n_moved += usize::from(found.input_ids != published);
    }
    assert!(
        n_ties > 100 && n_moved > 0,
        "{n_ties} ties, {n_moved} rows in another order: the data show the difference"
    );
}
