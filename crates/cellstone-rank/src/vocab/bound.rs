//! A vocabulary tied to the features of a file.

use super::genes::GeneVocab;
use super::resolve::{FeatureRule, Resolver};
use cellstone_core::{CellInput, Error, Result, Scale, TokenCoverage, Var};
use std::cell::RefCell;

/// How many names that lead nowhere are kept.
const EXAMPLES: usize = 20;

/// No gene.
const NONE: u32 = u32::MAX;

/// Columns of a file and the positions in the vocabulary that they lead to.
#[derive(Debug, Clone)]
pub struct BoundGenes {
    positions: Vec<Option<u32>>,
    /// The same with [`NONE`] in place of nothing: half the size, for the inner loop.
    table: Vec<u32>,
    n_genes: usize,
    coverage: TokenCoverage,
    /// Whether summed values have to leave the logarithm first.
    is_log: bool,
}

impl BoundGenes {
    pub(super) fn new(vocab: &GeneVocab, resolver: &Resolver<'_>, var: &Var) -> Self {
        let mut rules = Vec::with_capacity(var.len());
        let mut positions = Vec::with_capacity(var.len());
        for (col, id) in var.ids().iter().enumerate() {
            let (at, rule) = resolver.feature(id, var.symbols().map(|it| it[col].as_str()));
            positions.push(at);
            rules.push(rule);
        }
        let coverage = coverage(vocab, var, &positions, &rules);
        let table = positions.iter().map(|it| it.unwrap_or(NONE)).collect();
        Self { positions, table, n_genes: vocab.len(), coverage, is_log: false }
    }

    /// The same genes for values on another scale than counts: values of columns that share a gene are added before
    /// the logarithm is taken.
    ///
    /// # Errors
    /// If columns share a gene and the scale is one on which values cannot be added.
    pub fn on_scale(mut self, scale: Scale) -> Result<Self> {
        if scale == Scale::Effect && self.has_shared() {
            return Err(Error::invalid_input(format!(
                "{} genes of the vocabulary have several columns each, whose values cannot be added: the matrix holds \
                 {scale}",
                self.coverage.n_shared
            ))
            .with_hint("keep one column for a gene, or give counts"));
        }
        self.is_log = matches!(scale, Scale::LogNorm { .. });
        Ok(self)
    }

    /// Position of the gene that each column leads to.
    pub fn positions(&self) -> &[Option<u32>] {
        &self.positions
    }

    /// How well the file covers the vocabulary.
    pub fn coverage(&self) -> &TokenCoverage {
        &self.coverage
    }

    /// Number of genes of the vocabulary.
    pub fn n_genes(&self) -> usize {
        self.n_genes
    }

    /// Whether any gene has more than one column.
    pub fn has_shared(&self) -> bool {
        self.coverage.n_shared > 0
    }

    /// The first column of each gene, by position.
    pub fn first_columns(&self) -> Vec<Option<u32>> {
        let mut first = vec![None; self.n_genes];
        for (col, at) in self.positions.iter().enumerate().rev() {
            if let Some(at) = at {
                first[*at as usize] = Some(col as u32);
            }
        }
        first
    }

    /// Expressed genes of a cell as `(position, value)` by ascending position, and the sum of their values.
    ///
    /// Values of columns that share a gene are summed; log-normalised values are brought to the linear scale for that
    /// and back. Zeros are left out. The result does not depend on the order of the columns. `out` is cleared first.
    pub fn gather(&self, cell: &CellInput<'_>, out: &mut Vec<(u32, f64)>) -> f64 {
        out.clear();
        if self.is_log && self.has_shared() {
            self.gather_log(cell, out);
        } else {
            SCATTER.with_borrow_mut(|it| self.gather_linear(cell, it, out));
        }
        out.iter().map(|it| it.1).sum()
    }

    /// Scatters the values over the vocabulary and reads them back in order: linear in both sizes, no comparison.
    fn gather_linear(&self, cell: &CellInput<'_>, scatter: &mut Scatter, out: &mut Vec<(u32, f64)>) {
        scatter.grow(self.n_genes);
        for (col, value) in cell.columns.iter().zip(cell.values) {
            let at = self.table[*col as usize];
            if at != NONE {
                scatter.sums[at as usize] += f64::from(*value);
                scatter.marks[at as usize / 64] |= 1 << (at % 64);
            }
        }
        for (word, marks) in scatter.marks[..self.n_genes.div_ceil(64)].iter_mut().enumerate() {
            let mut left = std::mem::take(marks);
            while left != 0 {
                let at = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let value = std::mem::take(&mut scatter.sums[at]);
                if value != 0.0 {
                    out.push((at as u32, value));
                }
            }
        }
    }

    fn gather_log(&self, cell: &CellInput<'_>, out: &mut Vec<(u32, f64)>) {
        let pairs = cell.columns.iter().zip(cell.values).filter(|it| *it.1 != 0.0);
        out.extend(pairs.filter_map(|(col, value)| Some((self.positions[*col as usize]?, f64::from(*value)))));
        // By value as well, so that the sum does not depend on the order of the columns.
        out.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut kept = 0;
        let mut from = 0;
        while from < out.len() {
            let n = out[from..].iter().take_while(|it| it.0 == out[from].0).count();
            let shared = &out[from..from + n];
            let value = if n == 1 { shared[0].1 } else { shared.iter().map(|it| it.1.exp_m1()).sum::<f64>().ln_1p() };
            out[kept] = (out[from].0, value);
            kept += 1;
            from += n;
        }
        out.truncate(kept);
    }
}

/// One value and one mark per gene of a vocabulary; all zero between cells.
#[derive(Default)]
struct Scatter {
    sums: Vec<f64>,
    marks: Vec<u64>,
}

impl Scatter {
    fn grow(&mut self, n_genes: usize) {
        if self.sums.len() < n_genes {
            self.sums.resize(n_genes, 0.0);
            self.marks.resize(n_genes.div_ceil(64), 0);
        }
    }
}

thread_local! {
    /// Working memory that cells encoded on one thread share; it carries nothing from one to the next.
    static SCATTER: RefCell<Scatter> = RefCell::default();
}

fn coverage(vocab: &GeneVocab, var: &Var, positions: &[Option<u32>], rules: &[FeatureRule]) -> TokenCoverage {
    let mut n_columns = vec![0_u32; vocab.len()];
    positions.iter().flatten().for_each(|it| n_columns[*it as usize] += 1);
    let count = |rule: FeatureRule| rules.iter().filter(|it| **it == rule).count();
    let by_rule = FeatureRule::ALL.iter().map(|it| (it.as_str().to_owned(), count(*it))).filter(|it| it.1 > 0);
    // Names that may be several genes first: those a person can do something about.
    let mut lost: Vec<usize> = (0..rules.len()).filter(|it| positions[*it].is_none()).collect();
    lost.sort_by_key(|it| rules[*it] != FeatureRule::Ambiguous);
    TokenCoverage {
        n_features: var.len(),
        n_mapped: positions.iter().flatten().count(),
        n_vocabulary: vocab.len(),
        n_hit: n_columns.iter().filter(|it| **it > 0).count(),
        by_rule: by_rule.collect(),
        n_shared: n_columns.iter().filter(|it| **it > 1).count(),
        first_unmapped: lost.iter().take(EXAMPLES).map(|it| var.ids()[*it].clone()).collect(),
    }
}
