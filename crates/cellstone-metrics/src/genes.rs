//! Which genes are scored: the most expressed in control, or the most changed.

use ndarray::ArrayView1;

/// Chooses the `k` genes with the highest control expression, ascending by position.
///
/// Ties go to the gene that stands first in the file, so the choice does not depend on names. All genes if there are
/// fewer than `k`. NaN ranks last.
///
/// # Examples
/// ```
/// use cellstone_metrics::genes::top_by_control;
/// use ndarray::array;
/// assert_eq!(top_by_control(array![1.0, 3.0, 2.0, 2.0].view(), 2), [1, 2]);
/// ```
/// # References
/// Ahlmann-Eltze et al. 2025, doi:10.1038/s41592-025-02772-6 (`notebooks/double_perturbation_analysis.Rmd`).
pub fn top_by_control(control: ArrayView1<'_, f64>, k: usize) -> Vec<usize> {
    top(&control.to_vec(), k)
}

/// Chooses the `k` genes with the largest absolute effect, ascending by position; ties as in [`top_by_control`].
///
/// # Examples
/// ```
/// use cellstone_metrics::genes::top_by_effect;
/// use ndarray::array;
/// assert_eq!(top_by_effect(array![0.1, -3.0, 2.0, 0.0].view(), 2), [1, 2]);
/// ```
/// # References
/// `snap-stanford/GEARS gears/inference.py`; ours by the effect itself, not by a test.
pub fn top_by_effect(delta: ArrayView1<'_, f64>, k: usize) -> Vec<usize> {
    top_by_effect_of(&delta.to_vec(), k)
}

pub(crate) fn top_by_effect_of(delta: &[f64], k: usize) -> Vec<usize> {
    let size: Vec<f64> = delta.iter().map(|it| it.abs()).collect();
    top(&size, k)
}

/// Positions of the `k` largest absolute values, largest first; ties by position.
pub(crate) fn top_ordered(delta: &[f64], k: usize) -> Vec<usize> {
    let mut chosen = top_by_effect_of(delta, k);
    let key = |at: usize| if delta[at].is_nan() { f64::NEG_INFINITY } else { delta[at].abs() };
    // Positions come in ascending order and the sort is stable.
    chosen.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
    chosen
}

/// Positions of the `k` largest values, ascending; ties by position.
fn top(values: &[f64], k: usize) -> Vec<usize> {
    if k >= values.len() {
        return (0..values.len()).collect();
    }
    if k == 0 {
        return Vec::new();
    }
    let key = |it: f64| if it.is_nan() { f64::NEG_INFINITY } else { it };
    let mut copy: Vec<f64> = values.iter().map(|it| key(*it)).collect();
    let (_, threshold, _) = copy.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    // -0.0 and 0.0 are one value to the comparison below, as they must be.
    let threshold = *threshold;
    let above = values.iter().filter(|it| key(**it) > threshold).count();
    let mut room = k - above;
    let mut chosen = Vec::with_capacity(k);
    for (at, value) in values.iter().enumerate() {
        let value = key(*value);
        if value > threshold {
            chosen.push(at);
        } else if value == threshold && room > 0 {
            chosen.push(at);
            room -= 1;
        }
    }
    chosen
}

/// Positions from the largest value to the smallest; ties by position.
pub(crate) fn descending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then_with(|| a.cmp(b)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn ties_go_to_the_first() {
        let flat = Array1::from_elem(6, 1.0);
        assert_eq!(top_by_control(flat.view(), 3), [0, 1, 2]);
        assert_eq!(top_by_effect(array![-1.0, 1.0, 2.0, 1.0].view(), 2), [0, 2]);
        assert_eq!(top_by_control(array![0.0, -0.0, 0.0].view(), 2), [0, 1]);
    }

    #[test]
    fn every_size() {
        let values = array![5.0, f64::NAN, 1.0, 5.0];
        assert_eq!(top_by_control(values.view(), 0), Vec::<usize>::new());
        assert_eq!(top_by_control(values.view(), 3), [0, 2, 3]);
        assert_eq!(top_by_control(values.view(), 9), [0, 1, 2, 3]);
    }
}
