//! The result.

use ndarray::Array2;

/// Tests of every group and gene; matrices are `[n_groups, n_genes]`.
///
/// Means are arithmetic means of the tested values, on their scale, whatever the convention of the fold change.
#[derive(Debug, Clone, PartialEq)]
pub struct DeTable {
    /// The tested groups.
    pub groups: Vec<String>,
    /// The genes, in the order of the matrix.
    pub genes: Vec<String>,
    /// z or t, positive where the group is higher.
    pub statistic: Array2<f64>,
    /// Two-sided p-values.
    pub pvalue: Array2<f64>,
    /// p-values adjusted after Benjamini and Hochberg.
    pub padj: Array2<f64>,
    /// log2 fold changes.
    pub lfc: Array2<f64>,
    /// Means of the group.
    pub mean_group: Array2<f64>,
    /// Means of the reference.
    pub mean_reference: Array2<f64>,
    /// Cells of each group.
    pub n_group: Vec<u64>,
    /// Cells that each group is compared with.
    pub n_reference: Vec<u64>,
    /// Groups that were too small to test.
    pub skipped: Vec<String>,
}

/// One test, with the columns of [`DeTable::COLUMNS`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeRow<'a> {
    /// The tested group.
    pub group: &'a str,
    /// The gene.
    pub gene: &'a str,
    /// z or t.
    pub statistic: f64,
    /// Two-sided p-value.
    pub pvalue: f64,
    /// Adjusted p-value.
    pub padj: f64,
    /// log2 fold change.
    pub lfc: f64,
    /// Mean of the group.
    pub mean_group: f64,
    /// Mean of the reference.
    pub mean_reference: f64,
    /// Cells of the group.
    pub n_group: u64,
    /// Cells of the reference.
    pub n_reference: u64,
}

impl DeTable {
    /// Names of the columns of a table, in order.
    pub const COLUMNS: [&'static str; 10] = [
        "group",
        "gene",
        "statistic",
        "pvalue",
        "padj",
        "lfc",
        "mean_group",
        "mean_reference",
        "n_group",
        "n_reference",
    ];

    /// The tests, group by group, genes in the order of the matrix.
    pub fn rows(&self) -> impl Iterator<Item = DeRow<'_>> {
        (0..self.groups.len()).flat_map(move |group| (0..self.genes.len()).map(move |gene| self.row(group, gene)))
    }

    /// One test.
    pub fn row(&self, group: usize, gene: usize) -> DeRow<'_> {
        let at = [group, gene];
        DeRow {
            group: &self.groups[group],
            gene: &self.genes[gene],
            statistic: self.statistic[at],
            pvalue: self.pvalue[at],
            padj: self.padj[at],
            lfc: self.lfc[at],
            mean_group: self.mean_group[at],
            mean_reference: self.mean_reference[at],
            n_group: self.n_group[group],
            n_reference: self.n_reference[group],
        }
    }

    /// The genes of a group from the largest statistic down, or from the largest absolute value; ties by gene id.
    pub fn ranking(&self, group: usize, by_abs: bool) -> Vec<usize> {
        let score = |gene: &usize| {
            let it = self.statistic[[group, *gene]];
            if by_abs { it.abs() } else { it }
        };
        let mut order: Vec<usize> = (0..self.genes.len()).collect();
        order.sort_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| self.genes[*a].cmp(&self.genes[*b])));
        order
    }
}
