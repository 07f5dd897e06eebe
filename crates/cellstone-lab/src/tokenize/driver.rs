//! Cells in, a token table out: blocks are read, encoded and written at the same time, in order.

use super::cells::{Cells, carried};
use super::manifest::{Config, Hashing, InputMark, Manifest, json, pretty};
use super::options::{NCounts, TokenizeOptions, TokenizeOutcome};
use super::tally::{Counted, Tally};
use crate::host::Stopwatch;
use cellstone_core::{
    BoundTokenizer, CellInput, CountSource, Encoded, Error, ErrorKind, Result, RowBlock, Scale, Seed, Tokenizer,
    cell_seed,
};
use cellstone_io::{Sidecars, Start, TokenCell, TokenTable, TokenWriter};
use cellstone_rank::CoverageRule;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Time between commits: each waits for the disk.
const COMMIT: Duration = Duration::from_secs(2);
/// Cells that a worker takes at once.
const CELLS: usize = 16;
/// Share of cells without tokens beyond which a strict run fails.
const REJECTS: f64 = 0.05;
/// Share of cells whose stated total may differ from the one found.
const DIFFERING: f64 = 0.01;
/// Share of counts below which the first block is enough to give up.
const HOPELESS: f64 = 0.5;

/// Encodes the cells of a source and writes their tokens to `out`, as they come, in bounded memory.
///
/// Rows stand in the order of the cells. Neither the number of threads nor the blocks of the source nor where a run was
/// stopped and resumed changes a byte of the table.
///
/// # Errors
/// If the encoder does not take the scale of the source, if too little of the file is found in the vocabulary, if names
/// of cells repeat, a column is missing, stated totals disagree (strict), more than 5 % of the cells have no tokens
/// (strict), the source cannot be read, the disk fails, or the run was asked to stop; then, and if the disk failed, what
/// was committed stays and is continued with `resume`. Nothing stands under the name `out` in any of these cases.
pub fn tokenize(
    source: &dyn CountSource,
    tokenizer: &dyn Tokenizer,
    out: &Path,
    options: &TokenizeOptions<'_>,
) -> Result<TokenizeOutcome> {
    let info = tokenizer.info();
    let file = source.name().to_owned();
    let named = |error: Error| crate::in_file(error, &file);
    let bound = tokenizer.bind(source.var(), source.scale()).map_err(named)?;
    // What does not depend on the cells is judged before any work.
    options.rule.check(bound.coverage(), 1.0, 1.0).map_err(named)?;
    let cells = Cells::new(source.obs(), info, &options.phenotypes).map_err(named)?;
    let obs = carried(source.obs(), &options.obs).map_err(named)?;
    if options.n_counts == NCounts::Obs && cells.n_counts.is_none() {
        let error = Error::invalid_input("column `n_counts` of obs is missing or holds no numbers (MissingColumn)");
        return Err(named(error.with_hint("leave out --n-counts obs, and totals are summed over the matrix")));
    }
    let config = json(&Config {
        cellstone: env!("CARGO_PKG_VERSION"),
        encoder: info,
        files: &options.files,
        seed: options.seed,
        scale: source.scale(),
        dataset_id: &options.dataset_id,
        obs: &options.obs,
        phenotypes: &options.phenotypes,
        n_counts: options.n_counts,
        row_group_size: options.row_group_size,
        input: InputMark::new(source, &options.input, &options.matrix)?,
    })?;
    let table = TokenTable {
        config: config.to_string(),
        dataset_id: options.dataset_id.clone(),
        obs,
        group_cells: options.row_group_size,
        overwrite: options.force,
        resume: options.resume,
    };
    let writer = match TokenWriter::start(out, table)? {
        Start::Write(it) => *it,
        Start::Complete => return already(out),
    };
    let low = low_columns(tokenizer, bound.as_ref(), &options.low_medians);
    let counted = Counted::new(bound.genes(), low);
    let absent = cells.absent(info);
    let job = Job { source, bound: bound.as_ref(), cells: &cells, absent, counted: &counted, config: &config, options };
    job.run(writer).map_err(named)
}

/// Columns of genes with a median near 0: a cell that expresses nothing else has the token of the gene.
fn low_columns(
    tokenizer: &dyn Tokenizer,
    bound: &dyn BoundTokenizer,
    low: &[(String, f64)],
) -> Vec<(u32, String, f64)> {
    let low: BTreeMap<&str, f64> = low.iter().map(|it| (it.0.as_str(), it.1)).collect();
    if low.is_empty() {
        return Vec::new();
    }
    let find = |col: u32| {
        bound.genes()[col as usize]?;
        let (columns, values) = (&[col][..], &[1.0][..]);
        let cell = CellInput { columns, values, n_counts: 1.0, phenotypes: &[], seed: Seed::new(0) };
        let Encoded::Row(row) = bound.encode(&cell) else { return None };
        let mut names = row.input_ids.iter().filter_map(|it| tokenizer.token_name(*it));
        let (gene, median) = names.find_map(|it| low.get_key_value(it))?;
        Some((col, (*gene).to_owned(), *median))
    };
    (0..bound.genes().len() as u32).filter_map(find).collect()
}

/// A table that was made before.
fn already(out: &Path) -> Result<TokenizeOutcome> {
    let n_rows = cellstone_io::TokenFile::open(out)?.n_rows() as u64;
    Ok(TokenizeOutcome {
        n_rows,
        n_rejected: 0,
        n_filtered: 0,
        n_tokens: 0,
        first_row: n_rows as usize,
        warnings: vec![format!("`{}` was complete already", out.display())],
        coverage: None,
    })
}

/// Everything that workers share.
struct Job<'a> {
    source: &'a dyn CountSource,
    bound: &'a dyn BoundTokenizer,
    cells: &'a Cells<'a>,
    /// Phenotypes of the encoder that obs has no column for.
    absent: Vec<String>,
    counted: &'a Counted,
    config: &'a serde_json::Value,
    options: &'a TokenizeOptions<'a>,
}

/// What became of a cell, and its totals: over the matrix, and the one that counts.
struct Done {
    summed: f64,
    n_counts: f64,
    /// `None` if the file marks the cell as filtered out.
    encoded: Option<Encoded>,
}

/// A block and what became of its cells.
type Work = (RowBlock, Vec<Done>);

impl Job<'_> {
    fn run(&self, mut writer: TokenWriter) -> Result<TokenizeOutcome> {
        let first_row = writer.next_row();
        let mut tally = match writer.state() {
            Some(state) => serde_json::from_value(state.clone())
                .map_err(|error| Error::invalid_input(format!("the part that was written is damaged: {error}")))
                .map_err(|error| error.with_hint("start over with --force"))?,
            None => Tally::new(self.counted),
        };
        let hashing = Hashing::start(&self.options.input)?;
        let progress = self.options.progress;
        progress.begin("encoding cells", Some((self.source.n_obs() - first_row) as u64), "cells");
        let encoded = self.stream(first_row, &mut writer, &mut tally);
        progress.end();
        let checked = encoded.and_then(|()| {
            let (found, n) = (writer.next_row(), self.source.n_obs());
            if found != n {
                return Err(Error::invalid_input(format!("the source ended after {found} of {n} cells")));
            }
            self.judge(&tally)
        });
        let warnings = match checked {
            Ok(it) => it,
            Err(error) => return Err(self.stop(writer, error)),
        };
        // From here on the writer looks after itself.
        let inputs = match hashing.finish() {
            Ok(it) => it,
            Err(error) => return Err(self.stop(writer, error)),
        };
        let coverage = tally.report(self.bound.coverage(), self.source.var(), self.counted, &warnings);
        let sidecars = Sidecars {
            tokenizer: serde_json::json!({ "config": self.config, "inputs": json(&inputs)? }).to_string(),
            coverage: pretty(&coverage)?,
            manifest: pretty(&Manifest::new(self.config, &inputs, &tally, &warnings, self.options))?,
        };
        writer.finish(&sidecars)?;
        Ok(TokenizeOutcome {
            n_rows: tally.n_rows,
            n_rejected: tally.n_rejected(),
            n_filtered: tally.n_filtered,
            n_tokens: tally.n_tokens,
            first_row,
            warnings,
            coverage: Some(coverage),
        })
    }

    /// Leaves what can be continued, and says so.
    fn stop(&self, writer: TokenWriter, error: Error) -> Error {
        if !(error.is_cancelled() || error.kind() == ErrorKind::Io) {
            writer.discard();
            return error;
        }
        let row = writer.next_row();
        if writer.keep() {
            error.with_hint(format!("{row} of {} cells are written: go on with --resume", self.source.n_obs()))
        } else {
            error
        }
    }

    /// Reads, encodes and writes at the same time, each a block ahead of the next.
    fn stream(&self, first_row: usize, writer: &mut TokenWriter, tally: &mut Tally) -> Result<()> {
        std::thread::scope(|scope| {
            let (to_encode, blocks) = sync_channel(1);
            let (to_write, done) = sync_channel(1);
            scope.spawn(move || self.read(first_row, &to_encode));
            let writing = scope.spawn(move || self.write(&done, writer, tally));
            let encoded = self.encode(&blocks, &to_write);
            // Both neighbours end when their channel does.
            drop((blocks, to_write));
            let written = writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            written.and(encoded)
        })
    }

    fn read(&self, first_row: usize, out: &SyncSender<Result<RowBlock>>) {
        let blocks = match self.source.blocks(first_row) {
            Ok(it) => it,
            Err(error) => return drop(out.send(Err(error))),
        };
        for block in blocks {
            let failed = block.is_err();
            if out.send(block).is_err() || failed {
                return;
            }
        }
    }

    fn encode(&self, blocks: &Receiver<Result<RowBlock>>, out: &SyncSender<Work>) -> Result<()> {
        while let Ok(block) = blocks.recv() {
            if self.options.cancel.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::Cancelled, "stopped on request"));
            }
            let block = block?;
            let n = block.x.shape().0;
            let done = (0..n).into_par_iter().with_min_len(CELLS).map(|row| self.encode_cell(&block, row)).collect();
            // Nobody receives: writing failed, and says why.
            if out.send((block, done)).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn encode_cell(&self, block: &RowBlock, row: usize) -> Done {
        let at = block.start + row;
        let (columns, values) = block.x.row(row);
        let summed: f64 = values.iter().map(|it| f64::from(*it)).sum();
        let n_counts = match (self.options.n_counts, &self.cells.n_counts) {
            (NCounts::Obs, Some(stated)) => stated[at],
            _ => summed,
        };
        let encoded = self.cells.passes(at).then(|| {
            let phenotypes = self.cells.phenotypes(at);
            let seed = cell_seed(self.options.seed, &self.options.dataset_id, self.cells.id(at));
            self.bound.encode(&CellInput { columns, values, n_counts, phenotypes: &phenotypes, seed })
        });
        Done { summed, n_counts, encoded }
    }

    fn write(&self, done: &Receiver<Work>, writer: &mut TokenWriter, tally: &mut Tally) -> Result<()> {
        let mut watch = Stopwatch::start();
        let (mut held, mut first) = (None, true);
        let mut next_row = writer.next_row();
        while let Ok((block, cells)) = done.recv() {
            let n = cells.len() as u64;
            for (row, cell) in cells.into_iter().enumerate() {
                next_row = block.start + row + 1;
                self.add(&block, row, cell, writer, tally)?;
                if writer.is_full() {
                    writer.close_group(next_row)?;
                    let state = json(tally)?;
                    // The first commit comes at once: from then on there is something to resume.
                    if writer.state().is_none() || watch.elapsed() >= COMMIT {
                        writer.commit(state)?;
                        (held, watch) = (None, Stopwatch::start());
                    } else {
                        held = Some(state);
                    }
                }
            }
            if std::mem::take(&mut first) {
                self.judge_early(tally)?;
            }
            self.options.progress.advance(n);
        }
        if next_row == self.source.n_obs() {
            return writer.close_group(next_row);
        }
        // Stopped early: what was closed since the last commit need not be made again.
        held.map_or(Ok(()), |state| writer.commit(state))
    }

    fn add(&self, block: &RowBlock, row: usize, done: Done, writer: &mut TokenWriter, tally: &mut Tally) -> Result<()> {
        let at = block.start + row;
        let cell = TokenCell { id: self.cells.id(at), row: at, n_counts: done.n_counts };
        let Some(encoded) = done.encoded else {
            tally.n_filtered += 1;
            writer.reject(cell, "filter_pass=0", "the file marks the cell as filtered out".to_owned());
            return Ok(());
        };
        tally.add_values(&block.x, row, done.summed, self.counted);
        if self.options.n_counts == NCounts::Computed
            && self.source.scale() == Scale::Counts
            && let Some(stated) = &self.cells.n_counts
        {
            tally.add_total(cell.id, stated[at], done.summed);
        }
        match encoded {
            Encoded::Row(it) => {
                tally.add_row(&it, done.n_counts);
                writer.push(cell, it)
            }
            Encoded::Rejected { reason, detail } => {
                tally.add_reject(reason);
                writer.reject(cell, reason, detail);
                Ok(())
            }
        }
    }

    /// Gives up after the first block if it leaves no hope: a large file takes minutes.
    fn judge_early(&self, tally: &Tally) -> Result<()> {
        if tally.mapped() < HOPELESS * tally.total.0 {
            self.options.rule.check(self.bound.coverage(), tally.mapped(), tally.total.0)?;
        }
        Ok(())
    }

    /// Judges the whole; gives the warnings.
    fn judge(&self, tally: &Tally) -> Result<Vec<String>> {
        let strict = self.options.rule == CoverageRule::Strict;
        let mut warnings = self.options.rule.check(self.bound.coverage(), tally.mapped(), tally.total.0)?;
        let refuse = |text: String, hint: &str, warnings: &mut Vec<String>| {
            if strict {
                return Err(Error::invalid_input(text)
                    .with_hint(hint)
                    .with_hint("--mode lenient makes this a warning"));
            }
            warnings.push(text);
            Ok(())
        };
        let percent = |n: u64, all: u64| n as f64 / all.max(1) as f64 * 100.0;
        if let Some((cell, stated, found)) = &tally.first_differs
            && percent(tally.n_totals_differ, tally.n_totals) > DIFFERING * 100.0
        {
            let text = format!(
                "column `n_counts` of obs differs from the sum of the matrix in {:.1} % of the cells (`{cell}`: {} stated, \
                 {} found), expected at most 1 % (NCountsMismatch)",
                percent(tally.n_totals_differ, tally.n_totals),
                stated.0,
                found.0
            );
            refuse(text, "where the matrix lacks features of the raw data, pass --n-counts obs", &mut warnings)?;
        }
        let n_rejected = tally.n_rejected();
        if percent(n_rejected, tally.n_cells()) > REJECTS * 100.0 {
            let reasons: Vec<String> = tally.rejected.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
            let text = format!(
                "{n_rejected} of {} cells have no tokens ({}), expected at most 5 %",
                tally.n_cells(),
                reasons.join(", ")
            );
            refuse(text, "filter such cells first: cargo xtask qc", &mut warnings)?;
        }
        if !self.absent.is_empty() {
            let names = cellstone_core::quoted(&self.absent);
            warnings.push(format!("no column of obs holds the phenotypes {names}: they are masked in every cell"));
        }
        if tally.n_filtered > 0 {
            warnings.push(format!("{} cells are left out: column `filter_pass` of obs marks them", tally.n_filtered));
        }
        Ok(warnings)
    }
}
