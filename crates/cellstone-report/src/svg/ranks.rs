//! Mean ranks with bars that join methods within the critical difference.

use super::Layout;
use super::canvas::{Figure, Svg, fit};
use super::scale::{Scale, tick_label};
use crate::fmt::sig3;

/// A rank plot.
pub(crate) struct Ranks {
    /// Label, role, mean rank; best first.
    pub(crate) rows: Vec<(String, &'static str, f64)>,
    pub(crate) critical_difference: Option<f64>,
}

/// Draws it: rows by rank; a bar at the right joins rows that are not told apart.
pub(crate) fn ranks(plot: &Ranks, layout: Layout) -> Figure {
    let groups = plot.critical_difference.map_or_else(Vec::new, |cd| cliques(plot, cd));
    let lanes = lanes(&groups);
    let n_lanes = lanes.iter().map(|it| it + 1).max().unwrap_or(0) as f64;
    let (width, left, row, font) = match layout {
        Layout::Wide => (900.0, 220.0, 24.0, 13.0),
        Layout::Narrow => (340.0, 132.0, 26.0, 12.0),
    };
    let step = if layout == Layout::Wide { 14.0 } else { 9.0 };
    let right = width - 54.0 - (n_lanes * step).min(width * 0.3);
    let (top, bottom) = (34.0, 34.0 + row * plot.rows.len() as f64);
    let mut svg = Svg::new(width, bottom + 48.0);
    let worst = plot.rows.iter().map(|it| it.2).fold(1.0, f64::max);
    let n = (plot.rows.len() as f64).min(worst.ceil()).max(2.0);
    let x = Scale::linear(1.0, n, left, right);
    let ticks: Vec<f64> =
        x.ticks(if layout == Layout::Wide { 8 } else { 4 }).into_iter().filter(|it| it.fract() == 0.0).collect();
    for tick in &ticks {
        svg.line(x.at(*tick), top, x.at(*tick), bottom, "grid");
        svg.text(x.at(*tick), bottom + 17.0, "middle", "tick", &tick_label(*tick, &ticks));
    }
    svg.line(left, bottom, right, bottom, "axis");
    svg.text(f64::midpoint(left, right), bottom + 38.0, "middle", "label", "mean rank over perturbations (1 is best)");
    if let Some(cd) = plot.critical_difference {
        let end = x.at((1.0 + cd).min(n));
        svg.line(left, 20.0, end, 20.0, "cd");
        svg.line(left, 15.0, left, 25.0, "cd");
        svg.line(end, 15.0, end, 25.0, "cd");
        let text = if layout == Layout::Wide { "critical difference" } else { "crit. diff." };
        svg.text(left - 10.0, 24.0, "end", "head", &format!("{text} {}", sig3(cd)));
    }
    for (at, (label, role, rank)) in plot.rows.iter().enumerate() {
        let y = top + row * (at as f64 + 0.5);
        if at % 2 == 1 {
            svg.rect(0.0, y - row / 2.0, width, row, "stripe");
        }
        svg.text(left - 12.0, y + 4.5, "end", "name", &fit(label, font, left - 16.0));
        svg.line(left, y, x.at(*rank), y, "grid");
        svg.mark(x.at(*rank), y, 5.0, role, &format!("f-{role}"), &format!("{label}: mean rank {}", sig3(*rank)));
        svg.text(right + 44.0, y + 4.5, "end", "value", &format!("{rank:.2}"));
    }
    for ((from, to), lane) in groups.iter().zip(&lanes) {
        let x = right + 54.0 + step * (*lane as f64 + 0.3);
        let edge = row * 0.28;
        let y = |at: usize| top + row * (at as f64 + 0.5);
        svg.line(x, y(*from) - edge, x, y(*to) + edge, "joined");
    }
    svg.finish(format!("Mean ranks of {} methods", plot.rows.len()))
}

/// The maximal runs of rows whose ranks lie within the critical difference; single rows are left out.
fn cliques(plot: &Ranks, cd: f64) -> Vec<(usize, usize)> {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for from in 0..plot.rows.len() {
        let within = plot.rows[from..].iter().take_while(|it| it.2 - plot.rows[from].2 <= cd).count();
        let to = from + within - 1;
        if to > from && groups.last().is_none_or(|it| to > it.1) {
            groups.push((from, to));
        }
    }
    groups
}

/// A lane for each run, so that overlapping bars stand beside each other.
fn lanes(groups: &[(usize, usize)]) -> Vec<usize> {
    let mut ends: Vec<usize> = Vec::new();
    groups
        .iter()
        .map(|(from, to)| {
            let free = ends.iter().position(|end| end < from).unwrap_or(ends.len());
            if free == ends.len() {
                ends.push(*to);
            } else {
                ends[free] = *to;
            }
            free
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_join_the_maximal_runs_within_the_critical_difference() {
        let row = |rank: f64| (String::new(), "baseline", rank);
        let plot = Ranks { rows: [1.0, 1.4, 1.9, 2.5, 5.0].map(row).to_vec(), critical_difference: Some(1.0) };
        // 1.0–1.9 and 1.9–2.5; 1.4–1.9 lies inside the first and 5.0 stands alone. 1.4 to 2.5 is 1.1 apart.
        assert_eq!(cliques(&plot, 1.0), [(0, 2), (2, 3)]);
        assert_eq!(lanes(&[(0, 2), (2, 3), (4, 6)]), [0, 1, 0]);
    }
}
