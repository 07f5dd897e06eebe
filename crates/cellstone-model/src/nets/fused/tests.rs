//! The fused operations against Burn's own and against finite differences.

use super::attention::{self, Done, Head, Scratch};
use super::block::{self, Rules, Weights};
use super::gemm::view;
use super::rows::Norm;
use super::{Packing, gradient, projected_loss};
use crate::nets::batch::TokenBatch;
use crate::nets::layers::{Activation, Block, BlockConfig, BlockNames, through};
use crate::nets::source::{Fresh, Init};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use cellstone_core::{Seed, TokenRow};
use proptest::prelude::*;

fn draws(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = Seed::new(seed).rng();
    (0..n).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect()
}

fn gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Largest value, but at least one: differences are judged beside it.
fn size(a: &[f32]) -> f32 {
    a.iter().fold(1.0, |most, it| most.max(it.abs()))
}

const NAMES: BlockNames<'static> = BlockNames {
    query: "query",
    key: "key",
    value: "value",
    out: "out",
    norm_attention: "norm_attention",
    up: "up",
    down: "down",
    norm_output: "norm_output",
};

/// Blocks with weights that are wide enough for attention not to be flat.
fn blocks(n: usize, [d, n_heads, d_inner]: [usize; 3], gelu: bool, device: &Device) -> Vec<Block> {
    let config = BlockConfig {
        d,
        n_heads,
        d_inner,
        eps: 1e-12,
        activation: if gelu { Activation::Gelu } else { Activation::Relu },
        dropout: 0.0,
        attention_dropout: 0.0,
        init: Init::Normal(0.4),
    };
    let make = |it| Block::new(&mut Fresh(Seed::new(5)), &format!("block.{it}"), &NAMES, &config, device);
    (0..n).map(|it| make(it).expect("a block")).collect()
}

/// Cells of these lengths; where a second number is given, the position of a hidden token.
fn batch(cells: &[(usize, Option<usize>)]) -> TokenBatch {
    let rows: Vec<_> = cells.iter().map(|it| TokenRow { input_ids: vec![1; it.0], ..TokenRow::default() }).collect();
    let mut batch = TokenBatch::new(&rows, 0, 0.0).expect("a batch");
    for (row, it) in cells.iter().enumerate() {
        if let Some(at) = it.1 {
            batch.hide(row, at).expect("it is there");
        }
    }
    batch
}

/// All gradients of a network, one behind the other, by the order of its parameters.
struct Collect<'a>(&'a GradientsParams, Vec<Vec<f32>>);

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.0.get::<D>(param.id).expect("every parameter has a gradient");
        self.1.push(gradient.into_data().iter::<f32>().collect());
    }
}

/// State behind the blocks at the tokens, and gradients of the input and of all parameters.
fn outcome(blocks: &[Block], batch: &TokenBatch, d: usize) -> (Vec<f32>, Vec<f32>, Vec<Vec<f32>>) {
    let device = Device::flex().autodiff();
    let [n, len] = batch.dims();
    let of = |seed| Tensor::<3>::from_data(TensorData::new(draws(seed, n * len * d), [n, len, d]), &device);
    let (x, weights) = (of(1).require_grad(), of(2));
    let seen: Vec<f32> = batch.padded().iter().flat_map(|it| vec![if *it { 0.0 } else { 1.0 }; d]).collect();
    let seen = Tensor::<3>::from_data(TensorData::new(seen, [n, len, d]), &device);
    // Outputs at padding are nobody's: they are left out of what is compared.
    let packed = |packing: &Packing, _: &Device| packing.packed(x.clone());
    let out = through(blocks, batch, &device, || Ok(x.clone()), packed, None).expect("a state") * seen.clone();
    let grads = (out.clone() * weights).sum().backward();
    let d_x = x.grad(&grads).expect("a gradient") * seen.inner();
    let modules = blocks.to_vec();
    let params = GradientsParams::from_grads(grads, &modules);
    let mut all = Collect(&params, Vec::new());
    modules.visit(&mut all);
    let host = |it: Tensor<3>| it.into_data().iter::<f32>().collect::<Vec<f32>>();
    (host(out.inner()), host(d_x), all.1)
}

/// Fused and composed blocks agree: states, gradient of the input, gradients of the weights.
fn agree(cells: &[(usize, Option<usize>)], sizes: [usize; 3], gelu: bool) {
    let device = Device::flex();
    let fused: Vec<Block> = blocks(2, sizes, gelu, &device).into_iter().map(|it| it.train()).collect();
    let mut composed = fused.clone();
    composed.iter_mut().for_each(Block::compose);
    let batch = batch(cells);
    let (got, want) = (outcome(&fused, &batch, sizes[0]), outcome(&composed, &batch, sizes[0]));
    assert!(gap(&got.0, &want.0) < 2e-5 * size(&want.0), "states differ by {}", gap(&got.0, &want.0));
    assert!(gap(&got.1, &want.1) < 1e-4 * size(&want.1), "gradients of the input by {}", gap(&got.1, &want.1));
    assert_eq!(got.2.len(), want.2.len());
    for (at, (got, want)) in got.2.iter().zip(&want.2).enumerate() {
        assert!(gap(got, want) < 1e-4 * size(want), "gradients of parameter {at} by {}", gap(got, want));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn blocks_of_any_shape(
        lengths in proptest::collection::vec((1_usize..40, 0_usize..80), 1..5),
        heads in prop_oneof![Just([8_usize, 1, 12]), Just([24, 3, 20]), Just([32, 2, 24]), Just([64, 1, 16]), Just([20, 4, 8])],
        gelu: bool,
    ) {
        // A token is hidden in about every second cell that has more than one.
        let cells: Vec<_> = lengths.iter().map(|(n, at)| (*n, (*n > 1 && at < n).then_some(*at))).collect();
        agree(&cells, heads, gelu);
    }
}

#[test]
fn blocks_longer_than_a_block_of_the_cache() {
    agree(&[(700, None), (1, None), (130, Some(0))], [16, 2, 16], true);
}

#[test]
fn attention_against_finite_differences() {
    let (n, width) = (5, 3);
    let parts: Vec<Vec<f64>> =
        (0..4).map(|it| draws(it, n * width).iter().map(|it| f64::from(*it)).collect()).collect();
    // In double precision, straight from the formula.
    let value = |parts: &[Vec<f64>]| -> f64 {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let row = |it: &'_ [f64], at: usize| it[at * width..(at + 1) * width].to_vec();
        (0..n)
            .map(|i| {
                let scores: Vec<f64> =
                    (0..n).map(|j| (dot(&row(&parts[0], i), &row(&parts[1], j)) * 0.7).exp()).collect();
                let sum: f64 = scores.iter().sum();
                (0..n).map(|j| scores[j] / sum * dot(&row(&parts[2], j), &row(&parts[3], i))).sum::<f64>()
            })
            .sum()
    };
    let single: Vec<Vec<f32>> = parts.iter().map(|it| it.iter().map(|it| *it as f32).collect()).collect();
    let head = Head {
        query: view(&single[0], width),
        key: view(&single[1], width),
        value: view(&single[2], width),
        scale: 0.7,
        dropout: None,
    };
    let (mut out, mut log_sums) = (vec![0.0; n * width], vec![0.0; n]);
    attention::forward(&head, &mut out, &mut log_sums, &mut Vec::new());
    let done = Done { out: &out, log_sums: &log_sums, grad: &single[3] };
    let mut grads = vec![0.0; 3 * n * width];
    attention::backward(&head, &done, &mut grads, &mut Scratch::default());
    for part in 0..3 {
        for at in 0..n * width {
            let moved = |by: f64| {
                let mut parts = parts.clone();
                parts[part][at] += by;
                value(&parts)
            };
            let want = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            let got = f64::from(grads[part * n * width + at]);
            assert!((got - want).abs() < 1e-4, "part {part} at {at}: {got} is not {want}");
        }
    }
}

fn rules(dropout: f64) -> Rules {
    Rules { d: 8, inner: 12, n_heads: 2, is_gelu: true, eps: 1e-6, dropout, attention_dropout: dropout, key: 77 }
}

/// Weights of a block: maps and norms one behind the other.
fn drawn(rules: &Rules) -> Vec<Vec<f32>> {
    let (d, inner) = (rules.d, rules.inner);
    let sizes = [3 * d * d, 3 * d, d * d, d, d * inner, inner, inner * d, d, d, d, d, d];
    sizes.iter().enumerate().map(|(at, n)| draws(10 + at as u64, *n)).collect()
}

fn weights<'a>(it: &'a [Vec<f32>], rules: &Rules) -> Weights<'a> {
    let norm = |at: usize| Norm { gamma: &it[at], beta: &it[at + 1], eps: rules.eps };
    Weights {
        heads: &it[0],
        heads_bias: &it[1],
        out: &it[2],
        out_bias: &it[3],
        up: &it[4],
        up_bias: &it[5],
        down: &it[6],
        down_bias: &it[7],
        norm_attention: norm(8),
        norm_output: norm(10),
    }
}

/// With dropout there is no operation of Burn to compare with: its choices are others.
#[test]
fn dropout_against_finite_differences() {
    let rules = rules(0.3);
    let (cells, x, dy) = ([0, 5, 6], draws(1, 6 * 8), draws(2, 6 * 8));
    let all = drawn(&rules);
    let value = |x: &[f32], all: &[Vec<f32>]| -> f64 {
        let (y, _) = block::forward(x, &weights(all, &rules), &cells, &rules, false);
        y.iter().zip(&dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy)).sum()
    };
    let (_, kept) = block::forward(&x, &weights(&all, &rules), &cells, &rules, true);
    let grads = gradient::backward(&dy, &x, &weights(&all, &rules), &kept, &cells, &rules);
    let check = |got: f32, what: &str, moved: &dyn Fn(f32) -> f64| {
        let step = 4e-3;
        // Two step widths cancel the error of third order: single precision needs wide steps.
        let (near, far) = ((moved(step) - moved(-step)) / 8e-3, (moved(2.0 * step) - moved(-2.0 * step)) / 16e-3);
        let want = (4.0 * near - far) / 3.0;
        assert!((f64::from(got) - want).abs() < 4e-3 * (1.0 + want.abs()), "{what}: {got} is not {want}");
    };
    for at in 0..x.len() {
        check(grads.x[at], &format!("x {at}"), &|by| {
            let mut x = x.clone();
            x[at] += by;
            value(&x, &all)
        });
    }
    let found = [
        &grads.heads,
        &grads.heads_bias,
        &grads.out,
        &grads.out_bias,
        &grads.up,
        &grads.up_bias,
        &grads.down,
        &grads.down_bias,
        &grads.norm_attention[0],
        &grads.norm_attention[1],
        &grads.norm_output[0],
        &grads.norm_output[1],
    ];
    for (part, found) in found.iter().enumerate() {
        for at in (0..found.len()).step_by(7) {
            check(found[at], &format!("weight {part} at {at}"), &|by| {
                let mut all = all.clone();
                all[part][at] += by;
                value(&x, &all)
            });
        }
    }
}

#[test]
fn the_same_bits_with_one_thread_and_with_three() {
    let rules = Rules { d: 32, inner: 48, n_heads: 4, ..rules(0.1) };
    let (cells, n) = ([0, 300, 301, 700], 700);
    let (x, dy, all) = (draws(1, n * 32), draws(2, n * 32), drawn(&rules));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let (y, kept) = block::forward(&x, &weights(&all, &rules), &cells, &rules, true);
            let (used, _) = block::forward(&x, &weights(&all, &rules), &cells, &rules, false);
            assert_eq!(y, used);
            let grads = gradient::backward(&dy, &x, &weights(&all, &rules), &kept, &cells, &rules);
            (y, format!("{grads:?}"))
        })
    };
    assert!(run(1) == run(3));
}

#[test]
fn losses_over_many_ids() {
    let device = Device::flex().autodiff();
    let (n, d, n_ids) = (7, 6, 41);
    let labels: Vec<u32> = (0..n as u32).map(|it| it * 6 % 41).collect();
    let leaf = |seed, shape: [usize; 2]| {
        let data = TensorData::new(draws(seed, shape[0] * shape[1]), shape);
        Tensor::<2>::from_data(data, &device).require_grad()
    };
    for smoothing in [0.0, 0.3] {
        let (x, table) = (leaf(1, [n, d]), leaf(2, [n_ids, d]));
        let bias = Tensor::<1>::from_data(TensorData::new(draws(3, n_ids), [n_ids]), &device).require_grad();
        let fused = projected_loss(x.clone(), table.clone(), bias.clone(), &labels, smoothing).expect("on the CPU");
        let logs = log_softmax(x.clone().matmul(table.clone().transpose()) + bias.clone().unsqueeze(), 1);
        let at = TensorData::new(labels.iter().map(|it| *it as i32).collect::<Vec<_>>(), [n, 1]);
        let own = logs.clone().gather(1, Tensor::<2, Int>::from_data(at, &device)).sum();
        let composed = (own * (1.0 - smoothing) + logs.sum() * (smoothing / n_ids as f64)).neg();
        let values = [&fused, &composed].map(|it| it.clone().into_scalar::<f32>());
        assert!((values[0] - values[1]).abs() < 1e-5 * values[1], "{values:?}");
        // A factor on the loss reaches the gradients.
        let (a, b) = ((fused * 0.5).backward(), (composed * 0.5).backward());
        let host = |it: Option<Tensor<2>>| it.expect("a gradient").into_data().iter::<f32>().collect::<Vec<_>>();
        assert!(gap(&host(x.grad(&a)), &host(x.grad(&b))) < 1e-5);
        assert!(gap(&host(table.grad(&a)), &host(table.grad(&b))) < 1e-5);
        let host = |it: Option<Tensor<1>>| it.expect("a gradient").into_data().iter::<f32>().collect::<Vec<_>>();
        assert!(gap(&host(bias.grad(&a)), &host(bias.grad(&b))) < 1e-5);
    }
}
