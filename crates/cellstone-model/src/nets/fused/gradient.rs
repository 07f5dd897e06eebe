//! The gradient of a block.

use super::attention::{self, Done, Scratch};
use super::block::{Kept, Place, ROWS, Rules, Weights, by_head_and_cell, gather_heads};
use super::gemm::{add_product, product, view, view_mut};
use super::rows::{ActivateBackward, NormBackward, add, add_to_sums, drop_out};
use rayon::prelude::*;

/// Gradients of a block, in the shapes of [`Weights`].
#[derive(Debug, Default)]
pub(super) struct Grads {
    pub(super) x: Vec<f32>,
    pub(super) heads: Vec<f32>,
    pub(super) heads_bias: Vec<f32>,
    pub(super) out: Vec<f32>,
    pub(super) out_bias: Vec<f32>,
    /// `γ`, then `β`.
    pub(super) norm_attention: [Vec<f32>; 2],
    pub(super) up: Vec<f32>,
    pub(super) up_bias: Vec<f32>,
    pub(super) down: Vec<f32>,
    pub(super) down_bias: Vec<f32>,
    pub(super) norm_output: [Vec<f32>; 2],
}

/// Of every token, on the way back through the second half.
struct Back {
    /// Gradient of what the second half of the block adds, `[n, d]`.
    added: Vec<f32>,
    /// Of the rows before the activation, and the rows behind it, `[n, inner]`.
    inner: Vec<f32>,
    active: Vec<f32>,
    /// What entered the feed-forward part, `[n, d]`.
    stream: Vec<f32>,
    /// Gradient of what attention adds, and of what the heads found, `[n, d]`.
    attended: Vec<f32>,
    mixed: Vec<f32>,
    /// Of the input, as far as it goes past attention, `[n, d]`.
    skip: Vec<f32>,
    /// What the heads found, by token, `[n, d]`.
    found: Vec<f32>,
}

/// Gradients for `dy`, `[n_tokens, d]`.
pub(super) fn backward(
    dy: &[f32],
    x: &[f32],
    weights: &Weights<'_>,
    kept: &Kept,
    cells: &[usize],
    rules: &Rules,
) -> Grads {
    let d = rules.d;
    let (back, sums) = second_half(dy, weights, kept, rules);
    let d_heads = attend(&back.mixed, kept, cells, rules);
    let (d_x, heads_bias) = first_half(&d_heads, back.skip, weights, rules);
    let mut grads = Grads { x: d_x, heads_bias, ..sums };
    let jobs = [
        (&mut grads.heads, x, d, &d_heads[..], 3 * d),
        (&mut grads.out, &back.found, d, &back.attended, d),
        (&mut grads.up, &back.stream, d, &back.inner, rules.inner),
        (&mut grads.down, &back.active, rules.inner, &back.added, d),
    ];
    outer_products(jobs);
    grads
}

/// Rows of a gradient that one task computes, and columns.
const TILE: [usize; 2] = [256, 256];
/// Tokens that are added up in one product.
const DEPTH: usize = 1_024;

/// A gradient, its rows of inputs and their width, its rows of gradients and their width.
type Outer<'a> = (&'a mut Vec<f32>, &'a [f32], usize, &'a [f32], usize);

/// `aᵀ g` for each of them, in tiles whose borders depend on the shapes alone.
fn outer_products(jobs: [Outer<'_>; 4]) {
    struct Tile<'a> {
        a: &'a [f32],
        from: [usize; 2],
        g: &'a [f32],
        widths: [usize; 2],
        size: [usize; 2],
    }
    let (mut tiles, mut outs) = (Vec::new(), Vec::new());
    for (at, (out, a, d_in, g, d_out)) in jobs.into_iter().enumerate() {
        out.resize(d_in * d_out, 0.0);
        for i in (0..d_in).step_by(TILE[0]) {
            for j in (0..d_out).step_by(TILE[1]) {
                let size = [TILE[0].min(d_in - i), TILE[1].min(d_out - j)];
                tiles.push((at, Tile { a, from: [i, j], g, widths: [d_in, d_out], size }));
            }
        }
        outs.push(out);
    }
    let done: Vec<Vec<f32>> = tiles
        .par_iter()
        .with_max_len(1)
        .map(|(_, it)| {
            let mut sum = vec![0.0; it.size[0] * it.size[1]];
            let (a, g) = (view(it.a, it.widths[0]), view(it.g, it.widths[1]));
            for first in (0..a.nrows()).step_by(DEPTH) {
                let n = DEPTH.min(a.nrows() - first);
                let a = a.submatrix(first, it.from[0], n, it.size[0]);
                let g = g.submatrix(first, it.from[1], n, it.size[1]);
                add_product(view_mut(&mut sum, it.size[1]), a.transpose(), g, 1.0);
            }
            sum
        })
        .collect();
    for ((at, it), sum) in tiles.iter().zip(done) {
        for (row, values) in sum.chunks_exact(it.size[1]).enumerate() {
            let start = (it.from[0] + row) * it.widths[1] + it.from[1];
            outs[*at][start..start + it.size[1]].copy_from_slice(values);
        }
    }
}

/// From `dy` to what the heads found, and the sums over tokens on the way.
fn second_half(dy: &[f32], weights: &Weights<'_>, kept: &Kept, rules: &Rules) -> (Back, Grads) {
    let (d, inner, n) = (rules.d, rules.inner, dy.len() / rules.d);
    let mut back = Back {
        added: dy.to_vec(),
        inner: vec![0.0; n * inner],
        active: vec![0.0; n * inner],
        stream: vec![0.0; n * d],
        attended: vec![0.0; n * d],
        mixed: vec![0.0; n * d],
        skip: vec![0.0; n * d],
        found: vec![0.0; n * d],
    };
    let blocks = back
        .added
        .par_chunks_mut(ROWS * d)
        .zip(back.inner.par_chunks_mut(ROWS * inner))
        .zip(back.active.par_chunks_mut(ROWS * inner))
        .zip(back.stream.par_chunks_mut(ROWS * d))
        .zip(back.attended.par_chunks_mut(ROWS * d))
        .zip(back.mixed.par_chunks_mut(ROWS * d))
        .zip(back.skip.par_chunks_mut(ROWS * d))
        .zip(back.found.par_chunks_mut(ROWS * d));
    let sums: Vec<Vec<f32>> = blocks
        .enumerate()
        .map(|(block, (((((((added, inner), active), stream), attended), mixed), skip), found))| {
            let rows = Rows { added, inner, active, stream, attended, mixed, skip, found };
            rows_back(rows, block * ROWS, weights, kept, rules)
        })
        .collect();
    // In the order of the rows, whoever was done first.
    let mut total = vec![0.0; 6 * d + inner];
    sums.iter().for_each(|it| add(&mut total, it));
    let mut rest = &total[..];
    let mut take = |n: usize| {
        let (part, behind) = rest.split_at(n);
        rest = behind;
        part.to_vec()
    };
    let grads = Grads {
        norm_output: [take(d), take(d)],
        down_bias: take(d),
        up_bias: take(inner),
        norm_attention: [take(d), take(d)],
        out_bias: take(d),
        ..Grads::default()
    };
    (back, grads)
}

/// Some rows of [`Back`].
struct Rows<'a> {
    added: &'a mut [f32],
    inner: &'a mut [f32],
    active: &'a mut [f32],
    stream: &'a mut [f32],
    attended: &'a mut [f32],
    mixed: &'a mut [f32],
    skip: &'a mut [f32],
    found: &'a mut [f32],
}

/// The second half backwards for the rows from `first`; gives the sums over these rows, in the order that
/// [`second_half`] takes them apart.
fn rows_back(it: Rows<'_>, first: usize, weights: &Weights<'_>, kept: &Kept, rules: &Rules) -> Vec<f32> {
    let (d, width) = (rules.d, rules.inner);
    let rows = it.added.len() / d;
    let of = |all: &'_ [f32], width: usize| -> std::ops::Range<usize> {
        debug_assert!(all.len() >= (first + rows) * width);
        first * width..(first + rows) * width
    };
    let mut sums = vec![0.0; 6 * d + width];
    let (gamma_2, rest) = sums.split_at_mut(d);
    let (beta_2, rest) = rest.split_at_mut(d);
    let (down_bias, rest) = rest.split_at_mut(d);
    let (up_bias, rest) = rest.split_at_mut(width);
    let (gamma_1, rest) = rest.split_at_mut(d);
    let (beta_1, out_bias) = rest.split_at_mut(d);

    // The norm at the end: its gradient goes to the stream and, through dropout, to what was added.
    NormBackward {
        grads: &mut *it.added,
        normal: &kept.normal[of(&kept.normal, d)],
        scales: &kept.normal_scales[first..first + rows],
        gamma: weights.norm_output.gamma,
        d_gamma: gamma_2,
        d_beta: beta_2,
    }
    .backward();
    it.skip.copy_from_slice(it.added);
    drop_out(it.added, d, first, rules.dropout(Place::Output));
    add_to_sums(it.added, down_bias);

    product(view_mut(it.inner, width), view(it.added, d), view(weights.down, d).transpose(), 1.0);
    let u = &kept.inner[of(&kept.inner, width)];
    ActivateBackward { u, out: it.active, grads: &mut *it.inner, is_gelu: rules.is_gelu }.backward();
    add_to_sums(it.inner, up_bias);
    add_product(view_mut(it.skip, d), view(it.inner, width), view(weights.up, width).transpose(), 1.0);

    // What entered the feed-forward part is not kept: one product and one sum give it again.
    let normal = &kept.attended[of(&kept.attended, d)];
    for (out, row) in it.stream.chunks_exact_mut(d).zip(normal.chunks_exact(d)) {
        let norm = weights.norm_attention;
        for (((out, x), gamma), beta) in out.iter_mut().zip(row).zip(norm.gamma).zip(norm.beta) {
            *out = gamma * x + beta;
        }
    }
    NormBackward {
        grads: &mut *it.skip,
        normal,
        scales: &kept.attended_scales[first..first + rows],
        gamma: weights.norm_attention.gamma,
        d_gamma: gamma_1,
        d_beta: beta_1,
    }
    .backward();
    it.attended.copy_from_slice(it.skip);
    drop_out(it.attended, d, first, rules.dropout(Place::Attention));
    add_to_sums(it.attended, out_bias);
    product(view_mut(it.mixed, d), view(it.attended, d), view(weights.out, d).transpose(), 1.0);
    gather_heads(&kept.mixed, first, it.found, d, rules.width());
    sums
}

/// Gradients of queries, keys and values, `[n, 3 d]`, from those of what the heads found, `[n, d]`.
fn attend(d_mixed: &[f32], kept: &Kept, cells: &[usize], rules: &Rules) -> Vec<f32> {
    let (d, width, n) = (rules.d, rules.width(), d_mixed.len() / rules.d);
    // By head and cell, with queries, keys and values one behind the other in each part.
    let mut by_head = vec![0.0; n * 3 * d];
    let parts = by_head_and_cell(&mut by_head, cells, rules.n_heads, 3 * width);
    parts.into_par_iter().with_max_len(1).for_each_init(
        || (Scratch::default(), Vec::new()),
        |(scratch, grad), ([head, cell], out)| {
            let (from, len) = (cells[cell], cells[cell + 1] - cells[cell]);
            let rows = head * n + from..head * n + from + len;
            grad.clear();
            for row in d_mixed[from * d..(from + len) * d].chunks_exact(d) {
                grad.extend_from_slice(&row[head * width..(head + 1) * width]);
            }
            let done =
                Done { out: &kept.mixed[rows.start * width..rows.end * width], log_sums: &kept.log_sums[rows], grad };
            attention::backward(&rules.head(&kept.heads, cells, head, cell), &done, out, scratch);
        },
    );
    side_by_side(&by_head, cells, rules)
}

/// From parts by head and cell to `[n, 3 d]`.
fn side_by_side(by_head: &[f32], cells: &[usize], rules: &Rules) -> Vec<f32> {
    let (d, width) = (rules.d, rules.width());
    let n = by_head.len() / (3 * d);
    let mut out = vec![0.0; n * 3 * d];
    let mut rest = &mut out[..];
    let mut of_cells = Vec::with_capacity(cells.len());
    for ends in cells.windows(2) {
        let (part, behind) = rest.split_at_mut((ends[1] - ends[0]) * 3 * d);
        of_cells.push((ends[0], part));
        rest = behind;
    }
    of_cells.into_par_iter().for_each(|(from, out)| {
        let len = out.len() / (3 * d);
        for head in 0..rules.n_heads {
            let part = &by_head[(head * n + from) * 3 * width..(head * n + from + len) * 3 * width];
            for (which, rows) in part.chunks_exact((len * width).max(1)).enumerate() {
                let at = which * d + head * width;
                for (out, row) in out.chunks_exact_mut(3 * d).zip(rows.chunks_exact(width)) {
                    out[at..at + width].copy_from_slice(row);
                }
            }
        }
    });
    out
}

/// The gradient of the input, and of the biases of queries, keys and values.
fn first_half(d_heads: &[f32], skip: Vec<f32>, weights: &Weights<'_>, rules: &Rules) -> (Vec<f32>, Vec<f32>) {
    let d = rules.d;
    let mut d_x = skip;
    let sums: Vec<Vec<f32>> = d_x
        .par_chunks_mut(ROWS * d)
        .zip(d_heads.par_chunks(ROWS * 3 * d))
        .map(|(out, grads)| {
            add_product(view_mut(out, d), view(grads, 3 * d), view(weights.heads, 3 * d).transpose(), 1.0);
            let mut sums = vec![0.0; 3 * d];
            add_to_sums(grads, &mut sums);
            sums
        })
        .collect();
    let mut total = vec![0.0; 3 * d];
    sums.iter().for_each(|it| add(&mut total, it));
    (d_x, total)
}
