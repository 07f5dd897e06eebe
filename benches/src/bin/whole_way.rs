//! From a gzip `.h5ad` on disk through QC, normalisation, log1p, highly variable genes and PCA, in bounded memory.
//!
//! `whole_way FILE.h5ad` prints `tool,n_obs,n_vars,n_top,check,seconds,peak_bytes`, as `peers/whole_way.py` does.
//! The file is read twice: measures of cells and genes and the moments of the normalised values come from one pass, the
//! selected genes from the second; components are computed in memory.

use cellstone_bench::{measure, run_program};
use cellstone_core::{CountSource, Csr, Error, ObsTable, Result, RowBlock, Scale, Var};
use cellstone_io::{OpenOptions, open_source};
use cellstone_prep::{
    Expression, GeneSets, HvgFlavor, HvgParams, QcAccumulator, QcParams, SparsePcaParams, highly_variable_genes,
    library_sizes, log1p, normalize_total, pca_sparse,
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
    let path = args.first().ok_or_else(|| Error::config("usage: whole_way FILE.h5ad"))?;
    let (result, cost) = measure(|| whole_way(Path::new(path)));
    let (n_obs, n_vars, check) = result?;
    let peak = cost.peak_bytes.map_or_else(String::new, |it| it.to_string());
    Ok(format!(
        "tool,n_obs,n_vars,n_top,check,seconds,peak_bytes\ncellstone,{n_obs},{n_vars},{N_TOP},{check:.6e},{:.3},{peak}",
        cost.seconds
    ))
}

fn whole_way(path: &Path) -> Result<(usize, usize, f64)> {
    let source = open_source(path, &OpenOptions::default())?;
    let sets = GeneSets::standard(source.var());
    let measured =
        Measured { source: source.as_ref(), qc: Mutex::new(QcAccumulator::new(sets, &QcParams::default())?) };
    let params = HvgParams::top(HvgFlavor::Seurat, N_TOP);
    let hvg = highly_variable_genes(&Expression::Source(&measured), None, &params)?;
    let qc = measured.qc.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    let keep = hvg.selected();
    let (mut indptr, mut indices, mut data) = (vec![0], Vec::new(), Vec::new());
    for block in source.blocks(0)? {
        let mut x = block?.x;
        let factors: Vec<f64> = library_sizes(&x).iter().map(|it| if *it > 0.0 { 1e4 / it } else { 1.0 }).collect();
        normalize_total(&mut x, &factors)?;
        let mut x = x.select_cols(&keep);
        log1p(&mut x);
        let base = indices.len();
        indptr.extend(x.indptr()[1..].iter().map(|it| base + it));
        indices.extend_from_slice(x.indices());
        data.extend_from_slice(x.data());
    }
    let x = Csr::new(source.n_obs(), keep.len(), indptr, indices, data)?;
    let pca = pca_sparse(&x, 50, &SparsePcaParams::default())?;
    // What both tools must agree on: the depth of the cells and the variance of the components.
    let depth: f64 = qc.cells.total_counts.iter().sum();
    Ok((source.n_obs(), source.var().len(), depth * pca.explained_variance.sum()))
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
