//! Choice among the variants by five-fold cross-validation over training combinations.

use super::doubles::Doubles;
use super::fit::{Coefficients, Variant};
use cellstone_core::{Result, Seed, sum};
use rand::RngExt;

/// Fewest combinations for which variants are compared; below, the scalar is taken.
const MIN_DOUBLES: usize = 10;
const FOLDS: usize = 5;

/// The variant with the least cross-validated mean L2; the simpler of equals.
pub(super) fn best_variant(doubles: &Doubles<'_>, seed: Seed) -> Result<(Variant, f64)> {
    if doubles.len() < MIN_DOUBLES {
        return Ok((Variant::Scalar, f64::NAN));
    }
    let fold = folds(doubles.len(), seed);
    let losses = sum::map_ordered(Variant::ALL.len(), |it| loss(Variant::ALL[it], doubles, &fold));
    let mut best = (Variant::Scalar, f64::INFINITY);
    for (variant, loss) in Variant::ALL.into_iter().zip(losses) {
        let loss = loss?;
        if loss < best.1 {
            best = (variant, loss);
        }
    }
    Ok(best)
}

fn loss(variant: Variant, doubles: &Doubles<'_>, fold: &[usize]) -> Result<f64> {
    let mut total = 0.0;
    for held_out in 0..FOLDS {
        let (out, kept): (Vec<usize>, Vec<usize>) = (0..doubles.len()).partition(|it| fold[*it] == held_out);
        let fitted = Coefficients::fit(variant, doubles, &kept)?;
        total += out.iter().map(|it| fitted.error(doubles, *it)).sum::<f64>();
    }
    Ok(total / doubles.len() as f64)
}

/// Fold of each combination: a seeded shuffle dealt out in turn.
fn folds(n: usize, seed: Seed) -> Vec<usize> {
    let mut rng = seed.derive("shrunk_additive.folds").rng();
    let mut order: Vec<usize> = (0..n).collect();
    for at in (1..n).rev() {
        order.swap(at, rng.random_range(0..=at));
    }
    let mut fold = vec![0; n];
    for (place, at) in order.into_iter().enumerate() {
        fold[at] = place % FOLDS;
    }
    fold
}
