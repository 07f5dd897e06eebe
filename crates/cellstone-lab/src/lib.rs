//! Experiments: from one TOML file to a run directory with tables and a report.
//!
//! The lab composes what the other crates compute and does nothing one of them could do alone. Methods and metrics come
//! from a [`Registry`], which is a value: a binary of twenty lines adds its own and gets every experiment and report.
//!
//! ```no_run
//! use cellstone_lab::{Registry, RunOptions, Silent, load_config, run};
//! let registry = Registry::builtin();
//! let config = load_config("experiments/norman_geometry.toml".as_ref(), &[], &registry)?;
//! let cancel = std::sync::atomic::AtomicBool::new(false);
//! let options = RunOptions {
//!     out: None, resume: false, force: false, progress: &Silent, cancel: &cancel, threads: 2, device: "cpu".into(),
//! };
//! println!("{}", run(&config, &registry, &options)?.report.display());
//! # Ok::<(), cellstone_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod config;
mod data;
mod embed;
mod host;
mod integration;
pub mod phenotype;
mod plan;
pub mod pretrain;
mod progress;
pub mod rank_study;
mod registry;
mod run;
mod score;
mod tokenize;
mod variant;

pub use config::{
    Config, DEFAULT_METRICS, Data, EmbeddingConfig, Method, Metrics, Output, Prep, RawConfig, RawMethod, SplitConfig,
    load_config, parse_config, resolve,
};
pub use data::{Loaded, in_file, label_cells, load, load_priors, open_cells, require_label};
pub use embed::{
    CellTokens, CellVectors, EditRow, EmbedParams, FileEmbedder, GeneVectorsOverCells, TokenSource, available_memory,
    chosen_cells, embed_cells, embed_genes_over_cells, insilico_edits,
};
pub use host::{Stopwatch, git_revision, peak_memory, utc_now};
pub use integration::{
    CellGroups, Convention, IntegrationInput, IntegrationOutcome, IntegrationParams, LabelValue, Measured, MetricValue,
    PreIntegration, integrate, integration_metrics,
};
pub use plan::plan;
pub use progress::{Progress, Silent};
pub use registry::{Entry, Params, PredictorEntry, Registry};
pub use run::{
    Bundle, CurveSum, REPLICATE, RunOptions, RunOutcome, SummaryInput, SummaryTables, UnitTables, curves, part_name,
    run, run_unit, summarize,
};
pub use score::{ScoreConfig, score};
pub use tokenize::{
    CoverageReport, DetectedScale, EncoderFile, HeavyFeature, InputFile, LowMedian, MediansOptions, NCounts,
    RecoveredCounts, TokenizeOptions, TokenizeOutcome, detect_scale, medians, open_for, sample_scale, scale_for,
    tokenize, with_gene_ids,
};
pub use variant::{TOP_CONTROL, Variant, variants};

// The code of the page is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/adding-a-model.md")]
mod adding_a_model {}
