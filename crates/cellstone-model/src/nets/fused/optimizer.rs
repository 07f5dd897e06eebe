//! One pass over a parameter, its moments and its gradient for a step of AdamW.

use super::op::{flex, from_flex, values};
use super::simd::{Loop, sum_of, vectorized};
use burn::tensor::Tensor;
use rayon::prelude::*;

/// Values of one task.
const CHUNK: usize = 1 << 14;

/// Numbers of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamStep {
    /// What gradients are multiplied with before anything else.
    pub(crate) scale: f32,
    pub(crate) beta_1: f32,
    pub(crate) beta_2: f32,
    pub(crate) epsilon: f32,
    /// `1 / (1 − β₂ᵗ)`.
    pub(crate) bias_2: f32,
    /// `η / (1 − β₁ᵗ)`.
    pub(crate) rate: f32,
    /// `1 − η λ`.
    pub(crate) decay: f32,
}

struct Update<'a> {
    weight: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    gradient: &'a [f32],
    step: AdamStep,
}

impl Loop for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let it = self.step;
        let moments = self.first.iter_mut().zip(self.second);
        for ((weight, (first, second)), gradient) in self.weight.iter_mut().zip(moments).zip(self.gradient) {
            let g = gradient * it.scale;
            *first = *first * it.beta_1 + g * (1.0 - it.beta_1);
            *second = *second * it.beta_2 + g * g * (1.0 - it.beta_2);
            let root = (*second * it.bias_2).sqrt() + it.epsilon;
            *weight = *weight * it.decay - *first / root * it.rate;
        }
    }
}

/// The parameter and its moments after a step, all on the CPU; `None` where one of them is not. Neither the parameter
/// nor the gradient may have a graph behind it.
pub(crate) fn adam<const D: usize>(
    weight: &Tensor<D>,
    gradient: &Tensor<D>,
    moments: &mut Option<[Tensor<1>; 2]>,
    step: AdamStep,
) -> Option<Tensor<D>> {
    let n = weight.shape().num_elements();
    let (mut moved, gradient) = (flex(weight.clone())?, flex(gradient.clone())?);
    let [mut first, mut second] = match moments.take() {
        Some([first, second]) => [flex(first)?, flex(second)?],
        None => [from_values(vec![0.0; n]), from_values(vec![0.0; n])],
    };
    let chunks = moved.storage_mut::<f32>().par_chunks_mut(CHUNK).zip(values(&gradient).par_chunks(CHUNK));
    let of_moments =
        first.storage_mut::<f32>().par_chunks_mut(CHUNK).zip(second.storage_mut::<f32>().par_chunks_mut(CHUNK));
    chunks.zip(of_moments).for_each(|((weight, gradient), (first, second))| {
        vectorized(Update { weight, first, second, gradient, step });
    });
    *moments = Some([from_flex(first), from_flex(second)]);
    Some(from_flex(moved))
}

fn from_values(values: Vec<f32>) -> burn::backend::flex::FlexTensor {
    let n = values.len();
    super::op::tensor(values, [n])
}

struct Squares<'a>(&'a [f32]);

impl Loop for Squares<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f32 {
        sum_of(self.0, |it| it * it)
    }
}

/// Sum of the squares of a tensor on the CPU; `None` elsewhere.
pub(crate) fn square_sum<const D: usize>(it: &Tensor<D>) -> Option<f64> {
    let it = flex(it.clone())?;
    let sums: Vec<f32> = values(&it).par_chunks(CHUNK).map(|it| vectorized(Squares(it))).collect();
    Some(sums.iter().map(|it| f64::from(*it)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn a_step_by_hand() {
        let device = Device::flex();
        let make = |values: [f32; 2]| Tensor::<1>::from_data(TensorData::from(values), &device);
        let step = AdamStep {
            scale: 0.5,
            beta_1: 0.9,
            beta_2: 0.99,
            epsilon: 0.0,
            bias_2: 100.0,
            rate: 10.0 * 0.1,
            decay: 0.9,
        };
        let mut moments = None;
        let moved = adam(&make([1.0, 2.0]), &make([4.0, -8.0]), &mut moments, step).expect("on the CPU");
        // The first step goes by the sign of the gradient alone: 0.1 up or down, behind the decay.
        for (got, want) in moved.into_data().iter::<f32>().zip([0.9 - 0.1, 1.8 + 0.1]) {
            assert!((got - want).abs() < 1e-6, "{got} is not {want}");
        }
        let [first, second] = moments.expect("they begin").map(|it| it.into_data().iter::<f32>().collect::<Vec<_>>());
        assert!((first[0] - 0.2).abs() < 1e-6 && (second[1] - 0.16).abs() < 1e-6, "{first:?} {second:?}");
        assert_eq!(square_sum(&make([3.0, 4.0])), Some(25.0));
    }
}
