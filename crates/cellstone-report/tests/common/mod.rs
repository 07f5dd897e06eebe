//! A synthetic run with planted differences: what the tests and the example render.

use cellstone_report::schema::{
    CoverageRow, CurveRow, EffectRow, FitRow, MethodRow, MetricRow, NoteRow, PairRow, RankRow, ScoreRow, SplitRow,
    SummaryRow,
};
use cellstone_report::{GeneCoverage, InputRecord, Manifest, PhaseTime, RunDir, RunStatus, write_table};
use std::path::Path;

/// Size and shape of a synthetic run.
pub(crate) struct Plan {
    pub(crate) methods: Vec<(&'static str, &'static str, &'static str, f64)>,
    pub(crate) contexts: Vec<&'static str>,
    pub(crate) metrics: Vec<(&'static str, &'static str, bool, bool)>,
    pub(crate) n_perturbations: usize,
    pub(crate) curves: bool,
}

/// Id, name, role, skill: the share of the gap that is closed.
const METHODS: [(&str, &str, &str, f64); 12] = [
    ("no_change", "No change", "floor", 0.0),
    ("mean_pb", "Mean over perturbations", "floor", 0.08),
    ("additive", "Additive", "baseline", 0.55),
    ("additive_shrunk", "Additive, shrunk", "baseline", 0.61),
    ("linear_published", "Linear G W Pᵀ + b, as published", "baseline", 0.30),
    ("linear_joint", "Linear G W Pᵀ + b, exact joint form, λ and K chosen inside", "baseline", 0.42),
    ("knn_go", "kNN on GO embedding", "baseline", 0.20),
    ("ridge_pca", "Ridge on PCA", "baseline", 0.36),
    ("kernel_ridge", "Kernel ridge", "baseline", 0.33),
    ("rank_mlm", "Rank MLM <pretrained> & tuned", "model", 0.18),
    ("graph_net", "Graph network", "model", -0.35),
    ("oracle_cells", "Oracle on half of the cells", "oracle", 0.93),
];

/// Id, name, higher is better, headline.
const METRICS: [(&str, &str, bool, bool); 12] = [
    ("l2_top1000", "L2, top 1000 genes", false, true),
    ("pearson_delta", "Pearson delta", true, true),
    ("pds_v2_cosine", "Discrimination, cosine", true, true),
    ("wmse", "Weighted MSE", false, true),
    ("rmse", "RMSE", false, false),
    ("mae", "MAE", false, false),
    ("pearson_raw", "Pearson, raw", true, false),
    ("pearson_delta_pert", "Pearson delta against perturbed mean", true, false),
    ("cosine_delta", "Cosine delta", true, false),
    ("weighted_r2_delta", "Weighted R² delta", true, false),
    ("centroid_accuracy", "Centroid accuracy", true, false),
    ("mse_topk_20", "mse_topk_20", false, false),
];

impl Default for Plan {
    fn default() -> Self {
        Self {
            methods: METHODS.to_vec(),
            contexts: vec!["K562", "RPE1"],
            metrics: METRICS.to_vec(),
            n_perturbations: 60,
            curves: true,
        }
    }
}

/// A number in [0, 1) that depends on its key alone.
fn noise(key: &str) -> f64 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1u64 << 53) as f64
}

fn centered(key: &str) -> f64 {
    noise(key) + noise(&format!("{key}/2")) + noise(&format!("{key}/3")) - 1.5
}

fn perturbation(at: usize) -> String {
    const GENES: [&str; 12] =
        ["KLF1", "CEBPA", "GATA1", "SPI1", "TP53", "MYC", "JUN", "FOSB", "IRF1", "SET", "BAK1", "EGR1"];
    if at < GENES.len() { GENES[at].to_owned() } else { format!("{}+{}", GENES[at % 12], GENES[(at / 12 + at) % 11]) }
}

impl Plan {
    fn skill(&self, method: usize, context: usize) -> f64 {
        let skill = self.methods[method].3;
        if skill > 0.0 { skill * (1.0 - 0.25 * context as f64) } else { skill }
    }

    fn effect(context: &str, at: usize) -> f64 {
        (0.4 + 6.0 * noise(&format!("{context}{at}")).powi(3)) * 2.0
    }

    fn value(&self, context: usize, metric: usize, method: usize, at: usize, split: usize) -> Option<f64> {
        let (id, _, higher, _) = self.metrics[metric];
        // No change has no delta, so correlations with it are not defined.
        if self.methods[method].0 == "no_change" && id.contains("delta") {
            return None;
        }
        let name = self.contexts[context];
        let effect = Self::effect(name, at);
        let key = format!("{name}{id}{}{at}", self.methods[method].0);
        let skill = self.skill(method, context) + 0.22 * centered(&key) + 0.03 * centered(&format!("{key}{split}"));
        Some(if higher { (0.95 * skill).clamp(-1.0, 0.99) } else { effect * (1.0 - 0.8 * skill).max(0.02) + 0.3 })
    }
}

/// Writes the whole run and returns it.
pub(crate) fn write_run(base: &Path, plan: &Plan) -> RunDir {
    let run = RunDir::create(base, "norman_doubles", "20261121T133000Z", "0a1b2c3d").expect("run folder");
    let mut manifest = manifest();
    run.write_manifest(&manifest).expect("manifest");
    run.write_config(CONFIG).expect("config");
    write_tables(&run, plan);
    manifest.status = RunStatus::Complete;
    manifest.ended = Some("20261121T133112Z".into());
    manifest.exit_code = Some(0);
    run.write_manifest(&manifest).expect("manifest");
    run
}

const CONFIG: &str = "schema = 1\nid = \"norman_doubles\"\nquestion = \"Do published models predict the transcriptome after two perturbations better than adding up the two single shifts?\"\nseeds = [1, 2, 3]\n\n[data]\npath = \"norman.h5ad\"   # <b>not bold</b>\n";

fn manifest() -> Manifest {
    Manifest {
        experiment: "norman_doubles".into(),
        question: "Do published models predict the transcriptome after two perturbations better than adding up the two single shifts?".into(),
        config_hash: "0a1b2c3d".repeat(8),
        git_revision: Some("0123456789abcdef0123456789abcdef01234567".into()),
        git_dirty: Some(true),
        versions: [("cellstone-report".to_owned(), "0.1.0".to_owned())].into(),
        device: "CPU (flex)".into(),
        threads: 2,
        seeds: vec![1, 2, 3],
        inputs: vec![InputRecord {
            path: "../shared/data/norman.h5ad".into(), sha256: "9f86d081884c7d65".repeat(4), n_obs: 84_986, n_vars: 19_264, role: "data".into(),
        }],
        gene_coverage: Some(GeneCoverage { n_genes: 19_264, n_used: 8_907, by_resource: [("GO embedding".to_owned(), 7_012)].into() }),
        started: "20261121T133000Z".into(),
        peak_memory_bytes: Some(1_900_000_000),
        phases: vec![PhaseTime { name: "read".into(), seconds: 12.31 }, PhaseTime { name: "fit".into(), seconds: 48.2 }],
        ..Manifest::default()
    }
}

fn write_tables(run: &RunDir, plan: &Plan) {
    let dir = run.tables_dir();
    let mut tables = std::collections::BTreeMap::new();
    macro_rules! put {
        ($name:literal, $rows:expr) => {
            let written = write_table(&dir, $name, &$rows).expect($name);
            tables.insert(format!("{}.parquet", $name), written.sha256);
        };
    }
    put!("methods", methods(plan));
    put!("metrics", metrics(plan));
    put!("scores", scores(plan));
    put!("summary", summary(plan));
    put!("pairs", pairs(plan));
    put!("ranks", ranks(plan));
    put!("effects", effects(plan));
    put!("fits", fits());
    put!("splits", splits(plan));
    put!("coverage", coverage(plan));
    put!("notes", notes());
    if plan.curves {
        put!("curves", curves(plan));
    }
    run.mark_stage("score", &tables).expect("stage");
}

fn methods(plan: &Plan) -> Vec<MethodRow> {
    let row = |it: &(&str, &str, &str, f64)| MethodRow {
        method: it.0.into(),
        name: it.1.into(),
        role: it.2.into(),
        summary: "Predicts the profile of a perturbation from the training conditions.".into(),
        source: "doi:10.1000/example".into(),
    };
    plan.methods.iter().map(row).collect()
}

fn metrics(plan: &Plan) -> Vec<MetricRow> {
    let row = |it: &(&str, &str, bool, bool)| MetricRow {
        metric: it.0.into(),
        name: it.1.into(),
        unit: if it.2 { "" } else { "log1p" }.into(),
        direction: if it.2 { "higher_is_better" } else { "lower_is_better" }.into(),
        formula: "√Σ (ŷ − y)² over the genes in use".into(),
        source: "perturbation-metrics, M1".into(),
        genes: "top1000_ctrl".into(),
        mask: "none".into(),
        headline: it.3,
        best: if it.2 { 1.0 } else { 0.0 },
    };
    plan.metrics.iter().map(row).collect()
}

fn each(plan: &Plan) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
    let (n_metrics, n_methods) = (plan.metrics.len(), plan.methods.len());
    (0..plan.contexts.len()).flat_map(move |c| (0..n_metrics).flat_map(move |k| (0..n_methods).map(move |m| (c, k, m))))
}

fn scores(plan: &Plan) -> Vec<ScoreRow> {
    let mut rows = Vec::new();
    for (c, k, m) in each(plan) {
        for at in 0..plan.n_perturbations {
            for split in 0..2 {
                let value = plan.value(c, k, m, at, split);
                rows.push(ScoreRow {
                    method: plan.methods[m].0.into(),
                    split: format!("fold_{split}"),
                    seed: 1,
                    context: plan.contexts[c].into(),
                    perturbation: perturbation(at),
                    metric: plan.metrics[k].0.into(),
                    value,
                    status: if value.is_some() { "ok" } else { "undefined" }.into(),
                    reason: value.is_none().then(|| "constant vector".to_owned()),
                });
            }
        }
    }
    rows
}

fn per_perturbation(plan: &Plan, c: usize, k: usize, m: usize) -> Vec<f64> {
    let value = |at| Some(f64::midpoint(plan.value(c, k, m, at, 0)?, plan.value(c, k, m, at, 1)?));
    (0..plan.n_perturbations).filter_map(value).collect()
}

fn mean_and_half(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let var = values.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (!values.is_empty()).then(|| (mean, 1.96 * (var / n).sqrt()))
}

/// Floor and ceiling of a metric: no change where it is defined, else the mean over perturbations.
fn frame(plan: &Plan, c: usize, k: usize) -> (f64, f64) {
    let floor = (0..plan.methods.len())
        .filter(|m| plan.methods[*m].2 == "floor")
        .find_map(|m| mean_and_half(&per_perturbation(plan, c, k, m)))
        .map_or(1.0, |it| it.0);
    (floor, if plan.metrics[k].2 { 0.96 } else { floor * 0.22 })
}

fn summary(plan: &Plan) -> Vec<SummaryRow> {
    let mut rows = Vec::new();
    for set in ["full", "common"] {
        for (c, k, m) in each(plan) {
            let mut values = per_perturbation(plan, c, k, m);
            let (floor, ceiling) = frame(plan, c, k);
            let stats = mean_and_half(&values);
            values.sort_by(f64::total_cmp);
            let quantile = |q: f64| (!values.is_empty()).then(|| values[(q * (values.len() - 1) as f64) as usize]);
            let gap = |it: f64| (floor - it) / (floor - ceiling);
            let (a, b) = (stats.map(|it| gap(it.0 - it.1)), stats.map(|it| gap(it.0 + it.1)));
            let n = 2 * plan.n_perturbations as i64;
            rows.push(SummaryRow {
                set: set.into(),
                context: plan.contexts[c].into(),
                method: plan.methods[m].0.into(),
                metric: plan.metrics[k].0.into(),
                mean: stats.map(|it| it.0),
                median: quantile(0.5),
                q10: quantile(0.1),
                q90: quantile(0.9),
                ci_lo: stats.map(|it| it.0 - it.1),
                ci_hi: stats.map(|it| it.0 + it.1),
                n_defined: 2 * values.len() as i64,
                n_total: n,
                n_native: if m == 6 { n - 14 } else { n },
                floor: Some(floor),
                ceiling: Some(ceiling),
                gap_closed: stats.map(|it| gap(it.0)),
                gap_lo: a.zip(b).map(|(a, b)| a.min(b)),
                gap_hi: a.zip(b).map(|(a, b)| a.max(b)),
                drf: Some(if plan.metrics[k].0 == "wmse" { 0.04 } else { 0.71 }),
                mean_rank: stats.map(|_| 1.0 + m as f64 * 0.7),
            });
        }
    }
    rows
}

fn pairs(plan: &Plan) -> Vec<PairRow> {
    let mut rows = Vec::new();
    for set in ["full", "common"] {
        for (c, k, m) in each(plan) {
            for reference in ["no_change", "additive"] {
                let Some(r) = plan.methods.iter().position(|it| it.0 == reference).filter(|it| *it != m) else {
                    continue;
                };
                rows.push(pair(plan, set, (c, k, m, r)));
            }
        }
    }
    rows
}

fn pair(plan: &Plan, set: &str, (c, k, m, r): (usize, usize, usize, usize)) -> PairRow {
    let diffs: Vec<f64> =
        per_perturbation(plan, c, k, m).iter().zip(per_perturbation(plan, c, k, r)).map(|(a, b)| a - b).collect();
    let stats = mean_and_half(&diffs);
    let decided = stats.is_some_and(|it| it.0.abs() > it.1);
    let sign = if plan.metrics[k].2 { 1.0 } else { -1.0 };
    let wins = diffs.iter().filter(|it| **it * sign > 0.0).count() as f64 / diffs.len().max(1) as f64;
    let verdict = match stats {
        Some(it) if decided && it.0 * sign > 0.0 => "better",
        Some(_) if decided => "worse",
        Some(_) => "not told apart",
        None => "undefined",
    };
    let some = |it: f64| stats.map(|_| it);
    PairRow {
        set: set.into(),
        context: plan.contexts[c].into(),
        metric: plan.metrics[k].0.into(),
        method: plan.methods[m].0.into(),
        reference: plan.methods[r].0.into(),
        diff: stats.map(|it| it.0),
        ci_lo: stats.map(|it| it.0 - it.1),
        ci_hi: stats.map(|it| it.0 + it.1),
        p_raw: some(if decided { 1e-5 } else { 0.3 }),
        p_holm: some(if decided { 1.2e-4 } else { 1.0 }),
        win_share: some(wins),
        win_lo: some((wins - 0.1).max(0.0)),
        win_hi: some((wins + 0.1).min(1.0)),
        n_clusters: diffs.len() as i64,
        verdict: verdict.into(),
    }
}

fn ranks(plan: &Plan) -> Vec<RankRow> {
    let mut rows = Vec::new();
    for (c, k, m) in each(plan) {
        let skill = plan.skill(m, c);
        let better = (0..plan.methods.len()).filter(|it| plan.skill(*it, c) > skill).count() as f64;
        rows.push(RankRow {
            context: plan.contexts[c].into(),
            metric: plan.metrics[k].0.into(),
            method: plan.methods[m].0.into(),
            mean_rank: 1.6 + better * 0.86 + 0.2 * noise(&format!("{c}{k}{m}")),
            critical_difference: (plan.methods.len() <= 12).then_some(2.15),
            n_clusters: plan.n_perturbations as i64,
            friedman_chi2: Some(212.4),
            friedman_p: Some(1e-20),
        });
    }
    rows
}

fn curves(plan: &Plan) -> Vec<CurveRow> {
    let mut rows = Vec::new();
    for (c, context) in plan.contexts.iter().enumerate() {
        for kind in ["strat_expr", "strat_de"] {
            for m in 0..plan.methods.len() {
                for rank in (1..=100).chain((110..=1000).step_by(10)).chain((1100..=8900).step_by(100)) {
                    let grow = (rank as f64).ln_1p() * if kind == "strat_de" { 1.3 } else { 0.9 };
                    let late = 1.0 - 0.5 * plan.skill(m, c) * (rank as f64 / (rank as f64 + 40.0));
                    rows.push(CurveRow {
                        context: (*context).into(),
                        method: plan.methods[m].0.into(),
                        kind: kind.into(),
                        rank,
                        value: grow * late,
                        se: Some(0.05 * grow),
                    });
                }
            }
        }
    }
    rows
}

fn effects(plan: &Plan) -> Vec<EffectRow> {
    let row = |c: &str, at: usize| {
        let delta_norm = Plan::effect(c, at);
        EffectRow {
            context: c.into(),
            perturbation: perturbation(at),
            raw: perturbation(at).replace('+', "_"),
            n_targets: if at < 12 { 1 } else { 2 },
            n_cells: 40 + (noise(&format!("n{at}")) * 400.0) as i64,
            delta_norm,
            noise: Some(0.3),
            subgroup: None,
        }
    };
    plan.contexts.iter().flat_map(|c| (0..plan.n_perturbations).map(move |at| row(c, at))).collect()
}

fn fits() -> Vec<FitRow> {
    let row = |method: &str, seed: i64, key: &str, value: &str| FitRow {
        method: method.into(),
        split: format!("fold_{seed}"),
        seed,
        key: key.into(),
        value: value.into(),
    };
    vec![
        row("ridge_pca", 1, "lambda", "0.1"),
        row("ridge_pca", 2, "lambda", "0.1"),
        row("ridge_pca", 3, "lambda", "1"),
        row("linear_joint", 1, "K", "10"),
        row("linear_joint", 1, "lambda", "0.1"),
        row("additive_shrunk", 1, "shrinkage", "0.87"),
    ]
}

fn splits(plan: &Plan) -> Vec<SplitRow> {
    let mut rows = Vec::new();
    for split in 0..2 {
        for context in &plan.contexts {
            for at in 0..plan.n_perturbations {
                rows.push(SplitRow {
                    split: format!("fold_{split}"),
                    protocol: "norman_doubles".into(),
                    seed: split,
                    context: (*context).into(),
                    condition: perturbation(at).replace('+', "_"),
                    perturbation: perturbation(at),
                    part: ["train", "train", "test"][(at + split as usize) % 3].into(),
                    subgroup: None,
                });
            }
        }
    }
    rows
}

fn coverage(plan: &Plan) -> Vec<CoverageRow> {
    let mut rows = Vec::new();
    for context in &plan.contexts {
        for (id, ..) in &plan.methods {
            for at in 0..plan.n_perturbations {
                let native = *id != "knn_go" || at % 9 != 4;
                rows.push(CoverageRow {
                    method: (*id).into(),
                    split: "fold_0".into(),
                    seed: 1,
                    context: (*context).into(),
                    perturbation: perturbation(at),
                    native,
                    rule: (!native).then(|| "train mean".to_owned()),
                    reason: (!native).then(|| "no embedding of the target gene".to_owned()),
                });
            }
        }
    }
    rows
}

fn notes() -> Vec<NoteRow> {
    vec![
        NoteRow {
            level: "warning".into(),
            text: "12 perturbations have fewer than 30 cells; their truth is noisy.".into(),
        },
        NoteRow { level: "info".into(), text: "X was found to be log1p of counts scaled to 10 000.".into() },
    ]
}
