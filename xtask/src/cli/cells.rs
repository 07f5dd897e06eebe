//! Commands that take cells and add what they find: `qc`, `hvg`, `neighbors`, `cluster`, `umap`, `de`, `genes`.

use super::{MatrixInput, ScaleArg};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Qc {
    #[command(flatten)]
    pub(crate) input: MatrixInput,
    /// Numbers of highest genes whose share of the counts is measured; those beyond the number of genes are left out.
    #[arg(long, value_delimiter = ',', default_value = "50,100,200,500", value_name = "N,N")]
    pub(crate) percent_top: Vec<usize>,
    /// Keep cells with at least so many genes.
    #[arg(long, value_name = "N")]
    pub(crate) min_genes: Option<u32>,
    /// Keep cells with at most so many genes.
    #[arg(long, value_name = "N")]
    pub(crate) max_genes: Option<u32>,
    /// Keep cells with at least so many counts.
    #[arg(long, value_name = "N")]
    pub(crate) min_counts: Option<f64>,
    /// Keep cells with at most so many counts.
    #[arg(long, value_name = "N")]
    pub(crate) max_counts: Option<f64>,
    /// Keep cells with at most this percentage of mitochondrial counts.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) max_pct_mt: Option<f64>,
    /// Keep genes that at least so many of the kept cells have.
    #[arg(long, value_name = "N")]
    pub(crate) min_cells: Option<u32>,
    /// A page with the distributions, the filters and what they drop.
    #[arg(long, value_name = "F.html")]
    pub(crate) report: Option<PathBuf>,
    /// The measures of the genes, where `--out` is a table of the cells.
    #[arg(long, value_name = "F")]
    pub(crate) genes_out: Option<PathBuf>,
    /// `.h5ad` (kept cells and genes, measures in `obs` and `var`), or `.parquet` or `.csv` (one row per cell).
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace files that are there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Hvg {
    #[command(flatten)]
    pub(crate) input: MatrixInput,
    /// What the numbers are: counts are normalised inside where the flavour needs it.
    #[arg(long, value_enum, default_value_t = ScaleArg::Counts, value_name = "SCALE")]
    pub(crate) scale: ScaleArg,
    /// `seurat`, `cell_ranger`, `seurat_v3`, `seurat_v3_paper`, `pearson_residuals`.
    #[arg(long, default_value = "seurat_v3", value_name = "F")]
    pub(crate) flavor: String,
    /// Number of genes to select; `0` selects by the cut-offs of the flavour.
    #[arg(long, default_value_t = 2000, value_name = "N")]
    pub(crate) n_top: usize,
    /// Column of obs with the batch: every batch is ranked alone.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) batch_key: Option<String>,
    /// Keep the selected genes alone (`.h5ad`).
    #[arg(long)]
    pub(crate) subset: bool,
    /// `.h5ad` (columns of `var`), `.parquet` or `.csv`.
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Where the vectors of the cells come from.
#[derive(Debug, Args)]
pub(crate) struct Rep {
    #[command(flatten)]
    pub(crate) input: MatrixInput,
    /// What the numbers are, where components are computed: counts are normalised on the way.
    #[arg(long, value_enum, default_value_t = ScaleArg::Counts, value_name = "SCALE")]
    pub(crate) scale: ScaleArg,
    /// Entry of `obsm`; without it `X_pca`, and where there is none, components computed on the way.
    #[arg(long, value_name = "KEY")]
    pub(crate) use_rep: Option<String>,
    /// Number of components, where they are computed.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) n_comps: usize,
    /// Neighbours per cell, the cell itself counted, as scanpy's `n_neighbors`.
    #[arg(long, default_value_t = 15, value_name = "K")]
    pub(crate) k: usize,
    /// The distance.
    #[arg(long, value_enum, default_value_t = DistanceArg::Euclidean, value_name = "M")]
    pub(crate) metric: DistanceArg,
    /// How distances become weights.
    #[arg(long, value_enum, default_value_t = GraphArg::Umap, value_name = "RULE")]
    pub(crate) connectivity: GraphArg,
    /// Seed of every random step.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
}

/// Distances between cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DistanceArg {
    /// The length of the difference.
    Euclidean,
    /// One minus the cosine of the angle.
    Cosine,
    /// One minus Pearson's correlation.
    Correlation,
}

/// Weights of a graph of neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphArg {
    /// The fuzzy union of UMAP.
    Umap,
    /// A Gaussian kernel with a width per cell.
    Gauss,
}

#[derive(Debug, Args)]
pub(crate) struct Neighbors {
    #[command(flatten)]
    pub(crate) rep: Rep,
    /// `.h5ad` (`obsp["distances"]`, `obsp["connectivities"]`), `.parquet` or `.csv` (`obs, neighbor, distance`).
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Cluster {
    #[command(flatten)]
    pub(crate) rep: Rep,
    /// The algorithm.
    #[arg(long, value_enum, default_value_t = ClusterArg::Leiden, value_name = "A")]
    pub(crate) method: ClusterArg,
    /// What is maximised.
    #[arg(long, value_enum, default_value_t = ObjectiveArg::Modularity, value_name = "Q")]
    pub(crate) objective: ObjectiveArg,
    /// Larger values give more clusters.
    #[arg(long, default_value_t = 1.0, value_name = "R")]
    pub(crate) resolution: f64,
    /// Passes of Leiden; until stable unless said.
    #[arg(long, value_name = "N")]
    pub(crate) n_iterations: Option<usize>,
    /// Name of the column; that of the method unless said.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key_added: Option<String>,
    /// `.h5ad` (`obs`), `.parquet` or `.csv` (`obs, leiden`).
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Algorithms that find communities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClusterArg {
    /// Communities are connected, guaranteed.
    Leiden,
    /// For comparison with older work.
    Louvain,
}

/// What communities maximise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectiveArg {
    /// Modularity with a resolution.
    Modularity,
    /// The constant Potts model.
    Cpm,
}

#[derive(Debug, Args)]
pub(crate) struct Umap {
    #[command(flatten)]
    pub(crate) rep: Rep,
    /// How close points may lie.
    #[arg(long, default_value_t = 0.5, value_name = "D")]
    pub(crate) min_dist: f64,
    /// The scale of the picture.
    #[arg(long, default_value_t = 1.0, value_name = "S")]
    pub(crate) spread: f64,
    /// Epochs; 500 up to 10,000 cells and 200 beyond unless said.
    #[arg(long, value_name = "N")]
    pub(crate) n_epochs: Option<usize>,
    /// `.h5ad` (`obsm["X_umap"]`), `.parquet` or `.csv` (`obs, UMAP1, UMAP2`).
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct De {
    #[command(flatten)]
    pub(crate) input: MatrixInput,
    /// What the numbers are: counts are brought to 10,000 a cell and logged unless `--no-normalize`.
    #[arg(long, value_enum, default_value_t = ScaleArg::Counts, value_name = "SCALE")]
    pub(crate) scale: ScaleArg,
    /// Test counts as they are.
    #[arg(long)]
    pub(crate) no_normalize: bool,
    /// Column of obs with the groups.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) groupby: String,
    /// Groups to test, separated by commas; all unless said.
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) groups: Vec<String>,
    /// The test.
    #[arg(long, value_enum, default_value_t = DeMethodArg::Wilcoxon, value_name = "TEST")]
    pub(crate) method: DeMethodArg,
    /// `rest`, `all-perturbed` (needs `--control`) or the name of a group.
    #[arg(long, default_value = "rest", value_name = "REF")]
    pub(crate) reference: String,
    /// Name of the control group, for `--reference all-perturbed`.
    #[arg(long, value_name = "LABEL")]
    pub(crate) control: Option<String>,
    /// Fold changes as which tool computes them.
    #[arg(long, value_enum, default_value_t = LfcArg::Scanpy, value_name = "RULE")]
    pub(crate) lfc: LfcArg,
    /// Leave the variance of the rank sum uncorrected for ties, as scanpy does unless asked.
    #[arg(long)]
    pub(crate) no_tie_correct: bool,
    /// Shorten the distance of the rank sum from its mean by one half, as SciPy does unless told not to.
    #[arg(long)]
    pub(crate) continuity: bool,
    /// Adjust over all groups and genes together instead of within each group.
    #[arg(long)]
    pub(crate) adjust_all: bool,
    /// Leave out groups with fewer than two cells instead of refusing them.
    #[arg(long)]
    pub(crate) skip_small: bool,
    /// MiB of values held at once; what does not fit waits in an unnamed file beside the result.
    #[arg(long, default_value_t = 1024, value_name = "MIB")]
    pub(crate) memory: usize,
    /// `.parquet`, `.csv`, or `.h5ad` (`uns["rank_genes_groups"]`).
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Tests between groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeMethodArg {
    /// Rank sum, normal approximation.
    Wilcoxon,
    /// Welch.
    TTest,
    /// Welch with the group's size for both.
    TTestOverestimVar,
}

/// Conventions of fold changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum LfcArg {
    /// Of geometric means, log-normalised values only.
    Scanpy,
    /// Of geometric means on either scale.
    Pdex,
    /// Of arithmetic means.
    CellEval2,
}

#[derive(Debug, Args)]
pub(crate) struct Genes {
    /// Cells whose genes are mapped: `.h5ad`, 10x `.h5`, mtx folder, `.csv`.
    #[arg(value_name = "INPUT", required_unless_present = "names", conflicts_with = "names")]
    pub(crate) input: Option<PathBuf>,
    /// A text file with one gene a line, in place of cells.
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Genes of the species: `ensembl_id, symbol` and perhaps `version, length, biotype`; `.csv` or `.tsv`, also `.gz`.
    #[arg(long, value_name = "F")]
    pub(crate) table: PathBuf,
    /// Aliases and previous symbols: `alias, symbol`; `.csv` or `.tsv`, also `.gz`.
    #[arg(long, value_name = "F")]
    pub(crate) alias: Option<PathBuf>,
    /// What genes are mapped to.
    #[arg(long, value_enum, default_value_t = IdTargetArg::Ensembl, value_name = "IDS")]
    pub(crate) to: IdTargetArg,
    /// Refuse names that are unknown or ambiguous, and names that share a gene, instead of reporting them.
    #[arg(long)]
    pub(crate) strict: bool,
    /// `.parquet` or `.csv` (`gene, id, kind`).
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What genes can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdTargetArg {
    /// Ids without version.
    Ensembl,
    /// Symbols; the id of a gene that has none.
    Symbol,
}
