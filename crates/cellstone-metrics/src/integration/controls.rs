//! Embeddings whose integration is known: what metrics are scaled between. And a sample that keeps the design.

use super::labels::{Groups, check_embedding, same_cells};
use cellstone_core::{Error, Result, Seed, SeedRng};
use ndarray::{Array2, ArrayView2, Axis};
use rand::RngExt;

/// Spread of the noise that keeps cells of a one-hot embedding apart.
const JITTER: f64 = 0.01;

/// Embeddings to run beside the methods.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlEmbeddings {
    /// The rows of the unintegrated embedding in a random order: batches mixed, labels lost.
    pub random: Array2<f64>,
    /// The rows of every label in a random order among its cells: batches mixed, labels kept.
    pub random_within_label: Array2<f64>,
    /// Batches alone: nothing mixed, labels lost. One-hot, jittered by 0.01 of the distance between batches.
    pub batch_one_hot: Array2<f64>,
    /// Labels alone: labels kept as well as can be. Jittered likewise.
    pub label_one_hot: Array2<f64>,
}

/// The controls of a data set with the unintegrated embedding `x`, `[n_obs, d]`.
///
/// Scale metrics of batches between the unintegrated data, `random`, `random_within_label` and `batch_one_hot`, and those
/// of biology between `random` and `label_one_hot`: see [`control_scaled`](super::control_scaled).
///
/// # Errors
/// If labels or batches do not fit, or a coordinate is not finite.
pub fn controls(x: ArrayView2<'_, f64>, labels: &[u32], batch: &[u32], seed: Seed) -> Result<ControlEmbeddings> {
    check_embedding(x)?;
    same_cells("labels", labels.len(), x.nrows())?;
    same_cells("batches", batch.len(), x.nrows())?;
    let all = Groups::new(&vec![0; x.nrows()]);
    let permuted = |groups: &Groups, name: &str| {
        let mut from: Vec<usize> = (0..x.nrows()).collect();
        for (at, members) in groups.members.iter().enumerate() {
            let mut order = members.clone();
            shuffle(&mut order, &mut seed.derive(name).derive_index(at as u64).rng());
            members.iter().zip(order).for_each(|(to, other)| from[*to] = other);
        }
        x.select(Axis(0), &from)
    };
    Ok(ControlEmbeddings {
        random: permuted(&all, "random"),
        random_within_label: permuted(&Groups::new(labels), "random_within_label"),
        batch_one_hot: one_hot(batch, seed.derive("batch_one_hot")),
        label_one_hot: one_hot(labels, seed.derive("label_one_hot")),
    })
}

fn one_hot(codes: &[u32], seed: Seed) -> Array2<f64> {
    let groups = Groups::new(codes);
    let mut rng = seed.rng();
    Array2::from_shape_fn((codes.len(), groups.len()), |(cell, at)| {
        let noise = JITTER * (2.0 * rng.random::<f64>() - 1.0);
        f64::from(u8::from(groups.of[cell] as usize == at)) + noise
    })
}

fn shuffle(items: &mut [usize], rng: &mut SeedRng) {
    for at in (1..items.len()).rev() {
        items.swap(at, rng.random_range(0..=at));
    }
}

/// `n` cells that keep the shares of every pair of label and batch, ascending.
///
/// Each pair gives its share of `n`, rounded down, and the largest remainders one more (ties: first pair). All cells if
/// there are not more than `n`. Values computed on a sample must be marked as such.
///
/// # Errors
/// If labels and batches are not as many, or `n` is 0.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// use cellstone_metrics::integration::stratified_sample;
/// let (labels, batch) = ([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1]);
/// let cells = stratified_sample(&labels, &batch, 4, Seed::new(1))?;
/// assert_eq!(cells.iter().map(|it| it / 2).collect::<Vec<_>>(), [0, 1, 2, 3]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn stratified_sample(labels: &[u32], batch: &[u32], n: usize, seed: Seed) -> Result<Vec<usize>> {
    same_cells("batches", batch.len(), labels.len())?;
    if n == 0 {
        return Err(Error::config("a sample of 0 cells"));
    }
    if n >= labels.len() {
        return Ok((0..labels.len()).collect());
    }
    let (by_label, by_batch) = (Groups::new(labels), Groups::new(batch));
    let pair = |cell: usize| by_label.of[cell] * by_batch.len() as u32 + by_batch.of[cell];
    let strata = Groups::new(&(0..labels.len()).map(pair).collect::<Vec<_>>());
    let share = |size: usize| (size * n / labels.len(), size * n % labels.len());
    let mut taken: Vec<usize> = strata.members.iter().map(|it| share(it.len()).0).collect();
    let mut order: Vec<usize> = (0..taken.len()).collect();
    order.sort_by_key(|it| std::cmp::Reverse(share(strata.members[*it].len()).1));
    let missing = n - taken.iter().sum::<usize>();
    order.iter().take(missing).for_each(|it| taken[*it] += 1);
    let mut cells = Vec::with_capacity(n);
    for (at, members) in strata.members.iter().enumerate() {
        let mut members = members.clone();
        // By the codes and not by their position: a stratum draws the same cells whatever else there is.
        let code = seed.derive_index(u64::from(labels[members[0]])).derive_index(u64::from(batch[members[0]]));
        shuffle(&mut members, &mut code.rng());
        cells.extend_from_slice(&members[..taken[at]]);
    }
    cells.sort_unstable();
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_keep_what_they_say() {
        let x = Array2::from_shape_fn((40, 2), |(i, j)| (i * 2 + j) as f64);
        let labels: Vec<u32> = (0..40).map(|it| it / 10).collect();
        let batch: Vec<u32> = (0..40).map(|it| it % 3).collect();
        let found = controls(x.view(), &labels, &batch, Seed::new(5)).expect("valid");
        let rows = |it: &Array2<f64>| it.column(0).iter().map(|it| (*it / 2.0) as usize).collect::<Vec<_>>();
        let mut all = rows(&found.random);
        assert_ne!(all, (0..40).collect::<Vec<_>>());
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
        let within = rows(&found.random_within_label);
        assert!(within.iter().enumerate().all(|(cell, from)| labels[cell] == labels[*from]));
        assert_ne!(within, (0..40).collect::<Vec<_>>());
        assert_eq!((found.batch_one_hot.dim(), found.label_one_hot.dim()), ((40, 3), (40, 4)));
        assert!((found.label_one_hot[[25, 2]] - 1.0).abs() <= JITTER && found.label_one_hot[[25, 0]].abs() <= JITTER);
    }

    #[test]
    fn samples_have_the_size_asked_for() {
        let labels: Vec<u32> = (0..97).map(|it| (it * it % 11) % 4).collect();
        let batch: Vec<u32> = (0..97).map(|it| it % 3).collect();
        for n in [1, 10, 50, 96, 97, 200] {
            let cells = stratified_sample(&labels, &batch, n, Seed::new(2)).expect("valid");
            assert_eq!(cells.len(), n.min(97));
            assert!(cells.windows(2).all(|it| it[0] < it[1]));
        }
        assert!(stratified_sample(&labels, &batch, 0, Seed::new(2)).is_err());
    }
}
