//! The page itself: answer, losses, held-out cells, what went in, how to make it again.

use super::data::PretrainData;
use super::figures::{Line, over_steps, smooth};
use super::schema::{HeldOutRow, LossRow};
use crate::fmt::{count, maybe, sig3};
use crate::html::{FIGURE_STYLE, SCRIPT, STYLE};
use crate::run_dir::{RunDir, RunStatus};
use crate::svg::{Figure, standalone};
use cellstone_core::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// File name without ending, and content, of every figure.
type Files = Vec<(String, String)>;

/// The page as text, and the figures as files.
pub(super) fn page(run: &RunDir) -> Result<(String, Files)> {
    let data = PretrainData::load(run)?;
    let mut files = Files::new();
    let (losses, slots) = (losses(&data, &mut files), by_slot(&data, &mut files));
    let manifest = &data.manifest;
    let title = if manifest.question.is_empty() { &manifest.experiment } else { &manifest.question };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="generator" content="cellstone";
                title { (manifest.experiment) " · cellstone pretraining" }
                style { (PreEscaped(FIGURE_STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                (header(&data, title))
                nav aria-label="Sections" { ul {
                    li { a href="#answer" { "Answer" } }
                    @if !data.losses.is_empty() { li { a href="#losses" { "Losses" } } }
                    @if !data.held_out.is_empty() { li { a href="#cells" { "Held-out cells" } } }
                    li { a href="#data" { "Data and network" } }
                    li { a href="#reproduce" { "Reproduce" } }
                } }
                main {
                    @if !matches!(manifest.status, RunStatus::Complete) {
                        p.warning { b { "This run is not complete" } " (status " (manifest.status.as_str()) ")." @if let Some(it) = &manifest.error { " " (it) } }
                    }
                    (answer(&data))
                    (losses)
                    (slots)
                    (held_out(&data))
                    (facts(&data))
                    (reproduce(&data))
                }
                footer { "Made by cellstone from the tables, manifest and configuration of this run, and from nothing else." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok((page.into_string(), files))
}

fn header(data: &PretrainData, title: &str) -> Markup {
    let manifest = &data.manifest;
    let last = data.losses.last();
    html! {
        header { div.inner {
            div.bar-top {
                span { "cellstone pretraining · " b { (manifest.experiment) } }
                button.theme id="theme" type="button" hidden { "Light / dark" }
            }
            h1 { (title) }
            ul.meta {
                li { span class={ "chip " (manifest.status.as_str()) } { (manifest.status.as_str()) } }
                @if let Some(it) = data.fact("parameters").and_then(|it| it.parse().ok()) { li { (count(it)) " parameters" } }
                @if let Some(it) = last {
                    li { (count(it.step.unsigned_abs())) " steps" }
                    li { (count(it.tokens.unsigned_abs())) " tokens" }
                }
                @if let Some((cells, tokens)) = rates(data) {
                    li { (sig3(cells)) " cells/s" }
                    li { (count(tokens as u64)) " tokens/s" }
                }
                li { (manifest.device) }
            }
        } }
    }
}

/// Cells and tokens a second, looks at the validation cells counted in.
fn rates(data: &PretrainData) -> Option<(f64, f64)> {
    let (last, seconds) = (data.losses.last()?, data.seconds().filter(|it| *it > 0.0)?);
    Some((last.cells as f64 / seconds, last.tokens as f64 / seconds))
}

/// The rows of the part that nothing was chosen by, if there is one.
fn judged<'a>(data: &'a PretrainData, condition: &str) -> Vec<&'a HeldOutRow> {
    let part = if data.held_out.iter().any(|it| it.part == "held_out") { "held_out" } else { "validation" };
    data.held_out.iter().filter(|it| it.part == part && it.condition == condition && it.n > 0).collect()
}

fn answer(data: &PretrainData) -> Markup {
    let rows = judged(data, "masked");
    let of = |category: &str, method: &str| {
        rows.iter().find(|it| it.category == category && it.method == method).and_then(|it| it.accuracy)
    };
    let best = data.best();
    html! {
        h2 id="answer" { "Answer" }
        div.answer {
            @if let (Some(first), Some(best)) = (data.losses.first(), best) {
                p { "The validation loss fell to " b { (maybe(best.validation_loss)) } " nats at step " (best.step) "; the training loss began at " (sig3(first.train_loss)) "." }
            } @else if let (Some(first), Some(last)) = (data.losses.first(), data.losses.last()) {
                p { "The training loss went from " (sig3(first.train_loss)) " to " b { (sig3(last.train_loss)) } " nats." }
            } @else { p { "There is no loss yet." } }
            @for it in rows.iter().filter(|it| it.method == "model") {
                @if let (Some(model), Some(majority)) = (it.accuracy, of(&it.category, "majority")) {
                    p {
                        b { (it.category.replace('_', " ")) } ", all phenotypes hidden, cells never learnt from: "
                        b { (percent(model)) } " right of " (it.n_classes) " values; always the commonest value: " (percent(majority)) "."
                    }
                }
            }
            @if let Some(it) = data.fact("ended by") { p { "Training ended by: " (it) "." } }
        }
        @if !data.held_out.is_empty() && !data.held_out.iter().any(|it| it.part == "held_out") {
            p.note { "No cells were held out: the shares are those of the validation cells, by which the network was chosen." }
        } @else if data.config.contains("[data.held_out]") && !data.config.contains("[data.validation]") {
            p.note { "The held-out cells also decided when to stop: for a share that nothing was chosen by, name [data.validation]." }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn points(rows: &[LossRow], value: impl Fn(&LossRow) -> Option<f64>) -> Vec<(f64, f64)> {
    rows.iter().filter_map(|it| value(it).map(|value| (it.step as f64, value))).collect()
}

fn losses(data: &PretrainData, files: &mut Files) -> Markup {
    if data.losses.is_empty() {
        return html! {};
    }
    let train = points(&data.losses, |it| Some(it.train_loss));
    let validation = points(&data.losses, |it| it.validation_loss);
    let reach = (train.len() / 40).clamp(1, 25);
    let best = data.best().and_then(|it| Some((it.step as f64, it.validation_loss?)));
    let draw = |size: [f64; 2]| {
        let mut lines = vec![
            Line { label: "training, steps".into(), class: "kx", points: train.clone() },
            Line { label: "training, mean".into(), class: "k0", points: smooth(&train, reach) },
        ];
        if !validation.is_empty() {
            lines.push(Line { label: "validation".into(), class: "k1", points: validation.clone() });
        }
        over_steps(&lines, "loss (nats)", best, size, "training and validation loss over steps")
    };
    let caption = html! {
        "Loss over steps: mean cross-entropy of masked genes plus the mean over phenotypes of theirs, in nats. "
        "The running mean is over " (2 * reach + 1) " steps. Validation cells have the same masks at every look, and no dropout."
    };
    html! {
        h2 id="losses" { "Losses" }
        (swap("losses", &draw([760.0, 300.0]), &draw([380.0, 240.0]), &caption, files))
    }
}

fn by_slot(data: &PretrainData, files: &mut Files) -> Markup {
    let names = data.slot_names();
    let part = if data.slots.iter().any(|it| it.part == "validation") { "validation" } else { "train" };
    let classes = ["k0", "k1", "k2", "k3", "k4"];
    let lines = |value: &dyn Fn(&super::schema::SlotLossRow) -> Option<f64>| -> Vec<Line> {
        let one = |(at, name): (usize, &&str)| {
            let rows = data.slots.iter().filter(|it| it.part == part && it.slot == **name);
            let points: Vec<(f64, f64)> =
                rows.filter_map(|it| value(it).map(|value| (it.step as f64, value))).collect();
            let points = if part == "train" { smooth(&points, 5) } else { points };
            Line { label: slot_label(name), class: classes[at % classes.len()], points }
        };
        names.iter().enumerate().map(one).filter(|it| !it.points.is_empty()).collect()
    };
    let loss = lines(&|it| it.loss);
    if loss.is_empty() {
        return html! {};
    }
    let right = lines(&|it| it.accuracy);
    let size = [[760.0, 240.0], [380.0, 220.0]];
    let draw = |lines: &[Line], axis: &str, label: &str| size.map(|it| over_steps(lines, axis, None, it, label));
    let [wide, narrow] = draw(&loss, "cross-entropy (nats)", "loss of each category over steps");
    let caption = html! { "Cross-entropy by category on " (part) " cells: phenotypes over their own values, genes over the bins." };
    html! {
        (swap("losses_by_slot", &wide, &narrow, &caption, files))
        @if !right.is_empty() {
            @let [wide, narrow] = draw(&right, "share right", "share of right answers of each category over steps");
            @let caption = html! { "Share of masked " (part) " tokens whose best score is right. Phenotypes are masked one by one here, so that others are often seen." };
            (swap("accuracy_by_slot", &wide, &narrow, &caption, files))
        }
    }
}

fn slot_label(name: &str) -> String {
    if name == "bins" { "genes (bins)".to_owned() } else { name.replace('_', " ") }
}

/// A figure in two layouts, kept as a file too.
fn swap(name: &str, wide: &Figure, narrow: &Figure, caption: &Markup, files: &mut Files) -> Markup {
    files.push((name.to_owned(), standalone(wide)));
    html! {
        figure.swap {
            (PreEscaped(wide.inline("wide swap"))) (PreEscaped(narrow.inline("narrow")))
            figcaption { (caption) }
        }
    }
}

fn held_out(data: &PretrainData) -> Markup {
    if data.held_out.is_empty() {
        return html! {};
    }
    let number =
        |it: Option<f64>| html! { td.n data-v=(it.map_or_else(String::new, |it| it.to_string())) { (maybe(it)) } };
    let share = |it: Option<f64>| html! { td.n data-v=(it.map_or_else(String::new, |it| it.to_string())) { (it.map_or_else(|| "–".to_owned(), percent)) } };
    html! {
        h2 id="cells" { "Cells it never learnt from" }
        p { "The network that is kept, the commonest value of the training cells, and the commonest value among training cells with the same other phenotypes. Where the others are masked or dropped, the last has nothing to go by and is the second." }
        div.scroll.tall[data.held_out.len() > 16] tabindex="0" role="region" aria-label="Held-out cells" {
            table.sortable.tight id="held-out" {
                thead { tr {
                    th scope="col" { "Cells" } th scope="col" { "Phenotype" } th scope="col" { "Others" } th scope="col" { "Method" }
                    th.n scope="col" { "n" } th.n scope="col" { "Values" } th.n scope="col" { "Right" }
                    th.n scope="col" { "Balanced" } th.n scope="col" { "−ln p (nats)" }
                } }
                tbody {
                    @for it in data.held_out.iter().filter(|it| it.n > 0) {
                        tr {
                            td.nowrap { (it.part.replace('_', "-")) } td.nowrap { (it.category.replace('_', " ")) }
                            td { (it.condition) } td.nowrap { (it.method) }
                            td.n data-v=(it.n) { (count(it.n.unsigned_abs())) } td.n { (it.n_classes) }
                            (share(it.accuracy)) (share(it.balanced_accuracy)) (number(it.log_loss))
                        }
                    }
                }
            }
        }
        p.note { "Balanced: mean over the values that occur of the share of their cells that is right. Cells whose value no training cell has are left out. Probabilities below one in a million count as that." }
    }
}

fn facts(data: &PretrainData) -> Markup {
    let shown = [
        (
            "architecture",
            data.config
                .lines()
                .find_map(|it| it.strip_prefix("kind = ").filter(|it| !it.contains("pretrain")))
                .map(|it| it.trim_matches('"')),
        ),
        ("genes in the vocabulary", data.fact("genes")),
        ("value ids", data.fact("value ids")),
        ("type ids", data.fact("type ids")),
        ("parameters", data.fact("parameters")),
        ("best step", data.fact("best step")),
        ("floating-point operations, about", data.fact("operations")),
        ("precision", data.fact("precision")),
        ("cells without tokens", data.fact("cells without tokens")),
    ];
    let manifest = &data.manifest;
    html! {
        h2 id="data" { "Data and network" }
        div.scroll tabindex="0" role="region" aria-label="Inputs" { table.tight {
            thead { tr { th scope="col" { "Input" } th.n scope="col" { "Cells" } th.n scope="col" { "Features" } th scope="col" { "SHA-256" } } }
            tbody { @for it in &manifest.inputs { tr {
                td.nowrap title=(it.path) { (it.path.rsplit('/').next().unwrap_or(&it.path)) }
                td.n { (count(it.n_obs)) } td.n { (count(it.n_vars)) } td.mono { (it.sha256.chars().take(12).collect::<String>()) }
            } } }
        } }
        div.scroll tabindex="0" role="region" aria-label="Cells by use" { table.tight {
            thead { tr { th scope="col" { "Used for" } th.n scope="col" { "Cells" } th.n scope="col" { "Tokens" } } }
            tbody { @for it in &data.corpus { tr {
                td { (it.part.replace('_', "-")) } td.n { (count(it.cells.unsigned_abs())) } td.n { (count(it.tokens.unsigned_abs())) }
            } } }
        } }
        dl { @for (name, value) in shown { @if let Some(it) = value { dt { (name) } dd { (it) } } }
            @if let Some(it) = data.seconds() { dt { "time of training" } dd { (format!("{:.1} minutes", it / 60.0)) } }
            @if let Some(it) = manifest.peak_memory_bytes { dt { "peak memory" } dd { (count(it >> 20)) " MiB" } }
        }
    }
}

fn reproduce(data: &PretrainData) -> Markup {
    let manifest = &data.manifest;
    html! {
        h2 id="reproduce" { "Reproduce" }
        p { "cargo xtask pretrain " (manifest.experiment) ".toml, with the configuration below (SHA-256 " span.mono { (manifest.config_hash.chars().take(12).collect::<String>()) } ")." }
        details { summary { "Configuration, every default written out" } pre { (data.config) } }
    }
}
