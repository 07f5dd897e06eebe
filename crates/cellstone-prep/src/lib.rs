//! From cells to what splits, baselines and metrics share: labels, normalized values, condition means, splits.
//!
//! ```
//! use cellstone_core::Part;
//! use cellstone_prep::{ParseOptions, Parsed, SplitParams, make_splits, parse_condition, read_condition_list};
//!
//! // A name of a file becomes a condition with one canonical key.
//! let genes = ["KLF1", "MAP2K3"];
//! let parsed = parse_condition("MAP2K3_KLF1", &|it| genes.contains(&it), &ParseOptions::default())?;
//! let Parsed::Condition(condition) = parsed else { panic!("assigned") };
//! assert_eq!(condition.to_string(), "KLF1+MAP2K3");
//!
//! // A protocol splits conditions; the seed decides.
//! let conditions = read_condition_list("control\nA\nB\nC\nD\nA+B\nA+C\nA+D\nB+C\nB+D\nC+D")?;
//! let split = &make_splits("norman_doubles", &SplitParams::default(), &conditions, 1)?[0];
//! assert_eq!(split.names(Part::Train).len(), 1 + 4 + 3);
//! assert_eq!((split.names(Part::Test).len(), split.names(Part::Val).len()), (1, 2));
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! Start with [`CellLabels::from_obs`], [`pseudobulk`] and [`make_splits`]. Random draws of splits follow NumPy's legacy
//! stream ([`NumpyRng`]), because published splits are defined by it; all others come from [`cellstone_core::Seed`].
//!
//! What is not here: reading files, metrics, and methods.

#![forbid(unsafe_code)]

mod condition;
mod de;
mod delta;
mod expression;
mod fastmath;
mod group_means;
mod hvg;
mod labels;
mod linalg;
mod mt19937;
mod normalize;
mod pca;
mod pseudobulk;
mod qc;
mod split;
mod weights;

pub use condition::{ParseOptions, Parsed, parse_condition};
pub use de::{
    Adjust, DeGroups, DeMethod, DeParams, DeReference, DeRow, DeTable, DeValues, LfcConvention, SmallGroups,
    benjamini_hochberg, de, de_stream, normal_two_sided, t_two_sided,
};
pub use delta::{delta, lfc};
pub use expression::Expression;
pub use group_means::group_means;
pub use hvg::{
    CellBatches, DispersionCutoffs, HvgColumn, HvgFlavor, HvgParams, HvgTable, LoessSurface, highly_variable_genes,
    loess,
};
pub use labels::{CellLabels, Group, LabelColumns, UsedColumns};
pub use linalg::{Real, fix_signs, gram, gram_t, matmul, solve_spd, sym_eig, thin_svd};
pub use mt19937::NumpyRng;
pub use normalize::{
    Normalize, Target, library_sizes, log1p, nonzero_median, normalize_log1p, normalize_total, source_libraries,
};
pub use pca::{Pca, PcaRoute, SparsePcaParams, pca_dense, pca_sparse, pca_stream};
pub use pseudobulk::{PseudobulkLog, PseudobulkParams, pseudobulk, pseudobulk_from_means, split_control};
pub use qc::{
    CellFilter, CellQc, Filtered, GeneFilter, GeneQc, GeneSets, QcAccumulator, QcColumn, QcMetrics, QcParams,
    RuleCount, SetQc, calculate_qc_metrics,
};
pub use split::{
    ProtocolInfo, SplitCondition, SplitMeta, SplitParams, make_splits, pool_hash, protocols, read_condition_list,
    split_from_json, split_to_json,
};
pub use weights::de_weights;
