//! What can be chosen: flavour, number of genes or cut-offs, batches.

use super::loess::LoessSurface;
use cellstone_core::{Error, Result, nearest};
use std::fmt;
use std::str::FromStr;

/// The statistic by which genes are ranked, under scanpy's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HvgFlavor {
    /// Dispersion of the linear values, standardised in 20 bins of equal width of the log mean (log-normalised values).
    Seurat,
    /// Dispersion of the values as given, centred by median and MAD in 20 bins of equal number (log-normalised values).
    CellRanger,
    /// Variance of clipped, standardised counts against a local regression on the mean; batches by median rank first.
    SeuratV3,
    /// The same, batches by the number of batches first, as the paper has it.
    SeuratV3Paper,
    /// Variance of the analytic Pearson residuals of counts.
    PearsonResiduals,
}

const IDS: [(&str, HvgFlavor); 5] = [
    ("seurat", HvgFlavor::Seurat),
    ("cell_ranger", HvgFlavor::CellRanger),
    ("seurat_v3", HvgFlavor::SeuratV3),
    ("seurat_v3_paper", HvgFlavor::SeuratV3Paper),
    ("pearson_residuals", HvgFlavor::PearsonResiduals),
];

impl HvgFlavor {
    /// scanpy's name.
    pub fn id(self) -> &'static str {
        IDS.iter().find(|it| it.1 == self).map_or("", |it| it.0)
    }

    /// Whether the flavour is defined on counts; the others take log-normalised values.
    pub fn needs_counts(self) -> bool {
        !matches!(self, Self::Seurat | Self::CellRanger)
    }

    /// The number of genes that scanpy selects where none is asked for; `None` where cut-offs are its default.
    pub fn default_n_top(self) -> Option<usize> {
        self.needs_counts().then_some(2000)
    }
}

impl fmt::Display for HvgFlavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for HvgFlavor {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if let Some((_, it)) = IDS.iter().find(|it| it.0 == name) {
            return Ok(*it);
        }
        let known: Vec<String> = IDS.iter().map(|it| it.0.to_owned()).collect();
        let error =
            Error::config(format!("unknown flavor `{name}`, expected one of {}", cellstone_core::quoted(&known)));
        Err(match nearest(name, IDS.iter().map(|it| it.0)) {
            Some(it) => error.with_hint(format!("did you mean `{it}`?")),
            None => error,
        })
    }
}

/// Open intervals of mean and standardised dispersion for the flavours on log-normalised values.
///
/// The mean is that of the output column `means`: `ln(1 + mean)` of the linear values for `seurat`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DispersionCutoffs {
    /// Means above this.
    pub min_mean: f64,
    /// Means below this.
    pub max_mean: f64,
    /// Standardised dispersions above this.
    pub min_disp: f64,
    /// Standardised dispersions below this.
    pub max_disp: f64,
}

impl Default for DispersionCutoffs {
    fn default() -> Self {
        Self { min_mean: 0.0125, max_mean: 3.0, min_disp: 0.5, max_disp: f64::INFINITY }
    }
}

impl DispersionCutoffs {
    /// Undefined dispersions count as 0, as Seurat has it.
    pub(super) fn contain(&self, mean: f64, dispersion: f64) -> bool {
        let dispersion = if dispersion.is_nan() { 0.0 } else { dispersion.clamp(f64::MIN, f64::MAX) };
        mean > self.min_mean && mean < self.max_mean && dispersion > self.min_disp && dispersion < self.max_disp
    }
}

/// Parameters of [`crate::highly_variable_genes`].
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `flavor` | `seurat_v3` | see [`HvgFlavor`] | – |
/// | `n_top` | 2,000 | genes to select; `None` selects by `cutoffs`, with log-normalised flavours only | ≥ 1 |
/// | `exact_n` | false | `seurat`, `cell_ranger` without batches: cut ties at the threshold by gene id instead of keeping all | – |
/// | `cutoffs` | 0.0125, 3, 0.5, ∞ | used where `n_top` is `None` | – |
/// | `n_bins` | 20 | `seurat`: bins of the mean | ≥ 1 |
/// | `target_sum` | 10,000 | log-normalised flavours on counts: library size they are brought to inside | > 0 |
/// | `span` | 0.3 | `seurat_v3`: share of the genes in a local fit | 0 < span ≤ 1 |
/// | `surface` | interpolate | `seurat_v3`: see [`LoessSurface`] | – |
/// | `theta` | 100 | Pearson residuals: size of the negative binomial | > 0 |
/// | `clip` | √n of each batch | Pearson residuals: bound on their modulus | ≥ 0 |
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HvgParams {
    /// The statistic.
    pub flavor: HvgFlavor,
    /// Number of genes, or `None` for the cut-offs.
    pub n_top: Option<usize>,
    /// Whether ties at the threshold are cut.
    pub exact_n: bool,
    /// Intervals that are used without a number of genes.
    pub cutoffs: DispersionCutoffs,
    /// Bins of the mean for `seurat`.
    pub n_bins: usize,
    /// Library size to which counts are brought for the flavours on log-normalised values.
    pub target_sum: f64,
    /// Share of the genes in a local fit.
    pub span: f64,
    /// Which form of the local regression.
    pub surface: LoessSurface,
    /// Size of the negative binomial.
    pub theta: f64,
    /// Bound on the residuals, or `None` for √n of each batch.
    pub clip: Option<f64>,
}

impl Default for HvgParams {
    fn default() -> Self {
        Self {
            flavor: HvgFlavor::SeuratV3,
            n_top: Some(2000),
            exact_n: false,
            cutoffs: DispersionCutoffs::default(),
            n_bins: 20,
            target_sum: 1e4,
            span: 0.3,
            surface: LoessSurface::Interpolate,
            theta: 100.0,
            clip: None,
        }
    }
}

impl HvgParams {
    /// The defaults for a flavour, with a number of genes.
    pub fn top(flavor: HvgFlavor, n_top: usize) -> Self {
        Self { flavor, n_top: Some(n_top), ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<()> {
        let positive = |what: &str, value: f64| {
            if value > 0.0 && value.is_finite() {
                return Ok(());
            }
            Err(Error::config(format!("{what} is {value}, expected a positive number")))
        };
        positive("target_sum", self.target_sum)?;
        positive("theta", self.theta)?;
        if !(self.span > 0.0 && self.span <= 1.0) {
            return Err(Error::config(format!("span is {}, expected a share above 0 and up to 1", self.span)));
        }
        if self.n_bins == 0 {
            return Err(Error::config("n_bins is 0, expected at least 1"));
        }
        if let Some(clip) = self.clip.filter(|it| it.is_nan() || *it < 0.0) {
            return Err(Error::config(format!("clip is {clip}, expected a number that is not negative")));
        }
        match self.n_top {
            Some(0) => Err(Error::config("n_top is 0, expected at least 1")),
            None if self.flavor.needs_counts() => {
                Err(Error::config(format!("flavor `{}` selects by number, n_top is missing", self.flavor))
                    .with_hint("set n_top = 2000"))
            }
            _ => Ok(()),
        }
    }
}

/// The batch of every cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellBatches {
    pub(super) of: Vec<u32>,
    pub(super) names: Vec<String>,
}

impl CellBatches {
    /// Batches by name, one a cell; they are numbered in the order of their names.
    ///
    /// # Examples
    /// ```
    /// let batches = cellstone_prep::CellBatches::from_names(&["b", "a", "b"]);
    /// assert_eq!(batches.names(), ["a", "b"]);
    /// ```
    pub fn from_names<S: AsRef<str>>(names: &[S]) -> Self {
        let mut sorted: Vec<String> = names.iter().map(|it| it.as_ref().to_owned()).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let at = |it: &S| sorted.partition_point(|name| name.as_str() < it.as_ref()) as u32;
        Self { of: names.iter().map(at).collect(), names: sorted }
    }

    /// Names in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Cells in each batch.
    pub fn n_cells(&self) -> Vec<usize> {
        let mut n = vec![0; self.names.len()];
        self.of.iter().for_each(|it| n[*it as usize] += 1);
        n
    }
}
