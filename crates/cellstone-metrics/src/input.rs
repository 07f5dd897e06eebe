//! One panel of conditions as the metrics see it: shapes checked, genes chosen, targets masked, nothing copied in vain.

use crate::kernels::{slice_of, sum2};
use cellstone_core::{Error, Mask, MetricInput, Result};
use ndarray::{ArrayView1, ArrayView2};
use std::borrow::Cow;

/// A checked [`MetricInput`] with the columns in use.
pub(crate) struct Panel<'a> {
    input: MetricInput<'a>,
    /// Columns in use for every row; `None` is all of them.
    columns: Option<Vec<usize>>,
    control: Cow<'a, [f64]>,
    pred_control: Option<Cow<'a, [f64]>>,
    train_mean: Option<Cow<'a, [f64]>>,
}

/// One condition of a [`Panel`], on the columns in use.
pub(crate) struct Row<'p, 'a> {
    panel: &'p Panel<'a>,
    at: usize,
    /// Columns of this row where they differ from the panel's.
    own: Option<Vec<usize>>,
}

/// Predicted and observed shift of one condition, with the lengths they were computed from.
pub(crate) struct Deltas {
    pub(crate) pred: Vec<f64>,
    pub(crate) truth: Vec<f64>,
    pub(crate) scale_pred: f64,
    pub(crate) scale_truth: f64,
}

impl<'a> Panel<'a> {
    /// Checks shapes and resolves genes and mask.
    ///
    /// With `strict`, a mask that would mask nothing because no target is a gene of the file is an error.
    pub(crate) fn new(input: &MetricInput<'a>, strict: bool) -> Result<Self> {
        check(input)?;
        if strict && input.mask != Mask::None && !input.targets.is_empty() && input.targets.iter().all(Vec::is_empty) {
            return Err(Error::invalid_input(format!(
                "no target of the {} conditions is a gene of the file, so the mask `{}` would leave nothing out",
                input.targets.len(),
                if input.mask == Mask::Panel { "panel" } else { "own_targets" }
            ))
            .with_hint("use the mask `none` where columns are not genes, or give the gene names the targets use"));
        }
        let columns = columns(input);
        let pick = |it: ArrayView1<'a, f64>| pick(it, columns.as_deref());
        Ok(Self {
            control: pick(input.control),
            pred_control: input.pred_control.map(pick),
            train_mean: input.train_mean.map(pick),
            columns,
            input: input.clone(),
        })
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

    pub(crate) fn has_train_profiles(&self) -> bool {
        self.input.train_profiles.is_some_and(|it| it.nrows() > 0)
    }

    pub(crate) fn truth_row(&self, at: usize) -> Cow<'a, [f64]> {
        pick(row_of(&self.input.truth, at), self.columns.as_deref())
    }

    pub(crate) fn pred_row(&self, at: usize) -> Cow<'a, [f64]> {
        pick(row_of(&self.input.pred, at), self.columns.as_deref())
    }

    pub(crate) fn train_rows(&self) -> impl Iterator<Item = Cow<'a, [f64]>> + '_ {
        let rows = self.input.train_profiles.map_or(0, |it| it.nrows());
        (0..rows).map(|at| {
            let all = self.input.train_profiles.expect("invariant: rows are counted where profiles are given");
            pick(row_of(&all, at), self.columns.as_deref())
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
                self.input.targets[at].iter().filter_map(|target| columns.binary_search(target).ok()).collect()
            }
        };
        drops.sort_unstable();
        drops.dedup();
        drops
    }

    /// One condition, its own targets left out where the mask says so.
    pub(crate) fn row(&self, at: usize) -> Row<'_, 'a> {
        let drops = self.own_drops(at);
        let own = (!drops.is_empty()).then(|| {
            let mut keep: Vec<usize> = Vec::with_capacity(self.n_genes());
            keep.extend((0..self.n_genes()).filter(|col| drops.binary_search(col).is_err()));
            keep
        });
        Row { panel: self, at, own }
    }
}

impl Row<'_, '_> {
    fn drop_own<'b>(&'b self, all: Cow<'b, [f64]>) -> Cow<'b, [f64]> {
        match &self.own {
            None => all,
            Some(keep) => Cow::Owned(keep.iter().map(|col| all[*col]).collect()),
        }
    }

    /// The predicted profile.
    pub(crate) fn pred(&self) -> Cow<'_, [f64]> {
        self.drop_own(self.panel.pred_row(self.at))
    }

    /// The observed profile.
    pub(crate) fn truth(&self) -> Cow<'_, [f64]> {
        self.drop_own(self.panel.truth_row(self.at))
    }

    /// The unweighted mean of the train perturbations, where it was given.
    pub(crate) fn train_mean(&self) -> Option<Cow<'_, [f64]>> {
        self.panel.train_mean.as_deref().map(|it| self.drop_own(Cow::Borrowed(it)))
    }

    /// The gene weights of this condition, where they were given.
    pub(crate) fn weights(&self) -> Option<Cow<'_, [f64]>> {
        let weights = self.panel.input.weights?;
        Some(self.drop_own(pick(row_of(&weights, self.at), self.panel.columns.as_deref())))
    }

    /// Shifts from the control of the truth on both sides.
    pub(crate) fn deltas(&self) -> Deltas {
        let control = self.drop_own(Cow::Borrowed(self.panel.control()));
        self.deltas_from(&control, &control)
    }

    /// Shifts of each side from its own control.
    pub(crate) fn own_deltas(&self) -> Deltas {
        let pred_control = self.drop_own(Cow::Borrowed(self.panel.own_control()));
        self.deltas_from(&pred_control, &self.drop_own(Cow::Borrowed(self.panel.control())))
    }

    /// Shifts of both sides from a reference each.
    pub(crate) fn deltas_from(&self, pred_from: &[f64], truth_from: &[f64]) -> Deltas {
        let (pred, truth) = (self.pred(), self.truth());
        let scale = |of: &[f64], from: &[f64]| sum2(of, from, |a, b| a * a + b * b).sqrt();
        Deltas {
            scale_pred: scale(&pred, pred_from),
            scale_truth: scale(&truth, truth_from),
            pred: minus(&pred, pred_from),
            truth: minus(&truth, truth_from),
        }
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
fn pick<'a>(vector: ArrayView1<'a, f64>, columns: Option<&[usize]>) -> Cow<'a, [f64]> {
    let all = slice_of(&vector);
    match columns {
        None => all,
        Some(columns) => Cow::Owned(columns.iter().map(|col| all[*col]).collect()),
    }
}

/// Genes asked for, less every target under the panel mask; `None` where that is every column.
fn columns(input: &MetricInput<'_>) -> Option<Vec<usize>> {
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
    Some(match input.genes {
        Some(genes) => genes.iter().copied().filter(keep).collect(),
        None => (0..n).filter(keep).collect(),
    })
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
