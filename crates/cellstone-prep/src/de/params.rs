//! What a caller chooses.

use cellstone_core::{Error, Result, Scale};
use std::path::PathBuf;

/// The test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeMethod {
    /// Wilcoxon rank sum (Mann–Whitney U) in its normal approximation; the statistic is z, positive where the group is
    /// higher.
    Wilcoxon,
    /// Welch's t with Satterthwaite's degrees of freedom.
    TTest,
    /// Welch's t with the size of the group in place of the size of the reference, which overestimates the variance of
    /// the reference mean.
    TTestOverestimVar,
}

/// What every group is compared with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeReference {
    /// All labelled cells outside the group, among them those of groups that are not tested.
    Rest,
    /// All labelled cells that are neither in the group nor in the control: what sets one perturbation apart from the
    /// others. The control itself is not tested; against everything else it is [`DeReference::Rest`].
    AllPerturbed {
        /// Name of the control group.
        control: String,
    },
    /// The cells of one group, usually the control.
    Group(String),
}

/// How log2 fold changes are computed; `a` is the group, `b` the reference, and both get a pseudocount of 1e-9.
///
/// | name | `a` and `b` for `ln(1 + x)` values | for linear values (counts, counts per million) |
/// |---|---|---|
/// | `scanpy` | `expm1(mean X)` | refused |
/// | `pdex` | `expm1(mean X)` | `expm1(mean ln(1 + X))` |
/// | `cell_eval2` | `mean expm1(X)` | `mean X` |
///
/// `lfc = log2((a + 1e-9) / (b + 1e-9))`: 0 where both are 0. The first two are geometric means, the third is arithmetic;
/// they differ wherever the spread differs between group and reference. NaN where a mean is negative.
///
/// # References
/// scverse/scanpy, scanpy/tools/_rank_genes_groups.py; ArcInstitute/pdex 0.3, src/pdex/_math.py;
/// ArcInstitute/cell-eval2, src/cell_eval2/de_compute.py and configs/vcc2026.yaml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LfcConvention {
    /// Of geometric means, log-normalised values only.
    Scanpy,
    /// Of geometric means on either scale.
    Pdex,
    /// Of arithmetic means on the linear scale.
    CellEval2,
}

/// Which p-values are adjusted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjust {
    /// The genes of one group.
    PerGroup,
    /// All pairs of group and gene.
    AllTests,
}

/// What happens to groups with fewer than two cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmallGroups {
    /// An error that names them.
    Refuse,
    /// They are not tested, and [`crate::DeTable::skipped`] names them; their cells stay in the rest.
    Skip,
}

/// Parameters of [`crate::de`] and [`crate::de_stream`].
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `method` | Wilcoxon | the test | – |
/// | `tie_correct` | true | variance of the rank sum corrected for ties (Wilcoxon) | – |
/// | `continuity` | false | distance from the mean shortened by 1/2 (Wilcoxon) | – |
/// | `reference` | rest | what every group is compared with | – |
/// | `groups` | all | the groups that are tested, in this order | known names |
/// | `lfc` | scanpy | how fold changes are computed | fits the scale |
/// | `adjust` | per group | which p-values are adjusted together | – |
/// | `small_groups` | refuse | what happens to groups with fewer than two cells | – |
/// | `memory` | 1 GiB | bytes of values or sums held at once; a stream is read again for the genes that do not fit | ≥ 1 |
/// | `spill` | none | folder for temporary files that replace the further passes (rank tests on streams) | 6 bytes free for each stored value |
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeParams {
    /// The test.
    pub method: DeMethod,
    /// Whether ties shrink the variance of the rank sum.
    pub tie_correct: bool,
    /// Whether the distance of the rank sum from its mean is shortened by 1/2.
    pub continuity: bool,
    /// What every group is compared with.
    pub reference: DeReference,
    /// The groups that are tested; `None` for all.
    pub groups: Option<Vec<String>>,
    /// How fold changes are computed.
    pub lfc: LfcConvention,
    /// Which p-values are adjusted together.
    pub adjust: Adjust,
    /// What happens to groups with fewer than two cells.
    pub small_groups: SmallGroups,
    /// Bytes of values or sums held at once.
    pub memory: usize,
    /// Folder for temporary files that replace further passes over a stream.
    pub spill: Option<PathBuf>,
}

impl Default for DeParams {
    fn default() -> Self {
        Self {
            method: DeMethod::Wilcoxon,
            // DIVERGES(wilcoxon-tie-correction)
            tie_correct: true,
            continuity: false,
            reference: DeReference::Rest,
            groups: None,
            lfc: LfcConvention::Scanpy,
            adjust: Adjust::PerGroup,
            small_groups: SmallGroups::Refuse,
            memory: 1 << 30,
            spill: None,
        }
    }
}

/// From the sums of a group to the number that fold changes compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// `expm1` of the mean of the values.
    Expm1OfMean,
    /// The mean of the values.
    Mean,
    /// The mean of `expm1` of the values.
    MeanOfExpm1,
    /// `expm1` of the mean of `ln(1 + value)`.
    GeometricOfLinear,
}

impl Level {
    pub(super) fn new(lfc: LfcConvention, scale: Scale) -> Result<Self> {
        match (lfc, scale) {
            (_, Scale::Effect) => Err(Error::config("fold changes are not defined for effect coordinates")
                .with_hint("test expression values: counts, counts per million or log-normalised")),
            (LfcConvention::Scanpy | LfcConvention::Pdex, Scale::LogNorm { .. }) => Ok(Self::Expm1OfMean),
            (LfcConvention::CellEval2, Scale::LogNorm { .. }) => Ok(Self::MeanOfExpm1),
            (LfcConvention::CellEval2, _) => Ok(Self::Mean),
            (LfcConvention::Pdex, _) => Ok(Self::GeometricOfLinear),
            (LfcConvention::Scanpy, _) => Err(Error::config(format!(
                "the fold change of scanpy is defined for log-normalised values, but these are {scale}"
            ))
            .with_hint("normalise first, or choose lfc = \"cell_eval2\" (arithmetic) or \"pdex\" (geometric)")),
        }
    }

    /// What is summed besides the value itself; `None` where the sum of values is enough.
    pub(super) fn transform(self) -> Option<fn(f64) -> f64> {
        match self {
            Self::Expm1OfMean | Self::Mean => None,
            Self::MeanOfExpm1 => Some(f64::exp_m1),
            Self::GeometricOfLinear => Some(f64::ln_1p),
        }
    }

    /// From the mean of what [`Level::transform`] names.
    pub(super) fn of_mean(self, mean: f64) -> f64 {
        match self {
            Self::Mean | Self::MeanOfExpm1 => mean,
            Self::Expm1OfMean | Self::GeometricOfLinear => mean.exp_m1(),
        }
    }
}

/// Added to both sides of every fold change.
pub(super) const PSEUDOCOUNT: f64 = 1e-9;
