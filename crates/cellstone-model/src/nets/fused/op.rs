//! The fused operations as Burn sees them: one node of its graph each, with a backward pass of its own.

use super::block::{self, Kept, Rules, Weights};
use super::gradient;
use super::rows::Norm;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor, TensorData};
use std::sync::Arc;

/// A tensor of the CPU, with or without a graph behind it.
type Learning = Autodiff<Flex>;
type Tracked = <Learning as burn::backend::BackendTypes>::FloatTensorPrimitive;

/// Where a tensor lives, as far as the fused operations care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the CPU.
    Cpu,
    /// On the CPU, with gradients.
    Learning,
    /// On another device, or in another precision.
    Elsewhere,
}

/// Where `x` lives.
pub(crate) fn place<const D: usize>(x: &Tensor<D>) -> Place {
    if x.dtype() != DType::F32 {
        Place::Elsewhere
    } else if x.clone().try_into_primitive::<Flex>().is_ok() {
        Place::Cpu
    } else if x.clone().try_into_primitive::<Learning>().is_ok() {
        Place::Learning
    } else {
        Place::Elsewhere
    }
}

/// Values in order; copies only what is a view.
fn ordered(it: FlexTensor) -> FlexTensor {
    if it.as_slice::<f32>().is_some() { it } else { it.to_contiguous() }
}

/// Values of an ordered tensor.
pub(super) fn values(it: &FlexTensor) -> &[f32] {
    it.as_slice::<f32>().unwrap_or(&[])
}

pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Vec<usize>>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// A tensor of the CPU without a graph, in order; `None` for any other.
pub(super) fn flex<const D: usize>(it: Tensor<D>) -> Option<FlexTensor> {
    if it.dtype() != DType::F32 {
        return None;
    }
    it.try_into_primitive::<Flex>().ok().map(ordered)
}

/// The way back from [`flex`].
pub(super) fn from_flex<const D: usize>(it: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(it)
}

/// An operation on the CPU: values and shapes in, values and a shape out, and the way back.
pub(super) trait Operation<const N: usize>: std::fmt::Debug + Send + Sync + 'static {
    /// What the way back needs.
    type Kept: std::fmt::Debug + Send + Sync + 'static;

    /// The result and its shape; `keep` says whether there will be a way back.
    fn forward(&self, inputs: [&[f32]; N], keep: bool) -> (Vec<f32>, Vec<usize>, Self::Kept);

    /// One gradient for every input, in its shape.
    fn backward(&self, grad: &[f32], inputs: [&[f32]; N], kept: &Self::Kept) -> [Vec<f32>; N];
}

/// State of a node: the operation, its inputs and what it kept.
#[derive(Debug)]
struct Node<O: Operation<N>, const N: usize> {
    operation: O,
    inputs: [FlexTensor; N],
    kept: O::Kept,
}

/// The way back of an [`Operation`], as Burn wants it: a type without values.
#[derive(Debug)]
struct WayBack<O>(std::marker::PhantomData<fn() -> O>);

impl<O: Operation<N>, const N: usize> Backward<Flex, N> for WayBack<O> {
    type State = Arc<Node<O, N>>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = ordered(grads.consume::<Flex>(&ops.node));
        let node = &ops.state;
        let found = node.operation.backward(values(&grad), node.inputs.each_ref().map(values), &node.kept);
        for ((parent, found), input) in ops.parents.into_iter().zip(found).zip(&node.inputs) {
            if let Some(parent) = parent {
                let shape: Vec<usize> = input.layout().shape().iter().copied().collect();
                grads.register::<Flex>(parent.id, tensor(found, shape));
            }
        }
    }
}

/// An input whose number of dimensions is forgotten.
pub(super) enum Input {
    Cpu(FlexTensor),
    Learning(Tracked),
}

/// A tensor as an input; `None` if it is not on the CPU in single precision.
pub(super) fn input<const D: usize>(it: Tensor<D>) -> Option<Input> {
    if it.dtype() != DType::F32 {
        return None;
    }
    match it.clone().try_into_primitive::<Learning>() {
        Ok(it) => Some(Input::Learning(it)),
        Err(_) => it.try_into_primitive::<Flex>().ok().map(Input::Cpu),
    }
}

/// Runs an operation; `None` if inputs with and without a graph are mixed.
pub(super) fn run<O: Operation<N>, const N: usize, const D: usize>(
    operation: O,
    inputs: [Input; N],
) -> Option<Tensor<D>> {
    let learning = inputs.iter().filter(|it| matches!(it, Input::Learning(_))).count();
    if learning != 0 && learning != N {
        return None;
    }
    if learning == 0 {
        let inputs = inputs.map(|it| match it {
            Input::Cpu(it) => ordered(it),
            Input::Learning(it) => ordered(it.into_primitive()),
        });
        let (out, shape, _) = operation.forward(inputs.each_ref().map(values), false);
        return Some(Tensor::from_primitive::<Flex>(tensor(out, shape)));
    }
    let mut guards = Vec::with_capacity(N);
    let inputs = inputs.map(|it| match it {
        Input::Cpu(it) => it,
        Input::Learning(it) => {
            let (primitive, guard) = it.into_parts();
            guards.push(guard);
            ordered(primitive)
        }
    });
    let guards = guards.try_into().ok()?;
    let prepared = WayBack::<O>(std::marker::PhantomData).prepare::<NoCheckpointing>(guards).compute_bound().stateful();
    let out = match prepared {
        OpsKind::Tracked(prepared) => {
            let (out, shape, kept) = operation.forward(inputs.each_ref().map(values), true);
            prepared.finish(Arc::new(Node { operation, inputs, kept }), tensor(out, shape))
        }
        OpsKind::UnTracked(prepared) => {
            let (out, shape, _) = operation.forward(inputs.each_ref().map(values), false);
            prepared.finish(tensor(out, shape))
        }
    };
    Some(Tensor::from_primitive::<Learning>(out))
}

/// A block over packed tokens. Inputs: the tokens, then weight and bias of queries, keys, values, out, up, down, then
/// `γ` and `β` of the norm of attention and of that at the end.
#[derive(Debug)]
pub(super) struct BlockOperation {
    pub(super) rules: Rules,
    /// Where cells begin, and the number of tokens.
    pub(super) cells: Arc<Vec<usize>>,
}

/// Number of inputs of [`BlockOperation`].
pub(super) const BLOCK_INPUTS: usize = 17;

impl BlockOperation {
    /// Three matrices `[d, d]` beside each other, and three biases behind each other.
    fn heads(&self, inputs: &[&[f32]; BLOCK_INPUTS]) -> (Vec<f32>, Vec<f32>) {
        let d = self.rules.d;
        let mut matrix = Vec::with_capacity(3 * d * d);
        for row in 0..d {
            for at in [1, 3, 5] {
                matrix.extend_from_slice(&inputs[at][row * d..(row + 1) * d]);
            }
        }
        (matrix, [inputs[2], inputs[4], inputs[6]].concat())
    }

    fn weights<'a>(&self, inputs: &[&'a [f32]; BLOCK_INPUTS], heads: &'a (Vec<f32>, Vec<f32>)) -> Weights<'a> {
        let norm = |at: usize| Norm { gamma: inputs[at], beta: inputs[at + 1], eps: self.rules.eps };
        Weights {
            heads: &heads.0,
            heads_bias: &heads.1,
            out: inputs[7],
            out_bias: inputs[8],
            up: inputs[9],
            up_bias: inputs[10],
            down: inputs[11],
            down_bias: inputs[12],
            norm_attention: norm(13),
            norm_output: norm(15),
        }
    }
}

impl Operation<BLOCK_INPUTS> for BlockOperation {
    type Kept = Kept;

    fn forward(&self, inputs: [&[f32]; BLOCK_INPUTS], keep: bool) -> (Vec<f32>, Vec<usize>, Kept) {
        let heads = self.heads(&inputs);
        let weights = self.weights(&inputs, &heads);
        let (y, kept) = block::forward(inputs[0], &weights, &self.cells, &self.rules, keep);
        let shape = vec![y.len() / self.rules.d, self.rules.d];
        (y, shape, kept)
    }

    fn backward(&self, grad: &[f32], inputs: [&[f32]; BLOCK_INPUTS], kept: &Kept) -> [Vec<f32>; BLOCK_INPUTS] {
        let d = self.rules.d;
        let heads = self.heads(&inputs);
        let it = gradient::backward(grad, inputs[0], &self.weights(&inputs, &heads), kept, &self.cells, &self.rules);
        let part = |which: usize| -> Vec<f32> {
            it.heads.chunks_exact(3 * d).flat_map(|row| &row[which * d..(which + 1) * d]).copied().collect()
        };
        let bias = |which: usize| it.heads_bias[which * d..(which + 1) * d].to_vec();
        let (parts, biases) = ([part(0), part(1), part(2)], [bias(0), bias(1), bias(2)]);
        let [query, key, value] = parts;
        let [query_bias, key_bias, value_bias] = biases;
        let [gamma_1, beta_1] = it.norm_attention;
        let [gamma_2, beta_2] = it.norm_output;
        [
            it.x,
            query,
            query_bias,
            key,
            key_bias,
            value,
            value_bias,
            it.out,
            it.out_bias,
            it.up,
            it.up_bias,
            it.down,
            it.down_bias,
            gamma_1,
            beta_1,
            gamma_2,
            beta_2,
        ]
    }
}

/// Rows chosen from a tensor `[n, d]`, each at most once, in ascending order.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) rows: Arc<Vec<usize>>,
    pub(super) d: usize,
    /// Rows of the input.
    pub(super) n: usize,
}

impl Pack {
    fn gather(&self, all: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.rows.len() * self.d);
        self.rows.iter().for_each(|row| out.extend_from_slice(&all[row * self.d..(row + 1) * self.d]));
        out
    }

    /// The rows at their places, zeros elsewhere.
    fn scatter(&self, rows: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.n * self.d];
        for (row, values) in self.rows.iter().zip(rows.chunks_exact(self.d)) {
            out[row * self.d..(row + 1) * self.d].copy_from_slice(values);
        }
        out
    }
}

impl Operation<1> for Pack {
    type Kept = ();

    fn forward(&self, [x]: [&[f32]; 1], _: bool) -> (Vec<f32>, Vec<usize>, ()) {
        (self.gather(x), vec![self.rows.len(), self.d], ())
    }

    fn backward(&self, grad: &[f32], _: [&[f32]; 1], (): &()) -> [Vec<f32>; 1] {
        [self.scatter(grad)]
    }
}

/// The way from packed rows to `[cells, len, d]`.
#[derive(Debug)]
pub(super) struct Unpack {
    pub(super) pack: Pack,
    pub(super) len: usize,
}

impl Operation<1> for Unpack {
    type Kept = ();

    fn forward(&self, [x]: [&[f32]; 1], _: bool) -> (Vec<f32>, Vec<usize>, ()) {
        (self.pack.scatter(x), vec![self.pack.n / self.len, self.len, self.pack.d], ())
    }

    fn backward(&self, grad: &[f32], _: [&[f32]; 1], (): &()) -> [Vec<f32>; 1] {
        [self.pack.gather(grad)]
    }
}
