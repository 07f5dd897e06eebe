//! Counts behind logarithms: every cell of `ln(1 + s · c)` has a smallest value, that of one count.

use cellstone_core::{CountSource, Error, ObsTable, Result, RowBlock, Scale, Var};

/// How far a recovered count may be from a whole number.
const TOLERANCE: f64 = 1e-3;

/// A source of log-normalised values as the counts they came from.
///
/// For each cell, with `d` the smallest positive `exp(x) − 1`: `c = (exp(x) − 1) / d`, which must lie within 10⁻³ of a
/// whole number and is rounded. A cell whose smallest count is 2 comes back halved, if all its counts are even.
///
/// # Errors
/// A block fails with the first value that is no whole number (`CountsNotRecoverable`). Beyond about 1,500 counts of
/// one gene in a cell, single precision no longer tells.
pub struct RecoveredCounts(Box<dyn CountSource>);

impl RecoveredCounts {
    /// Counts behind `source`, which holds logarithms.
    pub fn new(source: Box<dyn CountSource>) -> Self {
        Self(source)
    }
}

impl CountSource for RecoveredCounts {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn n_obs(&self) -> usize {
        self.0.n_obs()
    }

    fn var(&self) -> &Var {
        self.0.var()
    }

    fn obs(&self) -> &ObsTable {
        self.0.obs()
    }

    fn scale(&self) -> Scale {
        Scale::Counts
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        Ok(Box::new(self.0.blocks(start_row)?.map(|block| {
            let mut block = block?;
            for row in 0..block.x.shape().0 {
                let (columns, values) = block.x.row_mut(row);
                if let Err((at, found)) = recover(values) {
                    let (cell, gene) = (block.start + row, &self.var().ids()[columns[at] as usize]);
                    return Err(Error::invalid_input(format!(
                        "`{}` cell {cell} gene `{gene}` holds {found:.3} times the smallest value, expected a whole \
                         number (CountsNotRecoverable)",
                        self.name()
                    ))
                    .with_hint("the values are no logarithms of scaled counts: look for the counts in raw or layers"));
                }
            }
            Ok(block)
        })))
    }
}

/// Replaces the logarithms of a cell by counts; the error is the place of one that is none, and what it would be.
fn recover(values: &mut [f32]) -> std::result::Result<(), (usize, f64)> {
    let linear = |it: f32| f64::from(it).exp_m1();
    let smallest = values.iter().map(|it| linear(*it)).filter(|it| *it > 0.0).fold(f64::INFINITY, f64::min);
    for (at, value) in values.iter_mut().enumerate() {
        let count = linear(*value) / smallest;
        if (count - count.round()).abs() > TOLERANCE {
            return Err((at, count));
        }
        *value = count.round() as f32;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_count_is_named() {
        let mut values = [2.0_f32.ln(), 2.5_f32.ln()];
        let (at, found) = recover(&mut values).expect_err("one and a half");
        assert_eq!((at, (found * 10.0).round()), (1, 15.0));
        assert!(recover(&mut []).is_ok());
        assert!(recover(&mut [0.0, 0.0]).is_ok());
    }

    #[test]
    fn counts_come_back() {
        for (seed, target) in [(1_u32, 1e3), (2, 1e4), (3, 5e4), (4, 1e5)] {
            let mut counts: Vec<u32> = (0..200_u32).map(|it| (it * it * 7 + seed * 31) % 999 + 1).collect();
            counts.push(1);
            let total: f64 = counts.iter().map(|it| f64::from(*it)).sum();
            let mut values: Vec<f32> =
                counts.iter().map(|it| (f64::from(*it) / total * target).ln_1p() as f32).collect();
            assert_eq!(recover(&mut values), Ok(()), "target {target}");
            let want: Vec<f32> = counts.iter().map(|it| *it as f32).collect();
            assert_eq!(values, want);
        }
    }
}
