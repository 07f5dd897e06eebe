//! Local regression of one variable: degree 2, tricube weights, interpolated between vertices or direct.

use super::local_fit::Neighborhood;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result};

/// Cells of the tree are cut while they hold more than this share of the points of one fit.
const CELL: f64 = 0.2;

/// The box of the tree is wider than the points by this share of their range on either side.
const MARGIN: f64 = 0.005;

/// How the curve is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoessSurface {
    /// Fits at the vertices of a tree of cells, cubic Hermite curves between: what Cleveland's programs, R and
    /// scikit-misc do by default.
    Interpolate,
    /// A fit at every point: the definition, without the approximation.
    Direct,
}

/// The local regression of `y` on `x` at the points themselves.
///
/// At a point the `⌊n · span⌋` nearest ones are fitted by a quadratic under weights `(1 − (d / d_max)³)³`.
/// Interpolated: the interval of `x`, 0.5 % wider on either side, is cut at its middle point while a cell holds more
/// than `⌊n · span / 5⌋` points; value and slope of the fits at all cuts and ends define a cubic in each cell.
///
/// # Errors
/// If lengths differ, a value is not finite, a fit would take fewer than three points, or all of them coincide.
///
/// # Examples
/// ```
/// use cellstone_prep::{LoessSurface, loess};
/// let x: Vec<f64> = (0..40).map(f64::from).collect();
/// let y: Vec<f64> = x.iter().map(|it| 1.0 + 2.0 * it - 0.1 * it * it).collect();
/// for surface in [LoessSurface::Interpolate, LoessSurface::Direct] {
///     let fit = loess(&x, &y, 0.5, surface)?;
///     assert!(fit.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-9), "a quadratic is its own regression");
/// }
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Cleveland and Grosse 1991, <https://doi.org/10.1007/BF01890836>; netlib `a/dloess`. Golden: `skmisc.loess` 0.5.
pub fn loess(x: &[f64], y: &[f64], span: f64, surface: LoessSurface) -> Result<Vec<f64>> {
    let n = x.len();
    if y.len() != n {
        return Err(Error::invalid_input(format!("local regression of {} values on {n}", y.len())));
    }
    if let Some(it) = x.iter().chain(y).find(|it| !it.is_finite()) {
        return Err(Error::invalid_input(format!("local regression met {it}, expected finite numbers")));
    }
    let n_near = ((n as f64 * span + 1e-5).floor() as usize).min(n);
    if n_near < 3 {
        return Err(Error::invalid_input(format!(
            "local regression on {n} points with span {span} takes {n_near} points at a time, expected at least 3"
        ))
        .with_hint("raise span, or use more genes"));
    }
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_by(|a, b| x[*a as usize].total_cmp(&x[*b as usize]));
    let of = |values: &[f64]| order.iter().map(|it| values[*it as usize]).collect::<Vec<f64>>();
    let (xs, ys) = (of(x), of(y));
    let near = Neighborhood { x: &xs, y: &ys, n_near };
    let knots = match surface {
        LoessSurface::Interpolate => vertices(&xs, (n as f64 * span * CELL).floor() as usize),
        LoessSurface::Direct => {
            let mut distinct = xs.clone();
            distinct.dedup();
            distinct
        }
    };
    let fits = map_ordered(knots.len(), |it| near.fit(knots[it]));
    let Some(fits) = fits.into_iter().collect::<Option<Vec<(f64, f64)>>>() else {
        return Err(Error::invalid_input(format!(
            "local regression: {n_near} points coincide where span {span} of {n} points is taken"
        ))
        .with_hint("raise span: many genes have the same mean"));
    };
    Ok(x.iter().map(|it| evaluate(*it, &knots, &fits)).collect())
}

/// Ends and cuts of the cells, rising.
fn vertices(xs: &[f64], n_cell: usize) -> Vec<f64> {
    let (first, last) = (xs[0], xs[xs.len() - 1]);
    let margin = MARGIN * (last - first).max(1e-10 * first.abs().max(last.abs()) + 1e-30);
    let mut vertices = vec![first - margin, last + margin];
    let mut cells = vec![(0, xs.len(), vertices[0], vertices[1])];
    while let Some((start, end, low, high)) = cells.pop() {
        if end - start <= n_cell {
            continue;
        }
        let cut = middle(xs, start, end);
        let at = xs[cut];
        if at == low || at == high {
            continue;
        }
        vertices.push(at);
        cells.push((start, cut + 1, low, at));
        cells.push((cut + 1, end, at, high));
    }
    vertices.sort_by(f64::total_cmp);
    vertices.dedup();
    vertices
}

/// The last point of the lower half, moved to the nearest place where the next point is another: up before down.
fn middle(xs: &[f64], start: usize, end: usize) -> usize {
    let half = (start + end - 1) / 2;
    for step in 0.. {
        for at in [half.checked_add(step), half.checked_sub(step)] {
            match at {
                Some(at) if at >= start && at + 1 < end => {
                    if xs[at] != xs[at + 1] {
                        return at;
                    }
                }
                _ => return half,
            }
        }
    }
    half
}

/// The cubic with the values and slopes of the two knots around `x`.
fn evaluate(x: f64, knots: &[f64], fits: &[(f64, f64)]) -> f64 {
    let above = knots.partition_point(|it| *it < x);
    if knots.get(above) == Some(&x) {
        return fits[above].0;
    }
    let above = above.clamp(1, knots.len() - 1);
    let (low, high) = (knots[above - 1], knots[above]);
    let (a, b) = (fits[above - 1], fits[above]);
    let width = high - low;
    let h = (x - low) / width;
    let g = 1.0 - h;
    let values = g * g * (1.0 + 2.0 * h) * a.0 + h * h * (3.0 - 2.0 * h) * b.0;
    values + (h * g * g * a.1 - h * h * g * b.1) * width
}
