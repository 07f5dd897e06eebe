//! Fewer molecules: every one of a cell is kept with the same chance.

use super::load::CellCounts;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Csr, Result, Seed, SeedRng};
use rand_distr::{Binomial, Distribution};

/// How many molecules stay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Thin {
    /// This share of every cell.
    Share(f64),
    /// So many of every cell, or all it has where these are fewer.
    Depth(f64),
}

impl Thin {
    /// The chance of a molecule to stay in a cell of so many.
    fn chance(self, total: f64) -> f64 {
        match self {
            Self::Share(it) => it,
            Self::Depth(depth) if total > depth => depth / total,
            Self::Depth(_) => 1.0,
        }
    }
}

/// Counts after binomial thinning; molecules outside of the matrix are thinned with it, so that totals are those of a
/// shallower sequencing. The draws of a cell depend on its seed alone. A share of 1 changes nothing.
///
/// # Errors
/// Never in practice: the pattern of a valid matrix stays valid.
pub(crate) fn thin(counts: &CellCounts, how: Thin, seeds: &[Seed]) -> Result<CellCounts> {
    let cells = map_ordered(counts.totals.len(), |cell| {
        let mut rng = seeds[cell].derive("thin").rng();
        let chance = how.chance(counts.totals[cell]);
        let (genes, values) = counts.x.row(cell);
        let mut row = Vec::with_capacity(genes.len());
        let (mut before, mut after) = (0.0, 0.0);
        for (gene, value) in genes.iter().zip(values) {
            before += f64::from(*value);
            let kept = draw(f64::from(*value), chance, &mut rng);
            if kept > 0.0 {
                row.push((*gene, kept as f32));
                after += kept;
            }
        }
        let outside = draw((counts.totals[cell] - before).max(0.0), chance, &mut rng);
        (row, after + outside)
    });
    let mut indptr = vec![0];
    let (mut indices, mut data, mut totals) = (Vec::new(), Vec::new(), Vec::new());
    for (row, total) in cells {
        indices.extend(row.iter().map(|it| it.0));
        data.extend(row.iter().map(|it| it.1));
        indptr.push(indices.len());
        totals.push(total);
    }
    let x = Csr::new(totals.len(), counts.x.shape().1, indptr, indices, data)?;
    Ok(CellCounts { x, var: counts.var.clone(), totals })
}

fn draw(n: f64, chance: f64, rng: &mut SeedRng) -> f64 {
    if chance >= 1.0 {
        return n;
    }
    Binomial::new(n.round() as u64, chance).map_or(0.0, |it| it.sample(rng) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Var;

    fn counts() -> (CellCounts, Vec<Seed>) {
        let dense = ndarray::Array2::from_shape_fn((400, 3), |(_, gene)| [0.0_f32, 4.0, 40.0][gene]);
        let var = Var::from_ids(["a", "b", "c"]).expect("unique");
        let seeds = (0..400).map(Seed::new).collect();
        (CellCounts { x: Csr::from_dense(&dense), var, totals: vec![100.0; 400] }, seeds)
    }

    #[test]
    fn a_share_of_one_is_the_identity() {
        let (counts, seeds) = counts();
        for how in [Thin::Share(1.0), Thin::Depth(100.0), Thin::Depth(1e6)] {
            let same = thin(&counts, how, &seeds).expect("thinned");
            assert_eq!((same.x, same.totals), (counts.x.clone(), counts.totals.clone()));
        }
    }

    #[test]
    fn the_asked_share_stays() {
        let (counts, seeds) = counts();
        for how in [Thin::Share(0.25), Thin::Depth(25.0)] {
            let less = thin(&counts, how, &seeds).expect("thinned");
            let mean = |gene: usize| less.x.to_dense().column(gene).iter().sum::<f32>() / 400.0;
            // Means of 400 draws: 1 ± 0.043 and 10 ± 0.14.
            assert!((mean(1) - 1.0).abs() < 0.2 && (mean(2) - 10.0).abs() < 0.6, "{} {}", mean(1), mean(2));
            let total: f64 = less.totals.iter().sum::<f64>() / 400.0;
            assert!((total - 25.0).abs() < 1.0, "{total}");
            assert_eq!(thin(&counts, how, &seeds).expect("again").x, less.x);
        }
        let nothing = thin(&counts, Thin::Share(1e-12), &seeds).expect("thinned");
        assert_eq!((nothing.x.nnz(), nothing.totals[0]), (0, 0.0));
    }
}
