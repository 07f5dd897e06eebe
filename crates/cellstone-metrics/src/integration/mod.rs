//! Metrics of batch integration: the scIB family, exact and deterministic.
//!
//! Labels and batches are codes, one per cell; embeddings are `[n_obs, d]`; graphs and neighbours come from outside.
//! Whole metrics are single functions; where one pass over the data serves several, the pass is a function and the
//! metrics read its result: [`label_silhouettes`] serves [`asw_label`] and [`isolated_label_asw`], and [`lisi`] takes
//! labels and batches together.
//!
//! ```
//! use cellstone_metrics::integration::{BrasMode, asw_label, bras, label_silhouettes};
//! // Two labels far apart, each with both batches in the same places.
//! let x = ndarray::array![[9.0, 0.1], [9.0, 0.3], [9.0, 0.1], [9.0, 0.3], [0.1, 9.0], [0.3, 9.0], [0.1, 9.0], [0.3, 9.0]];
//! let (labels, batch) = ([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1]);
//! let kept = asw_label(&label_silhouettes(x.view(), &labels)?, &labels).value().unwrap();
//! let mixed = bras(x.view(), &labels, &batch, BrasMode::MeanOther)?.scores.value.value().unwrap();
//! assert!(kept > 0.98 && mixed > 0.4);
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! The packages of the family do not agree by design: [`Convention`] says whose rule is followed. A value that does not
//! exist is undefined with a reason. Metrics, their ids and what totals they are in: [`metrics`], [`totals_of`].
//!
//! What is not here: searching for neighbours, clustering, diffusion maps, principal components and reading files.

mod agreement;
mod bras;
mod connectivity;
mod conservation;
mod controls;
mod convention;
mod genes;
mod isolated;
mod kbet;
mod labels;
mod lisi;
mod pairs;
mod paths;
mod pcr;
mod registry;
mod sbee;
mod silhouette;
mod totals;
mod walks;
mod warnings;
mod wide;

pub use agreement::{Agreement, BestAgreement, RESOLUTIONS, best_agreement};
pub use bras::{Bras, BrasMode, bras};
pub use connectivity::{
    components, graph_connectivity, graph_connectivity_directed, largest_component, strong_components,
};
pub use conservation::{
    Trajectory, cell_cycle_conservation, trajectory_cells, trajectory_conservation, trajectory_root,
};
pub use controls::{ControlEmbeddings, controls, stratified_sample};
pub use convention::Convention;
pub use genes::{batch_aware_genes, hvg_count, hvg_overlap, mean_morans_i, morans_i, morans_i_kept};
pub use isolated::{IsolatedLabels, isolated_label_asw, isolated_label_f1, isolated_labels};
pub use kbet::{Kbet, KbetLabel, KbetParams, KbetScore, KbetTest, kbet_acceptance, kbet_k0, kbet_per_label};
pub use labels::{LabelScore, PerLabel, is_degenerate};
pub use lisi::{LisiParams, LisiScore, Neighborhood, clisi, ilisi, lisi, lisi_of};
pub use paths::path_neighborhoods;
pub use pcr::{Covariate, PcrComparison, pcr, pcr_comparison, pcr_full};
pub use registry::{Group, IntegrationMetric, metric_by_id, metrics};
pub use sbee::sbee;
pub use silhouette::{asw_label, label_silhouettes, silhouette_batch, silhouette_label};
pub use totals::{Totals, control_scaled, totals, totals_of};
pub use walks::walk_neighbors;
pub use warnings::{Warning, cramers_v, design_warnings, embedding_warnings, over_integration};
