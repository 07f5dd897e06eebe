//! A tiny SVG writer: escaped text, one decimal, classes in place of colours.

use std::fmt::Write;

/// The style of a figure outside a page; the page carries the same rules.
const STYLE: &str = include_str!("../html/figure.css");

/// A finished figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// What it shows, for screen readers.
    pub(crate) label: String,
    body: String,
}

impl Figure {
    /// The `<svg>` element for use inside a page.
    pub(crate) fn inline(&self, class: &str) -> String {
        format!(
            "<svg class=\"fig {class}\" viewBox=\"0 0 {} {}\" style=\"max-width:{}px\" role=\"img\" aria-label=\"{}\">{}</svg>",
            num(self.width),
            num(self.height),
            num(self.width * 1.12),
            escape(&self.label),
            self.body
        )
    }
}

/// A figure as a file of its own, light or dark as the viewer prefers.
pub(crate) fn standalone(figure: &Figure) -> String {
    let (width, height) = (num(figure.width), num(figure.height));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fig\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{}\n</svg>\n",
        escape(&figure.label),
        figure.body
    )
}

/// A figure in the making.
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// Text; `anchor` is `start`, `middle` or `end`.
    pub(crate) fn text(&mut self, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
        let (x, y) = (num(x), num(y));
        self.push(format_args!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" class=\"{class}\">{}</text>",
            escape(text)
        ));
    }

    /// Text running upwards, centred at the point.
    pub(crate) fn text_up(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let (x, y) = (num(x), num(y));
        self.push(format_args!(
            "<text transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\" class=\"{class}\">{}</text>",
            escape(text)
        ));
    }

    pub(crate) fn line(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, class: &str) {
        let (x1, y1, x2, y2) = (num(x1), num(y1), num(x2), num(y2));
        self.push(format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"{class}\"/>"));
    }

    pub(crate) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        let (x, y, width, height) = (num(x), num(y), num(width.max(0.0)), num(height.max(0.0)));
        self.push(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" class=\"{class}\"/>"));
    }

    /// A path through the points; closed into an area if asked.
    pub(crate) fn path(&mut self, points: &[(f64, f64)], closed: bool, class: &str, title: &str) {
        let mut d = String::new();
        for (at, (x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{} {}", if at == 0 { 'M' } else { 'L' }, num(*x), num(*y));
        }
        if closed {
            d.push('Z');
        }
        let title = if title.is_empty() { String::new() } else { format!("<title>{}</title>", escape(title)) };
        self.push(format_args!("<path d=\"{d}\" class=\"{class}\">{title}</path>"));
    }

    /// The mark of a role: shape as well as colour tell roles apart.
    pub(crate) fn mark(&mut self, x: f64, y: f64, size: f64, role: &str, class: &str, title: &str) {
        let title = if title.is_empty() { String::new() } else { format!("<title>{}</title>", escape(title)) };
        let (cx, cy) = (num(x), num(y));
        let d = match role {
            "model" => polygon(x, y, &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)], size),
            "floor" | "ceiling" => polygon(x, y, &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)], size),
            "oracle" => polygon(x, y, &[(0.0, -1.2), (1.15, 0.85), (-1.15, 0.85)], size),
            _ => {
                self.push(format_args!(
                    "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"{}\" class=\"{class}\">{title}</circle>",
                    num(size)
                ));
                return;
            }
        };
        self.push(format_args!("<path d=\"{d}\" class=\"{class}\">{title}</path>"));
    }

    /// An invisible box that shows `title` on hover.
    pub(crate) fn hover(&mut self, x: f64, y: f64, width: f64, height: f64, title: &str) {
        let (x, y, width, height) = (num(x), num(y), num(width), num(height));
        self.push(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" class=\"hover\"><title>{}</title></rect>",
            escape(title)
        ));
    }

    pub(crate) fn finish(self, label: impl Into<String>) -> Figure {
        Figure { width: self.width, height: self.height, label: label.into(), body: self.body }
    }

    fn push(&mut self, item: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.body.write_fmt(item);
        self.body.push('\n');
    }
}

fn polygon(x: f64, y: f64, corners: &[(f64, f64)], size: f64) -> String {
    let mut d = String::new();
    for (at, (dx, dy)) in corners.iter().enumerate() {
        let _ = write!(d, "{}{} {}", if at == 0 { 'M' } else { 'L' }, num(x + dx * size), num(y + dy * size));
    }
    d.push('Z');
    d
}

/// One decimal; a coordinate that is not finite would break the figure, so it becomes 0.
fn num(value: f64) -> String {
    let value = if value.is_finite() { value } else { 0.0 };
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text safe inside elements and attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in XML at all.
            it if it.is_control() => out.push(' '),
            it => out.push(it),
        }
    }
    out
}

/// Estimated width of text at a font size; generous, since the font is the reader's.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let width = |it: char| match it {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | ';' | '\'' | '|' | '[' | ']' | '(' | ')' | ' ' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1.0,
        '<' | '>' | '&' | '+' | '=' | '−' | '~' => 0.84,
        'A'..='Z' | '_' | '0'..='9' => 0.7,
        it if it.is_ascii() => 0.62,
        _ => 0.8,
    };
    text.chars().map(width).sum::<f64>() * size
}

/// Text cut in the middle so that it fits `width`: names of a family differ at their ends.
pub(crate) fn fit(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let cut = |kept: usize| -> String {
        let tail = kept / 3;
        let (head, end) = (&chars[..kept - tail], &chars[chars.len() - tail..]);
        head.iter().chain(&['…']).chain(end).collect()
    };
    let kept = (1..chars.len()).rev().find(|it| text_width(&cut(*it), size) <= width).unwrap_or(1);
    cut(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends_and_fit() {
        let name = "linear_published_lambda_0.1_k_10";
        let cut = fit(name, 13.0, 120.0);
        assert!(cut.starts_with("linear_") && cut.ends_with("10") && cut.contains('…'), "{cut}");
        assert!(text_width(&cut, 13.0) <= 120.0);
        assert_eq!(fit("short", 13.0, 120.0), "short");
    }

    #[test]
    fn text_is_escaped_and_coordinates_are_numbers() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text(f64::NAN, -0.01, "start", "name", "a<b & \"c\"\u{1}");
        let figure = svg.finish("it's");
        assert!(figure.body.contains("x=\"0\" y=\"0\"") && figure.body.contains("a&lt;b &amp; &quot;c&quot; <"));
        assert!(standalone(&figure).contains("aria-label=\"it&#39;s\""));
    }
}
