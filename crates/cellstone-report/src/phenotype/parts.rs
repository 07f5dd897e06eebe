//! Pieces that the sections of the page share: figures with captions, tables that sort.

use crate::fmt::{interval, maybe};
use crate::svg::{Figure, standalone};
use maud::{Markup, PreEscaped, html};

/// File name without ending, and content, of every figure so far.
pub(super) type Files = Vec<(String, String)>;

/// A figure with a caption; also kept as a file.
pub(super) fn figure(name: &str, drawn: &Figure, caption: &Markup, files: &mut Files) -> Markup {
    files.push((name.to_owned(), standalone(drawn)));
    html! { figure { (PreEscaped(drawn.inline(""))) figcaption { (caption) } } }
}

/// A figure in two layouts.
pub(super) fn swap(name: &str, wide: &Figure, narrow: &Figure, caption: &Markup, files: &mut Files) -> Markup {
    files.push((name.to_owned(), standalone(wide)));
    html! {
        figure.swap {
            (PreEscaped(wide.inline("wide swap"))) (PreEscaped(narrow.inline("narrow")))
            figcaption { (caption) }
        }
    }
}

/// A table that sorts, in a box that scrolls. Heads: text, and whether cells are numbers.
pub(super) fn table(id: &str, label: &str, heads: &[(&str, bool)], rows: &[Markup]) -> Markup {
    html! {
        div.scroll.tall[rows.len() > 16] tabindex="0" role="region" aria-label=(label) { table.sortable.tight id=(id) {
            thead { tr { @for (text, number) in heads { th.n[*number] scope="col" { (text) } } } }
            tbody { @for it in rows { tr { (it) } } }
        } }
    }
}

/// A cell with a number that sorts by its full value.
pub(super) fn number(value: Option<f64>) -> Markup {
    let key = value.map_or_else(String::new, |it| it.to_string());
    html! { td.n data-v=(key) { (maybe(value)) } }
}

/// A cell with a number and its interval.
pub(super) fn with_interval(value: Option<f64>, lo: Option<f64>, hi: Option<f64>) -> Markup {
    let key = value.map_or_else(String::new, |it| it.to_string());
    html! {
        td.n data-v=(key) {
            (maybe(value)) @if lo.is_some() && hi.is_some() { " " span.gn { (interval(lo, hi)) } }
        }
    }
}

/// A cell with a p value.
pub(super) fn p_cell(value: Option<f64>) -> Markup {
    let key = value.map_or_else(String::new, |it| it.to_string());
    html! { td.n data-v=(key) { (value.map_or_else(|| "–".to_owned(), crate::fmt::p_value)) } }
}

/// A cell with a name.
pub(super) fn name(text: &str) -> Markup {
    html! { td.nowrap { (text) } }
}
