//! The way from expression to the table.

use super::dispersion::by_dispersion;
use super::moments::{Moments, Values};
use super::params::{CellBatches, HvgFlavor, HvgParams};
use super::pearson::by_residuals;
use super::table::HvgTable;
use super::variance::by_variance;
use crate::expression::Expression;
use cellstone_core::{Error, Result, Scale};

/// Ranks genes by variability and selects the first `n_top`, or those inside the cut-offs, as scanpy does.
///
/// | flavour | values | passes | statistic |
/// |---|---|---|---|
/// | `seurat` | `exp(x) − 1` | 1 | `ln(var/mean)`, standardised by mean and SD in bins of `ln(1 + mean)` |
/// | `cell_ranger` | `x` | 1 | `var/mean`, by median and MAD in bins of the mean |
/// | `seurat_v3` | counts | 2 | variance of `(min(N, s√n + mean) − mean)/s`, `s²` from a local regression |
/// | `pearson_residuals` | counts | 2 | variance of `(N − μ)/√(μ + μ²/θ)` clipped at ±√n, `μ = N_g N_c / N` |
///
/// Where a flavour takes log-normalised values and counts are given, they are brought to `target_sum` inside.
/// Memory is a few numbers for each gene and batch (and one a cell for the residuals), whatever the number of cells.
///
/// With batches, every batch is treated alone and then: `seurat`, `cell_ranger`: by number of batches that select the
/// gene, then mean statistic (genes without a count in a batch are 0 there); `seurat_v3`: by median rank among the batches
/// that select it, then their number; `seurat_v3_paper` and residuals: the other way round.
/// Ties: by gene id for the flavours on log-normalised values, by position for those on counts, as in scanpy.
///
/// # Errors
/// If the values are not what the flavour needs, batches and cells differ in number, bins are degenerate, a batch has one
/// cell, or the source cannot be read.
///
/// # Examples
/// ```
/// use cellstone_core::{Counts, Csr, Var};
/// use cellstone_prep::{HvgFlavor, HvgParams, highly_variable_genes};
/// use ndarray::array;
/// // The second gene is all or nothing, the others vary little.
/// let x = array![[3.0, 9.0, 2.0], [4.0, 0.0, 2.0], [3.0, 8.0, 1.0], [4.0, 0.0, 2.0]];
/// let counts = Counts::new(Csr::from_dense(&x), Var::from_ids(["a", "b", "c"])?)?;
/// let params = HvgParams::top(HvgFlavor::PearsonResiduals, 1);
/// let hvg = highly_variable_genes(&(&counts).into(), None, &params)?;
/// assert_eq!(hvg.highly_variable, [false, true, false]);
/// assert_eq!(hvg.means, [3.5, 4.25, 1.75]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Golden: `scanpy.pp.highly_variable_genes` and `scanpy.experimental.pp.highly_variable_genes` of scanpy 1.11.5.
pub fn highly_variable_genes(
    x: &Expression<'_>,
    batches: Option<&CellBatches>,
    params: &HvgParams,
) -> Result<HvgTable> {
    params.check()?;
    let values = values(x, params)?;
    let n_obs = x.n_obs();
    if n_obs == 0 || x.var().is_empty() {
        return Err(Error::invalid_input(format!(
            "`{}` has {n_obs} cells and {} genes, expected some of both",
            x.name(),
            x.var().len()
        )));
    }
    if let Some(it) = batches.filter(|it| it.of.len() != n_obs) {
        return Err(Error::invalid_input(format!(
            "{} batch labels for the {n_obs} cells of `{}`",
            it.of.len(),
            x.name()
        )));
    }
    let moments = Moments::new(x, batches, values)?;
    let n_top = params.n_top.unwrap_or(usize::MAX);
    match params.flavor {
        HvgFlavor::Seurat | HvgFlavor::CellRanger => by_dispersion(&moments, x.var(), params, batches.is_some()),
        HvgFlavor::SeuratV3 | HvgFlavor::SeuratV3Paper => by_variance(x, &moments, batches, params, n_top),
        HvgFlavor::PearsonResiduals => by_residuals(x, &moments, batches, params, n_top),
    }
}

/// What the flavour looks at; refuses scales that it cannot use.
fn values(x: &Expression<'_>, params: &HvgParams) -> Result<Values> {
    let flavor = params.flavor;
    match (x.scale(), flavor) {
        (Scale::Counts, HvgFlavor::Seurat) => Ok(Values::Linear(Some(params.target_sum))),
        (Scale::Counts, HvgFlavor::CellRanger) => Ok(Values::Log(Some(params.target_sum))),
        (Scale::Counts, _) => Ok(Values::Counts),
        (Scale::LogNorm { .. }, HvgFlavor::CellRanger) => Ok(Values::Log(None)),
        (Scale::LogNorm { .. }, HvgFlavor::Seurat) => Ok(Values::Linear(None)),
        (scale, _) if flavor.needs_counts() => Err(Error::invalid_input(format!(
            "not counts: `{}` holds {scale}, flavor `{flavor}` needs counts",
            x.name()
        ))
        .with_hint("point to the layer that holds the counts, or use flavor = \"seurat\"")),
        (scale, _) => Err(Error::invalid_input(format!(
            "`{}` holds {scale}, flavor `{flavor}` needs counts or log-normalised values",
            x.name()
        ))),
    }
}
