//! Every metric of one embedding: neighbours once, distances of pairs once.

use super::catalogue::integration_metrics;
use super::clusters::communities;
use super::input::Cells;
use super::kbet::label_neighbors;
use super::trajectory::trajectory;
use crate::host::Stopwatch;
use crate::progress::Progress;
use cellstone_core::{Context, Csr, KnnGraph, Result, Score, Seed, Why};
use cellstone_metrics::integration::{
    Agreement, BrasMode, Convention, Covariate, IsolatedLabels, KbetParams, LisiParams, PerLabel, asw_label,
    best_agreement, bras, clisi, graph_connectivity, graph_connectivity_directed, ilisi, isolated_label_asw,
    isolated_label_f1, kbet_per_label, label_silhouettes, lisi, lisi_of, path_neighborhoods, pcr, pcr_comparison,
    pcr_full, sbee, silhouette_batch,
};
use cellstone_metrics::{ari, nmi};
use cellstone_neighbors::{DistanceMetric, FuzzyParams, KmeansParams, KnnParams, exact_knn_with, fuzzy_graph, kmeans};
use cellstone_prep::pca_dense;
use ndarray::Array2;
use std::collections::BTreeSet;

/// Neighbours of every cell, the cell itself counted: for LISI, kBET and graphs.
pub(super) const K_LISI: usize = 90;
const K_KBET: usize = 50;
const K_GRAPH: usize = 15;
/// Principal components of a regression.
const N_PCS: usize = 50;

/// One metric of an embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricValue {
    /// Metric id.
    pub metric: &'static str,
    /// Its value, or why there is none.
    pub score: Score,
}

/// One metric of an embedding for one label.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelValue {
    /// Metric id.
    pub metric: &'static str,
    /// Position of the label among the names.
    pub label: u32,
    /// Its cells.
    pub n: usize,
    /// Its value, or why there is none.
    pub score: Score,
}

/// What was found about one embedding.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// Name of the embedding.
    pub name: String,
    /// Every metric that was asked for.
    pub values: Vec<MetricValue>,
    /// Metrics that have a value for every label.
    pub labels: Vec<LabelValue>,
    /// Agreement of communities with the labels by resolution.
    pub curve: Vec<Agreement>,
    /// Cells that have no value of a metric: which metric, why, and how many.
    pub left_out: Vec<(&'static str, String, usize)>,
    /// Seconds of every step.
    pub seconds: Vec<(&'static str, f64)>,
}

impl Measured {
    /// The value of a metric, if it was asked for.
    pub fn score(&self, metric: &str) -> Option<Score> {
        self.values.iter().find(|it| it.metric == metric).map(|it| it.score)
    }
}

/// What all embeddings share.
pub(super) struct Plan<'a> {
    pub(super) cells: &'a Cells,
    pub(super) convention: Convention,
    pub(super) seed: Seed,
    pub(super) wanted: BTreeSet<&'static str>,
    pub(super) isolated: IsolatedLabels,
    /// Variance that batches explain before integration.
    pub(super) before: Score,
    /// Pseudotime before integration of the cells that take part.
    pub(super) pseudotime: Option<Vec<f64>>,
}

impl Plan<'_> {
    fn wants(&self, any_of: &[&str]) -> bool {
        any_of.iter().any(|it| self.wanted.contains(it))
    }

    fn has_one(&self) -> (bool, bool) {
        (self.cells.batch_names.len() < 2, self.cells.label_names.len() < 2)
    }
}

/// The share of the variance along principal components that the batches explain.
///
/// `scib-metrics` takes all components; the others the first 50, which is the same up to 50 coordinates. `variances`
/// are those of coordinates that are components already.
pub(super) fn explained_by(
    x: &Array2<f64>,
    variances: Option<&[f64]>,
    batch: &[u32],
    convention: Convention,
) -> Result<Score> {
    let covariate = Covariate::Categorical(batch);
    match variances {
        Some(it) if convention != Convention::ScibMetrics => {
            let k = it.len().min(N_PCS);
            pcr(x.slice_axis(ndarray::Axis(1), (0..k).into()), &it[..k], &covariate)
        }
        None if convention != Convention::ScibMetrics && x.ncols() > N_PCS && x.nrows() > N_PCS => {
            let found = pca_dense(&x.view(), N_PCS, true)?;
            pcr(found.scores.view(), &found.explained_variance.to_vec(), &covariate)
        }
        _ => pcr_full(x.view(), &covariate),
    }
}

/// Computes what the plan wants of one embedding.
pub(super) fn measure(plan: &Plan<'_>, name: &str, x: &Array2<f64>, progress: &dyn Progress) -> Result<Measured> {
    let mut work = Work { plan, x, found: Measured { name: name.to_owned(), ..Measured::default() }, progress };
    work.run().context_with(|| format!("embedding `{name}`"))?;
    let order = integration_metrics();
    work.found.values.sort_by_key(|it| order.iter().position(|id| *id == it.metric));
    Ok(work.found)
}

struct Work<'a> {
    plan: &'a Plan<'a>,
    x: &'a Array2<f64>,
    found: Measured,
    progress: &'a dyn Progress,
}

impl Work<'_> {
    fn run(&mut self) -> Result<()> {
        let plan = self.plan;
        let n = plan.cells.len();
        let needs_graph = plan.wants(&[
            "nmi_ari_cluster_labels_leiden_nmi",
            "nmi_ari_cluster_labels_leiden_ari",
            "isolated_labels_f1",
            "graph_connectivity",
            "trajectory",
            "trajectory_reachable",
        ]) || (plan.convention == Convention::Scib && plan.wants(&["ilisi_knn", "clisi_knn"]));
        let needs_knn = needs_graph
            || plan.wants(&["ilisi_knn", "clisi_knn", "kbet_per_label", "graph_connectivity_directed", "sbee"]);
        if needs_knn {
            let knn = self.step("nearest neighbours", |it| {
                let params = KnnParams { metric: DistanceMetric::Euclidean, k: K_LISI.min(n), include_self: true };
                exact_knn_with(it.x.view(), &params)
            })?;
            let graph = if needs_graph { Some(self.step("graph of 15", |_| graph_of(&knn, K_GRAPH))?) } else { None };
            self.step("lisi", |it| it.lisi(&knn, graph.as_ref()))?;
            self.step("kbet", |it| it.kbet(&knn))?;
            if let Some(graph) = &graph {
                self.step("communities", |it| it.communities(graph))?;
                self.step("trajectory", |it| it.trajectory(graph))?;
            }
            self.step("graph connectivity", |it| it.connectivity(&knn, graph.as_ref()))?;
            self.step("sbee", |it| it.sbee(&knn))?;
        }
        self.step("silhouettes", Self::silhouettes)?;
        self.step("batch silhouettes", Self::batch_silhouettes)?;
        self.step("k-means", Self::kmeans)?;
        self.step("principal components", Self::regression)
    }

    fn step<T>(&mut self, what: &'static str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let watch = Stopwatch::start();
        self.progress.begin(&format!("{}: {what}", self.found.name), None, "");
        let done = work(self);
        self.progress.end();
        self.found.seconds.push((what, watch.elapsed().as_secs_f64()));
        done
    }

    fn put(&mut self, metric: &'static str, score: Score) {
        if self.plan.wanted.contains(metric) {
            self.found.values.push(MetricValue { metric, score });
        }
    }

    fn put_labels(&mut self, metric: &'static str, scores: &PerLabel) {
        if self.plan.wanted.contains(metric) {
            self.found.values.push(MetricValue { metric, score: scores.value });
            let of = scores.per_label.iter();
            self.found.labels.extend(of.map(|it| LabelValue { metric, label: it.label, n: it.n, score: it.score }));
        }
    }

    fn leave_out(&mut self, metric: &'static str, why: &str, n: usize) {
        if n > 0 && self.plan.wanted.contains(metric) {
            self.found.left_out.push((metric, why.to_owned(), n));
        }
    }

    fn lisi(&mut self, knn: &KnnGraph, graph: Option<&Csr<f64>>) -> Result<()> {
        let plan = self.plan;
        if !plan.wants(&["ilisi_knn", "clisi_knn"]) {
            return Ok(());
        }
        let params = LisiParams { perplexity: None, convention: plan.convention };
        let sets: [&[u32]; 2] = [&plan.cells.batch, &plan.cells.label];
        let found = match graph {
            Some(graph) if plan.convention == Convention::Scib => {
                let k = K_LISI.min(plan.cells.len() - 1);
                lisi_of(&path_neighborhoods(graph, k)?, &sets, k, &params)?
            }
            _ => lisi(knn, &sets, &params)?,
        };
        let (mixed, pure) = (ilisi(&found[0], sets[0])?, clisi(&found[1], sets[1])?);
        self.put("ilisi_knn", mixed.value);
        self.put("clisi_knn", pure.value);
        self.leave_out("ilisi_knn", "a neighbourhood without weights", mixed.n_undefined);
        self.leave_out("clisi_knn", "a neighbourhood without weights", pure.n_undefined);
        Ok(())
    }

    fn kbet(&mut self, knn: &KnnGraph) -> Result<()> {
        let plan = self.plan;
        if !plan.wants(&["kbet_per_label"]) {
            return Ok(());
        }
        let graph = graph_of(knn, K_KBET)?;
        let params = KbetParams { convention: plan.convention, ..KbetParams::default() };
        let found = kbet_per_label(&graph, &plan.cells.label, &plan.cells.batch, &params, |label| {
            label_neighbors(label, plan.convention)
        })?;
        self.put("kbet_per_label", found.value);
        for it in &found.per_label {
            let value = LabelValue { metric: "kbet_per_label", label: it.label, n: it.n, score: it.score };
            self.found.labels.push(value);
        }
        Ok(())
    }

    fn communities(&mut self, graph: &Csr<f64>) -> Result<()> {
        let plan = self.plan;
        let agreement = ["nmi_ari_cluster_labels_leiden_nmi", "nmi_ari_cluster_labels_leiden_ari"];
        if !plan.wants(&agreement) && !plan.wants(&["isolated_labels_f1"]) {
            return Ok(());
        }
        if plan.has_one().1 {
            for metric in agreement.into_iter().chain(["isolated_labels_f1"]) {
                self.put(metric, Score::Undefined(Why::SingleLabel));
            }
            return Ok(());
        }
        let found = communities(graph, plan.convention, plan.seed)?;
        let pairs: Vec<(f64, &[u32])> = found.iter().map(|it| (it.0, it.1.labels())).collect();
        let best = best_agreement(&pairs, &plan.cells.label)?;
        self.put(agreement[0], Score::Value(best.nmi()));
        self.put(agreement[1], Score::Value(best.ari()));
        self.found.curve = best.curve;
        let clusterings: Vec<&[u32]> = pairs.iter().map(|it| it.1).collect();
        let f1 = isolated_label_f1(&clusterings, &plan.cells.label, &plan.isolated)?;
        self.put_labels("isolated_labels_f1", &f1);
        Ok(())
    }

    fn trajectory(&mut self, graph: &Csr<f64>) -> Result<()> {
        let plan = self.plan;
        if !plan.wants(&["trajectory", "trajectory_reachable"]) {
            return Ok(());
        }
        let Some(before) = &plan.pseudotime else { return Ok(()) };
        let found = trajectory(graph, &plan.cells.label, before)?;
        self.put("trajectory", found.value);
        self.put("trajectory_reachable", found.reachable_only);
        self.leave_out("trajectory_reachable", "no path from the root", found.n_unreachable);
        Ok(())
    }

    fn connectivity(&mut self, knn: &KnnGraph, graph: Option<&Csr<f64>>) -> Result<()> {
        let plan = self.plan;
        let directed = plan.convention == Convention::ScibMetrics && plan.wants(&["graph_connectivity"]);
        if directed || plan.wants(&["graph_connectivity_directed"]) {
            let nearest = knn.prefix(K_GRAPH.min(knn.k()))?;
            let found = graph_connectivity_directed(&nearest, &plan.cells.label)?;
            self.put_labels("graph_connectivity_directed", &found);
            if directed {
                self.put_labels("graph_connectivity", &found);
            }
        }
        if let (Some(graph), false) = (graph, directed)
            && plan.wants(&["graph_connectivity"])
        {
            self.put_labels("graph_connectivity", &graph_connectivity(graph, &plan.cells.label)?);
        }
        Ok(())
    }

    fn sbee(&mut self, knn: &KnnGraph) -> Result<()> {
        if self.plan.has_one().0 {
            self.put("sbee", Score::Undefined(Why::SingleBatch));
        } else if self.plan.wants(&["sbee"]) {
            let found = sbee(self.x.view(), knn, &self.plan.cells.label, &self.plan.cells.batch)?;
            self.put_labels("sbee", &found);
        }
        Ok(())
    }

    fn silhouettes(&mut self) -> Result<()> {
        let plan = self.plan;
        if !plan.wants(&["silhouette_label", "isolated_labels"]) {
            return Ok(());
        }
        let labels = &plan.cells.label;
        let values = label_silhouettes(self.x.view(), labels)?;
        self.put("silhouette_label", asw_label(&values, labels));
        self.put_labels("isolated_labels", &isolated_label_asw(&values, labels, &plan.isolated)?);
        Ok(())
    }

    fn batch_silhouettes(&mut self) -> Result<()> {
        let (labels, batch) = (&self.plan.cells.label, &self.plan.cells.batch);
        if self.plan.wants(&["silhouette_batch"]) {
            self.put_labels("silhouette_batch", &silhouette_batch(self.x.view(), labels, batch)?);
        }
        if self.plan.wants(&["bras"]) {
            let found = bras(self.x.view(), labels, batch, BrasMode::MeanOther)?;
            self.put_labels("bras", &found.scores);
            self.leave_out("bras", "a cell at the origin has no direction", found.n_zero_vectors);
        }
        Ok(())
    }

    fn kmeans(&mut self) -> Result<()> {
        let metrics = ["nmi_ari_cluster_labels_kmeans_nmi", "nmi_ari_cluster_labels_kmeans_ari"];
        let plan = self.plan;
        if !plan.wants(&metrics) {
            return Ok(());
        }
        if plan.has_one().1 {
            metrics.into_iter().for_each(|it| self.put(it, Score::Undefined(Why::SingleLabel)));
            return Ok(());
        }
        let params = KmeansParams::new(plan.cells.label_names.len(), plan.seed);
        let found = kmeans(self.x.view(), &params)?;
        let clusters = found.clusters.labels();
        self.put(metrics[0], Score::Value(nmi(clusters, &plan.cells.label)?));
        self.put(metrics[1], Score::Value(ari(clusters, &plan.cells.label)?));
        Ok(())
    }

    fn regression(&mut self) -> Result<()> {
        let plan = self.plan;
        if !plan.wants(&["pcr_comparison", "pcr", "pcr_before", "pcr_difference"]) {
            return Ok(());
        }
        let after = explained_by(self.x, None, &plan.cells.batch, plan.convention)?;
        let found = pcr_comparison(plan.before, after);
        self.put("pcr_comparison", found.scaled);
        self.put("pcr", found.after);
        self.put("pcr_before", found.before);
        self.put("pcr_difference", found.difference);
        Ok(())
    }
}

/// The fuzzy graph of the first `k` neighbours, or of all where there are fewer.
fn graph_of(knn: &KnnGraph, k: usize) -> Result<Csr<f64>> {
    fuzzy_graph(&knn.prefix(k.min(knn.k()))?, &FuzzyParams::default())
}
