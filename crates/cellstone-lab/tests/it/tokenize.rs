//! Token tables of the lab: the same whatever the blocks and threads, stopped and continued, and what is refused.

use cellstone_core::{CountSource, Csr, Error, ErrorKind, ObsTable, Result, RowBlock, Scale, Seed, Tokenizer, Var};
use cellstone_io::{MemorySource, TokenFile};
use cellstone_lab::{
    DetectedScale, MediansOptions, NCounts, Silent, TokenizeOptions, TokenizeOutcome, medians, open_for, tokenize,
};
use cellstone_rank::{CoverageRule, Geneformer, GeneformerOptions, GeneformerSeries, MedianOptions};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const N_GENES: usize = 40;

/// Genes that the model knows, and one that it does not.
fn genes() -> Vec<String> {
    (0..N_GENES).map(|it| format!("ENSG{it:011}")).chain(["ERCC-00002".to_owned()]).collect()
}

fn encoder() -> Geneformer {
    let genes = genes();
    let known = &genes[..N_GENES];
    let mut vocab = vec![("<pad>".to_owned(), 0), ("<mask>".to_owned(), 1)];
    vocab.extend(known.iter().cloned().zip(2..));
    let medians = known.iter().cloned().zip((0..).map(|it| f64::from(it % 5 + 1))).collect();
    Geneformer::new(vocab, medians, GeneformerOptions::of(GeneformerSeries::V1)).expect("an encoder")
}

/// Whole numbers that depend on nothing but the place; every seventh cell is empty.
fn counts(n: usize) -> Csr<f32> {
    Csr::from_dense(&ndarray::Array2::from_shape_fn((n, N_GENES + 1), |(cell, gene)| {
        let it = (cell * 31 + gene * 17) % 23;
        if cell % 21 == 20 || it > 9 { 0.0 } else { it as f32 }
    }))
}

fn source(n: usize, block_rows: usize) -> MemorySource {
    let obs = ObsTable::new((0..n).map(|it| format!("cell{it}")).collect());
    let var = Var::from_ids(genes()).expect("unique");
    let name = "cells.h5ad";
    MemorySource::new(name, counts(n), var, obs, Scale::Counts).expect("checked").with_block_rows(block_rows)
}

/// Options for `input`, which stands for the file of the cells.
fn options<'a>(input: &Path, cancel: &'a AtomicBool, resume: bool) -> TokenizeOptions<'a> {
    TokenizeOptions {
        input: input.to_owned(),
        matrix: "X".to_owned(),
        files: Vec::new(),
        dataset_id: "set".to_owned(),
        obs: Vec::new(),
        phenotypes: Vec::new(),
        seed: Seed::new(1),
        rule: CoverageRule::Strict,
        n_counts: NCounts::Computed,
        low_medians: Vec::new(),
        detected: None,
        row_group_size: 30,
        resume,
        force: false,
        progress: &Silent,
        cancel,
    }
}

struct Bench {
    dir: tempfile::TempDir,
    input: std::path::PathBuf,
    go: AtomicBool,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let input = dir.path().join("cells.h5ad");
        std::fs::write(&input, "stands for the cells").expect("written");
        Self { dir, input, go: AtomicBool::new(false) }
    }

    fn run(&self, source: &dyn CountSource, name: &str, resume: bool) -> Result<TokenizeOutcome> {
        let path = self.dir.path().join(name);
        tokenize(source, &encoder(), &path, &options(&self.input, &self.go, resume))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name)).expect("readable")
    }

    fn exists(&self, name: &str) -> bool {
        self.dir.path().join(name).exists()
    }
}

#[test]
fn blocks_and_threads_change_nothing() {
    let bench = Bench::new();
    let outcome = bench.run(&source(200, 1000), "whole.parquet", false).expect("made");
    assert_eq!((outcome.n_rows, outcome.n_rejected, outcome.first_row), (191, 9, 0));
    for block_rows in [1, 7, 30, 64] {
        bench.run(&source(200, block_rows), "b.parquet", false).expect("made");
        for name in ["parquet", "rejects.parquet", "coverage.json", "manifest.json"] {
            assert!(bench.bytes(&format!("b.{name}")) == bench.bytes(&format!("whole.{name}")), "{block_rows}: {name}");
            std::fs::remove_file(bench.dir.path().join(format!("b.{name}"))).expect("removed");
        }
    }
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    one.install(|| bench.run(&source(200, 50), "one.parquet", false)).expect("made");
    assert!(bench.bytes("one.parquet") == bench.bytes("whole.parquet"));
}

#[test]
fn tokens_belong_to_their_cells() {
    let bench = Bench::new();
    bench.run(&source(100, 16), "t.parquet", false).expect("made");
    let file = TokenFile::open(&bench.dir.path().join("t.parquet")).expect("opens");
    let encoder = encoder();
    let source = source(100, 100);
    let bound = encoder.bind(source.var(), Scale::Counts).expect("fits");
    let x = counts(100);
    let mut n = 0;
    for batch in file.batches(0) {
        let batch = batch.expect("reads");
        for row in 0..batch.n_rows() {
            let name = &batch.cell_ids.as_ref().expect("names")[row];
            let cell: usize = name.strip_prefix("cell").and_then(|it| it.parse().ok()).expect("a name of ours");
            let (columns, values) = x.row(cell);
            let n_counts = values.iter().map(|it| f64::from(*it)).sum();
            let input = cellstone_core::CellInput { columns, values, n_counts, phenotypes: &[], seed: Seed::new(0) };
            let cellstone_core::Encoded::Row(want) = bound.encode(&input) else { panic!("has genes") };
            assert_eq!(batch.tokens(row), want.input_ids, "{name}");
            n += 1;
        }
    }
    assert_eq!(n, 96);
}

/// A source that does something before its n-th block.
struct Trap<F> {
    source: MemorySource,
    before: usize,
    spring: F,
}

impl<F: Fn() -> Result<()> + Send + Sync> CountSource for Trap<F> {
    fn name(&self) -> &str {
        self.source.name()
    }
    fn n_obs(&self) -> usize {
        self.source.n_obs()
    }
    fn var(&self) -> &Var {
        self.source.var()
    }
    fn obs(&self) -> &ObsTable {
        self.source.obs()
    }
    fn scale(&self) -> Scale {
        self.source.scale()
    }
    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        let blocks = self.source.blocks(start_row)?.enumerate();
        Ok(Box::new(blocks.map(|(at, block)| {
            if at == self.before {
                (self.spring)()?;
            }
            block
        })))
    }
}

#[test]
fn a_run_that_is_asked_to_stop_can_be_continued() {
    let bench = Bench::new();
    bench.run(&source(200, 10), "whole.parquet", false).expect("made");
    for before in [5, 9, 18] {
        let stop = AtomicBool::new(false);
        let spring = || {
            stop.store(true, Ordering::Relaxed);
            Ok(())
        };
        let trap = Trap { source: source(200, 10), before, spring };
        let path = bench.dir.path().join("t.parquet");
        let error = tokenize(&trap, &encoder(), &path, &options(&bench.input, &stop, false)).expect_err("stopped");
        assert!(error.is_cancelled(), "{error:?}");
        assert!(!bench.exists("t.parquet") && bench.exists("t.parquet.partial"));
        assert!(error.hints()[0].ends_with("of 200 cells are written: go on with --resume"), "{error:?}");
        let outcome = bench.run(&source(200, 64), "t.parquet", true).expect("continued");
        assert!(outcome.first_row > 0 && outcome.first_row.is_multiple_of(30), "{}", outcome.first_row);
        assert_eq!(outcome.n_rows, 191);
        for name in ["parquet", "rejects.parquet", "coverage.json", "manifest.json"] {
            assert!(bench.bytes(&format!("t.{name}")) == bench.bytes(&format!("whole.{name}")), "{before}: {name}");
            std::fs::remove_file(bench.dir.path().join(format!("t.{name}"))).expect("removed");
        }
    }
    // Before anything was certain there is nothing to go on from.
    let stop = AtomicBool::new(true);
    let path = bench.dir.path().join("t.parquet");
    let error =
        tokenize(&source(200, 10), &encoder(), &path, &options(&bench.input, &stop, false)).expect_err("stopped");
    assert!(error.is_cancelled() && error.hints().is_empty(), "{error:?}");
    assert!(!bench.exists("t.parquet.partial"));
}

#[test]
fn what_fails_leaves_what_can_be_used() {
    let bench = Bench::new();
    let fail = |kind: ErrorKind| {
        let spring = move || Err(Error::new(kind, "the block is bad"));
        let trap = Trap { source: source(200, 10), before: 15, spring };
        bench.run(&trap, "t.parquet", false).expect_err("fails")
    };
    let error = fail(ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "`cells.h5ad`: the block is bad");
    assert!(!bench.exists("t.parquet.partial"), "it would fail again");
    let error = fail(ErrorKind::Io);
    assert!(error.hints()[0].ends_with("go on with --resume"), "{error:?}");
    assert!(bench.exists("t.parquet.partial"), "the disk may recover");
    assert!(!bench.exists("t.parquet"));
    bench.run(&source(200, 10), "t.parquet", true).expect("continued");
    // Another file of the same name is another file.
    let error = fail(ErrorKind::InvalidInput);
    assert!(error.is_config(), "the table is there: {error:?}");
    std::fs::remove_file(bench.dir.path().join("t.parquet")).expect("removed");
    for name in ["t.rejects.parquet", "t.coverage.json", "t.manifest.json"] {
        std::fs::remove_file(bench.dir.path().join(name)).expect("removed");
    }
    fail(ErrorKind::Io);
    std::fs::write(&bench.input, "other cells").expect("written");
    let error = bench.run(&source(200, 10), "t.parquet", true).expect_err("changed");
    assert!(error.to_string().ends_with("t.parquet.partial` was begun with another `input.mark`"), "{error}");
}

#[test]
fn coverage_is_judged_before_the_end() {
    let bench = Bench::new();
    let n_read = AtomicUsize::new(0);
    let x = ndarray::Array2::from_shape_fn((100, N_GENES + 1), |(_, gene)| if gene == N_GENES { 90.0 } else { 1.0 });
    let obs = ObsTable::new((0..100).map(|it| format!("cell{it}")).collect());
    let var = Var::from_ids(genes()).expect("unique");
    let cells = MemorySource::new("cells.h5ad", Csr::from_dense(&x), var, obs, Scale::Counts).expect("checked");
    let spring = || {
        n_read.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let trap = Trap { source: cells.with_block_rows(5), before: 19, spring };
    let error = bench.run(&trap, "t.parquet", false).expect_err("too little is known");
    assert!(error.to_string().contains("30.8 % of the counts lead to genes of the vocabulary"), "{error}");
    assert_eq!(n_read.load(Ordering::Relaxed), 0, "the first block was enough");
    assert!(!bench.exists("t.parquet.partial"));
}

#[test]
fn scales_are_told_from_the_values() {
    let open = |x: ndarray::Array2<f32>| {
        move |scale| -> Result<Box<dyn CountSource>> {
            let obs = ObsTable::new((0..x.nrows()).map(|it| format!("c{it}")).collect());
            let var = Var::from_ids((0..x.ncols()).map(|it| format!("g{it}"))).expect("unique");
            Ok(Box::new(MemorySource::new("f.h5ad", Csr::from_dense(&x), var, obs, scale)?))
        }
    };
    let encoder = encoder();
    let info = encoder.info();
    let (source, detected) = open_for(&open(ndarray::array![[3.0, 1.0]]), info, true).expect("counts");
    assert_eq!((source.scale(), detected), (Scale::Counts, DetectedScale::Counts));
    let error = open_for(&open(ndarray::array![[3.0, 0.5]]), info, true).err().expect("logarithms");
    assert_eq!(
        error.to_string(),
        "encoder `geneformer_v1` takes counts, but `f.h5ad` holds logarithms (WrongScale): `f.h5ad`: cell 0 gene 1 holds a \
         fractional value 0.5, expected counts"
    );
    let binary = || open(ndarray::array![[1.0, 1.0]]);
    assert!(open_for(&binary(), info, true).is_err());
    assert_eq!(open_for(&binary(), info, false).expect("lenient").1, DetectedScale::Unknown);
}

#[test]
fn medians_are_watched_and_interruptible() {
    let sources: Vec<Box<dyn CountSource>> = vec![Box::new(source(50, 8)), Box::new(source(30, 8))];
    let go = AtomicBool::new(false);
    let options = |cancel| MediansOptions {
        options: MedianOptions::default(),
        vocab: None,
        table: None,
        progress: &Silent,
        cancel,
    };
    let found = medians(&sources, &options(&go)).expect("medians");
    assert_eq!((found.n_cells, found.genes.len()), (80, N_GENES + 1));
    let stop = AtomicBool::new(true);
    assert!(medians(&sources, &options(&stop)).expect_err("stopped").is_cancelled());
}
