//! Agreement of communities with the labels over the resolution.

use super::ResolutionPoint;
use crate::svg::{Figure, Scale, Svg, tick_label};

const WIDTH: f64 = 434.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 416.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 240.0;
/// Height of one line of the key.
const KEY: f64 = 22.0;
/// Lines that have a colour of their own.
const N_COLOURS: usize = 5;

/// NMI of the communities of every embedding by resolution; the best one of each has a mark.
pub(super) fn resolution_curves(curves: &[(String, Vec<ResolutionPoint>)]) -> Option<Figure> {
    let points = || curves.iter().flat_map(|it| &it.1);
    let (first, last) =
        points().fold((f64::INFINITY, f64::NEG_INFINITY), |it, p| (it.0.min(p.resolution), it.1.max(p.resolution)));
    if first >= last {
        return None;
    }
    let mut svg = Svg::new(WIDTH, BOTTOM + 58.0 + KEY * curves.len() as f64);
    let (x, y) = (Scale::linear(0.0, last, LEFT, RIGHT), Scale::linear(0.0, 1.0, BOTTOM, TOP));
    for (axis, horizontal) in [(&x, true), (&y, false)] {
        let ticks = axis.ticks(5);
        for tick in &ticks {
            let (at, text) = (axis.at(*tick), tick_label(*tick, &ticks));
            if horizontal {
                svg.line(at, TOP, at, BOTTOM, "grid");
                svg.text(at, BOTTOM + 19.0, "middle", "tick big", &text);
            } else {
                svg.line(LEFT, at, RIGHT, at, "grid");
                svg.text(LEFT - 7.0, at + 5.0, "end", "tick big", &text);
            }
        }
    }
    svg.line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis");
    svg.line(LEFT, TOP, LEFT, BOTTOM, "axis");
    svg.text(f64::midpoint(LEFT, RIGHT), BOTTOM + 42.0, "middle", "label big", "Resolution of the communities");
    svg.text_up(15.0, f64::midpoint(TOP, BOTTOM), "label big", "NMI with the labels");
    for (at, (name, points)) in curves.iter().enumerate() {
        let class = class_of(at);
        let line: Vec<(f64, f64)> = points.iter().map(|it| (x.at(it.resolution), y.at(it.nmi))).collect();
        svg.path(&line, false, &format!("curve {class}"), name);
        // The first of equals, as the score takes it.
        let best = points.iter().fold(None::<&ResolutionPoint>, |it, p| match it {
            Some(best) if best.nmi >= p.nmi => Some(best),
            _ => Some(p),
        });
        if let Some(best) = best {
            svg.rect(x.at(best.resolution) - 4.0, y.at(best.nmi) - 4.0, 8.0, 8.0, &format!("best {class}"));
        }
        let row = BOTTOM + 66.0 + KEY * at as f64;
        svg.line(LEFT, row - 4.5, LEFT + 28.0, row - 4.5, &format!("curve {class}"));
        let label = best.map_or_else(
            || name.clone(),
            |it| {
                format!("{}: best at {} ({} communities)", crate::fmt::shorten(name, 22), it.resolution, it.n_clusters)
            },
        );
        svg.text(LEFT + 36.0, row, "start", "name big", &label);
    }
    Some(svg.finish("Agreement of communities with the labels over the resolution"))
}

fn class_of(at: usize) -> &'static str {
    ["k0", "k1", "k2", "k3", "k4"].get(at % N_COLOURS).copied().unwrap_or("kx")
}
