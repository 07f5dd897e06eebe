//! A post-norm transformer block over packed rows of tokens, forwards.
//!
//! Tokens of all cells lie one behind the other, `[n_tokens, d]`, without padding. What works token by token runs in
//! blocks of rows that stay in the cache from the first product to the last norm; attention runs by cell and head.
//! Borders depend on the shapes alone, so the bits are the same with any number of threads.

use super::attention::{self, Head};
use super::dropout::Dropout;
use super::gemm::{product, view, view_mut};
use super::rows::{Activate, AddNorm, Norm, add_bias};
use rayon::prelude::*;

/// Tokens of one task: enough for the products, few enough for the cache.
pub(super) const ROWS: usize = 256;

/// Sizes and rules of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rules {
    pub(crate) d: usize,
    pub(crate) inner: usize,
    pub(crate) n_heads: usize,
    pub(crate) is_gelu: bool,
    pub(crate) eps: f32,
    /// Of what each half adds to the stream.
    pub(crate) dropout: f64,
    /// Of the attention weights.
    pub(crate) attention_dropout: f64,
    /// What the choices of dropout are a function of.
    pub(crate) key: u64,
}

/// Which dropout: places of [`Dropout::new`].
#[derive(Clone, Copy)]
pub(super) enum Place {
    Attention = 0,
    Output = 1,
    /// The weights of heads come behind the others: one place each.
    Heads = 2,
}

impl Rules {
    pub(super) fn width(&self) -> usize {
        self.d / self.n_heads
    }

    pub(super) fn dropout(&self, place: Place) -> Option<Dropout> {
        Dropout::new(self.dropout, self.key, place as u32)
    }

    /// Dropout of the weights of a head of a cell.
    fn of_weights(&self, head: usize, cell: usize) -> Option<Dropout> {
        Dropout::new(self.attention_dropout, self.key, Place::Heads as u32 + (cell * self.n_heads + head) as u32)
    }

    /// The matrices of a head of one cell in `qkv`, `[n_tokens, 3 d]`.
    pub(super) fn head<'a>(&self, qkv: &'a [f32], cells: &[usize], head: usize, cell: usize) -> Head<'a> {
        let (d, width) = (self.d, self.width());
        let rows = view(&qkv[cells[cell] * 3 * d..cells[cell + 1] * 3 * d], 3 * d);
        let part = |which: usize| rows.subcols(which * d + head * width, width);
        Head {
            query: part(0),
            key: part(1),
            value: part(2),
            scale: 1.0 / (width as f32).sqrt(),
            dropout: self.of_weights(head, cell),
        }
    }
}

/// Weights of a block. Matrices are `[d_in, d_out]`.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// Queries, keys and values beside each other, `[d, 3 d]`.
    pub(super) heads: &'a [f32],
    pub(super) heads_bias: &'a [f32],
    pub(super) out: &'a [f32],
    pub(super) out_bias: &'a [f32],
    pub(super) norm_attention: Norm<'a>,
    pub(super) up: &'a [f32],
    pub(super) up_bias: &'a [f32],
    pub(super) down: &'a [f32],
    pub(super) down_bias: &'a [f32],
    pub(super) norm_output: Norm<'a>,
}

/// What the backward pass reads.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Queries, keys, values, `[n_tokens, 3 d]`.
    pub(super) heads: Vec<f32>,
    /// What the heads found, `[n_heads, n_tokens, width]`.
    pub(super) mixed: Vec<f32>,
    /// Logarithms of the sums of attention, `[n_heads, n_tokens]`.
    pub(super) log_sums: Vec<f32>,
    /// Normalized rows before scale and shift, `[n_tokens, d]`, and what they were multiplied with, `[n_tokens]`.
    pub(super) attended: Vec<f32>,
    pub(super) attended_scales: Vec<f32>,
    pub(super) normal: Vec<f32>,
    pub(super) normal_scales: Vec<f32>,
    /// Before the activation, `[n_tokens, inner]`.
    pub(super) inner: Vec<f32>,
}

/// The block on `x`, `[n_tokens, d]`, whose cells begin at `cells` and end at its last entry.
///
/// With `keep`, what the backward pass needs comes along; without, it never leaves the cache.
pub(super) fn forward(
    x: &[f32],
    weights: &Weights<'_>,
    cells: &[usize],
    rules: &Rules,
    keep: bool,
) -> (Vec<f32>, Kept) {
    let (d, inner, n) = (rules.d, rules.inner, x.len() / rules.d);
    let heads = project(x, weights, rules);
    let (mixed, log_sums) = attend(&heads, cells, rules);
    let mut y = vec![0.0; n * d];
    if !keep {
        y.par_chunks_mut(ROWS * d).zip(x.par_chunks(ROWS * d)).enumerate().for_each_init(Room::default, |room, it| {
            let (block, (y, x)) = it;
            let Room { local, kept } = room;
            let rows = y.len() / d;
            kept.resize(rows * (2 * d + inner + 2), 0.0);
            let (attended, rest) = kept.split_at_mut(rows * d);
            let (normal, rest) = rest.split_at_mut(rows * d);
            let (inner, scales) = rest.split_at_mut(rows * inner);
            let scales = scales.split_at_mut(rows);
            let parts =
                Parts { attended, attended_scales: scales.0, normal, normal_scales: &mut scales.1[..rows], inner };
            second_half(x, &mixed, block * ROWS, weights, rules, parts, y, local);
        });
        return (y, Kept::default());
    }
    let mut kept = Kept {
        heads,
        mixed,
        log_sums,
        attended: vec![0.0; n * d],
        attended_scales: vec![0.0; n],
        normal: vec![0.0; n * d],
        normal_scales: vec![0.0; n],
        inner: vec![0.0; n * inner],
    };
    let parts = kept
        .attended
        .par_chunks_mut(ROWS * d)
        .zip(kept.attended_scales.par_chunks_mut(ROWS))
        .zip(kept.normal.par_chunks_mut(ROWS * d))
        .zip(kept.normal_scales.par_chunks_mut(ROWS))
        .zip(kept.inner.par_chunks_mut(ROWS * inner));
    let mixed = &kept.mixed;
    y.par_chunks_mut(ROWS * d).zip(x.par_chunks(ROWS * d)).zip(parts).enumerate().for_each_init(
        Room::default,
        |room, (block, ((y, x), ((((attended, attended_scales), normal), normal_scales), inner)))| {
            let parts = Parts { attended, attended_scales, normal, normal_scales, inner };
            second_half(x, mixed, block * ROWS, weights, rules, parts, y, &mut room.local);
        },
    );
    (y, kept)
}

/// Queries, keys and values.
fn project(x: &[f32], weights: &Weights<'_>, rules: &Rules) -> Vec<f32> {
    let d = rules.d;
    let mut heads = vec![0.0; x.len() * 3];
    heads.par_chunks_mut(ROWS * 3 * d).zip(x.par_chunks(ROWS * d)).for_each(|(out, x)| {
        product(view_mut(out, 3 * d), view(x, d), view(weights.heads, 3 * d), 1.0);
        add_bias(out, weights.heads_bias);
    });
    heads
}

/// What every head of every cell finds, by head, and the logarithms of its sums.
fn attend(heads: &[f32], cells: &[usize], rules: &Rules) -> (Vec<f32>, Vec<f32>) {
    let (n, width) = (heads.len() / (3 * rules.d), rules.width());
    let mut mixed = vec![0.0; n * rules.d];
    let mut log_sums = vec![0.0; n * rules.n_heads];
    let outs = by_head_and_cell(&mut mixed, cells, rules.n_heads, width);
    let sums = by_head_and_cell(&mut log_sums, cells, rules.n_heads, 1);
    outs.into_par_iter().zip(sums).with_max_len(1).for_each_init(Vec::new, |scratch, ((at, out), (_, sums))| {
        attention::forward(&rules.head(heads, cells, at[0], at[1]), out, sums, scratch);
    });
    (mixed, log_sums)
}

/// Head, cell, and a part of a buffer.
pub(super) type Part<'a> = ([usize; 2], &'a mut [f32]);

/// Cuts `[n_heads, n_tokens, width]` into one part for every head of every cell.
pub(super) fn by_head_and_cell<'a>(all: &'a mut [f32], cells: &[usize], n_heads: usize, width: usize) -> Vec<Part<'a>> {
    let mut parts = Vec::with_capacity(n_heads * cells.len());
    let mut rest = all;
    for head in 0..n_heads {
        for (cell, ends) in cells.windows(2).enumerate() {
            let (part, behind) = std::mem::take(&mut rest).split_at_mut((ends[1] - ends[0]) * width);
            rest = behind;
            if !part.is_empty() {
                parts.push(([head, cell], part));
            }
        }
    }
    parts
}

/// Rows of every head beside each other: `[rows, d]` from `[n_heads, n_tokens, width]`.
pub(super) fn gather_heads(mixed: &[f32], first: usize, out: &mut [f32], d: usize, width: usize) {
    let n = mixed.len() / d;
    for (head, rows) in mixed.chunks_exact(n * width).enumerate() {
        let rows = rows[first * width..].chunks_exact(width);
        for (out, row) in out.chunks_exact_mut(d).zip(rows) {
            out[head * width..(head + 1) * width].copy_from_slice(row);
        }
    }
}

/// Memory of one thread.
#[derive(Default)]
struct Room {
    local: Vec<f32>,
    kept: Vec<f32>,
}

/// What the second half of a block leaves of some rows.
struct Parts<'a> {
    attended: &'a mut [f32],
    attended_scales: &'a mut [f32],
    normal: &'a mut [f32],
    normal_scales: &'a mut [f32],
    inner: &'a mut [f32],
}

/// From what the heads found to the end of the block, for the rows from `first`.
#[expect(clippy::too_many_arguments, reason = "inputs, outputs and memory of one step, each named")]
fn second_half(
    x: &[f32],
    mixed: &[f32],
    first: usize,
    weights: &Weights<'_>,
    rules: &Rules,
    parts: Parts<'_>,
    y: &mut [f32],
    local: &mut Vec<f32>,
) {
    let (d, inner, rows) = (rules.d, rules.inner, x.len() / rules.d);
    local.resize((rows * (d + inner)).max(local.len()), 0.0);
    let (stream, active) = local.split_at_mut(rows * d);
    let active = &mut active[..rows * inner];
    gather_heads(mixed, first, stream, d, rules.width());
    product(view_mut(parts.attended, d), view(stream, d), view(weights.out, d), 1.0);
    AddNorm {
        z: &mut *parts.attended,
        bias: weights.out_bias,
        skip: x,
        norm: weights.norm_attention,
        scales: parts.attended_scales,
        out: &mut *stream,
        first,
        dropout: rules.dropout(Place::Attention),
    }
    .forward();
    product(view_mut(parts.inner, inner), view(stream, d), view(weights.up, inner), 1.0);
    Activate { u: parts.inner, bias: weights.up_bias, out: &mut *active, is_gelu: rules.is_gelu }.forward();
    product(view_mut(parts.normal, d), view(active, inner), view(weights.down, d), 1.0);
    AddNorm {
        z: parts.normal,
        bias: weights.down_bias,
        skip: stream,
        norm: weights.norm_output,
        scales: parts.normal_scales,
        out: y,
        first,
        dropout: rules.dropout(Place::Output),
    }
    .forward();
}
