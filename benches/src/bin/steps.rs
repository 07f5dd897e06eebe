//! Times one step of preprocessing on a file that is already in memory, like `peers/steps.py` does for scanpy.
//!
//! `steps STEP FILE.h5ad [REPEATS] [cpu]` prints `step,tool,n_obs,n_vars,nnz,check,median,seconds...`. `check` is a number
//! that both tools must agree on. With `cpu` the seconds are processor time of all threads, for machines that others use
//! as well: at most twice the wall time on two cores.

use cellstone_bench::{cpu_time, measure, run_program};
use cellstone_core::{Counts, Csr, Error, LogNorm, Result, Scale, Seed};
use cellstone_io::{H5ad, Matrix};
use cellstone_neighbors::{
    DistanceMetric, FuzzyParams, KnnParams, LeidenParams, Objective, exact_knn_with, fuzzy_graph, leiden, quality,
};
use cellstone_prep::{
    DeGroups, DeMethod, DeParams, Expression, GeneSets, HvgFlavor, HvgParams, QcParams, SparsePcaParams,
    calculate_qc_metrics, de, highly_variable_genes, normalize_log1p, pca_sparse,
};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    run_program(run)
}

fn run(args: &[String]) -> Result<String> {
    let (Some(step), Some(path)) = (args.first(), args.get(1)) else {
        return Err(Error::config("usage: steps STEP FILE.h5ad [REPEATS] [cpu]"));
    };
    let repeats: usize = args.get(2).and_then(|it| it.parse().ok()).unwrap_or(5);
    let input = Input::read(Path::new(path))?;
    let mut work = input.step(step)?;
    // Once to warm up; what it returns is what both tools must agree on.
    let check = work()?;
    let by_cpu = args.get(3).is_some_and(|it| it == "cpu");
    let mut seconds = Vec::new();
    for _ in 0..repeats {
        let before = cpu_time();
        let (result, cost) = measure(&mut work);
        result?;
        let cpu = cpu_time().zip(before).map_or(f64::NAN, |(after, before)| after - before);
        seconds.push(if by_cpu { cpu } else { cost.seconds });
    }
    let all = seconds.iter().map(|it| format!("{it:.4}")).collect::<Vec<_>>().join(",");
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN);
    let (n_obs, n_vars) = input.x.shape();
    Ok(format!("{step},cellstone,{n_obs},{n_vars},{},{check:.8e},{median:.4},{all}", input.x.nnz()))
}

struct Input {
    file: H5ad,
    x: Csr<f32>,
}

type Step<'a> = Box<dyn FnMut() -> Result<f64> + 'a>;

impl Input {
    fn read(path: &Path) -> Result<Self> {
        let file = H5ad::open(path)?;
        let x = file.source(Matrix::X, Scale::Effect)?.read()?;
        Ok(Self { file, x })
    }

    fn counts(&self) -> Result<Counts> {
        Counts::new(self.x.clone(), self.file.var()?)
    }

    fn lognorm(&self) -> Result<LogNorm> {
        let mut x = self.x.clone();
        normalize_log1p(&mut x, 1e4)?;
        LogNorm::new(x, self.file.var()?, Some(1e4))
    }

    fn step(&self, step: &str) -> Result<Step<'_>> {
        Ok(match step {
            "qc" => {
                let counts = self.counts()?;
                let sets = GeneSets::standard(counts.var());
                Box::new(move || {
                    let qc = calculate_qc_metrics(&Expression::Counts(&counts), &sets, &QcParams::default())?;
                    Ok(qc.cells.pct_counts_in_top_genes[0].1.iter().sum())
                })
            }
            "normalize" => {
                let mut copy = self.x.clone();
                Box::new(move || {
                    copy.data_mut().copy_from_slice(self.x.data());
                    normalize_log1p(&mut copy, 1e4)?;
                    Ok(copy.data().iter().take(1000).map(|it| f64::from(*it)).sum())
                })
            }
            // What `normalize` spends on having fresh counts every time.
            "copy" => {
                let mut copy = self.x.clone();
                Box::new(move || {
                    copy.data_mut().copy_from_slice(self.x.data());
                    Ok(f64::from(copy.data()[0]))
                })
            }
            "hvg_seurat" | "hvg_cell_ranger" => {
                let values = self.lognorm()?;
                let flavor = if step == "hvg_seurat" { HvgFlavor::Seurat } else { HvgFlavor::CellRanger };
                let params = HvgParams::top(flavor, 2000);
                Box::new(move || {
                    let table = highly_variable_genes(&Expression::LogNorm(&values), None, &params)?;
                    Ok(table.selected().iter().sum::<usize>() as f64)
                })
            }
            "hvg_seurat_v3" | "hvg_pearson" => {
                let flavor = if step == "hvg_pearson" { HvgFlavor::PearsonResiduals } else { HvgFlavor::SeuratV3 };
                let params = HvgParams::top(flavor, 2000);
                let counts = self.counts()?;
                Box::new(move || {
                    let table = highly_variable_genes(&Expression::Counts(&counts), None, &params)?;
                    Ok(table.selected().iter().sum::<usize>() as f64)
                })
            }
            "pca" => {
                let values = self.lognorm()?;
                Box::new(move || Ok(pca_sparse(values.x(), 50, &SparsePcaParams::default())?.explained_variance.sum()))
            }
            "knn" => {
                let rep = self.file.obsm("X_pca")?;
                let params = KnnParams { metric: DistanceMetric::Euclidean, k: 30, include_self: false };
                Box::new(move || {
                    let graph = exact_knn_with(rep.view(), &params)?;
                    Ok((0..graph.n_obs()).map(|it| graph.neighbors(it).1.iter().sum::<f64>()).sum())
                })
            }
            "leiden" => {
                let rep = self.file.obsm("X_pca")?;
                let params = KnnParams { metric: DistanceMetric::Euclidean, k: 15, include_self: true };
                let graph = fuzzy_graph(&exact_knn_with(rep.view(), &params)?, &FuzzyParams::default())?;
                Box::new(move || {
                    let params = LeidenParams { n_iterations: Some(2), ..LeidenParams::new(1.0, Seed::new(0)) };
                    let clusters = leiden(&graph, &params)?;
                    quality(&graph, clusters.labels(), Objective::default())
                })
            }
            "wilcoxon" | "t_test" => {
                // The values are tested as they are: log-normalised.
                let var = self.file.var()?;
                let groups = DeGroups::from_column(&self.file.obs()?, "group")?;
                let method = if step == "wilcoxon" { DeMethod::Wilcoxon } else { DeMethod::TTest };
                let params = DeParams { method, ..DeParams::default() };
                let scale = Scale::LogNorm { target_sum: Some(1e4) };
                Box::new(move || {
                    let table = de(&self.x, scale, &var, &groups, &params)?;
                    Ok(table.pvalue.iter().sum())
                })
            }
            other => return Err(Error::config(format!("no step `{other}`"))),
        })
    }
}
