//! Exact negative-binomial counts of all genes of a cell at the cost of its molecules, not of its genes.
//!
//! Few genes hold most molecules: their counts are drawn one by one. Of the many others most are zero, and they share
//! one Poisson process. A negative binomial is a Poisson number of clusters whose sizes are logarithmic: with mean `m`
//! and size `θ` there are `Poisson(θ ln(1 + m/θ))` clusters, each of `Logarithmic(m / (m + θ))` molecules. Over
//! independent genes the clusters of a cell are again Poisson, so it is enough to draw their total number, put each on a
//! gene, and draw its size. The gene comes from an alias table with weights proportional to the mean; because
//! `θ ln(1 + m/θ) ≤ m`, the right weights follow by rejecting the surplus, and the batch factor is another rejection.
//!
//! References: Quenouille 1949 (doi:10.2307/3001938) for the clusters, Vose 1991 (doi:10.1109/32.92917) for the table,
//! Kemp 1981 (doi:10.2307/2346348) for logarithmic numbers.

use cellstone_core::SeedRng;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Gamma, Poisson};

/// Genes with this many expected molecules or more, in a cell of typical library, are drawn one by one.
const FREQUENT: f64 = 1.0;

/// Counts with a smaller mean are found by summing probabilities, larger ones by a gamma and a Poisson draw.
const SUMMED: f64 = 24.0;

/// One context and condition, ready to be drawn from.
pub(crate) struct Profile {
    /// Genes that are drawn one by one, ascending.
    frequent: Vec<u32>,
    /// The alias table over the other genes.
    slots: Vec<Slot>,
    /// Share of the other genes together.
    rare_share: f64,
    /// Share of each gene divided by its `θ`.
    ratio: Vec<f32>,
    /// `Σ_g share_g · factor_bg` of each batch.
    totals: Vec<f64>,
}

/// A slot of an alias table: `stay` with probability `threshold / 2³²`, else `leave`.
#[derive(Debug, Clone, Copy)]
struct Slot {
    threshold: u32,
    stay: u32,
    leave: u32,
}

/// The factors of one batch.
pub(crate) struct BatchFactors {
    factor: Vec<f32>,
    largest: f64,
}

impl BatchFactors {
    pub(crate) fn new(log_factor: impl IntoIterator<Item = f64>) -> Self {
        let factor: Vec<f32> = log_factor.into_iter().map(|it| it.exp() as f32).collect();
        let largest = factor.iter().fold(0.0, |acc, it| f32::max(acc, *it)).into();
        Self { factor, largest }
    }
}

impl Profile {
    /// A profile from shares that sum to one, for cells of about `library` molecules.
    pub(crate) fn new(shares: &[f64], theta: &[f64], batches: &[BatchFactors], library: f64) -> Self {
        let weigh = |it: &BatchFactors| it.factor.iter().zip(shares).map(|(f, share)| f64::from(*f) * share).sum();
        let genes = 0..shares.len() as u32;
        let (frequent, rare): (Vec<u32>, Vec<u32>) = genes.partition(|it| library * shares[*it as usize] >= FREQUENT);
        let rare_shares: Vec<f64> = rare.iter().map(|it| shares[*it as usize]).collect();
        Self {
            frequent,
            slots: alias_table(&rare, &rare_shares),
            rare_share: rare_shares.iter().sum(),
            ratio: shares.iter().zip(theta).map(|(share, theta)| (share / theta) as f32).collect(),
            totals: batches.iter().map(weigh).collect(),
        }
    }

    /// Adds the counts of one cell to `counts`, one slot per gene.
    pub(crate) fn draw(
        &self,
        library: f64,
        batch: &BatchFactors,
        total: f64,
        theta: &[f64],
        rng: &mut SeedRng,
        counts: &mut [u32],
    ) {
        let scale = library / total;
        for gene in self.frequent.iter().map(|it| *it as usize) {
            let z = scale * f64::from(self.ratio[gene]) * f64::from(batch.factor[gene]);
            counts[gene] += one_by_one(z, theta[gene], rng);
        }
        let n = self.slots.len() as u64;
        for _ in 0..poisson(scale * batch.largest * self.rare_share, rng) {
            let bits = rng.next_u64();
            let slot = self.slots[(((bits >> 32) * n) >> 32) as usize];
            let gene = if bits as u32 <= slot.threshold { slot.stay } else { slot.leave } as usize;
            let factor = f64::from(batch.factor[gene]);
            let z = scale * f64::from(self.ratio[gene]) * factor;
            let bits = rng.next_u64();
            if accept(unit(bits >> 32) * batch.largest, factor, z) {
                counts[gene] += logarithmic(z / (1.0 + z), unit(bits & 0xffff_ffff), rng);
            }
        }
    }

    /// `Σ_g share_g · factor_bg` of a batch: what makes shares sum to one again.
    pub(crate) fn total(&self, batch: usize) -> f64 {
        self.totals[batch]
    }
}

/// The middle of one of 2³² equal parts of the unit interval.
fn unit(bits: u64) -> f64 {
    (bits as f64 + 0.5) / 4_294_967_296.0
}

/// A negative binomial with size `theta` and mean `z · theta`.
fn one_by_one(z: f64, theta: f64, rng: &mut SeedRng) -> u32 {
    let mean = z * theta;
    if mean >= SUMMED {
        let rate = Gamma::new(theta, z).map_or(mean, |it| it.sample(rng));
        return poisson(rate, rng) as u32;
    }
    let mut level = rng.random::<f64>();
    let q = z / (1.0 + z);
    let mut probability = (-theta * z.ln_1p()).exp();
    let mut count = 0;
    // The tail that rounding leaves behind is cut where it could no longer be drawn.
    while level > probability && !(count > 64 && probability < 1e-17) {
        level -= probability;
        probability *= q * (theta + f64::from(count)) / f64::from(count + 1);
        count += 1;
    }
    count
}

/// Whether `level < factor · ln(1 + z) / z`, deciding most cases by a bound that needs no logarithm.
fn accept(level: f64, factor: f64, z: f64) -> bool {
    level * (2.0 + z) < 2.0 * factor || (level < factor && level * z < factor * z.ln_1p())
}

/// A logarithmic number with parameter `q`, given one uniform; a second is drawn only where it matters (Kemp's LK).
fn logarithmic(q: f64, first: f64, rng: &mut SeedRng) -> u32 {
    if first > q {
        return 1;
    }
    let r = -((-q).ln_1p() * rng.random::<f64>()).exp_m1();
    if first > r {
        1
    } else if first > r * r {
        2
    } else {
        // r is below one unless q is, to rounding; the cast saturates where it is not.
        (1.0 + first.ln() / r.ln()) as u32
    }
}

fn poisson(mean: f64, rng: &mut SeedRng) -> u64 {
    Poisson::new(mean).map_or(0, |it| it.sample(rng) as u64)
}

/// Vose's table over `genes` with weights proportional to `shares`.
fn alias_table(genes: &[u32], shares: &[f64]) -> Vec<Slot> {
    let n = shares.len();
    let total: f64 = shares.iter().sum();
    let mut weight: Vec<f64> = shares.iter().map(|it| it * n as f64 / total).collect();
    let mut slots: Vec<Slot> = genes.iter().map(|it| Slot { threshold: u32::MAX, stay: *it, leave: *it }).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|it| weight[*it] < 1.0);
    while let (Some(poor), Some(rich)) = (small.pop(), large.last().copied()) {
        slots[poor].threshold = (weight[poor] * 4_294_967_296.0) as u32;
        slots[poor].leave = genes[rich];
        weight[rich] -= 1.0 - weight[poor];
        if weight[rich] < 1.0 {
            large.pop();
            small.push(rich);
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Seed;

    /// Draws with shares and factors that need every branch and compares three moments with the planted ones.
    fn check_moments(library: f64, typical_library: f64) {
        let shares = [0.6, 0.3, 0.09, 0.01];
        let theta = [0.5, 3.0, 20.0, 1.0];
        let log_factors = [0.3_f64, -0.2, 0.0, 0.1];
        let factors = BatchFactors::new(log_factors);
        let profile = Profile::new(&shares, &theta, std::slice::from_ref(&factors), typical_library);
        let raised: Vec<f64> = shares.iter().zip(log_factors).map(|(s, f)| s * f.exp()).collect();
        let total: f64 = raised.iter().sum();
        let n = 200_000;
        let (mut sum, mut squares, mut zeros) = ([0.0; 4], [0.0; 4], [0.0; 4]);
        let mut rng = Seed::new(3).rng();
        for _ in 0..n {
            let mut counts = [0; 4];
            profile.draw(library, &factors, profile.total(0), &theta, &mut rng, &mut counts);
            for gene in 0..4 {
                let count = f64::from(counts[gene]);
                sum[gene] += count;
                squares[gene] += count * count;
                zeros[gene] += f64::from(u8::from(counts[gene] == 0));
            }
        }
        for gene in 0..4 {
            let m = library * raised[gene] / total;
            let variance = m + m * m / theta[gene];
            let mean = sum[gene] / f64::from(n);
            let seen = squares[gene] / f64::from(n) - mean * mean;
            let zero = (1.0 + m / theta[gene]).powf(-theta[gene]);
            assert!((mean - m).abs() < 5.0 * (variance / f64::from(n)).sqrt(), "gene {gene}: mean {mean}, planted {m}");
            assert!((seen / variance - 1.0).abs() < 0.05, "gene {gene}: variance {seen}, planted {variance}");
            let share = zeros[gene] / f64::from(n);
            assert!((share - zero).abs() < 0.006, "gene {gene}: zeros {share}, planted {zero}");
        }
    }

    #[test]
    fn clusters_have_the_moments_of_negative_binomials() {
        // As if cells were tiny: no gene is frequent.
        check_moments(40.0, 0.1);
    }

    #[test]
    fn one_by_one_has_the_moments_of_negative_binomials() {
        // As if cells were huge: every gene is frequent, on both sides of the sum.
        check_moments(60.0, 1e6);
    }

    #[test]
    fn frequent_and_rare_genes_mix() {
        check_moments(30.0, 10.0);
    }

    #[test]
    fn the_alias_table_keeps_every_weight() {
        let shares = [0.05, 0.0, 0.5, 0.25, 0.2];
        let mut mass = [0.0; 9];
        for slot in alias_table(&[1, 3, 4, 7, 8], &shares) {
            let stay = (f64::from(slot.threshold) + 1.0) / 4_294_967_296.0;
            mass[slot.stay as usize] += stay / 5.0;
            mass[slot.leave as usize] += (1.0 - stay) / 5.0;
        }
        for (gene, share) in [1, 3, 4, 7, 8].into_iter().zip(shares) {
            assert!((mass[gene] - share).abs() < 1e-8, "{} {share}", mass[gene]);
        }
    }
}
