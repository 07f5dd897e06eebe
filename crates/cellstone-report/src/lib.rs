//! The run directory of cellstone: its manifest, its tables, and the report a person reads.
//!
//! A run is a folder. [`RunDir`] makes and opens it, [`Manifest`] says what ran and how it ended, [`write_table`] and
//! [`read_table`] move plain row structs ([`schema`]) in and out of parquet or csv, [`render`] turns the tables into one
//! self-contained HTML page with SVG figures, [`compare`] sets two runs side by side, [`print_table`] prints any table.
//!
//! ```
//! use cellstone_report::{Manifest, RunDir, RunStatus, render, schema::ScoreRow, write_table};
//! let base = tempfile::tempdir()?;
//! let run = RunDir::create(base.path(), "example", "20260101T000000Z", "0123abcd")?;
//! let mut manifest = Manifest { experiment: "example".into(), question: "Does it work?".into(), ..Manifest::default() };
//! run.write_manifest(&manifest)?;
//! let score = ScoreRow {
//!     method: "no_change".into(), split: "fold_0".into(), context: "K562".into(), perturbation: "KLF1".into(),
//!     metric: "l2".into(), value: Some(3.5), status: "ok".into(), ..ScoreRow::default()
//! };
//! let written = write_table(&run.tables_dir(), "scores", &[score])?;
//! run.mark_stage("score", &[("scores.parquet".to_owned(), written.sha256)].into())?;
//! manifest.status = RunStatus::Complete;
//! run.write_manifest(&manifest)?;
//! run.verify()?;
//! assert!(render(&run)?.ends_with("report/index.html"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is not here: any score or statistic but the bootstrap of [`compare`]; they are computed elsewhere and come as
//! tables. A report reads tables, manifest and configuration and nothing else.

#![forbid(unsafe_code)]

mod compare;
pub mod exit;
mod fmt;
mod html;
pub mod integration;
pub mod phenotype;
pub mod pretrain;
pub mod qc;
pub mod rank_study;
mod run_dir;
mod svg;
mod table;

pub use compare::{Comparison, ComparisonRow, compare};
pub use html::render;
pub use run_dir::{Event, EventLog, FormatVersion, GeneCoverage, InputRecord, Manifest, PhaseTime, RunDir, RunStatus};
pub use table::{
    ColumnData, Field, PrintOptions, Row, Table, WrittenTable, print_table, read_table, read_table_if_present, schema,
    sha256_hex, table_path, write_columns, write_table,
};

#[doc(hidden)]
pub use cellstone_core::Result as CoreResult;
#[doc(hidden)]
pub use table::take_column;
