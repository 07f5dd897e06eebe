//! Life stages as numbers: errors in years and rank correlation with age, per cell and per donor.

use super::bootstrap::{BootstrapParams, Interval, check_finite, donor_bootstrap};
use super::input::{Donors, Weighting, check_cells};
use cellstone_core::{Error, Result, Score, Why};
use ndarray::{ArrayView1, ArrayView2};

/// Scores of predicted ages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrdinalScores {
    /// Mean absolute error in years.
    pub mae: Interval,
    /// Share of cells within 5 years.
    pub within_5: Interval,
    /// Share of cells within 10 years.
    pub within_10: Interval,
    /// Spearman's correlation over cells, with the weights of the table.
    pub spearman_cells: Interval,
    /// Spearman's correlation of the donors' mean predictions with their ages.
    pub spearman_donors: Interval,
}

/// The mean of the ages of the classes under each cell's probabilities; `years` has one age per class.
///
/// # Errors
/// If there is not one finite age for each class.
///
/// # Examples
/// ```
/// let p = ndarray::array![[0.25, 0.75]];
/// assert_eq!(cellstone_metrics::phenotype::expected_years(p.view(), &[10.0, 30.0])?, [25.0]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn expected_years(p: ArrayView2<'_, f64>, years: &[f64]) -> Result<Vec<f64>> {
    if years.len() != p.ncols() {
        return Err(Error::invalid_input(format!("{} ages for {} classes", years.len(), p.ncols())));
    }
    check_finite("age", years)?;
    Ok(p.dot(&ArrayView1::from(years)).to_vec())
}

/// Scores predicted ages against true ones, in years; stages without a number are left out by the caller.
///
/// # Errors
/// If lengths differ or an age is not finite.
///
/// # Examples
/// ```
/// use cellstone_core::{Score, Seed};
/// use cellstone_metrics::phenotype::{BootstrapParams, Weighting, ordinal_scores};
/// let params = BootstrapParams::protocol(Seed::new(1));
/// let it = ordinal_scores(&[20.0, 35.0, 80.0], &[22.0, 41.0, 60.0], &[0, 1, 2], Weighting::Cell, &params)?;
/// assert_eq!(it.mae.estimate, Score::Value(28.0 / 3.0));
/// assert_eq!((it.within_5.estimate, it.within_10.estimate), (Score::Value(1.0 / 3.0), Score::Value(2.0 / 3.0)));
/// assert_eq!(it.spearman_donors.estimate, Score::Value(1.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn ordinal_scores(
    predicted: &[f64],
    truth: &[f64],
    donor: &[u32],
    weighting: Weighting,
    params: &BootstrapParams,
) -> Result<OrdinalScores> {
    check_cells("true ages", truth.len(), predicted.len())?;
    check_cells("donors", donor.len(), predicted.len())?;
    check_finite("predicted age", predicted)?;
    check_finite("true age", truth)?;
    let donors = Donors::new(donor);
    let sums = sums(predicted, truth, &donors, weighting);
    let (order_a, order_b) = (Order::new(predicted), Order::new(truth));
    let means: Vec<(f64, f64)> = sums.iter().map(|it| (it[4] / it[3], it[5] / it[3])).collect();
    let (mean_p, mean_t): (Vec<f64>, Vec<f64>) = means.into_iter().unzip();
    let (donor_a, donor_b) = (Order::new(&mean_p), Order::new(&mean_t));
    let weights = donors.weights(weighting);
    let stat = |times: &[f64]| {
        let mut total = [0.0; 4];
        for (row, n) in sums.iter().zip(times) {
            (0..4).for_each(|at| total[at] += n * row[at]);
        }
        let of = |at: usize| {
            if total[3] > 0.0 { Score::Value(total[at] / total[3]) } else { Score::Undefined(Why::TooFewCells) }
        };
        let cell: Vec<f64> = (0..predicted.len()).map(|it| times[donors.of[it] as usize] * weights[it]).collect();
        vec![of(0), of(1), of(2), spearman(&order_a, &order_b, &cell), spearman(&donor_a, &donor_b, times)]
    };
    let found = donor_bootstrap(donors.len(), params, stat);
    let [mae, within_5, within_10, spearman_cells, spearman_donors] =
        <[Interval; 5]>::try_from(found).expect("invariant: five scores");
    Ok(OrdinalScores { mae, within_5, within_10, spearman_cells, spearman_donors })
}

/// Per donor: error, within 5, within 10, weight, predicted, true.
fn sums(predicted: &[f64], truth: &[f64], donors: &Donors, weighting: Weighting) -> Vec<[f64; 6]> {
    let mut sums = vec![[0.0; 6]; donors.len()];
    for (cell, (a, b)) in predicted.iter().zip(truth).enumerate() {
        let (weight, gap) = (donors.weight(cell, weighting), (a - b).abs());
        let within = |years: f64| f64::from(u8::from(gap <= years));
        let row = &mut sums[donors.of[cell] as usize];
        let add = [gap, within(5.0), within(10.0), 1.0, *a, *b];
        row.iter_mut().zip(add).for_each(|(slot, it)| *slot += weight * it);
    }
    sums
}

/// Positions by rising value, with the end of every run of equal values.
struct Order {
    runs: Vec<Vec<u32>>,
}

impl Order {
    fn new(values: &[f64]) -> Self {
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        let at = |it: &u32| values[*it as usize];
        order.sort_by(|a, b| at(a).total_cmp(&at(b)).then(a.cmp(b)));
        Self { runs: order.chunk_by(|a, b| at(a) == at(b)).map(<[u32]>::to_vec).collect() }
    }

    /// Ranks of values that are there so many times: the weight below plus half the weight of equals.
    fn ranks(&self, weights: &[f64]) -> Vec<f64> {
        let mut ranks = vec![0.0; weights.len()];
        let mut below = 0.0;
        for run in &self.runs {
            let weight: f64 = run.iter().map(|it| weights[*it as usize]).sum();
            run.iter().for_each(|it| ranks[*it as usize] = below + 0.5 * weight);
            below += weight;
        }
        ranks
    }
}

fn spearman(a: &Order, b: &Order, weights: &[f64]) -> Score {
    let total = crate::kernels::sum(weights);
    if total <= 0.0 {
        return Score::Undefined(Why::TooFewCells);
    }
    let (a, b) = (a.ranks(weights), b.ranks(weights));
    // The weighted mean of these ranks is half the total weight.
    let centre = 0.5 * total;
    let product = crate::kernels::sum3(&a, &b, weights, |a, b, w| w * (a - centre) * (b - centre));
    let spread = |x: &[f64]| crate::kernels::sum2(x, weights, |x, w| w * (x - centre) * (x - centre));
    let (aa, bb) = (spread(&a), spread(&b));
    let floor = 1e-12 * total * total * total;
    if aa <= floor || bb <= floor {
        return Score::Undefined(Why::ConstantVector);
    }
    Score::Value((product / (aa * bb).sqrt()).clamp(-1.0, 1.0))
}
