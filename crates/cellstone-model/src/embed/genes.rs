//! Vectors of genes in their context: the mean over the cells that express them.

use super::batches::batches;
use super::cells::WINDOW;
use super::kinds::TokenKinds;
use super::options::EmbedOptions;
use crate::Network;
use cellstone_core::{Result, TokenRow};
use ndarray::{Array2, ArrayView1, Axis};

/// Mean states of genes over cells.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextualGenes {
    /// Names as the vocabulary has them, by ascending id.
    pub names: Vec<String>,
    /// Means over the cells that contain the gene, `[n_genes, d]`.
    pub values: Array2<f32>,
    /// Number of these cells.
    pub n_cells: Vec<u64>,
    /// Standard error of the mean, root mean square over dimensions; `None` for a single cell.
    pub standard_error: Vec<Option<f64>>,
}

/// Running mean and sum of squared deviations of one gene, by dimension.
#[derive(Debug, Clone)]
struct Running {
    n: u64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Running {
    fn add(&mut self, state: ArrayView1<'_, f32>) {
        self.n += 1;
        let n = self.n as f64;
        for ((mean, squares), x) in self.mean.iter_mut().zip(&mut self.squares).zip(state) {
            let gap = f64::from(*x) - *mean;
            *mean += gap / n;
            *squares += gap * (f64::from(*x) - *mean);
        }
    }

    fn standard_error(&self) -> Option<f64> {
        let (n, d) = (self.n as f64, self.mean.len() as f64);
        (self.n > 1).then(|| (self.squares.iter().sum::<f64>() / (n - 1.0) / n / d).sqrt())
    }
}

/// Collects rows of tokens and averages the states of every gene in them. Special tokens and phenotypes are passed over,
/// and genes that were cut from a row do not count for it.
pub struct GeneStates<'a> {
    network: &'a Network,
    kinds: &'a TokenKinds,
    batch_tokens: usize,
    layer: usize,
    pending: Vec<TokenRow>,
    n_tokens: usize,
    genes: Vec<Option<Running>>,
}

impl<'a> GeneStates<'a> {
    /// Nothing yet; how `options` pools is of no account here.
    ///
    /// # Errors
    /// If the network has no such layer.
    pub fn new(network: &'a Network, kinds: &'a TokenKinds, options: EmbedOptions) -> Result<Self> {
        let layer = options.layer.index(network.n_layers())?;
        let genes = vec![None; kinds.n_keys()];
        let (pending, batch_tokens) = (Vec::new(), options.batch_tokens);
        Ok(Self { network, kinds, batch_tokens, layer, pending, n_tokens: 0, genes })
    }

    /// Takes the next cell. Returns how many cells were finished on this occasion.
    ///
    /// # Errors
    /// If the row holds what the network does not know.
    pub fn push(&mut self, row: TokenRow) -> Result<usize> {
        self.kinds.check_types(&row)?;
        self.n_tokens += row.input_ids.len();
        self.pending.push(row);
        if self.n_tokens < WINDOW * self.batch_tokens { Ok(0) } else { self.flush() }
    }

    /// The genes that at least `min_cells` cells contain.
    ///
    /// # Errors
    /// If the network cannot be run on what is left.
    pub fn finish(mut self, min_cells: u64) -> Result<ContextualGenes> {
        self.flush()?;
        let found: Vec<(&str, &Running)> = self
            .kinds
            .genes()
            .filter_map(|(key, name)| Some((name, self.genes[key as usize].as_ref()?)))
            .filter(|it| it.1.n >= min_cells.max(1))
            .collect();
        let mut values = Array2::zeros((found.len(), self.network.width()));
        for (mut row, (_, gene)) in values.rows_mut().into_iter().zip(&found) {
            for (to, mean) in row.iter_mut().zip(&gene.mean) {
                *to = *mean as f32;
            }
        }
        Ok(ContextualGenes {
            names: found.iter().map(|it| it.0.to_owned()).collect(),
            values,
            n_cells: found.iter().map(|it| it.1.n).collect(),
            standard_error: found.iter().map(|it| it.1.standard_error()).collect(),
        })
    }

    fn flush(&mut self) -> Result<usize> {
        let rows = std::mem::take(&mut self.pending);
        self.n_tokens = 0;
        let d = self.network.width();
        let lengths: Vec<usize> = rows.iter().map(|it| it.input_ids.len()).collect();
        for members in batches(&lengths, self.batch_tokens) {
            let chosen: Vec<TokenRow> = members.iter().map(|it| rows[*it].clone()).collect();
            let states = self.network.state(&self.kinds.batch(&chosen)?, self.layer)?;
            for (row, states) in chosen.iter().zip(states.axis_iter(Axis(0))) {
                for (at, state) in states.rows().into_iter().enumerate().take(row.input_ids.len()) {
                    let Some(key) = self.kinds.gene(row, at) else { continue };
                    let fresh = || Running { n: 0, mean: vec![0.0; d], squares: vec![0.0; d] };
                    self.genes[key as usize].get_or_insert_with(fresh).add(state);
                }
            }
        }
        Ok(rows.len())
    }
}
