//! Scatter plots with one point a perturbation.

use super::canvas::{Figure, Svg, fit};
use super::scale::{Scale, tick_label};

/// One perturbation.
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) class: &'static str,
    pub(crate) title: String,
}

/// The line that tells better from worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// None.
    None,
    /// Equal values on equal scales.
    Diagonal {
        /// Whether points below it are the better ones.
        below_is_better: bool,
    },
    /// No difference: y = 0.
    Zero,
}

/// A square scatter plot, readable at phone width as it is.
pub(crate) struct Scatter {
    pub(crate) label: String,
    pub(crate) x_axis: String,
    pub(crate) y_axis: String,
    pub(crate) points: Vec<Point>,
    pub(crate) line: Line,
    /// Logarithmic x axis, where all x are positive.
    pub(crate) log_x: bool,
    /// What lies above and below the line.
    pub(crate) sides: (String, String),
}

const SIZE: f64 = 420.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 408.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 356.0;

/// Draws it.
pub(crate) fn scatter(plot: &Scatter) -> Figure {
    let mut svg = Svg::new(SIZE, SIZE);
    let (x, y) = scales(plot);
    if let Line::Diagonal { below_is_better } = plot.line {
        let corner = if below_is_better { (RIGHT, BOTTOM) } else { (LEFT, TOP) };
        svg.path(&[(LEFT, BOTTOM), (RIGHT, TOP), corner], true, "better", "");
    }
    for (axis, horizontal) in [(&x, true), (&y, false)] {
        let ticks = axis.ticks(5);
        for tick in &ticks {
            let (at, label) = (axis.at(*tick), tick_label(*tick, &ticks));
            if horizontal {
                svg.line(at, TOP, at, BOTTOM, "grid");
                svg.text(at, BOTTOM + 19.0, "middle", "tick big", &label);
            } else {
                svg.line(LEFT, at, RIGHT, at, "grid");
                svg.text(LEFT - 7.0, at + 5.0, "end", "tick big", &label);
            }
        }
    }
    if matches!(plot.line, Line::Diagonal { .. }) {
        svg.line(LEFT, BOTTOM, RIGHT, TOP, "diagonal");
    }
    if plot.line == Line::Zero {
        svg.line(LEFT, y.at(0.0), RIGHT, y.at(0.0), "diagonal");
    }
    svg.line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis");
    svg.line(LEFT, TOP, LEFT, BOTTOM, "axis");
    for it in &plot.points {
        svg.mark(x.at(it.x), y.at(it.y), 4.2, "", it.class, &it.title);
    }
    // The corners of a scatter about the diagonal are its emptiest places.
    let (above, below) = &plot.sides;
    svg.text(LEFT + 8.0, TOP + 17.0, "start", "side big", &fit(above, 14.0, 200.0));
    svg.text(RIGHT - 6.0, BOTTOM - 9.0, "end", "side big", &fit(below, 14.0, 200.0));
    svg.text(f64::midpoint(LEFT, RIGHT), BOTTOM + 44.0, "middle", "label big", &fit(&plot.x_axis, 14.0, 400.0));
    svg.text_up(16.0, f64::midpoint(TOP, BOTTOM), "label big", &fit(&plot.y_axis, 14.0, 340.0));
    svg.finish(plot.label.clone())
}

fn scales(plot: &Scatter) -> (Scale, Scale) {
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), it| (lo.min(it), hi.max(it)))
    };
    let mut xs = range(&mut plot.points.iter().map(|it| it.x));
    let mut ys = range(&mut plot.points.iter().map(|it| it.y));
    if plot.points.is_empty() {
        (xs, ys) = ((0.0, 1.0), (0.0, 1.0));
    }
    if plot.line == Line::Zero {
        // Room for a word on either side of the line.
        let room = 0.14 * (ys.1.max(0.0) - ys.0.min(0.0));
        ys = (ys.0.min(-room), ys.1.max(room));
    }
    if matches!(plot.line, Line::Diagonal { .. }) {
        xs = (xs.0.min(ys.0), xs.1.max(ys.1));
        ys = xs;
    }
    let pad = |(lo, hi): (f64, f64)| (lo - (hi - lo) * 0.05, hi + (hi - lo) * 0.05);
    let y = {
        let (lo, hi) = pad(ys);
        Scale::linear(lo, hi, BOTTOM, TOP)
    };
    let x = if plot.log_x && xs.0 > 0.0 {
        let ratio = (xs.1 / xs.0).powf(0.05);
        Scale::log(xs.0 / ratio, xs.1 * ratio, LEFT, RIGHT)
    } else {
        let (lo, hi) = pad(xs);
        Scale::linear(lo, hi, LEFT, RIGHT)
    };
    (x, y)
}
