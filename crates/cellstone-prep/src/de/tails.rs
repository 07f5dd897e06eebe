//! Two-sided tail probabilities with small relative error down to the smallest numbers that f64 can hold.
//!
//! `2 · (1 − cdf)` loses everything beyond 8 standard deviations, and library routines that square the argument before
//! the exponential lose digits in proportion to it. Screens live in that tail: ranks of thousands of cells give z of 30.

use std::f64::consts::PI;

/// Chebyshev coefficients of `(z + 4) e^{z²/2} P(Z > z)` in `(z − 4) / (z + 4)`, `z ≥ 0`; computed with 40 digits.
const MILLS: [f64; 25] = [
    0.970_451_204_566_076_6,
    -0.751_708_816_839_570_6,
    0.222_193_555_675_251_04,
    -0.048_517_753_260_446_085,
    0.006_925_920_496_242_481,
    -0.000_320_598_474_398_149_95,
    -0.000_100_547_391_632_106_79,
    1.890_336_901_970_696_5e-5,
    1.010_356_885_474_631e-6,
    -6.145_334_749_397_824e-7,
    -3.381_020_120_069_175_6e-9,
    2.068_650_806_174_283_3e-8,
    -1.128_260_363_246_950_7e-10,
    -7.774_015_228_388_695e-10,
    -9.941_424_191_404_708e-12,
    3.174_482_949_858_303e-11,
    1.842_480_684_470_494e-12,
    -1.312_861_646_671_096_5e-12,
    -1.741_536_256_265_481_3e-13,
    4.907_274_031_704_424_4e-14,
    1.293_138_432_616_557_6e-14,
    -1.218_066_352_172_634_1e-15,
    -8.052_147_372_620_933e-16,
    -2.860_494_144_261_621_3e-17,
    4.057_064_424_335_354e-17,
];

/// Taylor coefficients of `(sinh v / v)^{-1/2}` in `v²`; computed with 60 digits. They converge for `|v| < π`.
const SINH: [f64; 22] = [
    1.0,
    -0.083_333_333_333_333_33,
    0.006_25,
    -0.000_504_298_941_798_941_8,
    4.343_722_442_680_776e-5,
    -3.896_385_732_323_232e-6,
    3.583_335_463_450_790_6e-7,
    -3.349_747_072_060_578e-8,
    3.167_585_434_316_114_6e-9,
    -3.021_036_851_737_096_3e-10,
    2.900_415_787_669_253e-11,
    -2.799_396_748_375_269e-12,
    2.713_639_320_017_204e-13,
    -2.640_047_892_184_152_8e-14,
    2.576_345_276_111_418e-15,
    -2.520_813_255_420_055_8e-16,
    2.472_127_507_451_747e-17,
    -2.429_248_639_502_351_6e-18,
    2.391_348_018_764_929_5e-19,
    -2.357_755_946_411_740_4e-20,
    2.327_924_615_768_231_7e-21,
    -2.301_401_107_906_203_8e-22,
];

/// Beyond this the two-sided normal tail is below the smallest positive f64.
const Z_MAX: f64 = 39.0;

/// `P(|Z| > |z|)` of a standard normal variable, also where it is subnormal.
///
/// Relative error below 1e-14 where the result is a normal number.
///
/// # Examples
/// ```
/// use cellstone_prep::normal_two_sided;
/// assert_eq!(normal_two_sided(0.0), 1.0);
/// assert!((normal_two_sided(1.96) / 0.049_995_790_296_440_87 - 1.0).abs() < 1e-14);
/// assert!((normal_two_sided(-30.0) / 9.813_427_854_296_374e-198 - 1.0).abs() < 1e-13);
/// assert_eq!(normal_two_sided(f64::INFINITY), 0.0);
/// ```
pub fn normal_two_sided(z: f64) -> f64 {
    finish_normal(z.abs(), mills([z.abs()])[0])
}

/// Tails that are computed together.
pub(super) const LANES: usize = 8;

/// [`normal_two_sided`] of several numbers, bit by bit; independent chains of additions overlap.
pub(super) fn normal_two_sided_lanes(z: [f64; LANES]) -> [f64; LANES] {
    let z = z.map(f64::abs);
    let mills = mills(z);
    std::array::from_fn(|lane| finish_normal(z[lane], mills[lane]))
}

fn finish_normal(z: f64, mills: f64) -> f64 {
    if z.is_nan() {
        return f64::NAN;
    }
    if z > Z_MAX {
        return 0.0;
    }
    // The square of a multiple of 1/16 is exact, so the large exponent carries no rounding error.
    let coarse = f64::from((z * 16.0) as u32) / 16.0;
    let fine = -0.5 * (z - coarse) * (z + coarse);
    let exponent = -0.5 * coarse * coarse;
    if exponent > -32.0 {
        // Small exponents lose nothing in one sum.
        return (2.0 * mills * (exponent + fine).exp()).min(1.0);
    }
    let scale = 2.0 * mills * fine.exp();
    if exponent > -700.0 {
        return scale * exponent.exp();
    }
    // Rounded once, at the end, where the result is subnormal.
    scale * (exponent + 80.0).exp() * (-80.0_f64).exp()
}

/// `e^{z²/2} P(Z > z)` for `z ≥ 0`: half the scaled complementary error function of `z / √2`.
fn mills<const N: usize>(z: [f64; N]) -> [f64; N] {
    let t = z.map(|z| (z - 4.0) / (z + 4.0));
    let (mut b0, mut b1) = ([0.0; N], [0.0; N]);
    for coefficient in MILLS[1..].iter().rev() {
        for lane in 0..N {
            let next = 2.0 * t[lane] * b0[lane] + (coefficient - b1[lane]);
            b1[lane] = b0[lane];
            b0[lane] = next;
        }
    }
    std::array::from_fn(|lane| (t[lane] * b0[lane] + (MILLS[0] - b1[lane])) / (z[lane] + 4.0))
}

/// Degrees of freedom from which the expansion in 1/ν is good to the last digits: `T = ν/2 − 1/4 ≥ 10`.
const T_MIN: f64 = 10.0;

/// Reach of the expansion in `L = ln(1 + t²/ν)`; its terms shrink by `(L / 2π)²`.
const L_MAX: f64 = 2.0;

/// `P(|T_ν| > |t|)` of Student's t with `df` degrees of freedom (any positive number), `I_x(ν/2, 1/2)`, `x = ν/(ν + t²)`.
///
/// Relative error below 1e-12 where the result is a normal number. NaN where `t` is NaN or `df` is not positive.
///
/// With `u = e^{-s}` the incomplete beta function becomes `∫_L^∞ e^{-Ts} (2 sinh(s/2))^{-1/2} ds`; the expansion of the
/// second factor leaves incomplete gamma functions of half-integer order, and the same series at `L = 0` is the
/// normalization. Outside its reach stands the continued fraction of DLMF 8.17.22.
///
/// # Examples
/// ```
/// use cellstone_prep::t_two_sided;
/// assert!((t_two_sided(2.0, 10.0) / 0.073_388_034_770_740_38 - 1.0).abs() < 1e-13);
/// assert!((t_two_sided(-12.0, 1.0) / 0.052_929_352_119_179_75 - 1.0).abs() < 1e-13);
/// assert_eq!(t_two_sided(f64::INFINITY, 3.0), 0.0);
/// ```
/// # References
/// DiDonato and Morris 1992, doi:10.1145/131766.131776, on which the expansion for large first parameter rests.
pub fn t_two_sided(t: f64, df: f64) -> f64 {
    let t = t.abs();
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if df.is_infinite() {
        return normal_two_sided(t);
    }
    if t.is_infinite() {
        return 0.0;
    }
    let ratio = t / df * t;
    // ln(1 + t²/ν), also where the square overflows.
    let log = if ratio.is_finite() { ratio.ln_1p() } else { 2.0 * t.ln() - df.ln() };
    let big_t = 0.5 * df - 0.25;
    if big_t >= T_MIN && log <= L_MAX { expansion(big_t, log) } else { by_fraction(0.5 * df, log) }
}

/// `e^{-z}` times a number near its reciprocal's size, rounded once where the result is subnormal.
fn exp_times(z: f64, factor: f64) -> f64 {
    if z < 700.0 { factor * (-z).exp() } else { factor * (80.0 - z).exp() * (-80.0_f64).exp() }
}

fn expansion(big_t: f64, log: f64) -> f64 {
    let z = big_t * log;
    let quarter = 1.0 / (4.0 * big_t * big_t);
    let step = 0.25 * log * log;
    let root = PI.sqrt();
    let (mut upper, mut whole) = (2.0 * root * mills([(2.0 * z).sqrt()])[0], root);
    let mut power = z.sqrt();
    let (mut tail, mut norm) = (0.0, 0.0);
    for (n, coefficient) in SINH.iter().enumerate() {
        let term = coefficient * upper;
        tail += term;
        norm += coefficient * whole;
        if term.abs() < 1e-17 * tail {
            break;
        }
        let s = 0.5 + 2.0 * n as f64;
        upper = (s * (s + 1.0) * upper + power * (s + 1.0 + z)) * quarter;
        whole *= s * (s + 1.0) * quarter;
        power *= step;
    }
    exp_times(z, tail / norm).min(1.0)
}

/// `I_x(a, 1/2)` with `x = e^{-log}`.
fn by_fraction(a: f64, log: f64) -> f64 {
    let x = (-log).exp();
    let y = -(-log).exp_m1();
    let beta = beta_half(a);
    if x < (a + 1.0) / (a + 2.5) {
        return exp_times(a * log, y.sqrt() * fraction(a, 0.5, x) / (a * beta)).min(1.0);
    }
    let lower = y.sqrt() * (-a * log).exp() * fraction(0.5, a, y) / (0.5 * beta);
    (1.0 - lower).max(0.0)
}

/// `B(a, 1/2) = √π Γ(a) / Γ(a + 1/2)`, by the normalization of the expansion after stepping `a` up to its range.
fn beta_half(a: f64) -> f64 {
    let (mut a, mut factor) = (a, 1.0);
    while a < T_MIN + 0.25 {
        factor *= (a + 0.5) / a;
        a += 1.0;
    }
    let big_t = a - 0.25;
    let quarter = 1.0 / (4.0 * big_t * big_t);
    let (mut whole, mut norm) = (PI.sqrt(), 0.0);
    for (n, coefficient) in SINH.iter().enumerate().take(12) {
        norm += coefficient * whole;
        let s = 0.5 + 2.0 * n as f64;
        whole *= s * (s + 1.0) * quarter;
    }
    factor * norm / big_t.sqrt()
}

/// The continued fraction of the incomplete beta function, by the modified Lentz method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |it: f64| if it.abs() < TINY { TINY } else { it };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        value *= d * c;
        // Two roundings: waiting for exactly 1 may take for ever.
        if (d * c - 1.0).abs() < 2.0 * f64::EPSILON {
            break;
        }
    }
    value
}
