//! Running an experiment: inputs, units, summary, report, each kept so that a killed run can go on.

mod execute;
mod resampling;
mod state;
mod summary;
mod unit;

pub use execute::{RunOptions, RunOutcome, run};
pub use summary::{SummaryInput, SummaryTables, curves, summarize};
pub use unit::{Bundle, CurveSum, REPLICATE, UnitTables, part_name, run_unit};

pub(crate) use execute::{Phases, base_manifest, finish, hash_text, input_record, metric_rows, open_run};
pub(crate) use unit::{Outcome, Panel, RowBase, score_panel, target_columns, undefined_rows};
