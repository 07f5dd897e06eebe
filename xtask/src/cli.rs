//! Every command and flag. Those that add to a file of cells have a file of their own.

mod cells;
mod embed;
mod integration;
mod phenotype;
mod pretrain;
mod rank;
mod tokens;

pub(crate) use cells::{
    Cluster, ClusterArg, De, DeMethodArg, DistanceArg, Genes, GraphArg, Hvg, IdTargetArg, LfcArg, Neighbors,
    ObjectiveArg, Qc, Rep, Umap,
};
pub(crate) use embed::{Embed, PoolArg};
pub(crate) use integration::{ConventionArg, Integration};
pub(crate) use phenotype::{Annotate, ConditionArg, Entropy, PhenotypeQueryArgs};
pub(crate) use pretrain::Pretrain;
pub(crate) use rank::RankStudy;
pub(crate) use tokens::{AssumedArg, MedianArg, Medians, ModeArg, NCountsArg, Tokenize};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A touchstone for single-cell foundation models.
#[derive(Debug, Parser)]
#[command(name = "cellstone", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Worker threads; all cores unless said. Results do not depend on it.
    #[arg(long, global = true, help_heading = "Common options", value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Where networks run: `auto` takes WGPU only on a hardware adapter.
    #[arg(long, global = true, help_heading = "Common options", default_value = "auto", value_name = "auto|cpu|wgpu")]
    pub(crate) device: String,
    /// No progress, no remarks; errors and results only.
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) quiet: bool,
    /// Machine-readable output on stdout.
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) json: bool,
    /// Progress bars on stderr.
    #[arg(long, global = true, help_heading = "Common options", value_enum, default_value_t = ProgressMode::Auto, value_name = "WHEN")]
    pub(crate) progress: ProgressMode,
    /// Say more; twice for debugging.
    #[arg(short, long, global = true, help_heading = "Common options", action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// When progress is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// Bars on a terminal, plain lines elsewhere.
    Auto,
    /// Bars.
    Always,
    /// Nothing.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The main job on simulated data with planted truth, offline.
    #[command(after_help = "Example:\n  cargo xtask demo")]
    Demo(Demo),
    /// Run one experiment file.
    #[command(after_help = "Example:\n  cargo xtask run experiments/norman_devel.toml --set seeds=[1,2]")]
    Run(Run),
    /// What an experiment would do, without doing it.
    #[command(after_help = "Example:\n  cargo xtask plan experiments/papalexi.toml")]
    Plan(Plan),
    /// Score predictions that any other tool wrote.
    #[command(
        after_help = "Example:\n  cargo xtask score --truth truth.h5ad --pred pred.h5ad --pert-col perturbation --control control --out scored"
    )]
    Score(Score),
    /// A split as a table `condition, part`.
    #[command(
        after_help = "Example:\n  cargo xtask split --conditions names.txt --protocol norman_doubles --seed 1 --out split.csv"
    )]
    Split(Split),
    /// Simulated cells with planted truth: Perturb-seq, or a cell atlas.
    #[command(after_help = "Example:\n  cargo xtask simulate --preset demo --out demo.h5ad")]
    Simulate(Simulate),
    /// What is in a file.
    #[command(after_help = "Example:\n  cargo xtask inspect cells.h5ad")]
    Inspect(Inspect),
    /// Bring every cell to the same library size and take log1p.
    #[command(after_help = "Example:\n  cargo xtask normalize counts.h5ad --out lognorm.h5ad")]
    Normalize(Normalize),
    /// Mean profile of every condition.
    #[command(after_help = "Example:\n  cargo xtask pseudobulk counts.h5ad --scale counts --out means.h5ad")]
    Pseudobulk(Pseudobulk),
    /// Principal components without densifying.
    #[command(after_help = "Example:\n  cargo xtask pca counts.h5ad --scale counts --n-comps 50 --out pca.h5ad")]
    Pca(Pca),
    /// Measures of cells and genes, filters, and a page about them.
    #[command(
        after_help = "Example:\n  cargo xtask qc filtered_feature_bc_matrix.h5 --min-genes 200 --max-pct-mt 20 --report qc.html --out kept.h5ad"
    )]
    Qc(Qc),
    /// Highly variable genes.
    #[command(after_help = "Example:\n  cargo xtask hvg counts.h5ad --flavor seurat_v3 --n-top 2000 --out hvg.csv")]
    Hvg(Hvg),
    /// Nearest neighbours and the weighted graph of cells.
    #[command(after_help = "Example:\n  cargo xtask neighbors pca.h5ad --use-rep X_pca --k 15 --out graph.h5ad")]
    Neighbors(Neighbors),
    /// Communities of the graph of cells.
    #[command(after_help = "Example:\n  cargo xtask cluster graph.h5ad --resolution 1.0 --out clusters.csv")]
    Cluster(Cluster),
    /// Two dimensions for pictures.
    #[command(after_help = "Example:\n  cargo xtask umap graph.h5ad --out umap.h5ad")]
    Umap(Umap),
    /// Differential expression between groups of cells.
    #[command(
        after_help = "Example:\n  cargo xtask de counts.h5ad --groupby cell_type --method wilcoxon --out de.parquet"
    )]
    De(De),
    /// Ids or symbols for the genes of a file, and how many have one.
    #[command(
        after_help = "Example:\n  cargo xtask genes cells.h5ad --table genes.csv.gz --alias aliases.csv.gz --out mapping.csv"
    )]
    Genes(Genes),
    /// How well embeddings mix batches and keep labels apart.
    #[command(
        after_help = "Example:\n  cargo xtask integration cells.h5ad --batch donor --label cell_type --embed X_pca,X_scvi --report integration.html --out integration.csv"
    )]
    Integration(Integration),
    /// The tokens of a published model, one row per cell.
    #[command(
        after_help = "Example:\n  cargo xtask tokenize cells.h5ad --encoder geneformer_v2 --vocab token_dictionary_gc95M.json.gz --medians gene_median_gc95M.json.gz --out tokens.parquet\n\nTokens of genes that the file calls by symbol:\n  cargo xtask tokenize cells.h5ad --encoder geneformer_v1 --vocab tokens.json --medians medians.json --gene-table genes.csv.gz --alias aliases.csv.gz --out tokens.parquet"
    )]
    Tokenize(Tokenize),
    /// Non-zero gene medians of a corpus, which rank encoders divide by.
    #[command(after_help = "Example:\n  cargo xtask medians a.h5ad b.h5ad --out medians.json")]
    Medians(Medians),
    /// What rank encodings keep of the likeness of cells, and whether they hide batches.
    #[command(after_help = "Example:\n  cargo xtask rank-study experiments/rank_pbmc3k.toml")]
    RankStudy(RankStudy),
    /// Train a network on hidden genes and phenotypes of cells.
    #[command(
        after_help = "Example:\n  cargo xtask pretrain experiments/pretrain_small.toml\n\nOther cells, a smaller network:\n  cargo xtask pretrain experiments/pretrain_small.toml --set data.path=cells.h5ad --set network.preset=nano"
    )]
    Pretrain(Pretrain),
    /// The phenotype that a network predicts for every cell.
    #[command(
        after_help = "Example:\n  cargo xtask annotate cells.h5ad --checkpoint RUN/checkpoints/best --category cell_type --out cell_types.csv"
    )]
    Annotate(Annotate),
    /// How unsure a network is about a phenotype, cell by cell.
    #[command(
        after_help = "Example:\n  cargo xtask entropy cells.h5ad --checkpoint RUN/checkpoints/best --category cell_type --out entropy.parquet"
    )]
    Entropy(Entropy),
    /// Vectors of cells or genes from a model, or how far edits of genes move the cells.
    #[command(
        after_help = "Example:\n  cargo xtask embed cells.h5ad --checkpoint runs/pretrain_small/latest/checkpoints/best --pool cls --out embedded.h5ad\n\nA published Geneformer, whose vocabulary and medians lie elsewhere:\n  cargo xtask embed cells.h5ad --checkpoint Geneformer-V2-104M --vocab token_dictionary_gc104M.pkl --medians gene_median_dictionary_gc104M.pkl --layer geneformer-upstream --out embedded.h5ad\n\nGenes in the context of control cells:\n  cargo xtask embed cells.h5ad --checkpoint scGPT_human --pool gene --obs-filter perturbation=control --out genes.parquet\n\nWhat the loss of genes does to each cell:\n  cargo xtask embed cells.h5ad --checkpoint scGPT_human --delete GATA1,KLF1+GATA1 --out shifts.csv"
    )]
    Embed(Box<Embed>),
    /// Print any table this project wrote.
    #[command(after_help = "Example:\n  cargo xtask table runs/demo/latest/tables/summary.parquet --where metric=l2")]
    Table(Table),
    /// What the registries hold.
    #[command(after_help = "Example:\n  cargo xtask list metrics --json")]
    List(List),
    /// Render reports again from their tables.
    #[command(after_help = "Example:\n  cargo xtask report runs/norman_devel/20261121T120000Z-0123abcd")]
    Report(Report),
    /// Differences between two runs, with intervals.
    #[command(after_help = "Example:\n  cargo xtask compare RUN_A RUN_B")]
    Compare(Compare),
    /// Devices, threads, memory, versions, and a small self-test.
    #[command(after_help = "Example:\n  cargo xtask doctor")]
    Doctor,
    /// Format, architecture checks, tests: what CI runs.
    Ci(Ci),
    /// Check what no compiler checks: arrows, sizes, headers, fixtures.
    Tidy,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Run folder; `runs/demo/…` unless said.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of the simulation.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Replace a run that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    /// The experiment.
    pub(crate) file: PathBuf,
    /// Change one key: `--set data.path=other.h5ad --set seeds=[1,2]`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Run folder; `runs/ID/TIME-HASH` unless said.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Go on with the newest incomplete run of this configuration, or with the one in `--out`.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Replace a run that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The experiment.
    pub(crate) file: PathBuf,
    /// Change one key.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Score {
    /// Cells as measured, controls among them.
    #[arg(long, value_name = "T.h5ad")]
    pub(crate) truth: PathBuf,
    /// Cells, or one row per perturbation, as predicted.
    #[arg(long, value_name = "P.h5ad")]
    pub(crate) pred: PathBuf,
    /// Column of obs with the perturbation, in both files.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) pert_col: String,
    /// Label of the control cells.
    #[arg(long, value_name = "LABEL")]
    pub(crate) control: String,
    /// Column of obs with the context, in both files.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) context_col: Option<String>,
    /// Metric ids, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "A,B", conflicts_with = "profile")]
    pub(crate) metrics: Vec<String>,
    /// A named set of metrics with its conventions.
    #[arg(long, value_enum, value_name = "P", default_value_t = Profile::Default)]
    pub(crate) profile: Profile,
    /// What the numbers of both files are.
    #[arg(long, value_enum, default_value_t = ScaleArg::Lognorm, value_name = "SCALE")]
    pub(crate) scale: ScaleArg,
    /// Gene sets to score on, separated by commas: `all`, `top1000_ctrl`.
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "SETS")]
    pub(crate) genes: Vec<String>,
    /// Masks, separated by commas: `none`, `self`, `panel`.
    #[arg(long, value_delimiter = ',', default_value = "none", value_name = "MASKS")]
    pub(crate) masks: Vec<String>,
    /// Compare the prediction with its own control cells instead of the truth's.
    #[arg(long)]
    pub(crate) own_control: bool,
    /// Name of the method in tables; the file name unless said.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Run folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Replace a run that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Named sets of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Every family once, truth-side control.
    Default,
    /// The metrics of cell-eval 0.8 that need no differential expression, each side with its own control.
    CellEvalV1,
    /// Every metric of the registry.
    All,
}

/// What the numbers of a matrix are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScaleArg {
    /// Raw molecule counts.
    Counts,
    /// `ln(1 + x)` of library-size normalised counts.
    Lognorm,
    /// Any finite numbers; nothing is checked but that.
    Any,
}

#[derive(Debug, Args)]
pub(crate) struct Split {
    /// Cells whose conditions are split.
    #[arg(value_name = "INPUT", required_unless_present = "conditions", conflicts_with = "conditions")]
    pub(crate) input: Option<PathBuf>,
    /// A text file with one condition a line, in place of cells.
    #[arg(long, value_name = "FILE")]
    pub(crate) conditions: Option<PathBuf>,
    /// `norman_doubles`, `gears_simulation`, `gene_kfold`, `leave_one_context_out`, …
    #[arg(long, value_name = "P")]
    pub(crate) protocol: String,
    /// Seed of the protocol.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Number of folds, where the protocol has folds.
    #[arg(long, value_name = "K")]
    pub(crate) k: Option<usize>,
    /// Which fold or context to write; the first unless said.
    #[arg(long, default_value_t = 0, value_name = "I")]
    pub(crate) fold: usize,
    /// Variant, where the protocol has variants.
    #[arg(long, value_name = "V")]
    pub(crate) variant: Option<String>,
    /// Column of obs with the perturbation.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) pert_col: Option<String>,
    /// Column of obs with the context.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) context_col: Option<String>,
    /// Label of the control cells, besides the usual ones.
    #[arg(long, value_name = "LABEL")]
    pub(crate) control: Option<String>,
    /// `.csv`, `.parquet`, or `.json` for the full split file.
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Perturb-seq: `tiny`, `demo`, `norman`, `papalexi_like`, `replogle_like`; a cell atlas: `atlas`, `atlas_tiny`;
    /// planted phenotypes: `phenotypes`, `phenotypes_tiny`.
    #[arg(long, default_value = "demo", value_name = "P")]
    pub(crate) preset: String,
    /// Number of cells; the preset's unless said.
    #[arg(long, value_name = "N")]
    pub(crate) n_obs: Option<usize>,
    /// Number of genes; the preset's unless said.
    #[arg(long, value_name = "N")]
    pub(crate) n_vars: Option<usize>,
    /// Seed of the simulation.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// The file to write.
    #[arg(long, value_name = "F.h5ad")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// `.h5ad`, 10x `.h5`, mtx folder, `.csv`, `.npz`, `.parquet`.
    pub(crate) file: PathBuf,
}

/// An input matrix and what its numbers are.
#[derive(Debug, Args)]
pub(crate) struct MatrixInput {
    /// `.h5ad`, 10x `.h5`, mtx folder, `.csv`.
    pub(crate) input: PathBuf,
    /// `X`, `raw` or `layers/NAME`.
    #[arg(long, default_value = "X", value_name = "M")]
    pub(crate) matrix: String,
    /// Genome, where a 10x file holds several.
    #[arg(long, value_name = "G")]
    pub(crate) genome: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Normalize {
    #[command(flatten)]
    pub(crate) input: MatrixInput,
    /// Library size of every cell, or `median`.
    #[arg(long, default_value = "10000", value_name = "N|median")]
    pub(crate) target_sum: String,
    /// Leave out the logarithm.
    #[arg(long)]
    pub(crate) no_log1p: bool,
    /// The file to write.
    #[arg(long, value_name = "F.h5ad")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Pseudobulk {
    #[command(flatten)]
    pub(crate) input: MatrixInput,
    /// What the numbers are: counts are normalised on the way.
    #[arg(long, value_enum, value_name = "SCALE")]
    pub(crate) scale: ScaleArg,
    /// `cells`, `batches`, `batches_matched`, `cells_matched`, `bulk`.
    #[arg(long, default_value = "cells", value_name = "RULE")]
    pub(crate) averaging: String,
    /// Write `profile − control` instead of profiles.
    #[arg(long)]
    pub(crate) delta: bool,
    /// Column of obs with the perturbation.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) pert_col: Option<String>,
    /// Column of obs with the context.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) context_col: Option<String>,
    /// Column of obs with the batch.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) batch_col: Option<String>,
    /// Label of the control cells, besides the usual ones.
    #[arg(long, value_name = "LABEL")]
    pub(crate) control: Option<String>,
    /// `.h5ad` (one row per condition), `.parquet` or `.csv`.
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Pca {
    #[command(flatten)]
    pub(crate) input: MatrixInput,
    /// Use every gene even where `var["highly_variable"]` marks some.
    #[arg(long)]
    pub(crate) all_genes: bool,
    /// What the numbers are: counts are normalised on the way.
    #[arg(long, value_enum, value_name = "SCALE")]
    pub(crate) scale: ScaleArg,
    /// Number of components.
    #[arg(long, default_value_t = 50, value_name = "K")]
    pub(crate) n_comps: usize,
    /// Seed of the start.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
    /// `.h5ad` with `obsm["X_pca"]`, `.parquet` or `.csv`.
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Table {
    /// A `.parquet` or `.csv` table.
    pub(crate) file: PathBuf,
    /// Comma-separated values instead of aligned text.
    #[arg(long)]
    pub(crate) csv: bool,
    /// Rows with this value alone; may be repeated.
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    pub(crate) filters: Vec<String>,
    /// At most so many rows.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// What to list.
    #[arg(value_enum)]
    pub(crate) what: ListWhat,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListWhat {
    /// Methods under test.
    Models,
    /// Baselines and floors.
    Baselines,
    /// Metrics.
    Metrics,
    /// Split protocols.
    Splits,
    /// Experiment files.
    Experiments,
    /// Encoders.
    Encoders,
    /// Gene selectors.
    Selectors,
    /// Public data sets.
    Data,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Run folders.
    #[arg(required = true)]
    pub(crate) runs: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The first run.
    pub(crate) a: PathBuf,
    /// The second run.
    pub(crate) b: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// Format and architecture checks only.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Lints, the documentation and its examples besides.
    #[arg(long)]
    pub(crate) full: bool,
}
