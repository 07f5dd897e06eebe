//! What the Brier score is made of: reliability, resolution, uncertainty.

use super::super::input::Predictions;

/// The parts of the Brier score, summed over classes.
///
/// `brier = reliability − resolution + uncertainty + within_bin`, exactly; the last term is what binning leaves over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrierParts {
    /// `mean Σ_k (p_k − 1[y=k])²`.
    pub brier: f64,
    /// `Σ_k Σ_b n_b/n (p̄_b − o_b)²`: 0 for calibrated probabilities.
    pub reliability: f64,
    /// `Σ_k Σ_b n_b/n (o_b − ō)²`: how far bins differ from the mean rate.
    pub resolution: f64,
    /// `Σ_k ō(1 − ō)`: what the frequencies of the classes alone leave.
    pub uncertainty: f64,
    /// The rest: variation of probabilities within bins.
    pub within_bin: f64,
}

/// Splits the Brier score by equal-width bins of the probability of each class; `None` without cells.
///
/// # References
/// Murphy 1973, doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2; Stephenson et al. 2008,
/// doi:10.1175/2007WAF2006116.1.
pub fn brier_parts(predictions: &Predictions<'_>, n_bins: usize) -> Option<BrierParts> {
    let (p, truth, n) = (predictions.p(), predictions.truth(), predictions.n_obs() as f64);
    if truth.is_empty() || n_bins == 0 {
        return None;
    }
    let mut out = BrierParts { brier: 0.0, reliability: 0.0, resolution: 0.0, uncertainty: 0.0, within_bin: 0.0 };
    for class in 0..predictions.n_classes() {
        // Cells, probabilities and events of every bin.
        let mut bins = vec![[0.0_f64; 3]; n_bins];
        let mut squares = 0.0;
        for (p, y) in p.column(class).iter().zip(truth) {
            let event = f64::from(u8::from(*y as usize == class));
            squares += (p - event).powi(2);
            let bin = &mut bins[((p * n_bins as f64) as usize).min(n_bins - 1)];
            bin.iter_mut().zip([1.0, *p, event]).for_each(|(sum, it)| *sum += it);
        }
        let rate = bins.iter().map(|it| it[2]).sum::<f64>() / n;
        out.brier += squares / n;
        out.uncertainty += rate * (1.0 - rate);
        for [count, p, events] in bins.into_iter().filter(|it| it[0] > 0.0) {
            out.reliability += ((p - events) / count).powi(2) * count / n;
            out.resolution += (events / count - rate).powi(2) * count / n;
        }
    }
    out.within_bin = out.brier - (out.reliability - out.resolution + out.uncertainty);
    Some(out)
}
