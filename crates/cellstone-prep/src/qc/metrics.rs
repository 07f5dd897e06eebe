//! What quality control measures, for cells and for genes, under scanpy's column names.

/// Measures of every cell and every gene.
#[derive(Debug, Clone, PartialEq)]
pub struct QcMetrics {
    /// One entry a cell, in order.
    pub cells: CellQc,
    /// One entry a gene, in order.
    pub genes: GeneQc,
}

/// A named column of a table of measures.
#[derive(Debug, Clone, PartialEq)]
pub struct QcColumn {
    /// scanpy's name.
    pub name: String,
    /// One value a row.
    pub values: Vec<f64>,
}

/// Measures of the cells, `[n_obs]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct CellQc {
    /// Genes with at least one count.
    pub n_genes_by_counts: Vec<u32>,
    /// Sum of the counts.
    pub total_counts: Vec<f64>,
    /// `(n, percentage of the counts in the n highest genes of the cell)`, n rising.
    pub pct_counts_in_top_genes: Vec<(usize, Vec<f64>)>,
    /// One for every gene set.
    pub sets: Vec<SetQc>,
}

/// The counts of the cells in one gene set.
#[derive(Debug, Clone, PartialEq)]
pub struct SetQc {
    /// Name of the set.
    pub name: String,
    /// Sum of the counts in the set.
    pub total_counts: Vec<f64>,
    /// The same as a percentage of all counts of the cell; 0 in an empty cell.
    pub pct_counts: Vec<f64>,
}

/// Measures of the genes, `[n_vars]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneQc {
    /// Number of cells that were seen.
    pub n_obs: usize,
    /// Cells with at least one count.
    pub n_cells_by_counts: Vec<u32>,
    /// Sum of the counts.
    pub total_counts: Vec<f64>,
}

fn log1p(values: &[f64]) -> Vec<f64> {
    values.iter().map(|it| it.ln_1p()).collect()
}

fn column(name: impl Into<String>, values: Vec<f64>) -> QcColumn {
    QcColumn { name: name.into(), values }
}

fn whole(values: &[u32]) -> Vec<f64> {
    values.iter().map(|it| f64::from(*it)).collect()
}

impl CellQc {
    /// The measures of a gene set.
    pub fn set(&self, name: &str) -> Option<&SetQc> {
        self.sets.iter().find(|it| it.name == name)
    }

    /// All columns in scanpy's order: `n_genes_by_counts, log1p_n_genes_by_counts, total_counts, …`.
    pub fn columns(&self) -> Vec<QcColumn> {
        let n_genes = whole(&self.n_genes_by_counts);
        let log1p_n_genes = log1p(&n_genes);
        let mut columns = vec![
            column("n_genes_by_counts", n_genes),
            column("log1p_n_genes_by_counts", log1p_n_genes),
            column("total_counts", self.total_counts.clone()),
            column("log1p_total_counts", log1p(&self.total_counts)),
        ];
        for (n, share) in &self.pct_counts_in_top_genes {
            columns.push(column(format!("pct_counts_in_top_{n}_genes"), share.clone()));
        }
        for set in &self.sets {
            columns.push(column(format!("total_counts_{}", set.name), set.total_counts.clone()));
            columns.push(column(format!("log1p_total_counts_{}", set.name), log1p(&set.total_counts)));
            columns.push(column(format!("pct_counts_{}", set.name), set.pct_counts.clone()));
        }
        columns
    }
}

impl GeneQc {
    /// Counts per cell.
    pub fn mean_counts(&self) -> Vec<f64> {
        self.total_counts.iter().map(|it| it / self.n_obs.max(1) as f64).collect()
    }

    /// Percentage of the cells without a count.
    pub fn pct_dropout_by_counts(&self) -> Vec<f64> {
        let n_obs = self.n_obs.max(1) as f64;
        self.n_cells_by_counts.iter().map(|it| (1.0 - f64::from(*it) / n_obs) * 100.0).collect()
    }

    /// All columns in scanpy's order: `n_cells_by_counts, mean_counts, log1p_mean_counts, …`.
    pub fn columns(&self) -> Vec<QcColumn> {
        let mean = self.mean_counts();
        let log1p_mean = log1p(&mean);
        vec![
            column("n_cells_by_counts", whole(&self.n_cells_by_counts)),
            column("mean_counts", mean),
            column("log1p_mean_counts", log1p_mean),
            column("pct_dropout_by_counts", self.pct_dropout_by_counts()),
            column("total_counts", self.total_counts.clone()),
            column("log1p_total_counts", log1p(&self.total_counts)),
        ]
    }
}
