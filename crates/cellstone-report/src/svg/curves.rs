//! Stratified error curves: error over the number of genes included.

use super::canvas::{Figure, Svg, fit};
use super::scale::{Scale, tick_label};

/// One line.
pub(crate) struct Curve {
    pub(crate) label: String,
    /// `k0` to `k5` (the highlighted ones), `kf` (the floor) or `kx` (the rest).
    pub(crate) class: &'static str,
    /// Rank, value, and half-width of its band.
    pub(crate) points: Vec<(f64, f64, Option<f64>)>,
}

const WIDTH: f64 = 420.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 408.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 290.0;
/// Height of one line of the key.
const KEY: f64 = 20.0;

/// Draws the lines over a logarithmic rank axis, with a key below: two columns, in the order given.
pub(crate) fn curves(lines: &[Curve], x_axis: &str, y_axis: &str, label: &str) -> Figure {
    let named: Vec<&Curve> = lines.iter().filter(|it| it.class != "kx").collect();
    let n_other = lines.len() - named.len();
    let n_keys = named.len() + usize::from(n_other > 0);
    let height = BOTTOM + 58.0 + KEY * n_keys.div_ceil(2) as f64 + 4.0;
    let mut svg = Svg::new(WIDTH, height);
    let (x, y) = scales(lines);
    grid(&mut svg, &x, &y);
    // Unnamed lines first, so that the named ones lie on top; the floor below the methods.
    let order = |it: &&Curve| match it.class {
        "kx" => 0,
        "kf" => 1,
        _ => 2,
    };
    let mut drawn: Vec<&Curve> = lines.iter().collect();
    drawn.sort_by_key(order);
    for it in &drawn {
        draw(&mut svg, it, &x, &y);
    }
    svg.text(f64::midpoint(LEFT, RIGHT), BOTTOM + 42.0, "middle", "label big", &fit(x_axis, 14.0, 410.0));
    svg.text_up(15.0, f64::midpoint(TOP, BOTTOM), "label big", &fit(y_axis, 14.0, 276.0));
    for (at, it) in named.iter().enumerate() {
        key(&mut svg, at, it.class, &it.label);
    }
    if n_other > 0 {
        key(&mut svg, named.len(), "kx", &format!("{n_other} other methods"));
    }
    svg.finish(label)
}

fn key(svg: &mut Svg, at: usize, class: &str, label: &str) {
    let x = 8.0 + 206.0 * (at % 2) as f64;
    let y = BOTTOM + 66.0 + KEY * (at / 2) as f64;
    svg.line(x, y - 4.5, x + 28.0, y - 4.5, &format!("curve {class}"));
    svg.text(x + 36.0, y, "start", "name big", &fit(label, 14.0, 164.0));
}

fn scales(lines: &[Curve]) -> (Scale, Scale) {
    let points = || lines.iter().flat_map(|it| &it.points);
    let ranks = points().fold((f64::INFINITY, 1.0f64), |(lo, hi), it| (lo.min(it.0.max(1.0)), hi.max(it.0)));
    let mut values: Vec<f64> = points().map(|it| it.1).collect();
    values.sort_by(f64::total_cmp);
    let (Some(lo), Some(most)) = (values.first().copied(), values.last().copied()) else {
        return (Scale::log(1.0, 1000.0, LEFT, RIGHT), Scale::linear(0.0, 1.0, BOTTOM, TOP));
    };
    // One exploding method must not flatten the others.
    let median = values[values.len() / 2];
    let hi = most.min(median + 2.5 * (median - lo).max(1e-9));
    let hi = if most <= hi * 1.3 { most } else { hi };
    let pad = (hi - lo) * 0.05;
    let ranks = if ranks.0.is_finite() { ranks } else { (1.0, 1000.0) };
    (Scale::log(ranks.0, ranks.1, LEFT, RIGHT), Scale::linear(lo - pad, hi + pad, BOTTOM, TOP))
}

fn grid(svg: &mut Svg, x: &Scale, y: &Scale) {
    let ticks = x.ticks(6);
    for tick in &ticks {
        svg.line(x.at(*tick), TOP, x.at(*tick), BOTTOM, "grid");
        svg.text(x.at(*tick), BOTTOM + 19.0, "middle", "tick big", &format!("{tick:.0}"));
    }
    let ticks = y.ticks(5);
    for tick in &ticks {
        svg.line(LEFT, y.at(*tick), RIGHT, y.at(*tick), "grid");
        svg.text(LEFT - 7.0, y.at(*tick) + 5.0, "end", "tick big", &tick_label(*tick, &ticks));
    }
    svg.line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis");
    svg.line(LEFT, TOP, LEFT, BOTTOM, "axis");
}

fn draw(svg: &mut Svg, curve: &Curve, x: &Scale, y: &Scale) {
    let named = curve.class != "kx";
    let band: Vec<_> = curve.points.iter().filter_map(|it| Some((it.0, it.1, it.2?))).collect();
    if named && band.len() > 1 {
        let upper = band.iter().map(|it| (x.at(it.0), y.at(it.1 + it.2)));
        let lower = band.iter().rev().map(|it| (x.at(it.0), y.at(it.1 - it.2)));
        svg.path(&upper.chain(lower).collect::<Vec<_>>(), true, &format!("band {}", curve.class), "");
    }
    let line: Vec<_> = curve.points.iter().map(|it| (x.at(it.0), y.at(it.1))).collect();
    svg.path(&line, false, &format!("curve {}", curve.class), &curve.label);
}
