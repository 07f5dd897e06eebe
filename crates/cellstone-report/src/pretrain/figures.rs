//! Curves over steps.

use crate::svg::{Figure, Scale, Svg, fit, tick_label};

/// One line: its name, its class (`k0` to `k4`, `kx` for the noisy background) and its points.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) class: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

const LEFT: f64 = 62.0;
const TOP: f64 = 14.0;
const KEY: f64 = 20.0;

/// Lines over steps with named axes, a key below, and a mark at `best` where there is one.
pub(super) fn over_steps(
    lines: &[Line],
    y_axis: &str,
    best: Option<(f64, f64)>,
    size: [f64; 2],
    label: &str,
) -> Figure {
    let [width, plot] = size;
    let (right, bottom) = (width - 22.0, TOP + plot);
    let n_columns = if width > 500.0 { 3 } else { 2 };
    let n_keys = lines.len() + usize::from(best.is_some());
    let height = bottom + 56.0 + KEY * n_keys.div_ceil(n_columns) as f64;
    let mut svg = Svg::new(width, height);
    let points = || lines.iter().flat_map(|it| &it.points);
    let most = points().fold(1.0_f64, |most, it| most.max(it.0));
    let (low, high) = points().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), it| (lo.min(it.1), hi.max(it.1)));
    let (low, high) = if low.is_finite() { (low, high) } else { (0.0, 1.0) };
    let pad = (high - low) * 0.05;
    let x = Scale::linear(0.0, most, LEFT, right);
    let y = Scale::linear(low - pad, high + pad, bottom, TOP);
    for tick in x.ticks(5) {
        svg.line(x.at(tick), TOP, x.at(tick), bottom, "grid");
        svg.text(x.at(tick), bottom + 19.0, "middle", "tick big", &format!("{tick:.0}"));
    }
    let ticks = y.ticks(5);
    for tick in &ticks {
        svg.line(LEFT, y.at(*tick), right, y.at(*tick), "grid");
        svg.text(LEFT - 7.0, y.at(*tick) + 5.0, "end", "tick big", &tick_label(*tick, &ticks));
    }
    svg.line(LEFT, bottom, right, bottom, "axis");
    svg.line(LEFT, TOP, LEFT, bottom, "axis");
    for it in lines {
        let drawn: Vec<(f64, f64)> = it.points.iter().map(|(a, b)| (x.at(*a), y.at(*b))).collect();
        svg.path(&drawn, false, &format!("curve {}", it.class), &it.label);
    }
    if let Some((step, loss)) = best {
        svg.mark(x.at(step), y.at(loss), 5.0, "model", "f-model", "the network that is kept");
    }
    svg.text(f64::midpoint(LEFT, right), bottom + 40.0, "middle", "label big", "step of the optimizer");
    svg.text_up(15.0, f64::midpoint(TOP, bottom), "label big", &fit(y_axis, 14.0, plot));
    let column = (width - 16.0) / n_columns as f64;
    let place = |at: usize| (8.0 + column * (at % n_columns) as f64, bottom + 62.0 + KEY * (at / n_columns) as f64);
    for (at, it) in lines.iter().enumerate() {
        let (x, y) = place(at);
        svg.line(x, y - 4.5, x + 28.0, y - 4.5, &format!("curve {}", it.class));
        svg.text(x + 36.0, y, "start", "name big", &fit(&it.label, 14.0, column - 40.0));
    }
    if best.is_some() {
        let (x, y) = place(lines.len());
        svg.mark(x + 14.0, y - 4.5, 5.0, "model", "f-model", "");
        svg.text(x + 36.0, y, "start", "name big", "kept");
    }
    svg.finish(label)
}

/// A line smoothed by a running mean over `n` points on either side: single steps are noisy.
pub(super) fn smooth(points: &[(f64, f64)], n: usize) -> Vec<(f64, f64)> {
    (0..points.len())
        .map(|at| {
            // The window shrinks at the ends, evenly, so that it does not lean.
            let reach = n.min(at).min(points.len() - 1 - at);
            let window = &points[at - reach..=at + reach];
            (points[at].0, window.iter().map(|it| it.1).sum::<f64>() / window.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_ends_and_straight_lines() {
        let line: Vec<(f64, f64)> = (0..9).map(|it| (f64::from(it), 2.0 * f64::from(it))).collect();
        assert_eq!(smooth(&line, 3), line);
        let flat = smooth(&[(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)], 1);
        assert_eq!(flat, [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)]);
    }
}
