//! All sums of absolute differences between two sets of rows, in single precision with a known bound on the error.
//!
//! There is no product form of this distance, so every pair costs a pass over the genes. Single precision halves the
//! memory and doubles the lanes; tiles stay in the first-level cache, and a step takes the pairs of two rows with four.

use super::points::Points;
use super::ranks::blocks;
use ndarray::Array2;

/// Genes of a tile. Sums inside a tile are single, sums over tiles double precision.
const TILE: usize = 128;

/// Lanes of the sums inside a tile.
const LANES: usize = 4;

/// A stretch of a row, in chunks of one step.
type Tile = [[f32; LANES]; TILE / LANES];

/// How far a value of [`l1_matrix`] may be from the sum in double precision; `size` is `Σ|a| + Σ|b|`.
///
/// Rounding of the values to single precision costs 2⁻²⁴ of `size`, subtraction and the sums of a tile (32 in a lane and
/// two more between lanes) 2⁻²⁴ of the distance each; the factors below are more than that. The last term covers
/// values too small for single precision.
pub(super) fn l1_slack(value: f64, size: f64, width: usize) -> f64 {
    const UNIT: f64 = f32::EPSILON as f64;
    let tiny = width as f64 * f64::from(f32::MIN_POSITIVE);
    UNIT * (32.0 * value + 2.0 * size) + 4.0 * (width + 16) as f64 * f64::EPSILON * (value + size) + tiny
}

/// All `Σ|a − b|` of distinct rows.
pub(super) fn l1_matrix(left: &Points, right: &Points) -> Array2<f64> {
    blocks(left.n_classes(), right.n_classes(), |rows, cols| {
        let mut out = Array2::zeros((rows.len(), cols.len()));
        // Rows without a partner are paired with zeros, whose sums are not kept.
        let mut a = vec![Tile::default(); rows.len().next_multiple_of(2)];
        let mut b = vec![Tile::default(); cols.len().next_multiple_of(4)];
        let mut sums = [[0.0; LANES]; 8];
        for from in (0..left.width).step_by(TILE) {
            let to = (from + TILE).min(left.width);
            for (points, range, tiles) in [(left, &rows, &mut a), (right, &cols, &mut b)] {
                for (row, tile) in range.clone().zip(tiles.iter_mut()) {
                    single(&points.distinct(row)[from..to], tile);
                }
            }
            for (i, a) in a.as_chunks::<2>().0.iter().enumerate() {
                for (j, b) in b.as_chunks::<4>().0.iter().enumerate() {
                    eight(a, b, &mut sums);
                    for (at, it) in sums.iter().enumerate() {
                        if let Some(slot) = out.get_mut((2 * i + at / 4, 4 * j + at % 4)) {
                            *slot += f64::from((it[0] + it[1]) + (it[2] + it[3]));
                        }
                    }
                }
            }
        }
        out
    })
}

/// A stretch of a row in single precision, filled up with zeros.
fn single(from: &[f64], to: &mut Tile) {
    let to = to.as_flattened_mut();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from as f32;
    }
    to[from.len()..].fill(0.0);
}

/// The sums of eight pairs, by lane.
///
/// Not inlined: what is added up over lanes afterwards must not turn the loop into one over pairs.
#[inline(never)]
fn eight(a: &[Tile; 2], b: &[Tile; 4], out: &mut [[f32; LANES]; 8]) {
    let mut sums = [[0.0_f32; LANES]; 8];
    for at in 0..TILE / LANES {
        for (i, a) in a.iter().enumerate() {
            for (j, b) in b.iter().enumerate() {
                let sum = &mut sums[4 * i + j];
                for lane in 0..LANES {
                    sum[lane] += (a[at][lane] - b[at][lane]).abs();
                }
            }
        }
    }
    *out = sums;
}
