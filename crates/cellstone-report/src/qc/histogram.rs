//! Histograms with their bounds, and the density of counts against genes.

use super::{Measure, QcPage};
use crate::fmt::{count, sig3};
use crate::svg::{Figure, Scale, Svg, tick_label};

/// Bars of a histogram.
const BINS: usize = 60;
/// Cells of the density map along each axis.
const GRID: usize = 64;

const WIDTH: f64 = 434.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 412.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 222.0;

/// The values that the axis can show, and how many it cannot (zeros on a logarithmic one).
fn shown(measure: &Measure) -> (Vec<f64>, usize) {
    let values: Vec<f64> =
        measure.values.iter().copied().filter(|it| it.is_finite() && (!measure.log || *it > 0.0)).collect();
    let hidden = measure.values.len() - values.len();
    (values, hidden)
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), it| (lo.min(*it), hi.max(*it)))
}

/// The distribution of a measure; `None` where there is nothing to show. Dropped ranges are pale.
pub(super) fn histogram(measure: &Measure, of: &str) -> Option<Figure> {
    let (values, hidden) = shown(measure);
    if values.is_empty() {
        return None;
    }
    let (lo, hi) = range(&values);
    let axis = if measure.log { Scale::log(lo, hi, LEFT, RIGHT) } else { Scale::linear(lo.min(0.0), hi, LEFT, RIGHT) };
    let mut bars = [0_u32; BINS];
    let step = (RIGHT - LEFT) / BINS as f64;
    for it in &values {
        bars[(((axis.at(*it) - LEFT) / step) as usize).min(BINS - 1)] += 1;
    }
    let most = bars.iter().copied().max().unwrap_or(1).max(1);
    let height = Scale::linear(0.0, f64::from(most) * 1.05, BOTTOM, TOP);
    let mut svg = Svg::new(WIDTH, HEIGHT);
    let ticks = height.ticks(4);
    for tick in &ticks {
        svg.line(LEFT, height.at(*tick), RIGHT, height.at(*tick), "grid");
        svg.text(LEFT - 7.0, height.at(*tick) + 5.0, "end", "tick big", &tick_label(*tick, &ticks));
    }
    let outside =
        |x: f64| measure.low.is_some_and(|it| x < axis.at(it)) || measure.high.is_some_and(|it| x > axis.at(it));
    for (at, n) in bars.iter().enumerate().filter(|it| *it.1 > 0) {
        let (x, y) = (LEFT + at as f64 * step, height.at(f64::from(*n)));
        let class = if outside(x + step / 2.0) { "h-out" } else { "h-in" };
        svg.rect(x + 0.4, y, step - 0.8, BOTTOM - y, class);
    }
    for bound in [measure.low, measure.high].into_iter().flatten().filter(|it| axis.contains(*it)) {
        svg.line(axis.at(bound), TOP, axis.at(bound), BOTTOM, "bound");
        let (anchor, shift) = if axis.at(bound) > 300.0 { ("end", -6.0) } else { ("start", 6.0) };
        svg.text(axis.at(bound) + shift, TOP + 12.0, anchor, "side big", &sig3(bound));
    }
    let ticks = axis.ticks(5);
    for tick in &ticks {
        svg.text(axis.at(*tick), BOTTOM + 19.0, "middle", "tick big", &tick_label(*tick, &ticks));
    }
    svg.line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis");
    let zeros = if hidden > 0 { format!("; {} at 0 not shown", count(hidden as u64)) } else { String::new() };
    let title = format!("{} ({}{zeros})", measure.label, measure.unit);
    svg.text(f64::midpoint(LEFT, RIGHT), BOTTOM + 44.0, "middle", "label big", &title);
    svg.text_up(15.0, f64::midpoint(TOP, BOTTOM), "label big", of);
    Some(svg.finish(format!("Histogram of {}: {} {of}", measure.label, count(values.len() as u64))))
}

/// Counts against genes of all cells, as a map of how many cells lie where: as readable at a million cells as at a
/// thousand. Places where most cells are dropped have the other colour.
pub(super) fn density(page: &QcPage) -> Option<Figure> {
    let (counts, genes, _) = &page.scatter;
    let cells: Vec<usize> = (0..counts.len()).filter(|it| counts[*it] > 0.0 && genes[*it] > 0.0).collect();
    let of = |values: &[f64]| range(&cells.iter().map(|it| values[*it]).collect::<Vec<_>>());
    if cells.is_empty() {
        return None;
    }
    let ((x0, x1), (y0, y1)) = (of(counts), of(genes));
    let bottom = 356.0;
    let (x, y) = (Scale::log(x0, x1, LEFT, RIGHT), Scale::log(y0, y1, bottom, TOP));
    let (w, h) = ((RIGHT - LEFT) / GRID as f64, (bottom - TOP) / GRID as f64);
    let mut map = vec![(0_u32, 0_u32); GRID * GRID];
    for cell in cells {
        let column = (((x.at(counts[cell]) - LEFT) / w) as usize).min(GRID - 1);
        let row = (((y.at(genes[cell]) - TOP) / h) as usize).min(GRID - 1);
        let slot = &mut map[row * GRID + column];
        slot.0 += 1;
        slot.1 += u32::from(!page.kept[cell]);
    }
    let most = f64::from(map.iter().map(|it| it.0).max().unwrap_or(1)).ln_1p();
    let mut svg = Svg::new(WIDTH, 420.0);
    for (axis, horizontal) in [(&x, true), (&y, false)] {
        let ticks = axis.ticks(5);
        for tick in &ticks {
            let (at, label) = (axis.at(*tick), tick_label(*tick, &ticks));
            if horizontal {
                svg.line(at, TOP, at, bottom, "grid");
                svg.text(at, bottom + 19.0, "middle", "tick big", &label);
            } else {
                svg.line(LEFT, at, RIGHT, at, "grid");
                svg.text(LEFT - 7.0, at + 5.0, "end", "tick big", &label);
            }
        }
    }
    for (at, (n, dropped)) in map.iter().enumerate().filter(|it| it.1.0 > 0) {
        let shade = 1 + (f64::from(*n).ln_1p() / most * 3.999) as usize;
        let kind = if 2 * dropped > *n { "out" } else { "in" };
        let (column, row) = ((at % GRID) as f64, (at / GRID) as f64);
        svg.rect(LEFT + column * w, TOP + row * h, w, h, &format!("d-{kind} d{shade}"));
    }
    svg.line(LEFT, bottom, RIGHT, bottom, "axis");
    svg.line(LEFT, TOP, LEFT, bottom, "axis");
    svg.text(f64::midpoint(LEFT, RIGHT), bottom + 44.0, "middle", "label big", "Counts per cell");
    svg.text_up(16.0, f64::midpoint(TOP, bottom), "label big", "Genes per cell");
    Some(svg.finish("Counts against genes of every cell"))
}
