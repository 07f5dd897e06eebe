//! The variants: how each fits its coefficients on some combinations, and what they predict for one.

use super::doubles::{Doubles, Shape};
use crate::train::Train;
use cellstone_core::{Result, sum};
use cellstone_prep::sym_eig;
use ndarray::{Array1, Array2};

/// A form of shrinkage, simplest first: ties in selection go to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Scalar,
    ScalarL2,
    TwoTerm,
    Ordered,
    Angle,
    GeneWise,
}

impl Variant {
    pub(super) const ALL: [Self; 6] =
        [Self::Scalar, Self::ScalarL2, Self::TwoTerm, Self::Ordered, Self::Angle, Self::GeneWise];

    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::ScalarL2 => "scalar_l2",
            Self::TwoTerm => "two_term",
            Self::Ordered => "ordered",
            Self::Angle => "angle",
            Self::GeneWise => "gene_wise",
        }
    }
}

/// Fitted coefficients.
#[derive(Debug, Clone)]
pub(super) enum Coefficients {
    /// `α·s`.
    Scalar(f64),
    /// `a·s + b·mean`.
    TwoTerm { a: f64, b: f64, mean: Array1<f64> },
    /// `max·δ_big + min·(s − δ_big)`.
    Ordered { max: f64, min: f64 },
    /// `(a + b·cos + c·ln(‖s‖/median))·s`.
    Angle { a: f64, b: f64, c: f64, median: f64 },
    /// `α_g·s_g`.
    GeneWise { alpha: Array1<f64>, tau: f64 },
}

impl Coefficients {
    /// Fits a variant on the combinations `which` (at least one).
    pub(super) fn fit(variant: Variant, doubles: &Doubles<'_>, which: &[usize]) -> Result<Self> {
        Ok(match variant {
            Variant::Scalar => Self::Scalar(scalar(doubles, which)),
            Variant::ScalarL2 => Self::Scalar(golden_section(|it| mean_l2(doubles, which, it), 0.0, 1.5, 1e-6)),
            Variant::TwoTerm => two_term(doubles, which)?,
            Variant::Ordered => ordered(doubles, which)?,
            Variant::Angle => angle(doubles, which)?,
            Variant::GeneWise => gene_wise(doubles, which),
        })
    }

    /// The factor of each single, for the variants that have one; `None` for gene-wise.
    pub(super) fn weights(&self, train: &Train, singles: &[usize]) -> Option<Vec<f64>> {
        let same = |it: f64| Some(vec![it; singles.len()]);
        match self {
            Self::Scalar(alpha) => same(*alpha),
            Self::TwoTerm { a, .. } => same(*a),
            Self::Ordered { max, min } => {
                let biggest = Shape::of(train, singles).biggest;
                Some((0..singles.len()).map(|it| if it == biggest { *max } else { *min }).collect())
            }
            Self::Angle { a, b, c, median } => {
                let shape = Shape::of(train, singles);
                same(a + b * shape.cosine + c * log_length(shape.length, *median))
            }
            Self::GeneWise { .. } => None,
        }
    }

    /// `‖δ − δ̂‖` of one training combination.
    pub(super) fn error(&self, doubles: &Doubles<'_>, at: usize) -> f64 {
        let mut rest = doubles.delta(at).to_owned();
        if let Some(weights) = self.weights(doubles.train(), &doubles.singles[at]) {
            for (which, weight) in weights.iter().enumerate() {
                rest.scaled_add(-weight, &doubles.single(at, which));
            }
        }
        match self {
            Self::GeneWise { alpha, .. } => rest -= &(alpha * &doubles.sums.row(at)),
            Self::TwoTerm { b, mean, .. } => rest.scaled_add(-b, mean),
            _ => {}
        }
        rest.dot(&rest).sqrt()
    }

    /// For the run's tables.
    pub(super) fn note(&self) -> String {
        match self {
            Self::Scalar(alpha) => format!("{alpha:.6}"),
            Self::TwoTerm { a, b, .. } => format!("a {a:.6}, b {b:.6}"),
            Self::Ordered { max, min } => format!("max {max:.6}, min {min:.6}"),
            Self::Angle { a, b, c, .. } => format!("a {a:.6}, b {b:.6}, c {c:.6}"),
            Self::GeneWise { alpha, tau } => {
                format!("mean over genes {:.6}, tau {tau:.4e}", alpha.mean().unwrap_or(0.0))
            }
        }
    }
}

/// `α = Σ⟨δ, s⟩ / Σ‖s‖²`; 1 where no single changed anything.
pub(super) fn scalar(doubles: &Doubles<'_>, which: &[usize]) -> f64 {
    let (num, den) = totals(doubles, which);
    if den > 0.0 { num / den } else { 1.0 }
}

/// `Σ⟨δ, s⟩` and `Σ‖s‖²`.
pub(super) fn totals(doubles: &Doubles<'_>, which: &[usize]) -> (f64, f64) {
    let total = |of: &[f64]| which.iter().map(|it| of[*it]).sum::<f64>();
    (total(&doubles.ds), total(&doubles.ss))
}

/// Mean L2 of `α·s` over some combinations.
fn mean_l2(doubles: &Doubles<'_>, which: &[usize], alpha: f64) -> f64 {
    let error =
        |it: usize| (doubles.dd[it] - 2.0 * alpha * doubles.ds[it] + alpha * alpha * doubles.ss[it]).max(0.0).sqrt();
    which.iter().map(|it| error(*it)).sum::<f64>() / which.len() as f64
}

/// Minimises a unimodal function on `[low, high]` to the given width of the bracket.
fn golden_section(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64, tolerance: f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut f_left, mut f_right) = (f(left), f(right));
    while high - low > tolerance {
        if f_left <= f_right {
            (high, right, f_right) = (right, left, f_left);
            left = high - ratio * (high - low);
            f_left = f(left);
        } else {
            (low, left, f_left) = (left, right, f_right);
            right = low + ratio * (high - low);
            f_right = f(right);
        }
    }
    f64::midpoint(low, high)
}

fn two_term(doubles: &Doubles<'_>, which: &[usize]) -> Result<Coefficients> {
    let mean = doubles.mean(which);
    let (num, den) = totals(doubles, which);
    let sm: f64 = which.iter().map(|it| doubles.sums.row(*it).dot(&mean)).sum();
    let dm: f64 = which.iter().map(|it| doubles.delta(*it).dot(&mean)).sum();
    let mm = which.len() as f64 * mean.dot(&mean);
    let x = least_squares(&ndarray::array![[den, sm], [sm, mm]], &ndarray::array![num, dm])?;
    Ok(Coefficients::TwoTerm { a: x[0], b: x[1], mean })
}

fn ordered(doubles: &Doubles<'_>, which: &[usize]) -> Result<Coefficients> {
    let (mut normal, mut right) = (Array2::<f64>::zeros((2, 2)), Array1::<f64>::zeros(2));
    for at in which {
        let biggest = Shape::of(doubles.train(), &doubles.singles[*at]).biggest;
        let big = doubles.single(*at, biggest).to_owned();
        let small = &doubles.sums.row(*at) - &big;
        let (delta, cross) = (doubles.delta(*at), big.dot(&small));
        normal += &ndarray::array![[big.dot(&big), cross], [cross, small.dot(&small)]];
        right += &ndarray::array![delta.dot(&big), delta.dot(&small)];
    }
    let x = least_squares(&normal, &right)?;
    Ok(Coefficients::Ordered { max: x[0], min: x[1] })
}

fn angle(doubles: &Doubles<'_>, which: &[usize]) -> Result<Coefficients> {
    let shapes: Vec<Shape> = which.iter().map(|it| Shape::of(doubles.train(), &doubles.singles[*it])).collect();
    let mut lengths: Vec<f64> = shapes.iter().map(|it| it.length).filter(|it| *it > 0.0).collect();
    lengths.sort_by(f64::total_cmp);
    let median = match lengths.len() {
        0 => 1.0,
        n => f64::midpoint(lengths[(n - 1) / 2], lengths[n / 2]),
    };
    let (mut normal, mut right) = (Array2::<f64>::zeros((3, 3)), Array1::<f64>::zeros(3));
    for (at, shape) in which.iter().zip(&shapes) {
        let x = ndarray::array![1.0, shape.cosine, log_length(shape.length, median)];
        right.scaled_add(doubles.ds[*at], &x);
        for (mut row, it) in normal.rows_mut().into_iter().zip(&x) {
            row.scaled_add(it * doubles.ss[*at], &x);
        }
    }
    let x = least_squares(&normal, &right)?;
    Ok(Coefficients::Angle { a: x[0], b: x[1], c: x[2], median })
}

fn log_length(length: f64, median: f64) -> f64 {
    if length > 0.0 && median > 0.0 { (length / median).ln() } else { 0.0 }
}

/// Solves normal equations, in the least-norm sense where they are singular.
fn least_squares(normal: &Array2<f64>, right: &Array1<f64>) -> Result<Array1<f64>> {
    let (values, vectors) = sym_eig(normal)?;
    let floor = values.iter().fold(0.0_f64, |acc, it| acc.max(it.abs())) * 1e-12;
    let mut out = Array1::zeros(right.len());
    for (value, vector) in values.iter().zip(vectors.columns()) {
        if *value > floor {
            out.scaled_add(vector.dot(right) / value, &vector);
        }
    }
    Ok(out)
}

/// `α_g = (Σ δ_g s_g + τ α)/(Σ s_g² + τ)`, τ by exact leave-one-out over 33 points `10^{−4..4} · mean_g Σ s_g²`.
fn gene_wise(doubles: &Doubles<'_>, which: &[usize]) -> Coefficients {
    let n_vars = doubles.sums.ncols();
    let (mut num, mut den) = (Array1::<f64>::zeros(n_vars), Array1::<f64>::zeros(n_vars));
    for at in which {
        let s = doubles.sums.row(*at);
        ndarray::Zip::from(&mut num).and(&mut den).and(&s).and(&doubles.delta(*at)).for_each(|num, den, s, d| {
            *num += d * s;
            *den += s * s;
        });
    }
    let scale = if n_vars == 0 { 0.0 } else { den.sum() / n_vars as f64 };
    if scale <= 0.0 {
        return Coefficients::Scalar(1.0);
    }
    let alpha = scalar(doubles, which);
    let grid: Vec<f64> = crate::params::grid().map(|it| it * scale).collect();
    let losses = sum::map_ordered(which.len(), |it| left_out(doubles, which, which[it], (&num, &den), &grid));
    let mut best = (f64::INFINITY, scale);
    // From the strongest pull to the scalar down, so that ties keep the simpler model.
    for (at, tau) in grid.iter().enumerate().rev() {
        let loss: f64 = losses.iter().map(|it| it[at]).sum();
        if loss < best.0 {
            best = (loss, *tau);
        }
    }
    let tau = best.1;
    let alpha = ndarray::Zip::from(&num).and(&den).map_collect(|num, den| (num + tau * alpha) / (den + tau));
    Coefficients::GeneWise { alpha, tau }
}

/// The error of one combination under every τ when it is left out of the fit.
fn left_out(
    doubles: &Doubles<'_>,
    which: &[usize],
    at: usize,
    (num, den): (&Array1<f64>, &Array1<f64>),
    grid: &[f64],
) -> Vec<f64> {
    let (all_num, all_den) = totals(doubles, which);
    let rest = all_den - doubles.ss[at];
    let alpha = if rest > 0.0 { (all_num - doubles.ds[at]) / rest } else { 1.0 };
    let (s, d) = (doubles.sums.row(at), doubles.delta(at));
    let (num, den) = (num - &(&s * &d), (den - &(&s * &s)).mapv(|it| it.max(0.0)));
    let square = |tau: f64| {
        let mut sum = 0.0;
        ndarray::Zip::from(&num).and(&den).and(&s).and(&d).for_each(|num, den, s, d| {
            let e = d - s * (num + tau * alpha) / (den + tau);
            sum += e * e;
        });
        sum
    };
    grid.iter().map(|tau| square(*tau).sqrt()).collect()
}
