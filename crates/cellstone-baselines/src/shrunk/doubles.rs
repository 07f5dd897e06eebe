//! Training combinations with all their singles, and the inner products that the variants share.

use crate::train::Train;
use ndarray::{Array1, Array2, ArrayView1};

/// Combinations of one context whose every target alone is in train.
pub(super) struct Doubles<'a> {
    train: &'a Train,
    /// Train row of each combination.
    pub(super) rows: Vec<usize>,
    /// Train rows of its singles, in the order of its targets.
    pub(super) singles: Vec<Vec<usize>>,
    /// `s = Σ δ_t`, `[n_doubles, n_vars]`.
    pub(super) sums: Array2<f64>,
    /// `‖δ‖²`, `⟨δ, s⟩`, `‖s‖²` of each.
    pub(super) dd: Vec<f64>,
    /// `⟨δ, s⟩` of each.
    pub(super) ds: Vec<f64>,
    /// `‖s‖²` of each.
    pub(super) ss: Vec<f64>,
}

impl<'a> Doubles<'a> {
    pub(super) fn new(train: &'a Train, context: usize) -> Self {
        let found = train
            .members(context)
            .iter()
            .filter(|it| train.arity(**it) > 1)
            .filter_map(|it| train.singles(context, &train.rows[*it].perturbation).map(|singles| (*it, singles)));
        let (rows, singles): (Vec<usize>, Vec<Vec<usize>>) = found.unzip();
        let mut sums = Array2::<f64>::zeros((rows.len(), train.n_vars()));
        for (mut sum, singles) in sums.rows_mut().into_iter().zip(&singles) {
            for it in singles {
                sum += &train.deltas.row(*it);
            }
        }
        let delta = |at: usize| train.deltas.row(rows[at]);
        let each = |f: &dyn Fn(usize) -> f64| (0..rows.len()).map(f).collect::<Vec<f64>>();
        let dd = each(&|it| delta(it).dot(&delta(it)));
        let ds = each(&|it| delta(it).dot(&sums.row(it)));
        let ss = each(&|it| sums.row(it).dot(&sums.row(it)));
        Self { train, rows, singles, sums, dd, ds, ss }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn delta(&self, at: usize) -> ArrayView1<'_, f64> {
        self.train.deltas.row(self.rows[at])
    }

    pub(super) fn single(&self, at: usize, which: usize) -> ArrayView1<'_, f64> {
        self.train.deltas.row(self.singles[at][which])
    }

    /// Mean delta of some of the combinations.
    pub(super) fn mean(&self, which: &[usize]) -> Array1<f64> {
        let rows: Vec<usize> = which.iter().map(|it| self.rows[*it]).collect();
        self.train.mean_of(&rows)
    }

    /// `Σ T` over the singles of one combination, where noise is known.
    pub(super) fn noise(&self, at: usize) -> Option<f64> {
        self.train.noise.as_ref().map(|all| self.singles[at].iter().map(|it| all[*it]).sum())
    }

    pub(super) fn train(&self) -> &Train {
        self.train
    }
}

/// What the `angle` and `ordered` variants need to know of the singles of one combination.
pub(super) struct Shape {
    /// Mean cosine over pairs of singles; 0 where a single has no length.
    pub(super) cosine: f64,
    /// `‖s‖`.
    pub(super) length: f64,
    /// The single with the largest norm (the first of equals).
    pub(super) biggest: usize,
}

impl Shape {
    pub(super) fn of(train: &Train, singles: &[usize]) -> Self {
        let row = |it: usize| train.deltas.row(singles[it]);
        let norms: Vec<f64> = (0..singles.len()).map(|it| row(it).dot(&row(it)).sqrt()).collect();
        let (mut cosine, mut square, mut pairs) = (0.0, 0.0, 0.0);
        for i in 0..singles.len() {
            square += norms[i] * norms[i];
            for j in i + 1..singles.len() {
                let dot = row(i).dot(&row(j));
                square += 2.0 * dot;
                pairs += 1.0;
                let scale = norms[i] * norms[j];
                cosine += if scale > 0.0 { dot / scale } else { 0.0 };
            }
        }
        let biggest = (1..singles.len()).fold(0, |best, it| if norms[it] > norms[best] { it } else { best });
        Self { cosine: if pairs > 0.0 { cosine / pairs } else { 0.0 }, length: square.max(0.0).sqrt(), biggest }
    }
}
