//! Vectors of cells and genes, and edits of genes.

use crate::parity::folder;
use cellstone_core::{CountSource, Csr, Embedder, ObsTable, Result, RowBlock, Scale, Seed, TokenRow, Var};
use cellstone_model::{
    CellStates, Checkpoint, DeviceChoice, Edit, EditKind, EmbedOptions, GeneStates, Layer, ModelEmbedder, Pool,
    TokenKinds, batch_tokens, edit_effects, open_checkpoint, select,
};
use ndarray::{Array2, Axis};
use std::collections::BTreeMap;

fn checkpoint(name: &str) -> Checkpoint {
    let cpu = select(DeviceChoice::Cpu).expect("the CPU");
    open_checkpoint(&folder("published").join(name), &cpu).expect("a checkpoint")
}

fn options(layer: i64, pool: Pool, batch_tokens: usize) -> EmbedOptions {
    EmbedOptions { layer: Layer::new(layer), pool, batch_tokens }
}

/// Rows of every length from 3 to 12: `<cls>`, genes, `<eos>`.
fn rows() -> Vec<TokenRow> {
    let row = |at: usize| {
        let genes = (0..=at * 7 % 10).map(|it| 4 + ((it * 11 + at * 5) % 36) as u32);
        TokenRow { input_ids: [2].into_iter().chain(genes).chain([3]).collect(), ..TokenRow::default() }
    };
    (0..23).map(row).collect()
}

fn cells(of: &Checkpoint, rows: &[TokenRow], options: EmbedOptions) -> Array2<f32> {
    let kinds = TokenKinds::of(of);
    let mut states = CellStates::new(&of.network, &kinds, options).expect("a layer");
    for it in rows {
        states.push(it.clone()).expect("a row");
    }
    states.finish().expect("vectors")
}

fn gap(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// States of one row alone, `[len, d]`.
fn alone(of: &Checkpoint, row: &TokenRow, layer: usize) -> Array2<f32> {
    let batch = cellstone_model::TokenBatch::new(std::slice::from_ref(row), 0, -2.0).expect("a batch");
    of.network.run(&batch).expect("outputs").hidden[layer].index_axis(Axis(0), 0).to_owned()
}

#[test]
fn vectors_do_not_depend_on_batches() {
    let (of, rows) = (checkpoint("geneformer_bin"), rows());
    for pool in [Pool::Cls, Pool::Mean, Pool::MeanAll, Pool::Max] {
        for layer in [0, 1, -1] {
            let whole = cells(&of, &rows, options(layer, pool, 100_000));
            for tokens in [1, 17, 40] {
                let parts = cells(&of, &rows, options(layer, pool, tokens));
                assert!(gap(&whole, &parts) < 1e-5, "{pool:?} {layer} {tokens}: {}", gap(&whole, &parts));
            }
            // Against the states of each cell alone, pooled by hand.
            let at = Layer::new(layer).index(2).expect("a layer");
            for (row, vector) in rows.iter().zip(whole.rows()) {
                let states = alone(&of, row, at);
                let genes = states.slice_axis(Axis(0), (1..row.input_ids.len() - 1).into());
                let want = match pool {
                    Pool::Cls => states.row(0).to_owned(),
                    Pool::Mean => genes.mean_axis(Axis(0)).expect("genes"),
                    Pool::MeanAll => states.mean_axis(Axis(0)).expect("tokens"),
                    Pool::Max => genes.fold_axis(Axis(0), f32::NEG_INFINITY, |a, b| a.max(*b)),
                };
                let gap = want.iter().zip(vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(gap < 1e-5, "{pool:?} {layer}: {gap}");
            }
        }
    }
}

#[test]
fn wrong_layers_rows_and_pools_are_refused() {
    let of = checkpoint("geneformer_bin");
    let kinds = TokenKinds::of(&of);
    let error = CellStates::new(&of.network, &kinds, options(3, Pool::Mean, 10)).err().expect("too deep").to_string();
    assert_eq!(error, "layer 3, expected 0 to 2 or -1 to -3 (2 blocks)");
    let row = |ids: &[u32]| TokenRow { input_ids: ids.to_vec(), ..TokenRow::default() };
    let said = |pool, ids: &[u32]| {
        let mut states = CellStates::new(&of.network, &kinds, options(-1, pool, 10)).expect("a layer");
        states.push(row(ids)).and_then(|_| states.finish()).expect_err("refused").to_string()
    };
    assert!(said(Pool::Cls, &[5, 6]).contains("do not begin with a token of the cell"));
    assert_eq!(said(Pool::Mean, &[2, 3]), "a row of tokens without a gene, expected at least one");
    assert_eq!(said(Pool::Mean, &[2, 40, 3, 5]), "token 40 of a network that knows 40, expected ids below that");
    assert!(said(Pool::Mean, &[4; 17]).contains("a row of 17 tokens, expected at most 16"));
}

#[test]
fn genes_in_their_context() {
    let (of, rows) = (checkpoint("geneformer_bin"), rows());
    let kinds = TokenKinds::of(&of);
    let mut sums = BTreeMap::<u32, (Vec<f64>, u64)>::new();
    for row in &rows {
        let states = alone(&of, row, 1);
        for at in 1..row.input_ids.len() - 1 {
            let sum = sums.entry(row.input_ids[at]).or_insert((vec![0.0; 16], 0));
            sum.0.iter_mut().zip(states.row(at)).for_each(|(sum, x)| *sum += f64::from(*x));
            sum.1 += 1;
        }
    }
    for tokens in [20, 10_000] {
        let mut states = GeneStates::new(&of.network, &kinds, options(1, Pool::Mean, tokens)).expect("a layer");
        for it in &rows {
            states.push(it.clone()).expect("a row");
        }
        let found = states.finish(3).expect("genes");
        let wanted: Vec<_> = sums.iter().filter(|it| it.1.1 >= 3).collect();
        assert_eq!(found.names.len(), wanted.len());
        for (at, (key, (sum, n))) in wanted.into_iter().enumerate() {
            assert_eq!((found.names[at].as_str(), found.n_cells[at]), (kinds.name(*key).expect("a gene"), *n));
            for (got, sum) in found.values.row(at).iter().zip(sum) {
                assert!((f64::from(*got) - sum / *n as f64).abs() < 1e-5);
            }
            assert!(found.standard_error[at].expect("more than one cell") > 0.0);
        }
    }
}

fn genes(names: &[&str]) -> Vec<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

#[test]
fn edits_of_ranks() {
    let of = checkpoint("geneformer_bin");
    let kinds = TokenKinds::of(&of);
    let row = TokenRow { input_ids: vec![2, 10, 11, 12, 13, 3], ..TokenRow::default() };
    let edit = |kind, names: &[&str]| Edit::new(kind, &genes(names), &kinds).expect("an edit");
    let ids = |edit: &Edit, max_len| edit.apply(&row, &kinds, max_len).input_ids;
    let gone = edit(EditKind::Delete, &["ENSG00000000011"]);
    assert_eq!(ids(&gone, 16), [2, 10, 12, 13, 3]);
    // The edit comes before the cut: the next gene moves in.
    assert_eq!(ids(&gone, 4), [2, 10, 12, 3]);
    let up = edit(EditKind::Overexpress, &["ENSG00000000013", "ENSG00000000030"]);
    assert_eq!(ids(&up, 16), [2, 13, 30, 10, 11, 12, 3]);
    assert_eq!(ids(&up, 5), [2, 13, 30, 10, 3]);
    assert_eq!(up.n_present(&row, &kinds), 1);
    let error = Edit::new(EditKind::Delete, &genes(&["ENSG00000000001"]), &kinds).expect_err("unknown");
    assert_eq!(error.to_string(), "gene `ENSG00000000001` is not in the vocabulary of the model");
    assert!(Edit::new(EditKind::Delete, &genes(&["ENSG00000000011", "ENSG00000000011"]), &kinds).is_err());
    assert!(Edit::new(EditKind::Delete, &[], &kinds).is_err());
}

#[test]
fn edits_of_bins() {
    let of = checkpoint("scgpt");
    let kinds = TokenKinds::of(&of);
    let values = Some(vec![-2.0, 3.0, 50.0, 7.0]);
    let row = TokenRow { input_ids: vec![38, 4, 9, 20], values, ..TokenRow::default() };
    let name = |key| kinds.name(key).expect("a gene").to_owned();
    let up = Edit::new(EditKind::Overexpress, &[name(4), name(15)], &kinds).expect("an edit").apply(&row, &kinds, 99);
    assert_eq!((up.input_ids, up.values), (vec![38, 4, 9, 15, 20], Some(vec![-2.0, 50.0, 50.0, 50.0, 7.0])));
    let gone = Edit::new(EditKind::Delete, &[name(9)], &kinds).expect("an edit").apply(&row, &kinds, 99);
    assert_eq!((gone.input_ids, gone.values), (vec![38, 4, 20], Some(vec![-2.0, 3.0, 7.0])));
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn effects_of_edits() {
    let (of, rows) = (checkpoint("geneformer_bin"), rows());
    let kinds = TokenKinds::of(&of);
    let edit = Edit::new(EditKind::Delete, &genes(&["ENSG00000000015"]), &kinds).expect("an edit");
    let found = edit_effects(&of.network, &kinds, &edit, &rows, 16, options(-1, Pool::Mean, 50)).expect("effects");
    let (mut n_moved, mut n_absent) = (0, 0);
    for (row, effect) in rows.iter().zip(&found) {
        let Some(place) = row.input_ids.iter().position(|it| *it == 15) else {
            assert_eq!((effect.n_present, effect.shift, effect.gene_shift), (0, None, None));
            n_absent += 1;
            continue;
        };
        let without = edit.apply(row, &kinds, 16);
        if without.input_ids.len() == 2 {
            assert_eq!((effect.n_present, effect.shift, effect.gene_shift), (1, None, None));
            continue;
        }
        let (a, b) = (alone(&of, row, 2), alone(&of, &without, 2));
        let wide = |states: &Array2<f32>, at: usize| states.row(at).mapv(f64::from).to_vec();
        let stay: Vec<usize> = (1..row.input_ids.len() - 1).filter(|it| *it != place).collect();
        let moved = |at: usize| if at > place { at - 1 } else { at };
        let mean = |of: &dyn Fn(usize) -> Vec<f64>| -> Vec<f64> {
            (0..16).map(|d| stay.iter().map(|it| of(*it)[d]).sum::<f64>() / stay.len() as f64).collect()
        };
        let shift = distance(&mean(&|it| wide(&a, it)), &mean(&|it| wide(&b, moved(it))));
        let each = stay.iter().map(|it| distance(&wide(&a, *it), &wide(&b, moved(*it)))).sum::<f64>();
        assert!((effect.shift.expect("it moves") - shift).abs() < 1e-5);
        assert!((effect.gene_shift.expect("it moves") - each / stay.len() as f64).abs() < 1e-5);
        assert!(shift > 1e-6);
        n_moved += 1;
    }
    assert!(n_moved > 1 && n_absent > 2, "{n_moved} {n_absent}");
}

/// Cells in memory.
struct InMemory {
    x: Csr<f32>,
    var: Var,
    obs: ObsTable,
}

impl CountSource for InMemory {
    fn name(&self) -> &'static str {
        "cells"
    }

    fn n_obs(&self) -> usize {
        self.obs.n_rows()
    }

    fn var(&self) -> &Var {
        &self.var
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        Scale::Counts
    }

    fn blocks(&self, start: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        Ok(Box::new((start..self.n_obs()).map(|start| Ok(RowBlock { start, x: self.x.select_rows(&[start]) }))))
    }
}

#[test]
fn a_checkpoint_embeds_cells_and_genes() {
    let ids: Vec<String> = (4..40).map(|it| format!("ENSG{it:011}")).chain(["ENSG99999999999".into()]).collect();
    let dense = Array2::from_shape_fn((6, 37), |(cell, gene)| if gene < 10 { ((cell * gene) % 4) as f32 } else { 0.0 });
    let cells = InMemory {
        x: Csr::from_dense(&dense),
        var: Var::from_ids(ids).expect("genes"),
        obs: ObsTable::new((0..6).map(|it| format!("c{it}")).collect()),
    };
    let new = || ModelEmbedder::new(checkpoint("geneformer_bin"), None, options(-1, Pool::Mean, 64), Seed::new(0));
    let embedder = new().expect("an embedder");
    assert_eq!(embedder.id(), "geneformer");
    // The first cell has no count.
    let error = embedder.embed_cells(&cells).expect_err("no tokens").to_string();
    assert!(error.starts_with("cell `c0` of `cells`: no tokens: no_known_gene"), "{error}");
    let some = InMemory {
        x: cells.x.select_rows(&[1, 2, 3]),
        var: cells.var.clone(),
        obs: ObsTable::new(vec!["c1".into(), "c2".into(), "c3".into()]),
    };
    let vectors = embedder.embed_cells(&some).expect("vectors");
    assert_eq!(vectors.dim(), (3, 16));
    let found = embedder.embed_genes(&cells.var).expect("genes");
    assert_eq!(found.present.iter().filter(|it| **it).count(), 36);
    assert!(!found.present[36] && found.values.row(36).iter().all(|it| *it == 0.0));
    let weights = embedder_weights();
    assert_eq!(found.values.row(0).to_vec(), weights[4 * 16..5 * 16]);
}

fn embedder_weights() -> Vec<f32> {
    let weights = checkpoint("geneformer_bin").network.weights().expect("weights");
    weights.get("bert.embeddings.word_embeddings.weight").expect("a table").data.clone()
}

#[test]
fn batches_fit_into_memory() {
    let network = checkpoint("geneformer_bin").network;
    // 4 bytes x (11 states of 16, 2 inner of 32, 2 x 2 scores of 16), half of the memory.
    let per_token = 4 * (11 * 16 + 2 * 32 + 4 * 16) as u64;
    assert_eq!(batch_tokens(&network, 16, 2 * 1000 * per_token), 1000);
    assert_eq!(batch_tokens(&network, 16, 0), 16);
    assert!(batch_tokens(&network, 16, u64::MAX) <= 1 << 20);
}
