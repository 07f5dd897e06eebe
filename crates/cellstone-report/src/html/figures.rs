//! From tables to figures: which rows each figure shows, in which order, under which words.

use super::data::{ReportData, Role, axis_title, lower_is_better, metric_name};
use crate::fmt::{interval, percent, sig3, signed, slug};
use crate::schema::{CurveRow, EffectRow, MetricRow, SummaryRow};
use crate::svg::{self, Curve, Figure, Forest, ForestRow, GapPanel, GapRow, Layout, Line, Point, Ranks, Scatter};
use std::collections::BTreeMap;

/// Panels of one gap figure.
const PANELS: usize = 4;

/// A figure in one layout for every width, or in two.
pub(crate) struct Drawn {
    /// File stem.
    pub(crate) name: String,
    pub(crate) wide: Figure,
    /// Its layouts for a phone, stacked; empty if the one figure serves both.
    pub(crate) narrow: Vec<Figure>,
}

/// The forest plot of a metric.
pub(crate) fn forest(data: &ReportData, context: &str, metric: &MetricRow) -> Option<Drawn> {
    let rows: Vec<ForestRow> =
        data.ordered(context, metric).into_iter().map(|it| forest_row(data, context, metric, it)).collect();
    if rows.is_empty() {
        return None;
    }
    let (floor, ceiling) = data.floor_and_ceiling(context, &metric.metric);
    let floor_name = data.floor_method(context, &metric.metric);
    let floor_name =
        floor_name.map_or_else(|| "uninformative".to_owned(), |it| data.method_name(&it.method).to_owned());
    let lower_is_better = lower_is_better(metric);
    let plot = Forest { axis: axis_title(metric), rows, floor, floor_name, ceiling, lower_is_better };
    Some(Drawn {
        name: format!("{}-forest-{}", data.context_id(context), slug(&metric.metric)),
        wide: svg::forest(&plot, Layout::Wide),
        narrow: vec![svg::forest(&plot, Layout::Narrow)],
    })
}

fn forest_row(data: &ReportData, context: &str, metric: &MetricRow, row: &SummaryRow) -> ForestRow {
    let label = data.method_name(&row.method).to_owned();
    let role = data.role(&row.method).as_str();
    let title = match row.mean {
        Some(mean) => format!(
            "{label} ({role}): {} {}, {} of {} scores defined",
            sig3(mean),
            interval(row.ci_lo, row.ci_hi),
            row.n_defined,
            row.n_total
        ),
        None => format!("{label} ({role}): {}", data.why_undefined(context, &metric.metric, &row.method)),
    };
    ForestRow { label, role, mean: row.mean, lo: row.ci_lo, hi: row.ci_hi, gap: row.gap_closed, title }
}

/// Gap closed on the headline metrics, at most four to a figure.
pub(crate) fn gaps(data: &ReportData, context: &str) -> Vec<Drawn> {
    let with_gap = |it: &&MetricRow| data.ordered(context, it).iter().any(|it| it.gap_closed.is_some());
    let metrics: Vec<&MetricRow> = data.headlines(context).into_iter().filter(with_gap).collect();
    let Some(first) = metrics.first() else { return Vec::new() };
    let order: Vec<&str> = data.ordered(context, first).into_iter().map(|it| it.method.as_str()).collect();
    let panel = |metrics: &[&MetricRow]| GapPanel {
        metrics: metrics.iter().map(|it| metric_name(it).to_owned()).collect(),
        rows: order.iter().map(|it| gap_row(data, context, metrics, it)).collect(),
    };
    let figure = |(at, metrics): (usize, &[&MetricRow])| Drawn {
        name: format!("{}-gap-{}", data.context_id(context), at + 1),
        wide: svg::gap_panels(&panel(metrics), Layout::Wide),
        narrow: metrics.iter().map(|it| svg::gap_panels(&panel(&[it]), Layout::Narrow)).collect(),
    };
    metrics.chunks(PANELS).enumerate().map(figure).collect()
}

fn gap_row(data: &ReportData, context: &str, metrics: &[&MetricRow], method: &str) -> GapRow {
    let value = |it: &&MetricRow| {
        let row = data.cell(super::data::FULL, context, &it.metric, method)?;
        row.gap_closed.map(|gap| (gap, row.gap_lo, row.gap_hi))
    };
    GapRow {
        label: data.method_name(method).to_owned(),
        role: data.role(method).as_str(),
        values: metrics.iter().map(value).collect(),
    }
}

/// Best method against floor, and both against the size of the effect, for a metric.
pub(crate) fn scatters(data: &ReportData, context: &str, metric: &MetricRow) -> Vec<Drawn> {
    let Some(best) = data.best(context, metric) else { return Vec::new() };
    let best_name = data.method_name(&best.method).to_owned();
    let scores = data.per_perturbation(context, &metric.metric, &best.method);
    let floor = data.floor_method(context, &metric.metric);
    let floor_name = floor.map_or_else(|| "floor".to_owned(), |it| data.method_name(&it.method).to_owned());
    let floors = floor.map_or_else(BTreeMap::new, |it| data.per_perturbation(context, &metric.metric, &it.method));
    let pair = Pair { metric, best: &best_name, floor: &floor_name, scores: &scores, floors: &floors };
    let effects: Vec<&EffectRow> = data.effects.iter().filter(|it| it.context == context).collect();
    let name = |kind: &str| format!("{}-{kind}-{}", data.context_id(context), slug(&metric.metric));
    let one = |kind: &str, figure: Figure| Drawn { name: name(kind), wide: figure, narrow: Vec::new() };
    let against = against_floor(&pair).map(|it| one("scatter", it));
    let effect = against_effect(&pair, &effects).map(|it| one("effect", it));
    against.into_iter().chain(effect).collect()
}

struct Pair<'a> {
    metric: &'a MetricRow,
    best: &'a str,
    floor: &'a str,
    scores: &'a BTreeMap<&'a str, f64>,
    floors: &'a BTreeMap<&'a str, f64>,
}

impl Pair<'_> {
    /// How much better than the floor, positive is better.
    fn gain(&self, perturbation: &str) -> Option<f64> {
        let (score, floor) = (self.scores.get(perturbation)?, self.floors.get(perturbation)?);
        Some(if lower_is_better(self.metric) { floor - score } else { score - floor })
    }

    fn class(&self, perturbation: &str) -> &'static str {
        match self.gain(perturbation) {
            Some(it) if it > 0.0 => "p-better",
            Some(it) if it < 0.0 => "p-worse",
            _ => "p-same",
        }
    }

    fn title(&self, perturbation: &str) -> String {
        let score = self.scores.get(perturbation).map_or_else(|| "–".to_owned(), |it| sig3(*it));
        let floor = self.floors.get(perturbation).map_or_else(|| "–".to_owned(), |it| sig3(*it));
        format!("{perturbation}: {} {score}, {} {floor}", self.best, self.floor)
    }
}

fn against_floor(pair: &Pair<'_>) -> Option<Figure> {
    let point = |(key, x): (&&str, &f64)| {
        let y = pair.scores.get(key)?;
        Some(Point { x: *x, y: *y, class: pair.class(key), title: pair.title(key) })
    };
    let points: Vec<Point> = pair.floors.iter().filter_map(point).collect();
    if points.len() < 2 {
        return None;
    }
    let better = points.iter().filter(|it| it.class == "p-better").count();
    let worse = points.iter().filter(|it| it.class == "p-worse").count();
    let below_is_better = lower_is_better(pair.metric);
    let (up, down) = if below_is_better { (worse, better) } else { (better, worse) };
    let word = |is_better: bool| if is_better { "better" } else { "worse" };
    Some(svg::scatter(&Scatter {
        label: format!("{} of each perturbation: {} against {}", metric_name(pair.metric), pair.best, pair.floor),
        x_axis: format!("{} of {} (floor)", metric_name(pair.metric), pair.floor),
        y_axis: format!("{} of {}", metric_name(pair.metric), pair.best),
        points,
        line: Line::Diagonal { below_is_better },
        log_x: false,
        sides: (format!("{up} {}", word(!below_is_better)), format!("{down} {}", word(below_is_better))),
    }))
}

fn against_effect(pair: &Pair<'_>, effects: &[&EffectRow]) -> Option<Figure> {
    // Without a floor score per perturbation the score itself is shown.
    let has_gain = effects.iter().any(|it| pair.gain(&it.perturbation).is_some());
    let point = |it: &&EffectRow| {
        let key = it.perturbation.as_str();
        let y = if has_gain { pair.gain(key)? } else { *pair.scores.get(key)? };
        let shown = if has_gain { format!("gain {}; ", signed(y)) } else { String::new() };
        let title = format!("{}; {shown}effect {}, {} cells", pair.title(key), sig3(it.delta_norm), it.n_cells);
        Some(Point { x: it.delta_norm, y, class: if has_gain { pair.class(key) } else { "p-same" }, title })
    };
    let points: Vec<Point> = effects.iter().filter_map(point).collect();
    if points.len() < 2 {
        return None;
    }
    let name = metric_name(pair.metric);
    let y_axis = if has_gain { format!("gain in {name} over the floor") } else { format!("{name} of {}", pair.best) };
    let sides = if has_gain { ("better than the floor", "worse") } else { ("", "") };
    Some(svg::scatter(&Scatter {
        label: format!("{y_axis} of {} against effect size", pair.best),
        x_axis: "effect size ‖delta‖, log1p scale".to_owned(),
        y_axis,
        points,
        line: if has_gain { Line::Zero } else { Line::None },
        log_x: true,
        sides: (sides.0.to_owned(), sides.1.to_owned()),
    }))
}

/// The stratified error curves of a context, relative to the floor's where it has one.
pub(crate) fn curves(data: &ReportData, context: &str) -> Vec<Drawn> {
    let kinds = [
        ("strat_expr", "genes included, highest in control first", "Stratified by expression"),
        ("strat_de", "genes included, strongest effect first", "Stratified by effect"),
    ];
    let draw = |(kind, x_axis, label): (&str, &str, &str)| {
        let rows: Vec<&CurveRow> = data.curves.iter().filter(|it| it.context == context && it.kind == kind).collect();
        let figure = curve_figure(data, context, &rows, x_axis, label)?;
        Some(Drawn { name: format!("{}-{}", data.context_id(context), slug(kind)), wide: figure, narrow: Vec::new() })
    };
    kinds.into_iter().filter_map(draw).collect()
}

fn curve_figure(data: &ReportData, context: &str, rows: &[&CurveRow], x_axis: &str, label: &str) -> Option<Figure> {
    if rows.is_empty() {
        return None;
    }
    let metric = *data.headlines(context).first()?;
    let floor = data.floor_method(context, &metric.metric).map(|it| it.method.clone());
    let of = |method: &str| -> BTreeMap<i64, &CurveRow> {
        rows.iter().filter(|it| it.method == method).map(|it| (it.rank, *it)).collect()
    };
    let base = floor.as_deref().map(of).unwrap_or_default();
    let relative = !base.is_empty() && rows.iter().all(|it| base.get(&it.rank).is_some_and(|it| it.value > 0.0));
    let mut ids: Vec<&str> = data.ordered(context, metric).into_iter().map(|it| it.method.as_str()).collect();
    let listed: Vec<&str> = data.methods().iter().map(|it| it.method.as_str()).filter(|it| !ids.contains(it)).collect();
    ids.extend(listed);
    let mut n_named = 0;
    let mut lines = Vec::new();
    for id in ids {
        let own = of(id);
        if own.is_empty() {
            continue;
        }
        let is_floor = floor.as_deref() == Some(id);
        let competes = data.role(id).competes();
        let class = match (is_floor, competes) {
            (true, _) => "kf",
            (_, true) => ["k0", "k1", "k2", "k3", "k4", "kx"][n_named.min(5)],
            _ => "kx",
        };
        n_named += usize::from(competes && !is_floor);
        let scale = |rank: i64| if relative { base[&rank].value } else { 1.0 };
        // The spread over perturbations is no interval of a ratio, and a band for each line would hide them all.
        let band = |it: &CurveRow| if relative { None } else { it.se.map(|se| 1.96 * se) };
        let points = own
            .values()
            .map(|it| (it.rank as f64, it.value / scale(it.rank), (class == "k0").then(|| band(it)).flatten()));
        let suffix = if is_floor { " (floor)" } else { "" };
        lines.push(Curve { label: format!("{}{suffix}", data.method_name(id)), class, points: points.collect() });
    }
    let y_axis = if relative { "L2 error ÷ error of the floor" } else { "L2 error" };
    Some(svg::curves(&lines, x_axis, y_axis, &format!("{label}: {y_axis}")))
}

/// The rank plot of a metric.
pub(crate) fn ranks(data: &ReportData, context: &str, metric: &MetricRow) -> Option<Drawn> {
    let rows = || data.ranks.iter().filter(|it| it.context == context && it.metric == metric.metric);
    let mut plotted: Vec<_> = rows()
        .map(|it| (data.method_name(&it.method).to_owned(), data.role(&it.method).as_str(), it.mean_rank))
        .collect();
    if plotted.len() < 2 {
        return None;
    }
    plotted.sort_by(|a, b| a.2.total_cmp(&b.2));
    let plot = Ranks { rows: plotted, critical_difference: rows().find_map(|it| it.critical_difference) };
    Some(Drawn {
        name: format!("{}-ranks-{}", data.context_id(context), slug(&metric.metric)),
        wide: svg::ranks(&plot, Layout::Wide),
        narrow: vec![svg::ranks(&plot, Layout::Narrow)],
    })
}

/// Which roles a context's methods have, in order: the legend.
pub(crate) fn roles(data: &ReportData, context: &str) -> Vec<Role> {
    let present = data.summary.iter().filter(|it| it.context == context).map(|it| data.role(&it.method));
    let mut roles: Vec<Role> = present.collect();
    roles.sort();
    roles.dedup();
    roles
}

/// The colour step of a gap closed, `g-3` to `g3`, for heat cells.
pub(crate) fn heat_class(gap: Option<f64>) -> &'static str {
    match gap {
        None => "gn",
        Some(it) if it <= -0.5 => "h-3",
        Some(it) if it <= -0.2 => "h-2",
        Some(it) if it < -0.02 => "h-1",
        Some(it) if it <= 0.02 => "h0",
        Some(it) if it < 0.2 => "h1",
        Some(it) if it < 0.4 => "h2",
        Some(it) if it < 0.6 => "h3",
        Some(it) if it < 0.8 => "h4",
        Some(_) => "h5",
    }
}

/// Gap closed with its interval, for tooltips.
pub(crate) fn gap_text(row: &SummaryRow) -> String {
    let Some(gap) = row.gap_closed else { return "gap closed not defined".to_owned() };
    let ci = row.gap_lo.zip(row.gap_hi);
    let ci = ci.map_or_else(String::new, |(lo, hi)| format!(" [{} to {}]", percent(lo), percent(hi)));
    format!("closes {}{ci} of the gap", percent(gap))
}
