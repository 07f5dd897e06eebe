//! From a gzip `.h5ad` on disk through QC, normalisation, log1p, highly variable genes and PCA, in bounded memory.
//!
//! `whole_way FILE.h5ad` prints `tool,n_obs,n_vars,n_top,check,seconds,peak_bytes`, as `peers/whole_way.py` does;
//! `whole_way FILE.h5ad phases` adds a line with the wall and processor seconds of each phase.
//! The file is read twice: measures of cells and genes and the moments of the normalised values come from one pass, the
//! selected genes from the second; components are computed in memory.

use cellstone_bench::{Cost, cpu_time, measure, run_program};
use cellstone_core::{CountSource, Csr, Error, ObsTable, Result, RowBlock, Scale, Var};
use cellstone_io::{OpenOptions, open_source};
use cellstone_prep::{
    Expression, GeneSets, HvgFlavor, HvgParams, QcAccumulator, QcParams, SparsePcaParams, highly_variable_genes, log1p,
    normalize_total, pca_sparse,
};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// Genes that are selected.
const N_TOP: usize = 2000;

fn main() -> ExitCode {
    run_program(run)
}

fn run(args: &[String]) -> Result<String> {
    let path = args.first().ok_or_else(|| Error::config("usage: whole_way FILE.h5ad [phases]"))?;
    let mut phases = Vec::new();
    let (result, cost) = measure(|| whole_way(Path::new(path), &mut phases));
    let (n_obs, n_vars, check) = result?;
    let peak = cost.peak_bytes.map_or_else(String::new, |it| it.to_string());
    let mut text = format!(
        "tool,n_obs,n_vars,n_top,check,seconds,peak_bytes\ncellstone,{n_obs},{n_vars},{N_TOP},{check:.6e},{:.3},{peak}",
        cost.seconds
    );
    if args.get(1).is_some_and(|it| it == "phases") {
        text.push_str("\nphase");
        for (name, wall, cpu) in phases {
            text.push_str(&format!(",{name} {wall:.2} ({cpu:.2})"));
        }
    }
    Ok(text)
}

/// Name, wall seconds, processor seconds.
type Phase = (&'static str, f64, f64);

/// Runs `work` as a phase.
fn phase<T>(phases: &mut Vec<Phase>, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = cpu_time();
    let (result, Cost { seconds, .. }) = measure(work);
    let cpu = cpu_time().zip(before).map_or(f64::NAN, |(after, before)| after - before);
    phases.push((name, seconds, cpu));
    result
}

fn whole_way(path: &Path, phases: &mut Vec<Phase>) -> Result<(usize, usize, f64)> {
    let source = open_source(path, &OpenOptions::default())?;
    let sets = GeneSets::standard(source.var());
    let measured =
        Measured { source: source.as_ref(), qc: Mutex::new(QcAccumulator::new(sets, &QcParams::default())?) };
    let params = HvgParams::top(HvgFlavor::Seurat, N_TOP);
    let hvg = phase(phases, "measures", || highly_variable_genes(&Expression::Source(&measured), None, &params))?;
    let qc = measured.qc.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    let x = phase(phases, "selection", || selected(source.as_ref(), &hvg.selected(), &qc.cells.total_counts))?;
    let pca = phase(phases, "components", || pca_sparse(&x, 50, &SparsePcaParams::default()))?;
    // What both tools must agree on: the depth of the cells and the variance of the components.
    let depth: f64 = qc.cells.total_counts.iter().sum();
    Ok((source.n_obs(), source.var().len(), depth * pca.explained_variance.sum()))
}

/// Log-normalised values of some genes; `totals` are those of the cells over all genes.
fn selected(source: &dyn CountSource, genes: &[usize], totals: &[f64]) -> Result<Csr<f32>> {
    let (mut indptr, mut indices, mut data) = (vec![0], Vec::new(), Vec::new());
    for block in source.blocks(0)? {
        let block = block?;
        let mut x = block.x.select_cols(genes);
        let totals = &totals[block.start..block.start + x.shape().0];
        let factors: Vec<f64> = totals.iter().map(|it| if *it > 0.0 { 1e4 / it } else { 1.0 }).collect();
        normalize_total(&mut x, &factors)?;
        log1p(&mut x);
        let base = indices.len();
        indptr.extend(x.indptr()[1..].iter().map(|it| base + it));
        indices.extend_from_slice(x.indices());
        data.extend_from_slice(x.data());
    }
    Csr::new(source.n_obs(), genes.len(), indptr, indices, data)
}

/// Cells that are measured while somebody else reads them.
struct Measured<'a> {
    source: &'a dyn CountSource,
    qc: Mutex<QcAccumulator>,
}

impl CountSource for Measured<'_> {
    fn name(&self) -> &str {
        self.source.name()
    }
    fn n_obs(&self) -> usize {
        self.source.n_obs()
    }
    fn var(&self) -> &Var {
        self.source.var()
    }
    fn obs(&self) -> &ObsTable {
        self.source.obs()
    }
    fn scale(&self) -> Scale {
        self.source.scale()
    }
    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        let blocks = self.source.blocks(start_row)?;
        Ok(Box::new(blocks.map(|it| {
            let block = it?;
            self.qc.lock().unwrap_or_else(PoisonError::into_inner).add(&block.x)?;
            Ok(block)
        })))
    }
}
