//! Many metrics of one panel at once: what they share is computed once.

use crate::input::{Panel, TruthFacts};
use crate::per_row::{PerRow, checked};
use crate::registry::Kind;
use crate::retrieval::{ChanceBand, PairCache, TruthPoints, chance, truth_points};
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Mask, Metric, MetricInput, Result, Score, Scores, Seed};
use ndarray::{ArrayView1, ArrayView2};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A metric on one gene set under one mask.
#[derive(Clone)]
pub struct Request<'a> {
    /// The metric, built in or not.
    pub metric: Arc<dyn Metric>,
    /// The genes to use (ascending); `None` means all.
    pub genes: Option<&'a [usize]>,
    /// Which genes to leave out besides.
    pub mask: Mask,
}

/// Scores predictions of one panel with many metrics, keeping what depends on the truth alone.
///
/// Values are those of [`Metric::compute`], bit for bit. A row is read once for all metrics that look at single
/// conditions, and metrics that compare the same points share one matrix of distances. What follows from the truth (its
/// ranks, its largest effects, its points) is kept from one prediction to the next, so one scorer should serve every
/// method and every seed of a split. It may be used from several threads.
///
/// # Examples
/// ```
/// use cellstone_core::{Mask, MetricInput, Scores};
/// use cellstone_metrics::{Request, Scorer, by_id};
/// use ndarray::array;
/// let (truth, pred, control) = (array![[2.0, 2.0, 3.0, 3.0]], array![[1.5, 2.5, 3.0, 3.0]], array![1.0, 2.0, 3.0, 4.0]);
/// let input = MetricInput {
///     truth: truth.view(), pred: truth.view(), control: control.view(), pred_control: None, train_mean: None,
///     train_profiles: None, weights: None, targets: &[vec![]], keys: &["A".to_owned()], genes: None, mask: Mask::None,
/// };
/// let request = |id| Ok::<_, cellstone_core::Error>(Request { metric: by_id(id)?, genes: None, mask: Mask::None });
/// let scorer = Scorer::new(&input, vec![request("mse")?, request("pearson_delta")?])?;
/// let scores = scorer.score(pred.view(), None);
/// let Ok(Scores::PerPerturbation(mse)) = &scores[0] else { unreachable!() };
/// assert_eq!(mse[0].value(), Some(0.125));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub struct Scorer<'a> {
    input: MetricInput<'a>,
    requests: Vec<Request<'a>>,
    groups: Vec<Group<'a>>,
}

/// Requests on one gene set under one mask.
struct Group<'a> {
    genes: Option<&'a [usize]>,
    mask: Mask,
    /// Positions of the requests.
    members: Vec<usize>,
    facts: Vec<TruthFacts>,
    points: TruthPoints,
}

impl<'a> Scorer<'a> {
    /// Plans the requests for the truth side of `input`; its prediction is not read, its gene set and mask neither.
    ///
    /// # Errors
    /// If shapes do not fit or the truth holds a value that is not finite.
    pub fn new(input: &MetricInput<'a>, requests: Vec<Request<'a>>) -> Result<Self> {
        let input = MetricInput { pred: input.truth, pred_control: None, ..input.clone() };
        let mut groups: Vec<Group<'a>> = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            match groups.iter_mut().find(|it| it.genes == request.genes && it.mask == request.mask) {
                Some(group) => group.members.push(at),
                None => groups.push(Group {
                    genes: request.genes,
                    mask: request.mask,
                    members: vec![at],
                    facts: (0..input.truth.nrows()).map(|_| TruthFacts::default()).collect(),
                    points: BTreeMap::new(),
                }),
            }
        }
        for group in &mut groups {
            let panel = Panel::new(&on_genes(&input, group.genes, group.mask))?;
            for at in &group.members {
                if let Some(Kind::Retrieval(it)) = Kind::of(&requests[*at].metric) {
                    let key = it.key(&panel).of_truth();
                    if !group.points.contains_key(&key) && (!key.train || panel.has_train_profiles()) {
                        group.points.insert(key, Arc::new(truth_points(&panel, key)?));
                    }
                }
            }
        }
        Ok(Self { input, requests, groups })
    }

    /// The scores of a prediction, one result per request.
    ///
    /// `pred` is `[P, G]`; `pred_control` is its own control `[G]`, for conventions that use each side's own.
    pub fn score(&self, pred: ArrayView2<'_, f64>, pred_control: Option<ArrayView1<'_, f64>>) -> Vec<Result<Scores>> {
        let input = MetricInput { pred, pred_control, ..self.input.clone() };
        let mut out: Vec<Option<Result<Scores>>> = self.requests.iter().map(|_| None).collect();
        for group in &self.groups {
            for (at, scores) in group.score(&input, &self.requests) {
                out[at] = Some(scores);
            }
        }
        let missing = || Err(Error::invalid_input("invariant: every request is in a group"));
        out.into_iter().map(|it| it.unwrap_or_else(missing)).collect()
    }
}

fn on_genes<'a>(input: &MetricInput<'a>, genes: Option<&'a [usize]>, mask: Mask) -> MetricInput<'a> {
    MetricInput { genes, mask, ..input.clone() }
}

impl<'a> Group<'a> {
    fn score<'i>(&self, input: &MetricInput<'i>, requests: &[Request<'a>]) -> Vec<(usize, Result<Scores>)>
    where
        'a: 'i,
    {
        let input = on_genes(input, self.genes, self.mask);
        let kind = |at: usize| Kind::of(&requests[at].metric);
        let Ok(panel) = Panel::new(&input) else {
            // Each metric says itself what does not fit.
            return self.members.iter().map(|at| (*at, requests[*at].metric.compute(&input))).collect();
        };
        let per_row: Vec<(usize, &PerRow)> = (self.members.iter())
            .filter_map(|at| if let Some(Kind::PerRow(it)) = kind(*at) { Some((*at, it.as_ref())) } else { None })
            .collect();
        let mut out = self.per_row(&panel, &per_row);
        let mut cache = PairCache::with_truths(&self.points);
        for at in &self.members {
            match kind(*at) {
                Some(Kind::PerRow(_)) => {}
                // One after the other: each is parallel inside, and they share matrices.
                Some(Kind::Retrieval(it)) => out.push((*at, it.scores(&panel, &mut cache))),
                None => out.push((*at, requests[*at].metric.compute(&input))),
            }
        }
        out
    }

    fn per_row(&self, panel: &Panel<'_>, metrics: &[(usize, &PerRow)]) -> Vec<(usize, Result<Scores>)> {
        if metrics.is_empty() {
            return Vec::new();
        }
        let rows: Vec<Vec<Score>> = map_ordered(panel.n_rows(), |at| {
            let row = panel.row(at, self.facts.get(at));
            metrics.iter().map(|(_, it)| (it.eval)(&row)).collect()
        });
        let column = |it: usize| rows.iter().map(|row| row[it]).collect();
        (metrics.iter().enumerate())
            .map(|(it, (at, _))| (*at, panel.check_mask().and_then(|()| checked(panel, column(it)))))
            .collect()
    }
}

/// What a discrimination metric is worth by chance on a panel: the mean score when labels are permuted, with its 95 % band.
///
/// The label of every prediction is drawn without replacement among those of the panel, `permutations` times (1,000 in the
/// protocol). `None` where the metric ranks nothing or is undefined on the panel. Compare a mean score with the band of
/// its own panel: ties and train perturbations among the references move chance away from ½.
///
/// # Errors
/// As [`Metric::compute`].
///
/// # Examples
/// ```
/// use cellstone_core::{Mask, MetricInput, Seed};
/// use cellstone_metrics::{by_id, chance_band};
/// use ndarray::{Array1, Array2};
/// let truth = Array2::from_shape_fn((20, 30), |(row, gene)| ((row * 7 + gene * 3) % 11) as f64);
/// let (control, targets) = (Array1::zeros(30), vec![vec![]; 20]);
/// let keys: Vec<String> = (0..20).map(|it| format!("P{it}")).collect();
/// let input = MetricInput {
///     truth: truth.view(), pred: truth.view(), control: control.view(), pred_control: None, train_mean: None,
///     train_profiles: None, weights: None, targets: &targets, keys: &keys, genes: None, mask: Mask::None,
/// };
/// let band = chance_band(&by_id("pds_v2_l2")?, &input, 1000, Seed::new(1))?.expect("twenty conditions");
/// assert!(band.low < 0.5 && 0.5 < band.high && (band.mean - 0.5).abs() < 0.02);
/// assert!(chance_band(&by_id("l2")?, &input, 1000, Seed::new(1))?.is_none());
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn chance_band(
    metric: &Arc<dyn Metric>,
    input: &MetricInput<'_>,
    permutations: usize,
    seed: Seed,
) -> Result<Option<ChanceBand>> {
    match Kind::of(metric) {
        Some(Kind::Retrieval(it)) => chance(it, input, permutations, seed),
        _ => Ok(None),
    }
}
