//! How much the genes tell about a phenotype: mutual information, as the model states it and as it can be shown.

use super::bootstrap::{BootstrapParams, Interval, donor_bootstrap};
use super::entropy::entropy;
use super::input::{Donors, Predictions, check_cells};
use cellstone_core::{Result, Score, Why};
use ndarray::ArrayView1;

/// Information between phenotype and genotype, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Information {
    /// Entropy of the class frequencies, plug-in.
    pub h_plug_in: f64,
    /// The same plus `(K−1)/(2 n_eff)` (Miller–Madow), K the classes that occur.
    pub h_prior: f64,
    /// What counts as independent: donors if a class is constant within each donor, else cells.
    pub n_eff: usize,
    /// `H(P) − mean H(p)`: what the model says it knows; only to be believed if it is calibrated.
    pub model_entropy: Interval,
    /// `H(P) − mean(−ln p_y)`: holds for any probabilities on held-out cells, and may be negative.
    pub lower_bound: Interval,
    /// The first minus the second, `mean NLL − mean entropy`: a defect of calibration.
    pub calibration_gap: f64,
    /// `lower_bound/H(P)`.
    pub efficiency: Score,
}

/// Estimates `I(P; G) = H(P) − E[H(P|G)]` in both ways.
///
/// `H(P)` is over the test cells and is counted anew in every resample of donors. Probabilities below `f64::EPSILON`
/// count as that. Never take one number without the other.
///
/// # References
/// Miller 1955, in *Information Theory in Psychology*, 95–100; Barber and Agakov 2003, NeurIPS 16 (lower bound).
pub fn mutual_information(predictions: &Predictions<'_>, params: &BootstrapParams) -> Information {
    let donors = predictions.donors();
    let constant = donors.members().iter().all(|cells| {
        cells.iter().all(|it| predictions.truth()[*it as usize] == predictions.truth()[cells[0] as usize])
    });
    let sums = sums(predictions, donors, &vec![0; predictions.n_obs()], 1);
    estimate(&sums, predictions.n_classes(), 1, if constant { Some(donors.len()) } else { None }, params)
}

/// Estimates `I(P; G | Q) = H(P|Q) − E[H(P|G, Q)]` from probabilities that were made with Q visible.
///
/// `q` has a code per cell. The classes within each value of Q are counted; Miller–Madow uses cells there.
///
/// # Errors
/// If there is not one code for each cell.
pub fn conditional_information(
    predictions: &Predictions<'_>,
    q: &[u32],
    params: &BootstrapParams,
) -> Result<Information> {
    check_cells("conditions", q.len(), predictions.n_obs())?;
    let conditions = Donors::new(q);
    let sums = sums(predictions, predictions.donors(), &conditions.of, conditions.len());
    Ok(estimate(&sums, predictions.n_classes(), conditions.len(), None, params))
}

/// Per donor: cells by condition and class, then entropy, loss and cells.
fn sums(predictions: &Predictions<'_>, donors: &Donors, condition: &[u32], n_conditions: usize) -> Vec<Vec<f64>> {
    let k = predictions.n_classes();
    let width = n_conditions * k;
    let mut sums = vec![vec![0.0; width + 3]; donors.len()];
    for (cell, row) in predictions.p().rows().into_iter().enumerate() {
        let y = predictions.truth()[cell] as usize;
        let out = &mut sums[donors.of[cell] as usize];
        out[condition[cell] as usize * k + y] += 1.0;
        out[width] += entropy(row);
        out[width + 1] -= row[y].max(f64::EPSILON).ln();
        out[width + 2] += 1.0;
    }
    sums
}

/// `H(P|Q)`, plug-in and with the correction for `n_eff` (cells of each condition without it).
fn prior(counts: &[f64], k: usize, n_eff: Option<f64>) -> (f64, f64) {
    let total: f64 = counts.iter().sum();
    let (mut plug_in, mut correction) = (0.0, 0.0);
    for counts in counts.chunks_exact(k) {
        let n: f64 = counts.iter().sum();
        if n > 0.0 {
            let law: Vec<f64> = counts.iter().map(|it| it / n).collect();
            plug_in += n / total * entropy(ArrayView1::from(&law));
            let occur = counts.iter().filter(|it| **it > 0.0).count() as f64;
            correction += n / total * (occur - 1.0) / (2.0 * n_eff.unwrap_or(n));
        }
    }
    (plug_in, plug_in + correction)
}

fn estimate(
    sums: &[Vec<f64>],
    k: usize,
    n_conditions: usize,
    donors: Option<usize>,
    params: &BootstrapParams,
) -> Information {
    let width = n_conditions * k;
    let stat = |times: &[f64]| {
        let mut total = vec![0.0; width + 3];
        for (row, n) in sums.iter().zip(times) {
            total.iter_mut().zip(row).for_each(|(sum, it)| *sum += n * it);
        }
        let cells = total[width + 2];
        if cells <= 0.0 {
            return vec![Score::Undefined(Why::TooFewCells); 3];
        }
        let h = prior(&total[..width], k, donors.map(|it| it as f64)).1;
        let (entropy, loss) = (total[width] / cells, total[width + 1] / cells);
        let efficiency = if h > 0.0 { Score::Value((h - loss) / h) } else { Score::Undefined(Why::SingleLabel) };
        vec![Score::Value(h - entropy), Score::Value(h - loss), efficiency]
    };
    let found = donor_bootstrap(sums.len(), params, stat);
    let mut total = vec![0.0; width + 3];
    sums.iter().for_each(|row| total.iter_mut().zip(row).for_each(|(sum, it)| *sum += it));
    let (h_plug_in, h_prior) = prior(&total[..width], k, donors.map(|it| it as f64));
    let cells = total[width + 2];
    Information {
        h_plug_in,
        h_prior,
        n_eff: donors.unwrap_or(cells as usize),
        model_entropy: found[0],
        lower_bound: found[1],
        calibration_gap: if cells > 0.0 { (total[width + 1] - total[width]) / cells } else { 0.0 },
        efficiency: found[2].estimate,
    }
}
