//! The pictures of a study: distributions, medians against medians, dots with intervals.

use super::schema::DistributionRow;
use crate::svg::{Figure, Layout, Scale, Svg, fit, text_width, tick_label};
use std::collections::BTreeMap;

const WIDTH: f64 = 420.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 408.0;
const TOP: f64 = 14.0;
/// Cells of a density map along each axis.
const GRID: usize = 48;
/// More points than this become a density map.
const MAX_POINTS: usize = 400;

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), it| (lo.min(it), hi.max(it)));
    (lo <= hi).then_some((lo, hi))
}

fn axes(svg: &mut Svg, x: &Scale, y: &Scale, bottom: f64, titles: (&str, &str)) {
    let ticks = x.ticks(5);
    for tick in &ticks {
        svg.line(x.at(*tick), TOP, x.at(*tick), bottom, "grid");
        svg.text(x.at(*tick), bottom + 19.0, "middle", "tick big", &tick_label(*tick, &ticks));
    }
    let ticks = y.ticks(5);
    for tick in &ticks {
        svg.line(LEFT, y.at(*tick), RIGHT, y.at(*tick), "grid");
        svg.text(LEFT - 7.0, y.at(*tick) + 5.0, "end", "tick big", &tick_label(*tick, &ticks));
    }
    svg.line(LEFT, bottom, RIGHT, bottom, "axis");
    svg.line(LEFT, TOP, LEFT, bottom, "axis");
    svg.text(f64::midpoint(LEFT, RIGHT), bottom + 42.0, "middle", "label big", &fit(titles.0, 14.0, 400.0));
    svg.text_up(16.0, f64::midpoint(TOP, bottom), "label big", &fit(titles.1, 14.0, bottom - TOP));
}

/// The classes of a distribution in the order they are drawn, with their style and name.
const CLASSES: [(&str, &str, &str); 4] = [
    ("different", "c-different", "different types"),
    ("unknown", "c-different", "two types"),
    ("similar", "c-similar", "similar types"),
    ("same", "c-same", "same type"),
];

/// The similarities of pairs inside types and between them, each as a share of its own pairs.
pub(super) fn distribution(rows: &[&DistributionRow], title: &str) -> Option<Figure> {
    let bottom = 214.0;
    // Some thousandth of the pairs lies far out; the axis is about the others.
    let mut ends = Vec::new();
    for (class, ..) in CLASSES {
        let of: Vec<&&DistributionRow> = rows.iter().filter(|it| it.relation == class).collect();
        let mut below = 0.0;
        for it in &of {
            if below <= 0.0005 && below + it.share > 0.0005 {
                ends.push(it.low);
            }
            if below < 0.9995 && below + it.share >= 0.9995 {
                ends.push(it.high);
            }
            below += it.share;
        }
    }
    let (lo, hi) = range(ends.into_iter())?;
    let most = rows.iter().map(|it| it.share).fold(0.0, f64::max);
    let (x, y) = (Scale::linear(lo, hi, LEFT, RIGHT), Scale::linear(0.0, most * 1.06, bottom, TOP));
    let shown: Vec<_> = CLASSES.iter().filter(|it| rows.iter().any(|row| row.relation == it.0)).collect();
    let mut svg = Svg::new(WIDTH, bottom + 78.0);
    axes(&mut svg, &x, &y, bottom, ("Similarity", "Share of the pairs"));
    for (class, style, name) in &shown {
        let mut steps = vec![(x.at(lo), bottom)];
        for it in rows.iter().filter(|it| it.relation == *class && it.high >= lo && it.low <= hi) {
            steps.push((x.at(it.low), y.at(it.share)));
            steps.push((x.at(it.high), y.at(it.share)));
        }
        steps.push((steps.last().map_or(x.at(hi), |it| it.0), bottom));
        svg.path(&steps, true, &format!("area {style}"), name);
        svg.path(&steps[1..steps.len() - 1], false, &format!("edge {style}"), name);
    }
    let mut at = 8.0;
    for (_, style, name) in &shown {
        svg.rect(at, bottom + 57.0, 16.0, 12.0, &format!("area {style}"));
        svg.rect(at, bottom + 57.0, 16.0, 2.4, &format!("solid {style}"));
        svg.text(at + 22.0, bottom + 68.0, "start", "name big", name);
        at += 40.0 + text_width(name, 14.0);
    }
    Some(svg.finish(format!("Distribution of similarities inside and between types: {title}")))
}

/// Medians of type pairs under one unit against those under another: `(x, y, inside a type, name)`.
pub(super) struct Medians<'a> {
    pub(super) x_axis: &'a str,
    pub(super) y_axis: &'a str,
    pub(super) points: Vec<(f64, f64, bool, String)>,
}

/// Points, or how many lie where if they are many; medians inside types are always points.
pub(super) fn medians(plot: &Medians<'_>) -> Option<Figure> {
    let bottom = 350.0;
    let (x0, x1) = range(plot.points.iter().map(|it| it.0))?;
    let (y0, y1) = range(plot.points.iter().map(|it| it.1))?;
    let pad = |lo: f64, hi: f64| ((hi - lo) * 0.04).max(1e-9);
    let x = Scale::linear(x0 - pad(x0, x1), x1 + pad(x0, x1), LEFT, RIGHT);
    let y = Scale::linear(y0 - pad(y0, y1), y1 + pad(y0, y1), bottom, TOP);
    let mut svg = Svg::new(WIDTH, bottom + 78.0);
    axes(&mut svg, &x, &y, bottom, (plot.x_axis, plot.y_axis));
    let between: Vec<_> = plot.points.iter().filter(|it| !it.2).collect();
    let mapped = between.len() > MAX_POINTS;
    if mapped {
        let (w, h) = ((RIGHT - LEFT) / GRID as f64, (bottom - TOP) / GRID as f64);
        let mut map = BTreeMap::<(usize, usize), u32>::new();
        for it in &between {
            let column = (((x.at(it.0) - LEFT) / w) as usize).min(GRID - 1);
            let row = (((y.at(it.1) - TOP) / h) as usize).min(GRID - 1);
            *map.entry((row, column)).or_default() += 1;
        }
        let most = f64::from(map.values().copied().max().unwrap_or(1)).ln_1p();
        for ((row, column), n) in map {
            let shade = 1 + (f64::from(n).ln_1p() / most * 3.999) as usize;
            svg.rect(LEFT + column as f64 * w, TOP + row as f64 * h, w, h, &format!("c-different solid d{shade}"));
        }
    } else {
        for (px, py, _, name) in &between {
            svg.mark(x.at(*px), y.at(*py), 4.0, "", "c-different spot", name);
        }
    }
    for (px, py, _, name) in plot.points.iter().filter(|it| it.2) {
        svg.mark(x.at(*px), y.at(*py), 5.0, "model", "c-same spot", name);
    }
    let y_key = bottom + 66.0;
    svg.mark(16.0, y_key - 5.0, 5.0, "model", "c-same spot", "");
    svg.text(28.0, y_key, "start", "name big", "inside a type");
    if mapped {
        svg.rect(150.0, y_key - 11.0, 14.0, 12.0, "c-different solid d3");
    } else {
        svg.mark(157.0, y_key - 5.0, 4.0, "", "c-different spot", "");
    }
    let darker = if mapped { "two types; darker: more pairs of types" } else { "two types" };
    svg.text(170.0, y_key, "start", "name big", darker);
    Some(svg.finish(format!("Median similarities of pairs of types: {} against {}", plot.y_axis, plot.x_axis)))
}

/// One value with its interval.
pub(super) struct Dot {
    /// Which of the series it belongs to: colour and shape.
    pub(super) series: usize,
    pub(super) value: f64,
    pub(super) ci: Option<(f64, f64)>,
    pub(super) title: String,
}

/// A row of dots.
pub(super) struct DotRow {
    pub(super) label: String,
    pub(super) dots: Vec<Dot>,
}

/// Rows of dots with whiskers over one axis.
pub(super) struct Dots<'a> {
    pub(super) axis: &'a str,
    pub(super) series: Vec<String>,
    pub(super) rows: Vec<DotRow>,
    /// A line at what permuted labels give, where that is on the axis.
    pub(super) floor: Option<f64>,
}

/// Shapes of the series: colour is not the only sign.
const SHAPES: [&str; 4] = ["", "model", "floor", "oracle"];

/// Draws it; rows stay in the order given.
pub(super) fn dots(plot: &Dots<'_>, layout: Layout) -> Option<Figure> {
    let wide = layout == Layout::Wide;
    let (width, left, right, font) = if wide { (900.0, 236.0, 884.0, 13.0) } else { (340.0, 12.0, 328.0, 12.0) };
    let each = if wide { 9.0 } else { 11.0 };
    let head = if wide { 10.0 } else { 26.0 };
    let values = plot.rows.iter().flat_map(|it| &it.dots);
    let (lo, hi) =
        range(values.flat_map(|it| [it.value, it.ci.map_or(it.value, |c| c.0), it.ci.map_or(it.value, |c| c.1)]))?;
    let pad = ((hi - lo) * 0.04).max(1e-6);
    // The floor is shown where it does not squeeze what is compared.
    let floor = plot.floor.filter(|it| *it > lo - 0.6 * (hi - lo));
    let x = Scale::linear(lo.min(floor.unwrap_or(lo)) - pad, hi + pad, left, right);
    let n_series = plot.series.len().max(1) as f64;
    let height = |row: &DotRow| head + each * row.dots.len().max(1) as f64 + if wide { 8.0 } else { 6.0 };
    let top = if wide { 40.0 } else { 22.0 + 18.0 * n_series };
    let bottom = top + plot.rows.iter().map(height).sum::<f64>();
    let mut svg = Svg::new(width, bottom + 48.0);
    let ticks = x.ticks(if wide { 7 } else { 4 });
    for tick in &ticks {
        svg.line(x.at(*tick), top - 6.0, x.at(*tick), bottom, "grid");
        svg.text(x.at(*tick), bottom + 17.0, "middle", "tick", &tick_label(*tick, &ticks));
    }
    svg.line(left, bottom, right, bottom, "axis");
    if let Some(it) = floor {
        svg.line(x.at(it), top - 6.0, x.at(it), bottom, "ref floor");
    }
    svg.text(f64::midpoint(left, right), bottom + 38.0, "middle", "label", &fit(plot.axis, font, width - 16.0));
    let mut y = top;
    for (at, row) in plot.rows.iter().enumerate() {
        let high = height(row);
        if at % 2 == 1 {
            svg.rect(0.0, y, width, high, "stripe");
        }
        if wide {
            let label = fit(&row.label, font, left - 22.0);
            svg.text(left - 14.0, y + high / 2.0 + 4.5, "end", "name", &label);
        } else {
            svg.text(6.0, y + 16.0, "start", "name", &fit(&row.label, font, width - 12.0));
        }
        let first = if wide { y + (high - each * (row.dots.len() as f64 - 1.0)) / 2.0 } else { y + head + each / 2.0 };
        for (place, dot) in row.dots.iter().enumerate() {
            let at = first + each * place as f64;
            if let Some((lo, hi)) = dot.ci {
                svg.line(x.at(lo), at, x.at(hi), at, &format!("whisker w{}", dot.series % 4));
            }
            let shape = SHAPES[dot.series % 4];
            svg.mark(x.at(dot.value), at, 4.2, shape, &format!("m{}", dot.series % 4), &dot.title);
        }
        y += high;
    }
    series_key(&mut svg, &plot.series, wide, left);
    Some(svg.finish(plot.axis))
}

fn series_key(svg: &mut Svg, names: &[String], wide: bool, left: f64) {
    let (mut x, mut y) = if wide { (left, 18.0) } else { (10.0, 16.0) };
    for (at, name) in names.iter().enumerate() {
        svg.mark(x + 5.0, y - 4.5, 4.6, SHAPES[at % 4], &format!("m{}", at % 4), "");
        svg.text(x + 16.0, y, "start", "name", name);
        if wide {
            x += 46.0 + text_width(name, 13.0);
        } else {
            y += 18.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(relation: &str, low: f64, share: f64) -> DistributionRow {
        DistributionRow {
            unit: "u".into(),
            scope: "all".into(),
            relation: relation.into(),
            low,
            high: low + 0.1,
            share,
        }
    }

    #[test]
    fn figures_of_nothing_are_none_and_of_little_are_whole() {
        assert!(distribution(&[], "x").is_none());
        let rows = [row("same", 0.5, 1.0), row("different", 0.1, 0.4), row("different", 0.2, 0.6)];
        let drawn = distribution(&rows.iter().collect::<Vec<_>>(), "x").expect("drawn");
        assert_eq!(drawn.inline("").matches("area c-").count(), 4, "two areas and two keys");
        let points = vec![(0.0, 1.0, false, "A B".to_owned()), (1.0, 1.0, true, "A".to_owned())];
        let drawn = medians(&Medians { x_axis: "x", y_axis: "y", points }).expect("drawn");
        assert!(drawn.inline("").contains("<title>A B</title>"));
        assert!(medians(&Medians { x_axis: "x", y_axis: "y", points: vec![] }).is_none());
    }

    #[test]
    fn many_points_become_a_map() {
        let points = (0..1000).map(|it| (f64::from(it % 37), f64::from(it % 11), false, String::new())).collect();
        let drawn = medians(&Medians { x_axis: "x", y_axis: "y", points }).expect("drawn");
        let text = drawn.inline("");
        assert!(text.contains("c-different solid d4") && !text.contains("<circle"));
    }

    #[test]
    fn dots_keep_their_order_and_fit() {
        let dot = |value: f64| Dot { series: 0, value, ci: Some((value - 0.1, value + 0.1)), title: "t".into() };
        let rows = vec![
            DotRow { label: "first".into(), dots: vec![dot(0.9), dot(0.8)] },
            DotRow { label: "second".into(), dots: vec![dot(0.7)] },
        ];
        let plot = Dots { axis: "AUROC", series: vec!["none".into()], rows, floor: Some(0.5) };
        for layout in [Layout::Wide, Layout::Narrow] {
            let text = dots(&plot, layout).expect("drawn").inline("");
            assert!(text.find("first") < text.find("second") && text.matches("whisker").count() == 3);
            assert!(text.contains("ref floor"));
        }
    }
}
