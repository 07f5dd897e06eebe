//! Average ranks: ties share the mean of the ranks they would fill.

/// What the rank offsets of a row leave out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RankForm {
    /// Mean of the offsets over all genes: `(G+1)/2 − z` with `z` the rank of the zeros.
    pub(crate) mean: f64,
    /// `V = Σ (rank − (G+1)/2)² = (G³ − G)/12 − Σ (t³ − t)/12` over groups of `t` equal values; 0 for a constant row.
    pub(crate) scatter: f64,
}

/// Ranks of stored values minus the rank of the zeros, into `out`, one per value; `n` is the number of genes.
///
/// What is not stored is 0. All zeros are one tie, at rank `z = n_negative + (n_zero + 1)/2`, so their offset is 0
/// and the offsets are as sparse as the values. `keys` is reused.
pub(crate) fn rank_offsets(values: &[f32], n: usize, keys: &mut Vec<u64>, out: &mut Vec<f64>) -> RankForm {
    keys.clear();
    keys.extend(
        values
            .iter()
            .enumerate()
            .filter(|(_, it)| **it != 0.0)
            .map(|(at, it)| (u64::from(ordered(*it)) << 32) | at as u64),
    );
    keys.sort_unstable();
    let n_negative = keys.partition_point(|it| ((it >> 32) as u32) < ordered(0.0));
    let n_zero = n - keys.len();
    let zero = n_negative as f64 + (n_zero as f64 + 1.0) / 2.0;
    out.clear();
    out.resize(values.len(), 0.0);
    let mut ties = cube_excess(n_zero);
    let mut start = 0;
    while start < keys.len() {
        let value = keys[start] >> 32;
        let end = start + keys[start..].iter().take_while(|it| **it >> 32 == value).count();
        let before = if start < n_negative { start } else { start + n_zero };
        let rank = before as f64 + ((end - start) as f64 + 1.0) / 2.0;
        for key in &keys[start..end] {
            out[(*key & u64::from(u32::MAX)) as usize] = rank - zero;
        }
        ties += cube_excess(end - start);
        start = end;
    }
    // Whole numbers until here, so that a constant row has exactly 0.
    let scatter = (cube_excess(n) - ties) as f64 / 12.0;
    RankForm { mean: (n as f64 + 1.0) / 2.0 - zero, scatter }
}

/// Average ranks minus their mean, and their scatter `V`.
pub(crate) fn centred_ranks(values: &[f64]) -> (Vec<f64>, f64) {
    let n = values.len();
    let mut order: Vec<usize> = (0..n).collect();
    // Adding 0 makes −0 a 0.
    order.sort_unstable_by(|a, b| (values[*a] + 0.0).total_cmp(&(values[*b] + 0.0)));
    let middle = (n as f64 + 1.0) / 2.0;
    let (mut out, mut ties, mut start) = (vec![0.0; n], 0, 0);
    while start < n {
        let value = values[order[start]];
        let end = start + order[start..].iter().take_while(|it| values[**it] == value).count();
        let rank = start as f64 + ((end - start) as f64 + 1.0) / 2.0;
        order[start..end].iter().for_each(|it| out[*it] = rank - middle);
        ties += cube_excess(end - start);
        start = end;
    }
    (out, (cube_excess(n) - ties) as f64 / 12.0)
}

/// `t³ − t`.
fn cube_excess(t: usize) -> u64 {
    let t = t as u64;
    t * t * t - t
}

/// A number that orders as the value does.
fn ordered(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | (1 << 31) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_ranks_from_the_zeros() {
        let values = [0.0_f32, -2.0, 0.0, 5.0, 5.0, 0.0, 1.0];
        let (mut keys, mut out) = (Vec::new(), Vec::new());
        let form = rank_offsets(&values, 9, &mut keys, &mut out);
        // Ranks of −2, five zeros, 1, 5, 5: 1, 4, 7, 8.5, 8.5.
        assert_eq!(out, [0.0, -3.0, 0.0, 4.5, 4.5, 0.0, 3.0]);
        assert_eq!(form.mean, 1.0);
        let mut dense: Vec<f64> = values.iter().map(|it| f64::from(*it)).collect();
        dense.extend([0.0, -0.0]);
        let (ranks, scatter) = centred_ranks(&dense);
        assert_eq!(form.scatter, scatter);
        assert!(ranks.iter().zip(&out).all(|(rank, offset)| *rank == offset - form.mean));
        assert_eq!(ranks.iter().map(|it| it * it).sum::<f64>(), scatter);
    }

    #[test]
    fn constant_rows_have_no_scatter() {
        let (mut keys, mut out) = (Vec::new(), Vec::new());
        assert_eq!(rank_offsets(&[], 4, &mut keys, &mut out).scatter, 0.0);
        assert_eq!(rank_offsets(&[2.0; 3], 3, &mut keys, &mut out).scatter, 0.0);
        assert_eq!(rank_offsets(&[-2.0; 3], 3, &mut keys, &mut out).scatter, 0.0);
        assert!(rank_offsets(&[-2.0; 3], 4, &mut keys, &mut out).scatter > 0.0);
        assert_eq!(centred_ranks(&[0.0, -0.0, 0.0]).1, 0.0);
    }
}
