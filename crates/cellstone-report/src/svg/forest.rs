//! The forest plot: every method with its interval, between floor and ceiling.

use super::Layout;
use super::canvas::{Figure, Svg, fit, text_width};
use super::scale::{Scale, tick_label};
use crate::fmt::{interval, percent, sig3};

/// One method.
pub(crate) struct ForestRow {
    pub(crate) label: String,
    pub(crate) role: &'static str,
    pub(crate) mean: Option<f64>,
    pub(crate) lo: Option<f64>,
    pub(crate) hi: Option<f64>,
    pub(crate) gap: Option<f64>,
    /// Shown on hover; also the reason where there is no mean.
    pub(crate) title: String,
}

/// A forest plot.
pub(crate) struct Forest {
    pub(crate) axis: String,
    pub(crate) rows: Vec<ForestRow>,
    pub(crate) floor: Option<f64>,
    pub(crate) floor_name: String,
    pub(crate) ceiling: Option<f64>,
    pub(crate) lower_is_better: bool,
}

struct Frame {
    width: f64,
    left: f64,
    right: f64,
    top: f64,
    row: f64,
    font: f64,
}

/// Draws it; rows stay in the order given.
pub(crate) fn forest(plot: &Forest, layout: Layout) -> Figure {
    let frame = match layout {
        Layout::Wide => Frame { width: 900.0, left: 220.0, right: 640.0, top: 62.0, row: 27.0, font: 13.0 },
        Layout::Narrow => Frame { width: 340.0, left: 10.0, right: 330.0, top: 46.0, row: 42.0, font: 12.0 },
    };
    let bottom = frame.top + frame.row * plot.rows.len() as f64;
    let mut svg = Svg::new(frame.width, bottom + 50.0);
    let (lo, hi) = domain(plot);
    let x = Scale::linear(lo, hi, frame.left, frame.right);
    grid(&mut svg, &x, &frame, bottom, &plot.axis);
    references(&mut svg, &x, &frame, bottom, plot);
    if layout == Layout::Wide {
        svg.text(660.0, 50.0, "start", "head", "mean [95 % interval]");
        svg.text(894.0, 50.0, "end", "head", "gap closed");
    }
    for (at, row) in plot.rows.iter().enumerate() {
        let y = frame.top + frame.row * at as f64;
        match layout {
            Layout::Wide => wide_row(&mut svg, row, y, at, &frame, &x),
            Layout::Narrow => narrow_row(&mut svg, row, y, at, &frame, &x),
        }
    }
    svg.finish(format!("Forest plot of {} methods. {}", plot.rows.len(), plot.axis))
}

/// Floor, ceiling and what lies near them; a method far worse than the floor must not squeeze the rest.
fn domain(plot: &Forest) -> (f64, f64) {
    let sign = if plot.lower_is_better { 1.0 } else { -1.0 };
    let bad = |it: f64| it * sign;
    let mut values: Vec<f64> = plot.rows.iter().flat_map(|it| [it.lo, it.mean, it.hi]).flatten().map(bad).collect();
    let marks: Vec<f64> = [plot.floor, plot.ceiling].into_iter().flatten().map(bad).collect();
    values.extend(&marks);
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let mut max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if let (Some(floor), Some(ceiling)) = (plot.floor.map(bad), plot.ceiling.map(bad)) {
        let limit = floor + 1.5 * (floor - ceiling).abs().max(1e-12);
        if max > limit {
            let inside = values.iter().copied().filter(|it| *it <= limit);
            max = inside.fold(floor, f64::max);
        }
    }
    let pad = ((max - min) * 0.06).max(max.abs().max(1e-9) * 1e-6);
    let (min, max) = (min - pad, max + pad);
    if plot.lower_is_better { (min, max) } else { (-max, -min) }
}

fn grid(svg: &mut Svg, x: &Scale, frame: &Frame, bottom: f64, axis: &str) {
    let ticks = x.ticks(if frame.width > 500.0 { 6 } else { 4 });
    for tick in &ticks {
        svg.line(x.at(*tick), frame.top - 4.0, x.at(*tick), bottom, "grid");
        svg.text(x.at(*tick), bottom + 17.0, "middle", "tick", &tick_label(*tick, &ticks));
    }
    svg.line(frame.left, bottom, frame.right, bottom, "axis");
    let axis = fit(axis, frame.font, frame.width - 12.0);
    // A title wider than its axis stays inside the figure.
    let half = text_width(&axis, frame.font) / 2.0;
    let middle = f64::midpoint(frame.left, frame.right).clamp(half + 4.0, (frame.width - half - 4.0).max(half + 4.0));
    svg.text(middle, bottom + 38.0, "middle", "label", &axis);
}

fn references(svg: &mut Svg, x: &Scale, frame: &Frame, bottom: f64, plot: &Forest) {
    let marks = [(plot.ceiling, "ceiling", "replicate"), (plot.floor, "floor", plot.floor_name.as_str())];
    for (at, (value, class, name)) in marks.into_iter().enumerate() {
        let Some(value) = value else { continue };
        let text = fit(&format!("{class} {} ({name})", sig3(value)), frame.font, frame.width * 0.8);
        let (x, y) = (x.at(value), 14.0 + 17.0 * at as f64);
        let half = text_width(&text, frame.font) / 2.0;
        let middle = x.clamp(half + 2.0, frame.width - half - 2.0);
        svg.line(x, y + 4.0, x, bottom, &format!("ref {class}"));
        svg.text(middle, y, "middle", &format!("label t-{class}"), &text);
    }
}

fn whisker(svg: &mut Svg, row: &ForestRow, y: f64, x: &Scale) {
    let Some(mean) = row.mean else { return };
    if let (Some(lo), Some(hi)) = (row.lo, row.hi) {
        svg.line(x.at(lo), y, x.at(hi), y, &format!("whisker s-{}", row.role));
    }
    if x.contains(mean) {
        svg.mark(x.at(mean), y, 5.0, row.role, &format!("f-{}", row.role), &row.title);
    } else {
        let (edge, way) = if x.at(mean) > x.at(f64::MIN) { (x.at(f64::MAX), 1.0) } else { (x.at(f64::MIN), -1.0) };
        let arrow = [(edge, y), (edge - way * 9.0, y - 6.0), (edge - way * 9.0, y + 6.0)];
        svg.path(&arrow, true, &format!("f-{}", row.role), &format!("outside the axis. {}", row.title));
    }
}

fn wide_row(svg: &mut Svg, row: &ForestRow, top: f64, at: usize, frame: &Frame, x: &Scale) {
    if at % 2 == 1 {
        svg.rect(0.0, top, frame.width, frame.row, "stripe");
    }
    let y = top + frame.row / 2.0;
    svg.text(frame.left - 14.0, y + 4.5, "end", "name", &fit(&row.label, frame.font, frame.left - 18.0));
    whisker(svg, row, y, x);
    let value =
        row.mean.map_or_else(|| "–  not defined".to_owned(), |it| format!("{} {}", sig3(it), interval(row.lo, row.hi)));
    svg.text(660.0, y + 4.5, "start", "value", &value);
    svg.text(894.0, y + 4.5, "end", "value", &row.gap.map_or_else(|| "–".to_owned(), percent));
    svg.hover(0.0, top, frame.left, frame.row, &row.title);
}

fn narrow_row(svg: &mut Svg, row: &ForestRow, top: f64, at: usize, frame: &Frame, x: &Scale) {
    if at % 2 == 1 {
        svg.rect(0.0, top, frame.width, frame.row, "stripe");
    }
    let gap = row.gap.map_or_else(String::new, |it| format!(" · {}", percent(it)));
    let value = row.mean.map_or_else(|| "– not defined".to_owned(), |it| format!("{}{gap}", sig3(it)));
    let room = frame.width - 24.0 - text_width(&value, frame.font);
    svg.text(6.0, top + 16.0, "start", "name", &fit(&row.label, frame.font, room));
    svg.text(frame.width - 6.0, top + 16.0, "end", "value", &value);
    whisker(svg, row, top + 30.0, x);
    svg.hover(0.0, top, frame.width, 20.0, &row.title);
}
