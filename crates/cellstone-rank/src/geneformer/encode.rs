//! The encoder tied to a file: one cell after another, fast.

use super::options::{RankTie, RankValues};
use crate::order::{RankSorter, Ties};
use crate::reading::TARGET;
use crate::vocab::BoundGenes;
use cellstone_core::{BoundTokenizer, CellInput, Encoded, TokenCoverage, TokenRow};
use std::cell::RefCell;

/// What the encoder asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Longest row, special tokens counted.
    pub(super) max_len: usize,
    /// First and last token of every row.
    pub(super) ends: Option<(u32, u32)>,
    pub(super) tie: RankTie,
    pub(super) values: RankValues,
}

/// What is known of a column, side by side: one access of memory per value.
#[derive(Debug, Clone, Copy)]
struct Gene {
    median: f64,
    /// [`NOBODY`] for a column that leads nowhere.
    token: u32,
}

const NOBODY: u32 = u32::MAX;

pub(super) struct Bound {
    genes: BoundGenes,
    rules: Rules,
    /// By column, where every gene has one column at most; else by position.
    table: Vec<Gene>,
    /// By position, where columns decide ties and genes have several.
    first_columns: Vec<u32>,
}

impl Bound {
    pub(super) fn new(genes: BoundGenes, tokens: &[u32], medians: &[f64], rules: Rules) -> Self {
        let gene = |at: usize| Gene { median: medians[at], token: tokens[at] };
        let (table, first_columns) = if genes.has_shared() {
            let first = genes.first_columns().into_iter().map(|it| it.unwrap_or(u32::MAX));
            ((0..tokens.len()).map(gene).collect(), first.collect())
        } else {
            let of_column = |at: &Option<u32>| at.map_or(Gene { median: 1.0, token: NOBODY }, |it| gene(it as usize));
            (genes.positions().iter().map(of_column).collect(), Vec::new())
        };
        Self { genes, rules, table, first_columns }
    }

    fn encode_in(&self, cell: &CellInput<'_>, memory: &mut Memory) -> Encoded {
        let has_depth = cell.n_counts > 0.0 && cell.n_counts.is_finite();
        if !has_depth && !cell.columns.is_empty() {
            let detail = format!("the total of the cell is {}, expected a positive number", cell.n_counts);
            return Encoded::Rejected { reason: "zero_depth", detail };
        }
        let (n, mapped) = if self.genes.has_shared() {
            let mapped = self.genes.gather(cell, &mut memory.pairs);
            let pairs = std::mem::take(&mut memory.pairs);
            let known = pairs.iter().map(|(at, count)| (*at, *count));
            let n = memory.fill(pairs.len(), known, &self.table, cell.n_counts).0;
            if self.rules.tie == RankTie::Column {
                let columns = pairs.iter().map(|it| self.first_columns[it.0 as usize]);
                memory.keys.clear();
                memory.keys.extend(columns);
            }
            memory.pairs = pairs;
            (n, mapped)
        } else {
            let known = cell.columns.iter().zip(cell.values).map(|(col, count)| (*col, f64::from(*count)));
            memory.fill(cell.columns.len(), known, &self.table, cell.n_counts)
        };
        if n == 0 {
            let detail = format!("{} expressed features, none of them a gene of the vocabulary", cell.columns.len());
            return Encoded::Rejected { reason: "no_known_gene", detail };
        }
        Encoded::Row(self.row(n, mapped, cell.n_counts, memory))
    }

    /// Sorts the first `n` genes and writes the row.
    fn row(&self, n: usize, mapped: f64, n_counts: f64, memory: &mut Memory) -> TokenRow {
        let Memory { sorter, values, tokens, counts, keys, .. } = memory;
        let (values, tokens) = (&values[..n], &tokens[..n]);
        // DIVERGES(geneformer-ties): the reference sorts without a rule.
        let ties = match (self.rules.tie, self.genes.has_shared()) {
            (RankTie::Token, _) => Ties::Key(tokens),
            (RankTie::Column, true) => Ties::Key(&keys[..n]),
            (RankTie::Column, false) => Ties::Place,
        };
        let n_ends = if self.rules.ends.is_some() { 2 } else { 0 };
        let kept = n.min(self.rules.max_len - n_ends);
        let order = sorter.sort(values, ties).take(kept);
        let mut input_ids = Vec::with_capacity(kept + n_ends);
        input_ids.extend(self.rules.ends.map(|it| it.0));
        let mut beside = Vec::new();
        let value = |place: usize| match self.rules.values {
            RankValues::MedianScaled => values[place],
            RankValues::Counts | RankValues::None => (counts[place] / n_counts) * TARGET,
        };
        if self.rules.values == RankValues::None {
            input_ids.extend(order.map(|it| tokens[it as usize]));
        } else {
            beside.reserve(kept + n_ends);
            beside.extend(self.rules.ends.map(|_| 0.0));
            for place in order {
                input_ids.push(tokens[place as usize]);
                beside.push(value(place as usize) as f32);
            }
            beside.extend(self.rules.ends.map(|_| 0.0));
        }
        input_ids.extend(self.rules.ends.map(|it| it.1));
        TokenRow {
            input_ids,
            values: (self.rules.values != RankValues::None).then_some(beside),
            n_genes: n as u32,
            n_truncated: (n - kept) as u32,
            mapped,
            ..TokenRow::default()
        }
    }
}

impl BoundTokenizer for Bound {
    fn coverage(&self) -> &TokenCoverage {
        self.genes.coverage()
    }

    fn genes(&self) -> &[Option<u32>] {
        self.genes.positions()
    }

    fn encode(&self, cell: &CellInput<'_>) -> Encoded {
        MEMORY.with_borrow_mut(|it| self.encode_in(cell, it))
    }
}

/// Working memory; nothing of one cell is read for the next.
#[derive(Default)]
struct Memory {
    sorter: RankSorter,
    values: Vec<f64>,
    tokens: Vec<u32>,
    counts: Vec<f64>,
    keys: Vec<u32>,
    pairs: Vec<(u32, f64)>,
}

impl Memory {
    /// Values, tokens and counts of the genes that have a value, and how many these are, with the sum of their counts.
    fn fill(
        &mut self,
        n_most: usize,
        cell: impl Iterator<Item = (u32, f64)>,
        table: &[Gene],
        n_counts: f64,
    ) -> (usize, f64) {
        if self.values.len() < n_most {
            self.values.resize(n_most, 0.0);
            self.tokens.resize(n_most, 0);
            self.counts.resize(n_most, 0.0);
        }
        let (values, tokens, counts) =
            (&mut self.values[..n_most], &mut self.tokens[..n_most], &mut self.counts[..n_most]);
        let (mut n, mut mapped) = (0, 0.0);
        for (at, count) in cell {
            let gene = table[at as usize];
            let value = (count / n_counts) * TARGET / gene.median;
            values[n] = value;
            tokens[n] = gene.token;
            counts[n] = count;
            // No branch, since whether a feature is known cannot be foreseen; and not from the value, which comes late.
            let is_known = gene.token != NOBODY && count > 0.0;
            mapped += if is_known { count } else { 0.0 };
            n += usize::from(is_known);
        }
        (n, mapped)
    }
}

thread_local! {
    /// Working memory that cells encoded on one thread share.
    static MEMORY: RefCell<Memory> = RefCell::default();
}
