//! Which cells and genes to keep, and how many each rule dropped.

use super::metrics::{CellQc, GeneQc};
use cellstone_core::{Error, Result};

/// Bounds on the measures of cells; each is inclusive and optional.
///
/// # Examples
/// ```
/// use cellstone_prep::{CellFilter, CellQc};
/// let cells = CellQc {
///     n_genes_by_counts: vec![300, 100, 50],
///     total_counts: vec![900.0, 90.0, 2000.0],
///     pct_counts_in_top_genes: vec![],
///     sets: vec![],
/// };
/// let filter = CellFilter { min_genes: Some(200), min_counts: Some(100.0), ..CellFilter::default() };
/// let kept = filter.apply(&cells)?;
/// assert_eq!(kept.keep, [true, false, false]);
/// let rules: Vec<(&str, usize, usize)> =
///     kept.rules.iter().map(|it| (it.rule.as_str(), it.n_failing, it.n_dropped)).collect();
/// assert_eq!(rules, [("min_counts", 1, 1), ("min_genes", 2, 1)]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CellFilter {
    /// Least total of counts.
    pub min_counts: Option<f64>,
    /// Largest total of counts.
    pub max_counts: Option<f64>,
    /// Least number of genes.
    pub min_genes: Option<u32>,
    /// Largest number of genes.
    pub max_genes: Option<u32>,
    /// `(gene set, largest percentage of the counts in it)`, for instance `("mt", 20.0)`.
    pub max_pct: Vec<(String, f64)>,
}

/// Bounds on the measures of genes; each is inclusive and optional.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeneFilter {
    /// Least number of cells with a count.
    pub min_cells: Option<u32>,
    /// Largest number of cells with a count.
    pub max_cells: Option<u32>,
    /// Least total of counts.
    pub min_counts: Option<f64>,
    /// Largest total of counts.
    pub max_counts: Option<f64>,
}

/// What a filter keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filtered {
    /// Whether each row is kept.
    pub keep: Vec<bool>,
    /// Every rule that was set, in the order of application.
    pub rules: Vec<RuleCount>,
}

/// How many rows one rule takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCount {
    /// `min_counts`, `max_genes`, `max_pct_counts_mt`, …
    pub rule: String,
    /// Rows that break this rule, whatever the others say.
    pub n_failing: usize,
    /// Rows that break this rule and none before it: these add up to what was dropped.
    pub n_dropped: usize,
}

impl Filtered {
    fn new(n: usize) -> Self {
        Self { keep: vec![true; n], rules: Vec::new() }
    }

    /// Number of rows that are kept.
    pub fn n_kept(&self) -> usize {
        self.keep.iter().filter(|it| **it).count()
    }

    /// Indices of the rows that are kept.
    pub fn kept(&self) -> Vec<usize> {
        (0..self.keep.len()).filter(|it| self.keep[*it]).collect()
    }

    fn rule(&mut self, rule: impl Into<String>, passes: impl Fn(usize) -> bool) {
        let mut count = RuleCount { rule: rule.into(), n_failing: 0, n_dropped: 0 };
        for (row, keep) in self.keep.iter_mut().enumerate() {
            if !passes(row) {
                count.n_failing += 1;
                count.n_dropped += usize::from(*keep);
                *keep = false;
            }
        }
        self.rules.push(count);
    }

    fn bounds(&mut self, what: &str, values: &[f64], min: Option<f64>, max: Option<f64>) {
        if let Some(min) = min {
            self.rule(format!("min_{what}"), |it| values[it] >= min);
        }
        if let Some(max) = max {
            self.rule(format!("max_{what}"), |it| values[it] <= max);
        }
    }
}

fn whole(values: &[u32]) -> Vec<f64> {
    values.iter().map(|it| f64::from(*it)).collect()
}

fn check(what: &str, min: Option<f64>, max: Option<f64>) -> Result<()> {
    if let Some(it) = [min, max].into_iter().flatten().find(|it| it.is_nan() || *it < 0.0) {
        return Err(Error::config(format!("a bound on {what} is {it}, expected a number that is not negative")));
    }
    match (min, max) {
        (Some(min), Some(max)) if min > max => Err(Error::config(format!(
            "min_{what} is {min} and max_{what} is {max}, expected the first not to exceed the second"
        ))),
        _ => Ok(()),
    }
}

impl CellFilter {
    /// Applies the rules in the order of the fields.
    ///
    /// # Errors
    /// If a bound is negative or not a number, bounds exclude each other, or a gene set was not measured.
    pub fn apply(&self, cells: &CellQc) -> Result<Filtered> {
        let (min_genes, max_genes) = (self.min_genes.map(f64::from), self.max_genes.map(f64::from));
        check("counts", self.min_counts, self.max_counts)?;
        check("genes", min_genes, max_genes)?;
        let mut out = Filtered::new(cells.total_counts.len());
        out.bounds("counts", &cells.total_counts, self.min_counts, self.max_counts);
        out.bounds("genes", &whole(&cells.n_genes_by_counts), min_genes, max_genes);
        for (name, max) in &self.max_pct {
            check(&format!("pct_counts_{name}"), None, Some(*max))?;
            let set = cells.set(name).ok_or_else(|| {
                let known: Vec<String> = cells.sets.iter().map(|it| it.name.clone()).collect();
                Error::config(format!(
                    "gene set `{name}` was not measured (measured: {})",
                    cellstone_core::quoted(&known)
                ))
            })?;
            out.rule(format!("max_pct_counts_{name}"), |it| set.pct_counts[it] <= *max);
        }
        Ok(out)
    }
}

impl GeneFilter {
    /// Applies the rules in the order of the fields.
    ///
    /// # Errors
    /// If a bound is negative or not a number, or bounds exclude each other.
    pub fn apply(&self, genes: &GeneQc) -> Result<Filtered> {
        let (min_cells, max_cells) = (self.min_cells.map(f64::from), self.max_cells.map(f64::from));
        check("cells", min_cells, max_cells)?;
        check("counts", self.min_counts, self.max_counts)?;
        let mut out = Filtered::new(genes.total_counts.len());
        out.bounds("cells", &whole(&genes.n_cells_by_counts), min_cells, max_cells);
        out.bounds("counts", &genes.total_counts, self.min_counts, self.max_counts);
        Ok(out)
    }
}
