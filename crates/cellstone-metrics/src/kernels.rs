//! Sums over genes in eight lanes: fast, accurate, and the same bits on every machine and for every thread count.

use ndarray::ArrayView1;
use std::borrow::Cow;

/// Lanes of the sums. Changing it changes last bits.
const LANES: usize = 8;

/// The values of a view as a slice, copied only where they are not contiguous.
pub(crate) fn slice_of<'a>(view: &ArrayView1<'a, f64>) -> Cow<'a, [f64]> {
    view.to_slice().map_or_else(|| Cow::Owned(view.to_vec()), Cow::Borrowed)
}

/// `Σ f(a)`.
#[inline]
pub(crate) fn sum1(a: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let (blocks, tail) = a.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for x in blocks {
        for lane in 0..LANES {
            lanes[lane] += f(x[lane]);
        }
    }
    for (lane, x) in tail.iter().enumerate() {
        lanes[lane] += f(*x);
    }
    tree(lanes)
}

/// `Σ f(a, b)`.
#[inline]
pub(crate) fn sum2(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let ((blocks_a, tail_a), (blocks_b, tail_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (x, y) in blocks_a.iter().zip(blocks_b) {
        for lane in 0..LANES {
            lanes[lane] += f(x[lane], y[lane]);
        }
    }
    for (lane, (x, y)) in tail_a.iter().zip(tail_b).enumerate() {
        lanes[lane] += f(*x, *y);
    }
    tree(lanes)
}

/// `Σ f(a, b, c)`.
#[inline]
pub(crate) fn sum3(a: &[f64], b: &[f64], c: &[f64], f: impl Fn(f64, f64, f64) -> f64) -> f64 {
    let n = a.len().min(b.len()).min(c.len());
    let ((blocks_a, tail_a), (blocks_b, tail_b)) = (a[..n].as_chunks::<LANES>(), b[..n].as_chunks::<LANES>());
    let (blocks_c, tail_c) = c[..n].as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for ((x, y), z) in blocks_a.iter().zip(blocks_b).zip(blocks_c) {
        for lane in 0..LANES {
            lanes[lane] += f(x[lane], y[lane], z[lane]);
        }
    }
    for (lane, ((x, y), z)) in tail_a.iter().zip(tail_b).zip(tail_c).enumerate() {
        lanes[lane] += f(*x, *y, *z);
    }
    tree(lanes)
}

fn tree(it: [f64; LANES]) -> f64 {
    ((it[0] + it[1]) + (it[2] + it[3])) + ((it[4] + it[5]) + (it[6] + it[7]))
}

/// `Σ a`.
pub(crate) fn sum(a: &[f64]) -> f64 {
    sum1(a, |x| x)
}

/// `Σ a·b`.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    sum2(a, b, |x, y| x * y)
}

/// `Σ a²`.
pub(crate) fn sum_sq(a: &[f64]) -> f64 {
    sum1(a, |x| x * x)
}

/// `Σ (a − b)²`.
pub(crate) fn sq_diff(a: &[f64], b: &[f64]) -> f64 {
    sum2(a, b, |x, y| (x - y) * (x - y))
}

/// `Σ |a − b|`.
pub(crate) fn abs_diff(a: &[f64], b: &[f64]) -> f64 {
    sum2(a, b, |x, y| (x - y).abs())
}

/// Fails if two vectors are not of one length: the rule of every public function on pairs of vectors.
pub(crate) fn same_len(what: &str, a: usize, b: usize) {
    assert_eq!(a, b, "{what}: vectors of {a} and {b} genes");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_summed_whole() {
        for n in 0..40 {
            let a: Vec<f64> = (1..=n).map(f64::from).collect();
            let b = vec![2.0; a.len()];
            let want = f64::from(n * (n + 1) / 2);
            assert_eq!(sum(&a), want);
            assert_eq!(dot(&a, &b), 2.0 * want);
            assert_eq!(sum3(&a, &b, &b, |x, y, z| x * y * z), 4.0 * want);
            assert_eq!(abs_diff(&a, &vec![0.0; a.len()]), want);
        }
    }
}
