//! How far an edit moves the state of a cell.

use super::edit::{Edit, cut};
use crate::embed::batches;
use crate::{EmbedOptions, Network, Pool, TokenKinds};
use cellstone_core::{Result, TokenRow};
use ndarray::{Array3, ArrayView1, Axis};
use std::collections::BTreeMap;

/// What an edit did to a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct EditEffect {
    /// How many of the edited genes the cell has.
    pub n_present: usize,
    /// `1 − cos` between the vectors of the cell before and behind the edit, the edited genes left out of both;
    /// `None` where the edit changes nothing, or one of the two has no gene left.
    pub shift: Option<f64>,
    /// Mean over the genes in both rows, the edited ones left out, of `1 − cos` between their states.
    pub gene_shift: Option<f64>,
}

/// Effects of an edit on cells, in their order. Rows should be whole: the edit comes first, the cut to `max_len` second.
///
/// # Errors
/// If the network has no such layer, or rows hold what it does not know.
///
/// # Examples
/// ```
/// # use cellstone_model::*; use cellstone_core::{Seed, TokenRow};
/// # fn example(checkpoint: &Checkpoint, cell: TokenRow) -> cellstone_core::Result<()> {
/// let kinds = TokenKinds::of(checkpoint);
/// let edit = Edit::new(EditKind::Delete, &["ENSG00000111640".to_owned()], &kinds)?;
/// let options = EmbedOptions { layer: Layer::LAST, pool: Pool::Mean, batch_tokens: 4096 };
/// let effects = edit_effects(&checkpoint.network, &kinds, &edit, &[cell], 2048, options)?;
/// println!("{:?}", effects[0].shift);
/// # Ok(()) }
/// ```
pub fn edit_effects(
    network: &Network,
    kinds: &TokenKinds,
    edit: &Edit,
    rows: &[TokenRow],
    max_len: usize,
    options: EmbedOptions,
) -> Result<Vec<EditEffect>> {
    let layer = options.layer.index(network.n_layers())?;
    let mut out: Vec<EditEffect> = rows
        .iter()
        .map(|it| EditEffect { n_present: edit.n_present(it, kinds), shift: None, gene_shift: None })
        .collect();
    let pairs: Vec<(usize, TokenRow, TokenRow)> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| (at, cut(row.clone(), kinds, max_len), edit.apply(row, kinds, max_len)))
        .filter(|it| it.1 != it.2 && !it.2.input_ids.is_empty())
        .collect();
    if options.pool == Pool::Cls {
        for (_, before, after) in &pairs {
            kinds.check_cls(before)?;
            kinds.check_cls(after)?;
        }
    }
    let lengths: Vec<usize> = pairs.iter().map(|it| it.1.input_ids.len().max(it.2.input_ids.len())).collect();
    for members in batches(&lengths, options.batch_tokens) {
        let of = |which: &dyn Fn(&(usize, TokenRow, TokenRow)) -> &TokenRow| -> Result<(Vec<TokenRow>, Array3<f32>)> {
            let rows: Vec<TokenRow> = members.iter().map(|it| which(&pairs[*it]).clone()).collect();
            let states = network.state(&kinds.batch(&rows)?, layer)?;
            Ok((rows, states))
        };
        let (before, states_before) = of(&|it| &it.1)?;
        let (after, states_after) = of(&|it| &it.2)?;
        for (at, member) in members.iter().enumerate() {
            let a = Cell { row: &before[at], states: states_before.index_axis(Axis(0), at), edit, kinds };
            let b = Cell { row: &after[at], states: states_after.index_axis(Axis(0), at), edit, kinds };
            let effect = &mut out[pairs[*member].0];
            effect.shift = a.vector(options.pool).zip(b.vector(options.pool)).and_then(|(a, b)| distance(&a, &b));
            effect.gene_shift = between_genes(&a, &b);
        }
    }
    Ok(out)
}

/// A cell and its states, `[len, d]`.
struct Cell<'a> {
    row: &'a TokenRow,
    states: ndarray::ArrayView2<'a, f32>,
    edit: &'a Edit,
    kinds: &'a TokenKinds,
}

impl Cell<'_> {
    /// Its vector without the edited genes; none if nothing is left.
    fn vector(&self, pool: Pool) -> Option<Vec<f64>> {
        let takes = |at: usize| match (pool, self.kinds.gene(self.row, at)) {
            (Pool::Cls, _) => at == 0,
            (_, Some(key)) => !self.edit.touches(key),
            (pool, None) => pool == Pool::MeanAll,
        };
        let places: Vec<usize> = (0..self.row.input_ids.len()).filter(|it| takes(*it)).collect();
        let start = if pool == Pool::Max { f64::NEG_INFINITY } else { 0.0 };
        let mut out = vec![start; self.states.ncols()];
        for at in &places {
            for (to, x) in out.iter_mut().zip(self.states.row(*at)) {
                let x = f64::from(*x);
                *to = if pool == Pool::Max { to.max(x) } else { *to + x / places.len() as f64 };
            }
        }
        (!places.is_empty()).then_some(out)
    }

    /// Genes that were not edited, and where they stand.
    fn genes(&self) -> BTreeMap<u32, usize> {
        let gene = |at: usize| Some((self.kinds.gene(self.row, at).filter(|it| !self.edit.touches(*it))?, at));
        (0..self.row.input_ids.len()).filter_map(gene).collect()
    }
}

fn between_genes(a: &Cell<'_>, b: &Cell<'_>) -> Option<f64> {
    let there = b.genes();
    let both = a.genes().into_iter().filter_map(|(key, at)| Some((at, *there.get(&key)?)));
    let wide = |it: ArrayView1<'_, f32>| it.iter().map(|it| f64::from(*it)).collect::<Vec<_>>();
    let found: Vec<f64> =
        both.filter_map(|(at, to)| distance(&wide(a.states.row(at)), &wide(b.states.row(to)))).collect();
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
}

/// `1 − cos`; none for a vector of zeros.
fn distance(a: &[f64], b: &[f64]) -> Option<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = (dot(a, a) * dot(b, b)).sqrt();
    (scale > 0.0).then(|| 1.0 - dot(a, b) / scale)
}
