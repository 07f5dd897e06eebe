//! All-pairs Spearman of simulated cells into histograms by pair of types, against plain products of the same blocks.
//!
//! `all_pairs N G [spearman|cosine|pearson|euclidean] [K]` prints
//! `tool,n_obs,n_vars,n_types,similarity,k,check,seconds,gflops,gemm_gflops,share,peak_bytes`, as
//! `peers/rank_similarity.py` does. `check` is the mean similarity within types, on which both must agree.
//! `gflops` counts the 2 G operations of every unordered pair; ranking, binning and what is computed but not used are
//! overhead. `gemm_gflops` is the rate of faer's product on blocks of the same shape, each core with its own, and
//! `share` the ratio.

use cellstone_bench::{measure, run_program};
use cellstone_core::{Error, Result};
use cellstone_neighbors::{PairOptions, Relation, Rows, Similarity, all_pairs};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::Array2;
use std::process::ExitCode;

/// Cells of a type.
const PER_TYPE: usize = 500;

/// Rows of the blocks of the plain product: those that the engine takes for many cells.
const BLOCK: usize = 384;

fn main() -> ExitCode {
    run_program(run)
}

fn run(args: &[String]) -> Result<String> {
    let number = |at: usize| args.get(at).and_then(|it| it.parse::<usize>().ok());
    let (Some(n), Some(n_genes)) = (number(0), number(1)) else {
        return Err(Error::config("usage: all_pairs N G [spearman|cosine|pearson|euclidean] [K]"));
    };
    let similarity = match args.get(2).map_or("spearman", String::as_str) {
        "spearman" => Similarity::Spearman,
        "cosine" => Similarity::Cosine,
        "pearson" => Similarity::Pearson,
        "euclidean" => Similarity::Euclidean,
        other => return Err(Error::config(format!("no similarity `{other}`"))),
    };
    let k = number(3).unwrap_or(0);
    let (x, types, n_types) = cells(n, n_genes);
    // The plain product first: it warms the cores up, and its blocks are gone before the peak is taken.
    let gemm = plain_product(n_genes);
    let options = PairOptions { k, ..PairOptions::new(&types, n_types) };
    let (pairs, cost) = measure(|| all_pairs(Rows::Dense(x.view()), similarity, &options));
    let pairs = pairs?;
    let within = pairs.within(Relation::All);
    let check = within.mean().unwrap_or(f64::NAN);
    let n_pairs = within.n() + pairs.between(Relation::All).n();
    let rate = 2.0 * n_genes as f64 * n_pairs as f64 / cost.seconds * 1e-9;
    let peak = cost.peak_bytes.map_or_else(String::new, |it| it.to_string());
    Ok(format!(
        "tool,n_obs,n_vars,n_types,similarity,k,check,seconds,gflops,gemm_gflops,share,peak_bytes\n\
         cellstone,{n},{n_genes},{n_types},{},{k},{check:.6e},{:.3},{rate:.1},{gemm:.1},{:.3},{peak}",
        similarity.id(),
        cost.seconds,
        rate / gemm
    ))
}

/// Counts by a formula of cell and gene, so that a program in another language makes the same ones.
///
/// Every gene has a level, every type triples that of a tenth of the genes, and a gene is seen in a cell with the
/// probability of its level, with 1 to 32 counts.
fn cells(n: usize, n_genes: usize) -> (Array2<f32>, Vec<u32>, usize) {
    let n_types = n.div_ceil(PER_TYPE);
    let types: Vec<u32> = (0..n).map(|it| (it / PER_TYPE) as u32).collect();
    // Thresholds of 16 bits.
    let level = Array2::from_shape_fn((n_types, n_genes), |(of, gene)| {
        let base = 1_000 + (hash(gene as u64) >> 50).pow(2) / 9_000;
        let raised = hash(((of as u64 + 1) << 32) | gene as u64).is_multiple_of(10);
        (if raised { 3 * base } else { base }).min(60_000)
    });
    let x = Array2::from_shape_fn((n, n_genes), |(cell, gene)| {
        let draw = hash((1 << 60) | ((cell as u64) << 24) | gene as u64);
        if draw & 0xFFFF < level[[types[cell] as usize, gene]] {
            (1 + ((((draw >> 16) & 0xFF) * ((draw >> 24) & 0xFF)) >> 11)) as f32
        } else {
            0.0
        }
    });
    (x, types, n_types)
}

/// The finaliser of SplitMix64.
fn hash(it: u64) -> u64 {
    let it = it.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

/// GFLOP/s of all cores, each with its own products of two blocks.
fn plain_product(n_genes: usize) -> f64 {
    let n_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let work = |repeats: usize| {
        std::thread::scope(|scope| {
            for thread in 0..n_threads {
                scope.spawn(move || product(n_genes, thread, repeats));
            }
        });
    };
    work(2);
    let flop = 2.0 * (BLOCK * BLOCK) as f64 * n_genes as f64;
    // About three seconds at 100 GFLOP/s.
    let repeats = ((3e11 / flop) as usize).max(3);
    let ((), cost) = measure(|| work(repeats));
    flop * (repeats * n_threads) as f64 / cost.seconds * 1e-9
}

/// Products of one block with several others, as the engine's, kept from being optimised away.
fn product(n_genes: usize, thread: usize, repeats: usize) {
    const N_BLOCKS: usize = 4;
    let rows = N_BLOCKS * BLOCK;
    let values: Vec<f32> = (0..rows * n_genes).map(|it| (hash((it + thread) as u64) >> 40) as f32 * 1e-9).collect();
    let all = MatRef::from_row_major_slice(&values, rows, n_genes);
    let mut out = vec![0.0_f32; BLOCK * BLOCK];
    for repeat in 0..repeats {
        let right = all.subrows(repeat % N_BLOCKS * BLOCK, BLOCK).transpose();
        let out = MatMut::from_row_major_slice_mut(&mut out, BLOCK, BLOCK);
        matmul(out, Accum::Replace, all.subrows(0, BLOCK), right, 1.0, Par::Seq);
    }
    std::hint::black_box(out);
}
