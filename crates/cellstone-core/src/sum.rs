//! Sums whose result does not depend on the number of threads.
//!
//! Floating-point addition is not associative, so a work-stealing reduction moves the last bits from run to run.
//! Here the blocks are fixed by the length alone and their partial sums are combined in order.

use rayon::prelude::*;

/// Block length of the deterministic reductions. Changing it changes last bits: see [`crate::sum`].
const BLOCK: usize = 8192;

/// Sums in fixed blocks, in parallel, with the same bits for any thread count.
///
/// # Examples
/// ```
/// let values: Vec<f64> = (1..=100_000).map(f64::from).collect();
/// assert_eq!(cellstone_core::sum::ordered_sum(&values), 5_000_050_000.0);
/// ```
pub fn ordered_sum(values: &[f64]) -> f64 {
    if values.len() <= BLOCK {
        return pairwise(values);
    }
    let partial: Vec<f64> = values.par_chunks(BLOCK).map(pairwise).collect();
    pairwise(&partial)
}

/// Pairwise summation: error grows with log n instead of n.
pub fn pairwise(values: &[f64]) -> f64 {
    if values.len() <= 32 {
        return values.iter().sum();
    }
    let (left, right) = values.split_at(values.len() / 2);
    pairwise(left) + pairwise(right)
}

/// The mean, or `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(ordered_sum(values) / values.len() as f64) }
}

/// Maps `0..n` in parallel and returns the results in order: the way to run independent work without races.
pub fn map_ordered<T: Send>(n: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    (0..n).into_par_iter().map(work).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn one_thread_and_many_agree_bit_for_bit(values in prop::collection::vec(-1e6_f64..1e6, 0..40_000)) {
            let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("pool");
            let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("pool");
            let a = one.install(|| ordered_sum(&values));
            let b = three.install(|| ordered_sum(&values));
            prop_assert_eq!(a.to_bits(), b.to_bits());
        }
    }
}
