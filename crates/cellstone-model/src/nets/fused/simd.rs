//! Plain loops over single-precision rows, compiled for the widest vectors of the processor.

use faer::traits::pulp::{Arch, NullaryFnOnce};

/// Sums of a row run in this many lanes: the order of additions is the same on every machine.
const LANES: usize = 16;

/// A loop that is to be compiled for wide vectors.
///
/// `run` must be marked `#[inline(always)]`: what is not inlined stays as it was compiled for every processor. So write
/// loops, not `map` and `collect`: their closures stay behind, and each `mul_add` in them becomes a call.
/// `FMA` says whether the processor multiplies and adds in one step.
pub(super) trait Loop {
    type Output;
    fn run<const FMA: bool>(self) -> Self::Output;
}

struct Wide<L>(L);

impl<L: Loop> NullaryFnOnce for Wide<L> {
    type Output = L::Output;

    #[inline(always)]
    fn call(self) -> Self::Output {
        self.0.run::<true>()
    }
}

/// Runs a loop with the widest vectors of the processor.
pub(super) fn vectorized<L: Loop>(work: L) -> L::Output {
    match Arch::new() {
        Arch::Scalar => work.run::<false>(),
        wide => wide.dispatch(Wide(work)),
    }
}

/// `a · b + c`, in one step where the processor has it.
#[inline(always)]
pub(super) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// 1.5 · 2²³: adding it rounds to the nearest whole number, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// `eˣ` to about 2e-7 of itself for `|x| ≤ 87`; beyond, the value at the border.
///
/// `eˣ = 2ⁿ eʳ` with `|r| ≤ ½ ln 2`, where seven terms of the series leave 5e-9.
#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f32) -> f32 {
    /// `ln 2` in two parts: the first has so few bits that its product with `n` is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 87.0 { 87.0 } else { x };
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = fma::<FMA>(n, -LN_2[0], x);
    let r = fma::<FMA>(n, -LN_2[1], r);
    let mut series = 1.0 / 5_040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = fma::<FMA>(series, r, term);
    }
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    series * f32::from_bits(exponent << 23)
}

/// `Φ(x)` and `φ(x)`: distribution and density of the standard normal, both to about 2e-7.
///
/// `1 − Φ(|x|) = ½ P(t) e^{−x²/2}` with `t = 1 / (1 + p |x| / √2)`. Abramowitz and Stegun 1964, formula 7.1.26.
#[inline(always)]
pub(super) fn normal<const FMA: bool>(x: f32) -> (f32, f32) {
    const P: f32 = 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2;
    const A: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    /// `1 / √(2π)`.
    const DENSITY: f32 = 0.398_942_3;
    let tail = exp::<FMA>(-0.5 * x * x);
    let t = 1.0 / fma::<FMA>(P, x.abs(), 1.0);
    let mut series = A[0];
    for a in &A[1..] {
        series = fma::<FMA>(series, t, *a);
    }
    let upper = 0.5 * series * t * tail;
    (if x < 0.0 { upper } else { 1.0 - upper }, DENSITY * tail)
}

/// Sum over a row of `of(value)`.
#[inline(always)]
pub(super) fn sum_of(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let chunks = row.chunks_exact(LANES);
    for (lane, it) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane = of(*it);
    }
    for chunk in chunks {
        for (lane, it) in lanes.iter_mut().zip(chunk) {
            *lane += of(*it);
        }
    }
    lanes.iter().sum()
}

/// Sum over two rows of `of(a, b)`.
#[inline(always)]
pub(super) fn sum_of_pairs(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (lane, (a, b)) in lanes.iter_mut().zip(left.remainder().iter().zip(right.remainder())) {
        *lane = of(*a, *b);
    }
    for (a, b) in left.zip(right) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += of(*a, *b);
        }
    }
    lanes.iter().sum()
}

/// Largest value of a row; negative infinity for none.
#[inline(always)]
pub(super) fn max_of(row: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    for (lane, it) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane = *it;
    }
    for chunk in chunks {
        for (lane, it) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *it);
        }
    }
    lanes.iter().copied().fold(f32::NEG_INFINITY, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials() {
        for it in -8_700..=8_700_i16 {
            let x = f32::from(it) * 0.01;
            let want = f64::from(x).exp();
            for got in [exp::<true>(x), exp::<false>(x)] {
                assert!((f64::from(got) - want).abs() < 4e-7 * want, "e^{x} is {want}, not {got}");
            }
        }
        assert!(exp::<true>(-1e30) < 1e-37 && exp::<true>(f32::NEG_INFINITY) >= 0.0);
        assert!(exp::<true>(f32::NAN).is_nan());
    }

    #[test]
    fn the_normal_distribution() {
        // Values of the error function to ten digits, from its series: erf(x) = 2/√π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)).
        for it in -400..=400_i16 {
            let x = f64::from(it) * 0.01;
            let (z, mut term, mut sum) = (x / std::f64::consts::SQRT_2, x / std::f64::consts::SQRT_2, 0.0);
            for n in 0..120 {
                sum += term / f64::from(2 * n + 1);
                term *= -z * z / f64::from(n + 1);
            }
            let want = 0.5 * (1.0 + sum * std::f64::consts::FRAC_2_SQRT_PI);
            let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            let got = normal::<true>(x as f32);
            assert!((f64::from(got.0) - want).abs() < 3e-7, "{x}: {want} is not {}", got.0);
            assert!((f64::from(got.1) - density).abs() < 3e-7, "{x}: {density} is not {}", got.1);
        }
    }

    #[test]
    fn sums_and_maxima_of_any_length() {
        for n in 0..70_usize {
            let row: Vec<f32> = (0..n).map(|it| (it as f32 * 0.37).sin() - 0.2).collect();
            let sum: f32 = row.iter().sum();
            assert!((sum_of(&row, |it| it) - sum).abs() < 1e-4);
            let squares: f32 = row.iter().map(|it| it * it).sum();
            assert!((sum_of_pairs(&row, &row, |a, b| a * b) - squares).abs() < 1e-4);
            assert_eq!(max_of(&row), row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
