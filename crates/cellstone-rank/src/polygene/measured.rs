//! The genes that a data set measures, to draw from.

use crate::draw::{below, uniform};
use cellstone_core::{Error, Result, SeedRng};

/// Ranks of the genes that a data set measures, and how often each is detected there.
///
/// # Examples
/// ```
/// use cellstone_rank::MeasuredGenes;
/// let genes = MeasuredGenes::new(vec![3, 0, 7])?.with_rates(&[0.5, 0.0, 0.1])?;
/// assert_eq!(genes.ranks(), [0, 3, 7]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredGenes {
    /// Ascending.
    ranks: Vec<u32>,
    /// Place of each rank in the order it was given in.
    given: Vec<u32>,
    /// Running sums of detection rates.
    cumulative: Option<Vec<f64>>,
}

impl MeasuredGenes {
    /// Genes by rank, in any order.
    ///
    /// # Errors
    /// If a gene stands twice.
    pub fn new(ranks: Vec<u32>) -> Result<Self> {
        let mut given: Vec<u32> = (0..ranks.len() as u32).collect();
        given.sort_unstable_by_key(|it| ranks[*it as usize]);
        let sorted: Vec<u32> = given.iter().map(|it| ranks[*it as usize]).collect();
        if let Some([twice, ..]) = sorted.windows(2).find(|it| it[0] == it[1]) {
            return Err(Error::invalid_input(format!("gene {twice} is measured twice, expected once")));
        }
        Ok(Self { ranks: sorted, given, cumulative: None })
    }

    /// The same genes with the share of cells that each is detected in, in the order in which [`MeasuredGenes::new`] got
    /// them. Genes of rate 0 are never drawn.
    ///
    /// # Errors
    /// If there is not one rate from 0 to 1 for each gene.
    pub fn with_rates(mut self, rates: &[f64]) -> Result<Self> {
        if rates.len() != self.ranks.len() {
            return Err(Error::invalid_input(format!(
                "{} detection rates for {} genes, expected one each",
                rates.len(),
                self.ranks.len()
            )));
        }
        if let Some(it) = rates.iter().find(|it| !(0.0..=1.0).contains(*it)) {
            return Err(Error::invalid_input(format!("detection rate {it}, expected a share from 0 to 1")));
        }
        let mut sum = 0.0;
        let running = self.given.iter().map(|it| {
            sum += rates[*it as usize];
            sum
        });
        self.cumulative = Some(running.collect());
        Ok(self)
    }

    /// Ranks, ascending.
    pub fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// Whether detection rates are there.
    pub fn has_rates(&self) -> bool {
        self.cumulative.is_some()
    }

    /// Up to `k` different genes below rank `limit` that `excluded` does not name, drawn one after the other: with
    /// probabilities in proportion to the rates, or all alike if not `by_rate`. Fewer if there are no more.
    pub(super) fn draw(
        &self,
        rng: &mut SeedRng,
        k: usize,
        limit: u32,
        by_rate: bool,
        excluded: &dyn Fn(u32) -> bool,
    ) -> Vec<u32> {
        let n = self.ranks.partition_point(|it| *it < limit);
        let cumulative = self.cumulative.as_deref().filter(|_| by_rate);
        let total = cumulative.map_or(n as f64, |it| if n == 0 { 0.0 } else { it[n - 1] });
        let mut drawn: Vec<u32> = Vec::with_capacity(k);
        if total <= 0.0 {
            return drawn;
        }
        // Drawing again where a gene is not allowed is drawing among the others; most of the weight may be excluded, so
        // that after some attempts the others are listed.
        for _ in 0..32 * k + 64 {
            if drawn.len() == k {
                return drawn;
            }
            let at = match cumulative {
                Some(it) => {
                    let point = uniform(rng) * total;
                    it[..n].partition_point(|it| *it <= point).min(n - 1)
                }
                None => below(rng, n),
            };
            let rank = self.ranks[at];
            if !excluded(rank) && !drawn.contains(&rank) {
                drawn.push(rank);
            }
        }
        self.draw_listed(rng, k, n, cumulative, excluded, &mut drawn);
        drawn
    }

    /// Completes `drawn` from a list of all genes that may be drawn.
    fn draw_listed(
        &self,
        rng: &mut SeedRng,
        k: usize,
        n: usize,
        cumulative: Option<&[f64]>,
        excluded: &dyn Fn(u32) -> bool,
        drawn: &mut Vec<u32>,
    ) {
        let weight = |at: usize| match cumulative {
            Some(it) => it[at] - if at == 0 { 0.0 } else { it[at - 1] },
            None => 1.0,
        };
        let allowed = (0..n).filter(|it| !excluded(self.ranks[*it]) && !drawn.contains(&self.ranks[*it]));
        let mut left: Vec<(u32, f64)> =
            allowed.map(|it| (self.ranks[it], weight(it))).filter(|it| it.1 > 0.0).collect();
        while drawn.len() < k && !left.is_empty() {
            let mut point = uniform(rng) * left.iter().map(|it| it.1).sum::<f64>();
            let at = left.iter().position(|it| {
                point -= it.1;
                point < 0.0
            });
            // Rounding may leave the point behind the last gene.
            drawn.push(left.remove(at.unwrap_or(left.len() - 1)).0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Seed;

    fn shares(draw: impl Fn(&mut SeedRng) -> Vec<u32>, n: usize) -> Vec<f64> {
        let mut rng = Seed::new(3).rng();
        let mut seen = vec![0.0; n];
        for _ in 0..20_000 {
            draw(&mut rng).into_iter().for_each(|it| seen[it as usize] += 1.0 / 20_000.0);
        }
        seen
    }

    #[test]
    fn draws_follow_the_rates_and_the_exclusions() {
        let genes = MeasuredGenes::new(vec![0, 1, 2, 3, 4]).expect("once each");
        let rated = genes.clone().with_rates(&[0.8, 0.1, 0.2, 0.1, 0.0]).expect("shares");
        let without_first = |it: u32| it == 0;
        let one = shares(|rng| rated.draw(rng, 1, 9, true, &without_first), 5);
        for (got, want) in one.iter().zip([0.0, 0.25, 0.5, 0.25, 0.0]) {
            assert!((got - want).abs() < 0.015, "{one:?}");
        }
        // Two of weights 1, 2, 1: gene 2 comes first half the time, and second in 2/3 of the rest.
        let two = shares(|rng| rated.draw(rng, 2, 9, true, &without_first), 5);
        assert!((two[2] - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 0.015, "{two:?}");
        let even = shares(|rng| genes.draw(rng, 1, 3, false, &without_first), 5);
        assert!((even[1] - 0.5).abs() < 0.015 && even[3] == 0.0, "{even:?}");
    }

    #[test]
    fn the_list_follows_the_same_law() {
        let n = 40;
        let mut rates = vec![1.0; n];
        rates[..4].copy_from_slice(&[1e-6, 1e-6, 2e-6, 0.0]);
        let genes = MeasuredGenes::new((0..n as u32).collect()).expect("once each").with_rates(&rates).expect("shares");
        // Nearly all of the weight is excluded, so that only the list finds the others.
        let rare = |it: u32| it >= 4;
        let one = shares(|rng| genes.draw(rng, 1, 99, true, &rare), n);
        for (got, want) in one.iter().zip([0.25, 0.25, 0.5]) {
            assert!((got - want).abs() < 0.015, "{one:?}");
        }
        let mut rng = Seed::new(1).rng();
        let mut all = genes.draw(&mut rng, 9, 99, true, &rare);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2], "there are no more");
        assert!(genes.draw(&mut rng, 2, 0, true, &rare).is_empty());
    }

    #[test]
    fn genes_and_rates_are_checked() {
        assert!(MeasuredGenes::new(vec![1, 1]).is_err());
        let genes = || MeasuredGenes::new(vec![1, 2]).expect("once each");
        assert!(genes().with_rates(&[0.1]).is_err());
        assert!(genes().with_rates(&[0.1, 1.1]).is_err());
        assert!(genes().with_rates(&[0.1, f64::NAN]).is_err());
    }
}
