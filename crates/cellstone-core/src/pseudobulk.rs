//! Condition means with their sampling variance and replicate halves: what splits, baselines and metrics share.

use crate::{Condition, ContextId, Error, Result, Scale, Var};
use ndarray::{Array2, ArrayView1};
use std::collections::BTreeMap;

/// The order in which cells are averaged; ids as in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Averaging {
    /// PB1: mean over all cells of the condition.
    Cells,
    /// PB2: mean inside each batch, then over batches; the control likewise, one control per context.
    Batches,
    /// PB3: batch means minus the control of the same batch, then over batches.
    BatchesMatched,
    /// PB4: every cell minus the control mean of its batch, then over cells.
    CellsMatched,
    /// PB5: `ln(1 + 5e4 · P_c / Σ P_c)` of the summed counts.
    Bulk,
    /// Means that came from a file.
    Given,
}

/// One row of a [`Pseudobulk`].
#[derive(Debug, Clone, PartialEq)]
pub struct PseudobulkRow {
    /// Cell line, cell type or donor.
    pub context: ContextId,
    /// What was done.
    pub condition: Condition,
    /// The name in the file; published splits sort these.
    pub raw: String,
    /// Number of cells; 0 where the source has means alone.
    pub n_cells: u64,
    /// Number of batches the condition occurs in; 1 without batches.
    pub n_batches: u32,
}

/// Two disjoint random halves of the cells of every row, averaged like the whole.
///
/// Rows of conditions with fewer than two cells hold NaN in both halves: there is no replicate of one cell.
#[derive(Debug, Clone)]
pub struct Replicate {
    /// Profiles of the first half, `[n_rows, n_vars]`.
    pub first: Array2<f64>,
    /// Profiles of the second half, `[n_rows, n_vars]`.
    pub second: Array2<f64>,
    /// Cells in the first half of each row.
    pub n_first: Vec<u64>,
    /// Cells in the second half of each row.
    pub n_second: Vec<u64>,
}

/// Mean profiles of every condition in every context, controls among them.
///
/// `profiles` is `[n_rows, n_vars]` on the scale `scale`. Under a matched control (PB3, PB4) the stored profile of a
/// condition is `control + matched delta`, so that everywhere `delta = profile − control of the context`.
#[derive(Debug, Clone)]
pub struct Pseudobulk {
    var: Var,
    scale: Scale,
    averaging: Averaging,
    rows: Vec<PseudobulkRow>,
    profiles: Array2<f64>,
    sampling_var: Option<Array2<f64>>,
    replicates: Vec<Replicate>,
    control_of: BTreeMap<ContextId, usize>,
}

impl Pseudobulk {
    /// Checked means. Rows must be unique by `(context, condition)` and every context needs a control row.
    ///
    /// # Errors
    /// Names the context without control, the repeated condition, or the shape that does not fit.
    pub fn new(
        var: Var,
        scale: Scale,
        averaging: Averaging,
        rows: Vec<PseudobulkRow>,
        profiles: Array2<f64>,
    ) -> Result<Self> {
        if profiles.dim() != (rows.len(), var.len()) {
            return Err(Error::invalid_input(format!(
                "profiles have shape {:?}, expected {} conditions × {} genes",
                profiles.dim(),
                rows.len(),
                var.len()
            )));
        }
        if let Some(((row, col), value)) = profiles.indexed_iter().find(|(_, it)| !it.is_finite()) {
            return Err(Error::invalid_input(format!(
                "profile of `{}` holds {value} at gene `{}`",
                rows[row].raw,
                var.ids()[col]
            )));
        }
        let mut seen = BTreeMap::new();
        let mut control_of = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            if let Some(first) = seen.insert((&row.context, &row.condition), at) {
                let first: &PseudobulkRow = &rows[first];
                return Err(Error::invalid_input(format!(
                    "`{}` and `{}` are one condition ({}) in context `{}`",
                    first.raw, row.raw, row.condition, row.context
                )));
            }
            if row.condition.is_control() {
                control_of.insert(row.context.clone(), at);
            }
        }
        if let Some(row) = rows.iter().find(|it| !control_of.contains_key(&it.context)) {
            return Err(Error::invalid_input(format!(
                "context `{}` has perturbed cells but no control cell",
                row.context
            ))
            .with_hint("name the control label with control_pert, or drop the context"));
        }
        drop(seen);
        Ok(Self { var, scale, averaging, rows, profiles, sampling_var: None, replicates: Vec::new(), control_of })
    }

    /// Adds the sampling variance of each mean, `[n_rows, n_vars]`; its row sums are the `T_c` of the protocol.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn with_sampling_var(mut self, sampling_var: Array2<f64>) -> Result<Self> {
        if sampling_var.dim() != self.profiles.dim() {
            return Err(Error::invalid_input(format!(
                "variances have shape {:?}, expected {:?}",
                sampling_var.dim(),
                self.profiles.dim()
            )));
        }
        self.sampling_var = Some(sampling_var);
        Ok(self)
    }

    /// Adds replicate halves, one per seeded split of the cells.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn with_replicates(mut self, replicates: Vec<Replicate>) -> Result<Self> {
        for it in &replicates {
            if it.first.dim() != self.profiles.dim() || it.second.dim() != self.profiles.dim() {
                return Err(Error::invalid_input("replicate halves do not have the shape of the profiles"));
            }
        }
        self.replicates = replicates;
        Ok(self)
    }

    /// The genes.
    pub fn var(&self) -> &Var {
        &self.var
    }

    /// The scale of the profiles.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// How cells were averaged.
    pub fn averaging(&self) -> Averaging {
        self.averaging
    }

    /// What each row is.
    pub fn rows(&self) -> &[PseudobulkRow] {
        &self.rows
    }

    /// Mean profiles, `[n_rows, n_vars]`.
    pub fn profiles(&self) -> &Array2<f64> {
        &self.profiles
    }

    /// Sampling variance of each mean, `[n_rows, n_vars]`, where cells were seen.
    pub fn sampling_var(&self) -> Option<&Array2<f64>> {
        self.sampling_var.as_ref()
    }

    /// Replicate halves, where cells were seen.
    pub fn replicates(&self) -> &[Replicate] {
        &self.replicates
    }

    /// The contexts, sorted.
    pub fn contexts(&self) -> impl Iterator<Item = &ContextId> {
        self.control_of.keys()
    }

    /// Row of the control of a context.
    pub fn control_row(&self, context: &ContextId) -> Option<usize> {
        self.control_of.get(context).copied()
    }

    /// Control profile of a context.
    pub fn control(&self, context: &ContextId) -> Option<ArrayView1<'_, f64>> {
        self.control_row(context).map(|it| self.profiles.row(it))
    }

    /// The rows of one context, and its control, alone.
    ///
    /// # Errors
    /// If no row is left.
    pub fn only_contexts(&self, keep: &[ContextId]) -> Result<Self> {
        let rows: Vec<usize> = (0..self.rows.len()).filter(|it| keep.contains(&self.rows[*it].context)).collect();
        if rows.is_empty() {
            let names: Vec<String> = self.contexts().map(ToString::to_string).collect();
            return Err(Error::invalid_input(format!(
                "no cell in the contexts asked for (contexts: {})",
                crate::quoted(&names)
            )));
        }
        let take = |it: &Array2<f64>| it.select(ndarray::Axis(0), &rows);
        let mut out = Self::new(
            self.var.clone(),
            self.scale,
            self.averaging,
            rows.iter().map(|it| self.rows[*it].clone()).collect(),
            take(&self.profiles),
        )?;
        out.sampling_var = self.sampling_var.as_ref().map(take);
        let pick = |it: &[u64]| rows.iter().map(|row| it[*row]).collect();
        out.replicates = self
            .replicates
            .iter()
            .map(|it| Replicate {
                first: take(&it.first),
                second: take(&it.second),
                n_first: pick(&it.n_first),
                n_second: pick(&it.n_second),
            })
            .collect();
        Ok(out)
    }
}
