//! One panel of conditions as the metrics see it: shapes checked, genes chosen, targets masked, nothing copied in vain.

use crate::genes::top_ordered;
use crate::kernels::{slice_of, sum2};
use crate::stats::midranks;
use cellstone_core::{Error, Mask, MetricInput, Result};
use ndarray::{ArrayView1, ArrayView2};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::OnceLock;

/// A checked [`MetricInput`] with the columns in use.
pub(crate) struct Panel<'a> {
    input: MetricInput<'a>,
    /// Columns in use for every row; `None` is all of them.
    columns: Option<Columns>,
    control: Cow<'a, [f64]>,
    pred_control: Option<Cow<'a, [f64]>>,
    train_mean: Option<Cow<'a, [f64]>>,
}

/// Columns in use, ascending, and the stretches they form: copying stretches is several times faster than picking.
struct Columns {
    list: Vec<usize>,
    runs: Vec<Range<usize>>,
}

/// One condition of a [`Panel`], on the columns in use. What several metrics need is computed once.
pub(crate) struct Row<'p, 'a> {
    panel: &'p Panel<'a>,
    at: usize,
    /// Positions, among the columns of the panel, that this row leaves out.
    drops: Vec<usize>,
    pred: OnceCell<Cow<'p, [f64]>>,
    truth: OnceCell<Cow<'p, [f64]>>,
    train_mean: OnceCell<Option<Cow<'p, [f64]>>>,
    weights: OnceCell<Option<Cow<'p, [f64]>>>,
    deltas: OnceCell<Deltas>,
    own_deltas: OnceCell<Deltas>,
    mean_deltas: OnceCell<Option<Deltas>>,
    facts: Facts<'p>,
}

/// What a row knows of its truth: kept by the caller from one prediction to the next, or its own.
enum Facts<'p> {
    Kept(&'p TruthFacts),
    Own(Box<TruthFacts>),
}

/// What follows from the truth of one condition alone, made when first asked for.
#[derive(Debug, Default)]
pub(crate) struct TruthFacts {
    /// Midranks of the shift from the control of the truth.
    ranks: OnceLock<Vec<f64>>,
    /// The genes with the largest shift, largest first.
    top: OnceLock<Vec<usize>>,
}

/// Genes of the largest top-gene variant.
const TOP_MAX: usize = 200;

/// Predicted and observed shift of one condition, with the lengths they were computed from.
pub(crate) struct Deltas {
    pub(crate) pred: Vec<f64>,
    pub(crate) truth: Vec<f64>,
    pub(crate) scale_pred: f64,
    pub(crate) scale_truth: f64,
}

impl<'a> Panel<'a> {
    /// Checks shapes and resolves genes and mask.
    pub(crate) fn new(input: &MetricInput<'a>) -> Result<Self> {
        check(input)?;
        let columns = columns(input);
        let pick = |it: ArrayView1<'a, f64>| pick(it, columns.as_ref());
        Ok(Self {
            control: pick(input.control),
            pred_control: input.pred_control.map(pick),
            train_mean: input.train_mean.map(pick),
            columns,
            input: input.clone(),
        })
    }

    /// Fails if the mask would mask nothing because no target is a gene of the file.
    pub(crate) fn check_mask(&self) -> Result<()> {
        let (mask, targets) = (self.input.mask, self.input.targets);
        if mask == Mask::None || targets.is_empty() || !targets.iter().all(Vec::is_empty) {
            return Ok(());
        }
        Err(Error::invalid_input(format!(
            "no target of the {} conditions is a gene of the file, so the mask `{}` would leave nothing out",
            targets.len(),
            if mask == Mask::Panel { "panel" } else { "own_targets" }
        ))
        .with_hint("use the mask `none` where columns are not genes, or give the gene names the targets use"))
    }

    /// Number of conditions.
    pub(crate) fn n_rows(&self) -> usize {
        self.input.truth.nrows()
    }

    /// Number of genes in use before rows drop their own.
    pub(crate) fn n_genes(&self) -> usize {
        self.control.len()
    }

    pub(crate) fn key(&self, at: usize) -> &'a str {
        &self.input.keys[at]
    }

    pub(crate) fn keys(&self) -> &'a [String] {
        self.input.keys
    }

    pub(crate) fn control(&self) -> &[f64] {
        &self.control
    }

    /// The prediction's own control where there is one, else the truth's.
    pub(crate) fn own_control(&self) -> &[f64] {
        self.pred_control.as_deref().unwrap_or(&self.control)
    }

    pub(crate) fn has_pred_control(&self) -> bool {
        self.pred_control.is_some()
    }

    pub(crate) fn has_train_profiles(&self) -> bool {
        self.input.train_profiles.is_some_and(|it| it.nrows() > 0)
    }

    pub(crate) fn truth_row(&self, at: usize) -> Cow<'a, [f64]> {
        pick(row_of(&self.input.truth, at), self.columns.as_ref())
    }

    pub(crate) fn pred_row(&self, at: usize) -> Cow<'a, [f64]> {
        pick(row_of(&self.input.pred, at), self.columns.as_ref())
    }

    pub(crate) fn train_rows(&self) -> impl Iterator<Item = Cow<'a, [f64]>> + '_ {
        let rows = self.input.train_profiles.map_or(0, |it| it.nrows());
        (0..rows).map(|at| {
            let all = self.input.train_profiles.expect("invariant: rows are counted where profiles are given");
            pick(row_of(&all, at), self.columns.as_ref())
        })
    }

    /// Positions, among the columns in use, of the targets that a row drops by itself; empty unless so masked.
    pub(crate) fn own_drops(&self, at: usize) -> Vec<usize> {
        if self.input.mask != Mask::OwnTargets {
            return Vec::new();
        }
        let mut drops: Vec<usize> = match &self.columns {
            None => self.input.targets[at].clone(),
            Some(columns) => {
                self.input.targets[at].iter().filter_map(|target| columns.list.binary_search(target).ok()).collect()
            }
        };
        drops.sort_unstable();
        drops.dedup();
        drops
    }

    /// One condition, its own targets left out where the mask says so; `facts` are those of its truth, if kept.
    pub(crate) fn row<'p>(&'p self, at: usize, facts: Option<&'p TruthFacts>) -> Row<'p, 'a> {
        Row {
            panel: self,
            at,
            drops: self.own_drops(at),
            pred: OnceCell::new(),
            truth: OnceCell::new(),
            train_mean: OnceCell::new(),
            weights: OnceCell::new(),
            deltas: OnceCell::new(),
            own_deltas: OnceCell::new(),
            mean_deltas: OnceCell::new(),
            facts: facts.map_or_else(|| Facts::Own(Box::default()), Facts::Kept),
        }
    }
}

impl<'p> Row<'p, '_> {
    fn drop_own(&self, all: Cow<'p, [f64]>) -> Cow<'p, [f64]> {
        if self.drops.is_empty() { all } else { Cow::Owned(without(&all, &self.drops)) }
    }

    /// The predicted profile.
    pub(crate) fn pred(&self) -> &[f64] {
        self.pred.get_or_init(|| self.drop_own(self.panel.pred_row(self.at)))
    }

    /// The observed profile.
    pub(crate) fn truth(&self) -> &[f64] {
        self.truth.get_or_init(|| self.drop_own(self.panel.truth_row(self.at)))
    }

    /// The unweighted mean of the train perturbations, where it was given.
    pub(crate) fn train_mean(&self) -> Option<&[f64]> {
        let mean = || self.panel.train_mean.as_deref().map(|it| self.drop_own(Cow::Borrowed(it)));
        self.train_mean.get_or_init(mean).as_deref()
    }

    /// The gene weights of this condition, where they were given.
    pub(crate) fn weights(&self) -> Option<&[f64]> {
        let weights = || {
            let all = self.panel.input.weights?;
            Some(self.drop_own(pick(row_of(&all, self.at), self.panel.columns.as_ref())))
        };
        self.weights.get_or_init(weights).as_deref()
    }

    /// Shifts from the control of the truth on both sides.
    pub(crate) fn deltas(&self) -> &Deltas {
        self.deltas.get_or_init(|| {
            let control = self.drop_own(Cow::Borrowed(self.panel.control()));
            self.deltas_from(&control, &control)
        })
    }

    /// Shifts of each side from its own control.
    pub(crate) fn own_deltas(&self) -> &Deltas {
        if self.panel.pred_control.is_none() {
            return self.deltas();
        }
        self.own_deltas.get_or_init(|| {
            let pred_control = self.drop_own(Cow::Borrowed(self.panel.own_control()));
            self.deltas_from(&pred_control, &self.drop_own(Cow::Borrowed(self.panel.control())))
        })
    }

    /// Shifts of both sides from the mean of the train perturbations, where it was given.
    pub(crate) fn mean_deltas(&self) -> Option<&Deltas> {
        self.mean_deltas.get_or_init(|| self.train_mean().map(|mean| self.deltas_from(mean, mean))).as_ref()
    }

    fn facts(&self) -> &TruthFacts {
        match &self.facts {
            Facts::Kept(it) => it,
            Facts::Own(it) => it,
        }
    }

    /// Midranks of the observed shift, [`Row::deltas`].
    pub(crate) fn truth_ranks(&self) -> &[f64] {
        self.facts().ranks.get_or_init(|| midranks(&self.deltas().truth))
    }

    /// Positions of the `k` (at most 200) largest observed shifts, ascending; ties by position.
    pub(crate) fn top(&self, k: usize) -> Vec<usize> {
        let ordered = self.facts().top.get_or_init(|| top_ordered(&self.deltas().truth, TOP_MAX));
        let mut top = ordered[..k.min(ordered.len())].to_vec();
        top.sort_unstable();
        top
    }

    /// Shifts of both sides from a reference each.
    fn deltas_from(&self, pred_from: &[f64], truth_from: &[f64]) -> Deltas {
        let (pred, truth) = (self.pred(), self.truth());
        let scale = |of: &[f64], from: &[f64]| sum2(of, from, |a, b| a * a + b * b).sqrt();
        Deltas {
            scale_pred: scale(pred, pred_from),
            scale_truth: scale(truth, truth_from),
            pred: minus(pred, pred_from),
            truth: minus(truth, truth_from),
        }
    }
}

/// A vector without the entries at ascending positions.
pub(crate) fn without(all: &[f64], drops: &[usize]) -> Vec<f64> {
    let mut out = Vec::with_capacity(all.len() - drops.len());
    let mut from = 0;
    for drop in drops {
        out.extend_from_slice(&all[from..*drop]);
        from = drop + 1;
    }
    out.extend_from_slice(&all[from..]);
    out
}

impl Columns {
    fn new(list: Vec<usize>) -> Self {
        let runs = list.chunk_by(|a, b| a + 1 == *b).map(|it| it[0]..it[0] + it.len()).collect();
        Self { list, runs }
    }

    fn of(&self, all: &[f64]) -> Vec<f64> {
        let mut out = Vec::with_capacity(self.list.len());
        for run in &self.runs {
            out.extend_from_slice(&all[run.clone()]);
        }
        out
    }
}

/// `a − b`.
pub(crate) fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn row_of<'a>(matrix: &ArrayView2<'a, f64>, at: usize) -> ArrayView1<'a, f64> {
    (*matrix).index_axis_move(ndarray::Axis(0), at)
}

/// The chosen columns of a vector; borrowed where that is all of a contiguous one.
fn pick<'a>(vector: ArrayView1<'a, f64>, columns: Option<&Columns>) -> Cow<'a, [f64]> {
    let all = slice_of(&vector);
    match columns {
        None => all,
        Some(columns) => Cow::Owned(columns.of(&all)),
    }
}

/// Genes asked for, less every target under the panel mask; `None` where that is every column.
fn columns(input: &MetricInput<'_>) -> Option<Columns> {
    let n = input.truth.ncols();
    let drops: Vec<usize> = if input.mask == Mask::Panel {
        let mut all: Vec<usize> = input.targets.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    } else {
        Vec::new()
    };
    if input.genes.is_none() && drops.is_empty() {
        return None;
    }
    let keep = |col: &usize| drops.binary_search(col).is_err();
    Some(Columns::new(match input.genes {
        Some(genes) => genes.iter().copied().filter(keep).collect(),
        None => (0..n).filter(keep).collect(),
    }))
}

fn check(input: &MetricInput<'_>) -> Result<()> {
    let (rows, cols) = input.truth.dim();
    let vector = |name: &str, len: usize, want: usize| {
        if len == want {
            return Ok(());
        }
        Err(Error::invalid_input(format!("{name} has {len} entries, expected {want}")))
    };
    let matrix = |name: &str, dim: (usize, usize)| {
        if dim == (rows, cols) {
            return Ok(());
        }
        Err(Error::invalid_input(format!("{name} has shape {dim:?}, expected {rows} conditions × {cols} genes")))
    };
    matrix("prediction", input.pred.dim())?;
    vector("control", input.control.len(), cols)?;
    vector("targets", input.targets.len(), rows)?;
    vector("keys", input.keys.len(), rows)?;
    if let Some(it) = input.pred_control {
        vector("control of the prediction", it.len(), cols)?;
    }
    if let Some(it) = input.train_mean {
        vector("train mean", it.len(), cols)?;
    }
    if let Some(it) = input.train_profiles {
        vector("train profiles (genes)", it.ncols(), cols)?;
    }
    if let Some(it) = input.weights {
        matrix("weights", it.dim())?;
    }
    if let Some(genes) = input.genes {
        if let Some(at) = genes.windows(2).position(|it| it[0] >= it[1]) {
            return Err(Error::invalid_input(format!(
                "genes are not ascending: {} is followed by {}",
                genes[at],
                genes[at + 1]
            )));
        }
        if let Some(last) = genes.last().filter(|it| **it >= cols) {
            return Err(Error::invalid_input(format!("gene column {last} asked for, but there are {cols}")));
        }
    }
    if let Some((row, target)) =
        input.targets.iter().enumerate().find_map(|(row, it)| it.iter().find(|t| **t >= cols).map(|t| (row, t)))
    {
        return Err(Error::invalid_input(format!(
            "target column {target} of `{}` is beyond the {cols} genes",
            input.keys[row]
        )));
    }
    Ok(())
}
