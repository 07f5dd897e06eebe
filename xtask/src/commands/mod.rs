//! One module per group of commands; each returns the exit code.

mod ci;
mod doctor;
mod embed;
mod experiment;
mod files;
mod genes;
mod graph;
mod integration;
mod matrix;
mod phenotype;
mod pretrain;
mod qc;
mod rank_study;
mod score;
mod tables;
mod tokenize;
mod vocab;

use crate::cli::{Cli, Command, Common, MatrixInput, ScaleArg};
use crate::progress::TerminalProgress;
use crate::terminal::say;
use cellstone_core::{CountSource, Error, Result, Scale};
use cellstone_io::{OpenOptions, open_source};
use cellstone_lab::{RunOptions, RunOutcome};
use cellstone_report::{ColumnData, Table, write_columns};
use matrix::principal_components;
pub(crate) use phenotype::is_phenotype;
pub(crate) use pretrain::is_pretrain;
pub(crate) use rank_study::is_rank_study;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the first Ctrl-C; a run then stops at the next unit and stays resumable.
static CANCEL: AtomicBool = AtomicBool::new(false);

/// Runs the command that was asked for.
pub(crate) fn dispatch(cli: &Cli) -> Result<u8> {
    let common = &cli.common;
    match &cli.command {
        Command::Demo(it) => experiment::demo(common, it),
        Command::Run(it) => experiment::run(common, it),
        Command::Plan(it) => experiment::plan(it),
        Command::Score(it) => score::score(common, it),
        Command::Split(it) => files::split(it),
        Command::Simulate(it) => files::simulate(common, it),
        Command::Inspect(it) => files::inspect(common, it),
        Command::Normalize(it) => matrix::normalize(common, it),
        Command::Pseudobulk(it) => matrix::pseudobulk(common, it),
        Command::Pca(it) => matrix::pca(common, it),
        Command::Qc(it) => qc::qc(common, it),
        Command::Hvg(it) => genes::hvg(common, it),
        Command::Neighbors(it) => graph::neighbors(common, it),
        Command::Cluster(it) => graph::cluster(common, it),
        Command::Umap(it) => graph::umap(common, it),
        Command::De(it) => genes::de(common, it),
        Command::Integration(it) => integration::integration(common, it),
        Command::Genes(it) => vocab::genes(common, it),
        Command::Tokenize(it) => tokenize::tokenize(common, it),
        Command::Medians(it) => tokenize::medians(common, it),
        Command::RankStudy(it) => rank_study::rank_study(common, it),
        Command::Pretrain(it) => pretrain::pretrain(common, it),
        Command::Annotate(it) => phenotype::annotate(common, it),
        Command::Entropy(it) => phenotype::entropy(common, it),
        Command::Embed(it) => embed::embed(common, it),
        Command::Table(it) => tables::table(it),
        Command::List(it) => tables::list(common, it),
        Command::Report(it) => tables::report(it),
        Command::Compare(it) => tables::compare(common, it),
        Command::Doctor => doctor::doctor(common),
        Command::Ci(it) => ci::ci(it),
        Command::Tidy => ci::tidy(common),
    }
}

/// Options of a run from the common flags. Ctrl-C asks the run to stop; a second one ends the process.
fn run_options<'a>(
    common: &Common,
    progress: &'a TerminalProgress,
    out: Option<PathBuf>,
    resume: bool,
    force: bool,
) -> Result<RunOptions<'a>> {
    // A second handler cannot be installed, and one is enough.
    let _ = ctrlc::set_handler(|| {
        if CANCEL.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    // The baselines run on the CPU whatever is asked for, but an impossible wish must fail now.
    let device = if common.device == "wgpu" {
        cellstone_model::select(cellstone_model::DeviceChoice::Wgpu)?.name().to_owned()
    } else {
        cellstone_model::DeviceChoice::parse(&common.device)?;
        "cpu".to_owned()
    };
    Ok(RunOptions { out, resume, force, progress, cancel: &CANCEL, threads: rayon::current_num_threads(), device })
}

/// Says where the report is; the exit code tells whether a score failed.
fn finish_run(common: &Common, outcome: &RunOutcome) -> u8 {
    crate::terminal::out(&outcome.report.display().to_string());
    if outcome.n_errors == 0 {
        return 0;
    }
    say(
        common,
        &format!(
            "{} scores have the status `error`; `cargo xtask table {}/tables/scores.parquet --where status=error` shows them",
            outcome.n_errors,
            outcome.dir.display()
        ),
    );
    3
}

/// Refuses an output before any work: a wrong ending, a file that is there, a folder that is not. Returns the ending.
fn check_out(path: &Path, force: bool, endings: &[&str]) -> Result<String> {
    let shown = path.display();
    let ending = path.extension().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    if !endings.contains(&ending.as_str()) {
        let wanted = endings.iter().map(|it| format!(".{it}")).collect::<Vec<_>>().join(", ");
        return Err(Error::config(format!("`{shown}` ends in `{ending}`, expected {wanted}")));
    }
    if path.is_dir() {
        return Err(Error::config(format!("`{shown}` is a folder, expected a file or nothing")));
    }
    if path.exists() && !force {
        return Err(Error::config(format!("`{shown}` exists already and is not overwritten"))
            .with_hint("choose another path, or pass --force to overwrite"));
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        return Ok(ending);
    }
    Err(Error::config(format!("`{shown}` cannot be written: `{}` is not a folder", folder.display()))
        .with_hint("make the folder first, or choose another path"))
}

/// The scale a flag stands for.
fn scale_of(arg: ScaleArg) -> Scale {
    match arg {
        ScaleArg::Counts => Scale::Counts,
        ScaleArg::Lognorm => Scale::LogNorm { target_sum: None },
        ScaleArg::Any => Scale::Effect,
    }
}

/// Opens the cells of a command.
fn open(input: &MatrixInput, scale: Scale) -> Result<Box<dyn CountSource>> {
    let options = OpenOptions {
        scale,
        matrix: Some(input.matrix.clone()),
        genome: input.genome.clone(),
        ..OpenOptions::default()
    };
    open_source(&input.input, &options)
}

/// Whether a file may hold more than a matrix and names.
fn is_h5ad(path: &Path) -> bool {
    path.extension().is_some_and(|it| it.eq_ignore_ascii_case("h5ad"))
}

/// Writes a table of columns.
fn save_table(path: &Path, columns: Vec<(String, ColumnData)>) -> Result<u8> {
    write_columns(path, &Table::new(columns)?)?;
    Ok(0)
}
