//! `ln(1 + x)` and `exp(x) − 1` of single-precision values, without branches and without the platform's library.
//!
//! Both work in double precision with series whose remainder is below 1e-12, so the result is the correctly rounded one
//! in all but about one case in a million and never more than one unit in the last place away. The loops hold additions,
//! products, one quotient and bit shifts only: they vectorise, and they give the same bits on every machine. The widest
//! vectors of the processor are chosen at run time.

use faer::traits::pulp::{Arch, NullaryFnOnce};
use std::f64::consts::LN_2;
use std::hint::black_box;

/// Bits of √½ in double precision: what is subtracted so that mantissas fall into `[√½, √2)`.
const SQRT_HALF: u64 = 0x3FE6_A09E_667F_3BCD;

/// 2⁵² and its bits: adding a small whole number to the one is adding it to the other.
const TWO_52: f64 = 4_503_599_627_370_496.0;
const TWO_52_BITS: u64 = 0x4330_0000_0000_0000;

/// 1.5 · 2⁵²: adding and subtracting it rounds to the nearest whole number.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Values of one step: the check for odd ones and the arithmetic each are one loop over so many.
const STEP: usize = 64;

/// A loop that is to be compiled for the widest vectors of the processor.
///
/// `run` must be marked `#[inline(always)]`: what is not inlined stays as it was compiled for every processor.
/// Products are not fused with sums, so the bits stay the same.
pub(crate) trait Loop {
    type Output;
    fn run(self) -> Self::Output;
}

struct Wide<L>(L);

impl<L: Loop> NullaryFnOnce for Wide<L> {
    type Output = L::Output;

    #[inline(always)]
    fn call(self) -> Self::Output {
        self.0.run()
    }
}

/// Runs a loop with the widest vectors of the processor.
pub(crate) fn vectorized<L: Loop>(work: L) -> L::Output {
    Arch::new().dispatch(Wide(work))
}

/// Clears the upper halves of the vector registers of this thread.
///
/// faer's products leave them dirty on x86, and then every plain instruction on the same thread waits for the one before
/// that wrote its register: loops over sparse entries ran at a quarter of their speed. Whatever is compiled for wide
/// vectors clears them at its end.
pub(crate) fn clear_vector_state() {
    struct Any;
    impl Loop for Any {
        type Output = ();

        #[inline(always)]
        fn run(self) {
            let mut lanes = black_box([1.0_f64; 16]);
            lanes.iter_mut().for_each(|it| *it *= 0.5);
            black_box(lanes);
        }
    }
    vectorized(Any);
}

/// Values and a factor on them.
struct Log<'a>(&'a mut [f32], Option<f64>);
struct Exp<'a>(&'a mut [f32]);

impl Loop for Log<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        if let Some(factor) = self.1 {
            self.0.iter_mut().for_each(|it| *it = (f64::from(*it) * factor) as f32);
        }
        in_place(self.0, f32::INFINITY, ln_1p_regular, f32::ln_1p);
    }
}

impl Loop for Exp<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        in_place(self.0, 80.0, exp_m1_regular, f32::exp_m1);
    }
}

/// Replaces every value by `ln(1 + x)`.
pub(crate) fn ln_1p_in_place(values: &mut [f32]) {
    vectorized(Log(values, None));
}

/// Replaces every value by `ln(1 + factor · x)`, the product rounded to single precision.
pub(crate) fn scaled_ln_1p_in_place(values: &mut [f32], factor: f64) {
    vectorized(Log(values, Some(factor)));
}

/// Replaces every value by `exp(x) − 1`.
pub(crate) fn exp_m1_in_place(values: &mut [f32]) {
    vectorized(Exp(values));
}

/// Values in `[0, end)` take the fast way, whatever stands beside them; steps without others vectorise.
#[inline(always)]
#[expect(clippy::needless_bitwise_bool, reason = "branches would keep the check from vectorising")]
fn in_place(values: &mut [f32], end: f32, fast: impl Fn(f32) -> f32, any: impl Fn(f32) -> f32) {
    for step in values.chunks_mut(STEP) {
        if step.iter().fold(true, |all, it| all & (*it >= 0.0) & (*it < end)) {
            step.iter_mut().for_each(|it| *it = fast(*it));
        } else {
            step.iter_mut().for_each(|it| *it = if (0.0..end).contains(it) { fast(*it) } else { any(*it) });
        }
    }
}

/// For finite `x ≥ 0`: `1 + x = 2ᵏ m`, and `ln m = 2 artanh(f / (2 + f))` with `f = m − 1`.
#[inline(always)]
fn ln_1p_regular(x: f32) -> f32 {
    let x = f64::from(x);
    let sum = 1.0 + x;
    let bits = sum.to_bits();
    let k = (bits - SQRT_HALF) >> 52;
    let mantissa = f64::from_bits(bits - (k << 52));
    // Below √2 k is 0, and x itself is f, without the rounding of 1 + x.
    let f = if sum < 1.414 { x } else { mantissa - 1.0 };
    let k = f64::from_bits(TWO_52_BITS | k) - TWO_52;
    let s = f / (2.0 + f);
    let z = s * s;
    let tail = 1.0 / 11.0 + z * (1.0 / 13.0 + z * (1.0 / 15.0));
    let series = z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0 + z * tail))));
    (k * LN_2 + 2.0 * (s + s * series)) as f32
}

/// For `0 ≤ x < 80`: `x = k ln 2 + r`, and `exp(x) − 1 = 2ᵏ (exp(r) − 1) + (2ᵏ − 1)` with the power series in `r`.
#[inline(always)]
fn exp_m1_regular(x: f32) -> f32 {
    let x = f64::from(x);
    let shifted = x * (1.0 / LN_2) + ROUND;
    let k = shifted - ROUND;
    let r = x - k * LN_2;
    // The low bits of the shifted value are k, and 1023 + k is the exponent of its power of two.
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let tail = 1.0 / 5040.0 + r * (1.0 / 40_320.0 + r * (1.0 / 362_880.0 + r * (1.0 / 3_628_800.0)));
    let series = r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * tail)))));
    (power * (r + r * series) + (power - 1.0)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Floats of one sign follow each other like their bits.
    fn apart(a: f32, b: f32) -> u32 {
        a.to_bits().abs_diff(b.to_bits())
    }

    #[test]
    fn logarithms_are_rounded_correctly() {
        // Every 997th float from zero to the largest.
        let (mut n, mut wrong) = (0_u32, 0_u32);
        let values: Vec<f32> = (0..f32::INFINITY.to_bits()).step_by(997).map(f32::from_bits).collect();
        let mut got = values.clone();
        ln_1p_in_place(&mut got);
        for (x, got) in values.iter().zip(got) {
            let want = f64::from(*x).ln_1p() as f32;
            assert!(apart(got, want) <= 1, "{x}: {got} instead of {want}");
            n += 1;
            wrong += u32::from(got != want);
        }
        assert!(wrong <= n / 100_000, "{wrong} of {n}");
    }

    #[test]
    fn exponentials_are_rounded_correctly() {
        let (mut n, mut wrong) = (0_u32, 0_u32);
        let values: Vec<f32> = (0..80.0_f32.to_bits()).step_by(997).map(f32::from_bits).collect();
        let mut got = values.clone();
        exp_m1_in_place(&mut got);
        for (x, got) in values.iter().zip(got) {
            let want = f64::from(*x).exp_m1() as f32;
            assert!(apart(got, want) <= 1, "{x}: {got} instead of {want}");
            n += 1;
            wrong += u32::from(got != want);
        }
        assert!(wrong <= n / 100_000, "{wrong} of {n}");
    }

    #[test]
    fn neighbours_change_nothing() {
        let values: Vec<f32> = (0..3000).map(|it| it as f32 * 0.011).collect();
        let beside: Vec<f32> = values.iter().flat_map(|it| [*it, -0.5]).collect();
        for work in [ln_1p_in_place, exp_m1_in_place] {
            let (mut alone, mut mixed) = (values.clone(), beside.clone());
            work(&mut alone);
            work(&mut mixed);
            assert!(alone.iter().zip(mixed.iter().step_by(2)).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    #[test]
    fn odd_values_follow_the_library() {
        let odd = [-0.5, -1.0, -2.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 85.0, 200.0];
        let mut logs = odd;
        ln_1p_in_place(&mut logs);
        let mut exps = odd;
        exp_m1_in_place(&mut exps);
        for (at, x) in odd.into_iter().enumerate() {
            for (got, want) in [(logs[at], x.ln_1p()), (exps[at], x.exp_m1())] {
                let near = (got - want).abs() <= 1e-6 * want.abs();
                assert!(got == want || near || (got.is_nan() && want.is_nan()), "{x}: {got} and {want}");
            }
        }
    }
}
