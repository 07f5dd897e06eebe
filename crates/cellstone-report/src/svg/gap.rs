//! Gap closed: bars from the floor (0 %) towards the ceiling (100 %), one panel per metric.

use super::Layout;
use super::canvas::{Figure, Svg, fit};
use super::scale::Scale;
use crate::fmt::percent;

/// Gap closed, and the ends of its interval.
pub(crate) type GapValue = (f64, Option<f64>, Option<f64>);

/// One method in every panel.
pub(crate) struct GapRow {
    pub(crate) label: String,
    pub(crate) role: &'static str,
    /// Gap closed and its interval, per panel.
    pub(crate) values: Vec<Option<GapValue>>,
}

/// What panels share.
pub(crate) struct GapPanel {
    pub(crate) metrics: Vec<String>,
    pub(crate) rows: Vec<GapRow>,
}

/// Axis limits: worse than this below the floor is cut with an arrow.
const LO: f64 = -0.5;
const HI: f64 = 1.1;

/// Draws the panels side by side; the narrow layout expects one panel.
pub(crate) fn gap_panels(plot: &GapPanel, layout: Layout) -> Figure {
    let n = plot.metrics.len().max(1) as f64;
    let (width, left, row, top, font) = match layout {
        Layout::Wide => (900.0, 200.0, 22.0, 46.0, 13.0),
        Layout::Narrow => (340.0, 132.0, 24.0, 46.0, 12.0),
    };
    let bottom = top + row * plot.rows.len() as f64;
    let mut svg = Svg::new(width, bottom + 30.0);
    let panel = (width - left) / n;
    for at in 0..plot.rows.len() {
        let y = top + row * at as f64;
        if at % 2 == 1 {
            svg.rect(0.0, y, width, row, "stripe");
        }
        svg.text(left - 10.0, y + row / 2.0 + 4.5, "end", "name", &fit(&plot.rows[at].label, font, left - 14.0));
    }
    for (at, name) in plot.metrics.iter().enumerate() {
        let from = left + panel * at as f64 + 6.0;
        let to = from + panel - 54.0;
        svg.text(from, 14.0, "start", "head", &fit(name, font, panel - 14.0));
        draw_panel(&mut svg, plot, at, &Frame { from, to, top, bottom, row, layout });
    }
    svg.finish(format!("Share of the gap from floor to ceiling that each of {} methods closes", plot.rows.len()))
}

struct Frame {
    from: f64,
    to: f64,
    top: f64,
    bottom: f64,
    row: f64,
    layout: Layout,
}

fn draw_panel(svg: &mut Svg, plot: &GapPanel, panel: usize, frame: &Frame) {
    let values = plot.rows.iter().filter_map(|it| it.values[panel]);
    let (least, most) = values.fold((-0.1f64, HI), |(lo, hi), it| {
        (lo.min(it.1.unwrap_or(it.0).min(it.0)), hi.max(it.2.unwrap_or(it.0).max(it.0)))
    });
    let x = Scale::linear(least.max(LO), most.min(1.6), frame.from, frame.to);
    for (value, class, label) in [(0.0, "ref floor", "floor"), (1.0, "ref ceiling", "ceiling")] {
        svg.line(x.at(value), frame.top - 6.0, x.at(value), frame.bottom, class);
        let anchor = if frame.to - frame.from < 110.0 && value == 1.0 { "end" } else { "middle" };
        svg.text(x.at(value), frame.top - 11.0, anchor, &format!("tick t-{label}"), label);
    }
    svg.line(x.at(0.5), frame.top, x.at(0.5), frame.bottom, "grid");
    for (value, label) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
        if frame.to - frame.from > 150.0 || value != 0.5 {
            svg.text(x.at(value), frame.bottom + 17.0, "middle", "tick", label);
        }
    }
    for (at, row) in plot.rows.iter().enumerate() {
        let y = frame.top + frame.row * (at as f64 + 0.5);
        let end = frame.to + 44.0;
        let Some((value, lo, hi)) = row.values[panel] else {
            svg.text(end, y + 4.5, "end", "tick", "–");
            continue;
        };
        let (zero, tip) = (x.at(0.0), x.at(value));
        svg.rect(zero.min(tip), y - 6.0, (tip - zero).abs().max(1.0), 12.0, &format!("bar f-{}", row.role));
        if let (Some(lo), Some(hi)) = (lo, hi) {
            svg.line(x.at(lo), y, x.at(hi), y, "ci");
        }
        svg.text(end, y + 4.5, "end", "tick", &percent(value));
        let ci = lo.zip(hi).map_or_else(String::new, |(lo, hi)| format!(" [{}, {}]", percent(lo), percent(hi)));
        let title = format!("{}: {}{ci} of the gap in {}", row.label, percent(value), plot.metrics[panel]);
        svg.hover(frame.from, y - frame.row / 2.0, end - frame.from, frame.row, &title);
    }
    if frame.layout == Layout::Narrow {
        svg.line(frame.from, frame.bottom, frame.to, frame.bottom, "axis");
    }
}
