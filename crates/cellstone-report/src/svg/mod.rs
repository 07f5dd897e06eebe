//! Figures as SVG text. Colours are CSS classes, so that a page's theme (or the figure's own style) decides them.

mod canvas;
mod curves;
mod forest;
mod gap;
mod ranks;
mod scale;
mod scatter;

pub(crate) use canvas::{Figure, Svg, fit, standalone, text_width};
pub(crate) use curves::{Curve, curves};
pub(crate) use forest::{Forest, ForestRow, forest};
pub(crate) use gap::{GapPanel, GapRow, gap_panels};
pub(crate) use ranks::{Ranks, ranks};
pub(crate) use scale::{Scale, tick_label};
pub(crate) use scatter::{Line, Point, Scatter, scatter};

/// For which width a figure is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A desktop page: labels beside the plot.
    Wide,
    /// A phone: labels above each row.
    Narrow,
}
