//! The way of a study: annotation → sample → counts → units → summary → page.

use super::agreement::{Said, agreement};
use super::book::Book;
use super::cells::Cells;
use super::config::{EncoderName, GeneSet, PairMetric, Projection, StudyConfig, Unit};
use super::encode::{CellRows, Cut, encode, fit, project};
use super::graded::run_graded;
use super::hypotheses::{hypotheses, scope, value_and_rank};
use super::load::CellCounts;
use super::relations::Relations;
use super::sample::Sampled;
use super::state::Piece;
use super::study::{Study, root, samples};
use super::summary::{Draws, seed_rows, summarize};
use super::tables::{StudyTables, note, study_notes, thinning_summary, type_rows, unit_row};
use super::thinning::{run_thinning, steps, thinned};
use super::transfer::{run_transfer, run_transfer_shared};
use super::unit::{UnitTables, run_unit};
use super::why::why;
use crate::progress::Progress;
use crate::run::{Phases, RunOptions, RunOutcome, base_manifest, finish, hash_text, input_record, open_run};
use cellstone_core::{Error, ErrorKind, Result};
use cellstone_rank::RowEncoder;
use cellstone_report::rank_study::schema::{GradedRow, ThinningRow, TransferRow, UnitRunRow};
use cellstone_report::{Manifest, RunDir};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// Runs a rank study.
///
/// # Errors
/// As its parts say. The manifest then says `failed` or `interrupted`, and the run can be resumed.
pub fn run_study(config: &StudyConfig, options: &RunOptions<'_>) -> Result<RunOutcome> {
    let text = config.to_toml();
    let hash = hash_text(&text);
    let run_dir = open_run(&config.id, &hash, options)?;
    let mut manifest = base_manifest(&config.id, &config.question, &hash, options);
    manifest.seeds.clone_from(&config.seeds);
    if let (true, Ok(old)) = (options.resume, run_dir.manifest()) {
        manifest.started = old.started;
    }
    run_dir.write_manifest(&manifest)?;
    run_dir.write_config(&text)?;
    let result = execute(config, options, &run_dir, &mut manifest);
    finish(&run_dir, &mut manifest, result)
}

/// What a study would do, in plain words. Reads the annotation of the input, not its values.
///
/// # Errors
/// If the input cannot be opened or its columns are wrong: a plan that could not run says so.
pub fn plan_study(config: &StudyConfig) -> Result<String> {
    let cells = Cells::open(config)?;
    let (samples, note) = samples(config, &cells)?;
    let n = samples[0].1.rows.len() as f64;
    let n_types = samples[0].1.rows.iter().filter_map(|it| cells.types[*it]).collect::<BTreeSet<_>>().len();
    let mut lines = vec![("experiment", config.id.clone()), ("question", config.question.clone())];
    lines.extend(config.data.file.iter().map(|it| ("input", it.path.display().to_string())));
    lines.push(("cells", format!("{n} of {} types, of {} in the input", n_types, cells.ids.len())));
    if let (Some(stratum), Some(strata)) = (config.data.stratum, cells.strata(config)) {
        lines.push(("strata", format!("{} of column `{}`", strata.names.len(), stratum.as_str())));
    }
    lines.push(("seeds", note.unwrap_or_else(|| format!("{:?}", config.seeds))));
    let n_all = config.all_pair_units().count();
    lines.push(("units", format!("{} ({n_all} on all pairs), {} skipped", config.unit.len(), config.skipped.len())));
    lines.push(("pairs", format!("{:.3e} in each of them and each seed", n * (n - 1.0) / 2.0)));
    lines.extend(config.unit.iter().map(|it| ("", it.name())));
    Ok(lines.into_iter().map(|(key, value)| format!("{key:<12} {value}\n")).collect())
}

fn execute(
    config: &StudyConfig,
    options: &RunOptions<'_>,
    run_dir: &RunDir,
    manifest: &mut Manifest,
) -> Result<RunOutcome> {
    let mut phases = Phases { manifest, run_dir, cancel: options.cancel };
    let mut tables = StudyTables::default();
    let (cells, relations, samples) = phases.time("read annotation", || {
        let cells = Cells::open(config)?;
        let relations = Relations::read(&cells, config.ontology.as_ref())?;
        let (samples, remark) = samples(config, &cells)?;
        tables.notes.extend(study_notes(config, &cells, &relations, &samples));
        tables.notes.extend(remark.map(|it| note("info", it)));
        Ok((cells, relations, samples))
    })?;
    phases
        .time("hash inputs", || {
            let mut inputs = Vec::new();
            for (it, source) in config.data.file.iter().zip(&cells.sources) {
                inputs.push(input_record(&it.path, "data", source.n_obs() as u64, source.var().len() as u64)?);
            }
            if let Some(it) = &config.ontology {
                inputs.push(input_record(&it.obo, "ontology", 0, 0)?);
            }
            Ok(inputs)
        })
        .map(|inputs| phases.manifest.inputs = inputs)?;
    run_dir.write_manifest(phases.manifest)?;
    let wanted: Vec<usize> =
        samples.iter().flat_map(|it| it.1.rows.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect();
    let counts = phases.time("read counts", || CellCounts::read(&cells, &wanted, options.progress, options.cancel))?;
    for (at, (seed, sampled)) in samples.iter().enumerate() {
        let places: Vec<usize> = sampled.rows.iter().filter_map(|it| wanted.binary_search(it).ok()).collect();
        let study = Study::new(config, &cells, &relations, *seed, &sampled.rows, counts.select(&places))?;
        if at == 0 {
            tables.types = type_rows(&cells, &study, sampled, &relations);
        }
        phases.time(&format!("seed {seed}"), || {
            run_seed(&study, &cells, sampled, options, run_dir, at == 0, &mut tables)
        })?;
    }
    let draws = Draws { n: config.bootstrap, seed: root(config.seeds[0]).derive("bootstrap") };
    phases.time("summarize", || {
        let units: Vec<String> = config.unit.iter().map(Unit::name).collect();
        let book = Book::new(&tables.pairs, &tables.strata, &tables.neighbors, &tables.seeds);
        tables.summary = summarize(&units, &book, draws);
        tables.seeds = seed_rows(&units, &book);
        tables.thinning_summary = thinning_summary(&tables.thinning, draws);
        tables.hypotheses = hypotheses(config, &book, &tables.thinning, draws);
        for (value, rank) in value_and_rank(config, &book, draws) {
            let scope = scope(config, &book);
            tables.why.extend(why(&value.name(), &rank.name(), scope, &book, &tables.types)?);
        }
        tables.units = config.unit.iter().map(unit_row).collect();
        Ok(())
    })?;
    let n_errors = tables.runs.iter().filter(|it| it.status == "error").count();
    phases.time("write tables", || tables.write(&run_dir.tables_dir()))?;
    let report = phases.time("report", || cellstone_report::render(run_dir))?;
    Ok(RunOutcome { dir: run_dir.path().to_owned(), report, n_errors })
}

/// Rows of the unit before, so that the next metric on them does not make them again.
type Memo = Option<((GeneSet, EncoderName, Projection, bool), CellRows)>;

fn run_seed(
    study: &Study<'_>,
    cells: &Cells,
    sampled: &Sampled,
    options: &RunOptions<'_>,
    run_dir: &RunDir,
    first: bool,
    tables: &mut StudyTables,
) -> Result<()> {
    let config = study.config;
    let truth = study_truth(cells, sampled);
    let mut done: Vec<(Unit, UnitTables)> = Vec::new();
    let mut gene_sets: Vec<GeneSet> = Vec::new();
    config.unit.iter().for_each(|it| {
        if !gene_sets.contains(&it.genes) {
            gene_sets.push(it.genes);
        }
    });
    for genes in gene_sets {
        let (columns, cut, remark) = study.cut(genes)?;
        let n = study.types.len() as u64;
        let n_units = config.all_pair_units().filter(|it| it.genes == genes).count() as u64;
        let total = n_units * (n * (n - 1) / 2);
        tables.notes.extend(remark.filter(|_| first).map(|it| note("info", it)));
        let work = Seed { study, options, run_dir, columns, cut };
        options.progress.begin(&format!("seed {}, genes {genes}", study.seed), Some(total), "pairs");
        let result = work.units(genes, truth.as_ref(), tables, &mut done);
        options.progress.end();
        result?;
        work.thinning(genes, tables)?;
    }
    let said: Vec<Said<'_>> =
        done.iter().map(|(unit, it)| Said { unit: unit.name(), sampled: &it.sampled, lists: &it.lists }).collect();
    tables.agreement.extend(agreement(study.seed, &said));
    for (_, it) in done {
        tables.add(it, first);
    }
    Ok(())
}

/// True coordinates of the cells of a sample.
fn study_truth(cells: &Cells, sampled: &Sampled) -> Option<ndarray::Array2<f64>> {
    Some(cells.graded.as_ref()?.select(ndarray::Axis(0), &sampled.rows))
}

/// One gene set of one seed.
struct Seed<'a> {
    study: &'a Study<'a>,
    options: &'a RunOptions<'a>,
    run_dir: &'a RunDir,
    columns: Vec<usize>,
    cut: Cut,
}

impl Seed<'_> {
    fn check_cancel(&self) -> Result<()> {
        if self.options.cancel.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Cancelled, "stopped on request").with_hint("--resume goes on from here"));
        }
        Ok(())
    }

    fn piece(&self, what: &str, unit: &Unit) -> Piece<'_> {
        Piece::new(self.run_dir, format!("s{}{what}-{}", self.study.seed, unit.name()))
    }

    fn fit(&self, name: EncoderName, cut: &Cut) -> Result<RowEncoder> {
        fit(name, cut, &self.study.train)
    }

    /// The rows of a unit, from the memo where it has them.
    fn rows(&self, unit: &Unit, memo: &mut Memo) -> Result<()> {
        let shift_free = matches!(unit.metric, PairMetric::Pearson | PairMetric::Spearman);
        let key = (unit.genes, unit.encoder, unit.projection, shift_free);
        if memo.as_ref().is_none_or(|it| it.0 != key) {
            // The old rows go first: two large matrices need not be there at once.
            *memo = None;
            let encoder = self.fit(unit.encoder, &self.cut)?;
            let rows = encode(&self.cut, &encoder, unit)?;
            *memo = Some((key, project(rows, unit.projection, self.study.root)?));
        }
        Ok(())
    }

    fn units(
        &self,
        genes: GeneSet,
        truth: Option<&ndarray::Array2<f64>>,
        tables: &mut StudyTables,
        done: &mut Vec<(Unit, UnitTables)>,
    ) -> Result<()> {
        let mut memo = None;
        for unit in self.study.config.unit.iter().filter(|it| it.genes == genes) {
            self.check_cancel()?;
            match self.unit(unit, &mut memo, truth, tables) {
                Ok(it) => done.push((*unit, it)),
                Err(error) if error.is_cancelled() || error.kind() == ErrorKind::Io => return Err(error),
                Err(error) => tables.runs.push(UnitRunRow {
                    seed: self.study.seed as i64,
                    unit: unit.name(),
                    n_cells: self.study.types.len() as i64,
                    n_genes: self.columns.len() as i64,
                    status: "error".to_owned(),
                    reason: Some(error.to_string()),
                    ..UnitRunRow::default()
                }),
            }
        }
        Ok(())
    }

    fn unit(
        &self,
        unit: &Unit,
        memo: &mut Memo,
        truth: Option<&ndarray::Array2<f64>>,
        tables: &mut StudyTables,
    ) -> Result<UnitTables> {
        let progress: &dyn Progress = self.options.progress;
        let piece = self.piece("", unit);
        let found = if piece.is_done() {
            UnitTables::load(&piece)?
        } else {
            self.rows(unit, memo)?;
            let rows = rows_of(memo)?;
            let it = run_unit(self.study, unit, rows, self.columns.len(), &|pairs| progress.advance(pairs))?;
            it.save(&piece)?;
            it
        };
        let config = self.study.config;
        if let Some(truth) = truth {
            let rows = self.kept::<GradedRow>("-graded", unit, || {
                self.rows(unit, memo)?;
                run_graded(self.study, config, unit, rows_of(memo)?, truth)
            })?;
            tables.graded.extend(rows);
        }
        if let Some(transfer) = config.transfer.filter(|_| unit.metric.takes_all_pairs()) {
            let rows = self.kept::<TransferRow>("-transfer", unit, || {
                self.rows(unit, memo)?;
                let mut rows = run_transfer(self.study, unit, rows_of(memo)?, transfer.k, "all");
                let fit = |cut: &Cut| self.fit(unit.encoder, cut);
                rows.extend(run_transfer_shared(self.study, unit, &self.cut, &fit, transfer.k)?);
                Ok(rows)
            })?;
            tables.transfer.extend(rows);
        }
        Ok(found)
    }

    /// Rows of a piece, made unless they were made before.
    fn kept<R: cellstone_report::Row>(
        &self,
        what: &str,
        unit: &Unit,
        make: impl FnOnce() -> Result<Vec<R>>,
    ) -> Result<Vec<R>> {
        let piece = self.piece(what, unit);
        if piece.is_done() {
            return piece.read();
        }
        let rows = make()?;
        piece.finish(vec![piece.write(&rows)?])?;
        Ok(rows)
    }

    fn thinning(&self, genes: GeneSet, tables: &mut StudyTables) -> Result<()> {
        let Some(config) = &self.study.config.thinning else { return Ok(()) };
        let units: Vec<&Unit> = config.units.iter().filter(|it| it.genes == genes).collect();
        let steps = steps(config, &self.study.counts);
        self.options.progress.begin(
            &format!("seed {}, thinning", self.study.seed),
            Some((units.len() * steps.len()) as u64),
            "steps",
        );
        let result = self.thin_units(&units, &steps, config.queries, tables);
        self.options.progress.end();
        result
    }

    fn thin_units(
        &self,
        units: &[&Unit],
        steps: &[super::thinning::Step],
        queries: usize,
        tables: &mut StudyTables,
    ) -> Result<()> {
        for (at, step) in steps.iter().enumerate() {
            let mut less = None;
            for unit in units {
                self.check_cancel()?;
                let rows = self.kept::<ThinningRow>(&format!("-thin{at}"), unit, || {
                    if less.is_none() {
                        let (counts, rate) = thinned(self.study, *step)?;
                        less = Some((self.study.cut_of(&counts, &self.columns), rate));
                    }
                    let Some((cut, rate)) = &less else { return Ok(Vec::new()) };
                    let encoder = self.fit(unit.encoder, &self.cut)?;
                    let full = encode(&self.cut, &encoder, unit)?;
                    run_thinning(self.study, unit, &encoder, &full, cut, *step, *rate, queries)
                })?;
                tables.thinning.extend(rows);
                self.options.progress.advance(1);
            }
        }
        Ok(())
    }
}

fn rows_of(memo: &Memo) -> Result<&CellRows> {
    memo.as_ref().map(|it| &it.1).ok_or_else(|| Error::invalid_input("the rows of a unit were not made"))
}
