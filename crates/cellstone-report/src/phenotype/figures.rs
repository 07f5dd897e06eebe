//! The pictures of a study: reliability, and dots with intervals in rows.

use super::schema::ReliabilityTableRow;
use crate::svg::{Figure, Layout, Scale, Svg, fit, text_width, tick_label};

/// Roles of the series: colour and shape.
const ROLES: [&str; 4] = ["model", "baseline", "oracle", "ceiling"];

/// Confidence against accuracy: `before` hollow, `after` filled.
pub(super) fn reliability(before: &[&ReliabilityTableRow], after: &[&ReliabilityTableRow]) -> Option<Figure> {
    const LEFT: f64 = 58.0;
    const RIGHT: f64 = 408.0;
    const TOP: f64 = 14.0;
    const BOTTOM: f64 = 364.0;
    if before.is_empty() {
        return None;
    }
    let mut svg = Svg::new(420.0, BOTTOM + 78.0);
    let (x, y) = (Scale::linear(0.0, 1.0, LEFT, RIGHT), Scale::linear(0.0, 1.0, BOTTOM, TOP));
    let ticks = x.ticks(5);
    for tick in &ticks {
        svg.line(x.at(*tick), TOP, x.at(*tick), BOTTOM, "grid");
        svg.text(x.at(*tick), BOTTOM + 19.0, "middle", "tick big", &tick_label(*tick, &ticks));
        svg.line(LEFT, y.at(*tick), RIGHT, y.at(*tick), "grid");
        svg.text(LEFT - 7.0, y.at(*tick) + 5.0, "end", "tick big", &tick_label(*tick, &ticks));
    }
    svg.line(LEFT, BOTTOM, RIGHT, TOP, "diagonal");
    svg.line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis");
    svg.line(LEFT, TOP, LEFT, BOTTOM, "axis");
    for (rows, class, role) in [(before, "hollow", "oracle"), (after, "f-model", "model")] {
        for it in rows {
            let title = format!(
                "{} cells of {} donors: sure {:.3}, right {:.3}",
                it.n, it.n_donors, it.confidence, it.accuracy
            );
            if let (Some(lo), Some(hi), "model") = (it.ci_lo, it.ci_hi, role) {
                svg.line(x.at(it.confidence), y.at(lo), x.at(it.confidence), y.at(hi), "whisker s-model thin");
            }
            svg.mark(x.at(it.confidence), y.at(it.accuracy), 4.6, role, class, &title);
        }
    }
    svg.text(f64::midpoint(LEFT, RIGHT), BOTTOM + 42.0, "middle", "label big", "Probability of the predicted class");
    svg.text_up(15.0, f64::midpoint(TOP, BOTTOM), "label big", "Share that was right");
    svg.mark(16.0, BOTTOM + 62.0, 4.6, "oracle", "hollow", "");
    svg.text(
        28.0,
        BOTTOM + 66.5,
        "start",
        "name big",
        if after.is_empty() { "as predicted" } else { "before the temperature" },
    );
    if !after.is_empty() {
        svg.mark(222.0, BOTTOM + 62.0, 4.6, "model", "f-model", "");
        svg.text(234.0, BOTTOM + 66.5, "start", "name big", "after it, with interval");
    }
    Some(svg.finish("Reliability: confidence against accuracy in bins of equal mass"))
}

/// One value with its interval.
pub(super) struct Dot {
    /// Which of the series it belongs to.
    pub(super) series: usize,
    pub(super) value: f64,
    pub(super) ci: Option<(f64, f64)>,
    /// Too little behind it to be tested.
    pub(super) hollow: bool,
    pub(super) title: String,
}

/// A row of dots.
pub(super) struct DotRow {
    pub(super) label: String,
    pub(super) dots: Vec<Dot>,
    /// What was planted.
    pub(super) planted: Option<f64>,
}

/// Rows of dots with whiskers over one axis that begins at 0.
pub(super) struct Dots<'a> {
    pub(super) axis: &'a str,
    pub(super) series: Vec<String>,
    pub(super) rows: Vec<DotRow>,
    /// The largest value that there can be.
    pub(super) most: f64,
}

/// Draws it; rows stay in the order given.
pub(super) fn dots(plot: &Dots<'_>, layout: Layout) -> Option<Figure> {
    if plot.rows.is_empty() {
        return None;
    }
    let wide = layout == Layout::Wide;
    let (width, left, right, font) = if wide { (900.0, 236.0, 884.0, 13.0) } else { (340.0, 12.0, 328.0, 12.0) };
    let (each, head) = if wide { (11.0, 12.0) } else { (12.0, 26.0) };
    let planted = plot.rows.iter().any(|it| it.planted.is_some());
    let n_keys = plot.series.len() + usize::from(planted);
    let height = |row: &DotRow| head + each * row.dots.len().max(1) as f64 + 8.0;
    let top = if wide { 42.0 } else { 22.0 + 18.0 * n_keys as f64 };
    let bottom = top + plot.rows.iter().map(height).sum::<f64>();
    let reached =
        plot.rows.iter().flat_map(|it| &it.dots).map(|it| it.ci.map_or(it.value, |ci| ci.1)).fold(0.0, f64::max);
    let hi = reached.max(plot.rows.iter().filter_map(|it| it.planted).fold(0.0, f64::max)).min(plot.most).max(1e-6);
    let x = Scale::linear(0.0, (hi * 1.08).min(plot.most.max(hi)), left, right);
    let mut svg = Svg::new(width, bottom + 48.0);
    let ticks = x.ticks(if wide { 7 } else { 4 });
    for tick in &ticks {
        svg.line(x.at(*tick), top - 6.0, x.at(*tick), bottom, "grid");
        svg.text(x.at(*tick), bottom + 17.0, "middle", "tick", &tick_label(*tick, &ticks));
    }
    svg.line(left, bottom, right, bottom, "axis");
    svg.text(f64::midpoint(left, right), bottom + 38.0, "middle", "label", &fit(plot.axis, font, width - 16.0));
    let mut y = top;
    for (at, row) in plot.rows.iter().enumerate() {
        let high = height(row);
        if at % 2 == 1 {
            svg.rect(0.0, y, width, high, "stripe");
        }
        if wide {
            svg.text(left - 14.0, y + high / 2.0 + 4.5, "end", "name", &fit(&row.label, font, left - 22.0));
        } else {
            svg.text(6.0, y + 16.0, "start", "name", &fit(&row.label, font, width - 12.0));
        }
        let first = if wide { y + (high - each * (row.dots.len() as f64 - 1.0)) / 2.0 } else { y + head + each / 2.0 };
        if let Some(it) = row.planted {
            let (from, to) = (if wide { y + 3.0 } else { y + head - 4.0 }, y + high - 3.0);
            svg.line(x.at(it), from, x.at(it), to, "planted");
        }
        for (place, dot) in row.dots.iter().enumerate() {
            let (role, at) = (ROLES[dot.series % 4], first + each * place as f64);
            if let Some((lo, hi)) = dot.ci {
                svg.line(x.at(lo), at, x.at(hi), at, &format!("whisker s-{role}"));
            }
            let class = if dot.hollow { format!("hollow o-{role}") } else { format!("f-{role}") };
            svg.mark(x.at(dot.value), at, 4.4, role, &class, &dot.title);
        }
        y += high;
    }
    keys(&mut svg, &plot.series, planted, wide, left);
    Some(svg.finish(plot.axis))
}

fn keys(svg: &mut Svg, names: &[String], planted: bool, wide: bool, left: f64) {
    let (mut x, mut y) = if wide { (left, 18.0) } else { (10.0, 16.0) };
    let mut next = |text: &str, svg: &mut Svg, role: Option<&str>| {
        match role {
            Some(role) => svg.mark(x + 5.0, y - 4.5, 4.6, role, &format!("f-{role}"), ""),
            None => svg.line(x + 5.0, y - 11.0, x + 5.0, y + 2.0, "planted"),
        }
        svg.text(x + 16.0, y, "start", "name", text);
        if wide {
            x += 46.0 + text_width(text, 13.0);
        } else {
            y += 18.0;
        }
    };
    for (at, name) in names.iter().enumerate() {
        next(name, svg, Some(ROLES[at % 4]));
    }
    if planted {
        next("planted", svg, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_nothing_are_none_and_of_little_are_whole() {
        assert!(reliability(&[], &[]).is_none());
        let bin = ReliabilityTableRow {
            n: 10,
            confidence: 0.8,
            accuracy: 0.7,
            ci_lo: Some(0.6),
            ci_hi: Some(0.9),
            ..Default::default()
        };
        let drawn = reliability(&[&bin], &[&bin]).expect("drawn").inline("");
        assert_eq!(drawn.matches("whisker").count(), 1, "only what is trusted has an interval");
        let dot = |value: f64| Dot {
            series: 0,
            value,
            ci: Some((value - 0.1, value + 0.1)),
            hollow: value > 0.5,
            title: String::new(),
        };
        let rows = vec![
            DotRow { label: "young".into(), dots: vec![dot(0.4)], planted: Some(0.3) },
            DotRow { label: "old".into(), dots: vec![dot(0.9)], planted: None },
        ];
        let plot = Dots { axis: "Entropy, bits", series: vec!["PolyGene".into()], rows, most: 2.6 };
        for layout in [Layout::Wide, Layout::Narrow] {
            let text = dots(&plot, layout).expect("drawn").inline("");
            assert!(text.find("young") < text.find("old") && text.contains("hollow o-model"));
            assert_eq!(text.matches("planted").count(), 3, "a line, a line of the key and its text");
        }
    }
}
