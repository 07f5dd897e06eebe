//! Dropout whose choices are a function of a key and a position: nothing is stored, and the backward pass asks again.

/// Which values are dropped, and what the others are multiplied with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropout {
    key: u32,
    /// Hashes below it drop.
    threshold: u32,
    scale: f32,
}

/// Mixes 32 bits: xor-shifts and products, each of which can be undone, so different inputs give different outputs.
#[inline(always)]
fn mixed(mut it: u32) -> u32 {
    it ^= it >> 16;
    it = it.wrapping_mul(0x7FEB_352D);
    it ^= it >> 15;
    it = it.wrapping_mul(0x846C_A68B);
    it ^ (it >> 16)
}

impl Dropout {
    /// Drops a share `p` of the values; none if there is nothing to drop.
    pub(super) fn new(p: f64, key: u64, place: u32) -> Option<Self> {
        if p <= 0.0 {
            return None;
        }
        let key = mixed(key as u32 ^ mixed((key >> 32) as u32 ^ mixed(place)));
        Some(Self { key, threshold: (p * 4_294_967_296.0) as u32, scale: (1.0 / (1.0 - p)) as f32 })
    }

    /// The key of one row.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> u32 {
        mixed(self.key ^ mixed(row as u32))
    }

    /// What the value at a column of a row is multiplied with.
    #[inline(always)]
    pub(super) fn factor(&self, row: u32, column: usize) -> f32 {
        if mixed(row.wrapping_add((column as u32).wrapping_mul(0x9E37_79B9))) < self.threshold {
            0.0
        } else {
            self.scale
        }
    }

    /// Multiplies a row.
    #[inline(always)]
    pub(super) fn apply(&self, row: usize, values: &mut [f32]) {
        let row = self.row(row);
        for (column, it) in values.iter_mut().enumerate() {
            *it *= self.factor(row, column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_dropped() {
        assert!(Dropout::new(0.0, 1, 2).is_none());
        let dropout = Dropout::new(0.1, 1, 2).expect("some are dropped");
        let (rows, columns) = (400, 500);
        let mut by_column = vec![0_usize; columns];
        let mut n = 0;
        for row in 0..rows {
            let mut values = vec![1.0; columns];
            dropout.apply(row, &mut values);
            for (count, it) in by_column.iter_mut().zip(values) {
                assert!(it == 0.0 || (it - 1.0 / 0.9).abs() < 1e-6);
                *count += usize::from(it == 0.0);
                n += usize::from(it == 0.0);
            }
        }
        // Three standard errors of 200,000 draws are 0.002; of a column's 400 draws, 0.045, five for the worst of 500.
        assert!((n as f64 / 200_000.0 - 0.1).abs() < 0.002, "{n}");
        assert!(by_column.iter().all(|it| (*it as f64 / 400.0 - 0.1).abs() < 0.075), "{by_column:?}");
        let other = Dropout::new(0.1, 2, 2).expect("some are dropped");
        let same = (0..1_000).filter(|it| dropout.factor(dropout.row(7), *it) == other.factor(other.row(7), *it));
        assert!((700..900).contains(&same.count()), "keys are independent");
    }
}
