//! What training hides of a row.

use super::measured::MeasuredGenes;
use super::vocab::PolygeneVocab;
use crate::draw::uniform;
use cellstone_core::{Error, Result, Seed, TokenRow};

/// Label of a token that is not to be predicted.
pub const IGNORE_LABEL: i32 = -100;

/// Where genes that a cell does not express are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Negatives {
    /// Measured genes without a count in the cell, in proportion to the share of cells that they are detected in.
    #[default]
    Detection,
    /// Measured genes without a count in the cell, all alike.
    Uniform,
}

/// Genes that a cell expresses and its row lacks.
#[derive(Debug, Clone, Copy)]
pub enum CutGenes<'a> {
    /// Rows were cut by rank, or not at all: genes behind the last one of a cut row may be expressed and are not drawn.
    ByRank,
    /// Their ranks, ascending: see [`BoundPolygene::encode_with_cut`](crate::BoundPolygene::encode_with_cut).
    Listed(&'a [u32]),
}

/// Probabilities of the masking law.
///
/// 1. Each gene token becomes `[mask]` with probability `gene`; its label is its bin.
/// 2. With probability `negative_rows` a row has negatives: each of its masked genes is, with probability
///    `1 / ((n + 1) · negative_rows)` for n bin edges, given the type of a gene that the cell does not express, drawn
///    without replacement, and the label `bin_0`. The expected share of `bin_0` among labels of genes is `1 / (n + 1)`.
/// 3. Each known phenotype becomes `[mask]` with probability `phenotype`; of these a share of `drop` becomes `[pad]` of
///    type 0 without a label and without attention, as a category that is not asked for; the others keep their type, and
///    their label is their value.
///
/// # References
/// `louisleger/cellular-aging-map data_utils/data_collators.py`, `YufanXia999/PerturbGene data_utils/data_collators.py`.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskLaw {
    /// Probability that a gene is masked; 0.15.
    pub gene: f64,
    /// Probability that a phenotype is masked; 0.5.
    pub phenotype: f64,
    /// Share of the masked phenotypes that is dropped; 0.1.
    pub drop: f64,
    /// Probability that a row has negatives; 0.6, and 0.9 in PerturbGene.
    pub negative_rows: f64,
    /// Where negatives are drawn from.
    pub negatives: Negatives,
    /// As the published code: negatives are any genes of the vocabulary that are not in the row, measured or not,
    /// expressed and cut or not, all alike; dropped phenotypes keep their attention.
    pub reference: bool,
}

impl Default for MaskLaw {
    fn default() -> Self {
        Self {
            gene: 0.15,
            phenotype: 0.5,
            drop: 0.1,
            negative_rows: 0.6,
            negatives: Negatives::default(),
            reference: false,
        }
    }
}

impl MaskLaw {
    /// Checks the probabilities for a vocabulary of `n_edges` bin edges.
    ///
    /// # Errors
    /// If one is not from 0 to 1, or negatives are so rare among rows that no share of masked genes makes up for it.
    pub fn check(&self, n_edges: u32) -> Result<()> {
        for (name, it) in [
            ("gene", self.gene),
            ("phenotype", self.phenotype),
            ("drop", self.drop),
            ("negative_rows", self.negative_rows),
        ] {
            if !(0.0..=1.0).contains(&it) {
                return Err(Error::config(format!("mask probability {name} = {it}, expected from 0 to 1")));
            }
        }
        let least = 1.0 / f64::from(n_edges + 1);
        if self.negative_rows > 0.0 && self.negative_rows < least {
            return Err(Error::config(format!(
                "negative_rows = {}, expected 0 or at least 1/{} for {n_edges} bin edges",
                self.negative_rows,
                n_edges + 1
            )));
        }
        Ok(())
    }
}

/// A row as a network reads it, and what it is to predict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedRow {
    /// Value ids.
    pub input_ids: Vec<u32>,
    /// Type ids.
    pub type_ids: Vec<u32>,
    /// Value ids to predict; [`IGNORE_LABEL`] elsewhere.
    pub labels: Vec<i32>,
    /// 1 for tokens that are attended to, 0 for others.
    pub attention: Vec<u8>,
    /// Masked genes that are negatives.
    pub n_negatives: u32,
    /// Negatives that were called for and that no gene was left for; their tokens are ordinary masked genes.
    pub n_missed: u32,
}

impl MaskedRow {
    /// A row that hides nothing.
    ///
    /// # Errors
    /// If the row has no stream of types of the same length.
    pub fn visible(row: &TokenRow) -> Result<Self> {
        let types = row.type_ids.as_ref().filter(|it| it.len() == row.input_ids.len());
        let Some(type_ids) = types.cloned() else {
            return Err(Error::invalid_input("a row without a type for every token, expected one of PolyGene v2"));
        };
        let n = type_ids.len();
        Ok(Self {
            input_ids: row.input_ids.clone(),
            type_ids,
            labels: vec![IGNORE_LABEL; n],
            attention: vec![1; n],
            n_negatives: 0,
            n_missed: 0,
        })
    }

    /// Puts `[mask]` in a place whose label becomes what stood there.
    pub(super) fn hide(&mut self, at: usize) {
        self.labels[at] = self.input_ids[at] as i32;
        self.input_ids[at] = PolygeneVocab::MASK;
    }

    /// Puts `[pad]` of type 0, without a label, in a place.
    pub(super) fn drop(&mut self, at: usize, attention: u8) {
        self.labels[at] = IGNORE_LABEL;
        self.input_ids[at] = PolygeneVocab::PAD;
        self.type_ids[at] = 0;
        self.attention[at] = attention;
    }
}

/// Hides part of a row for one epoch, by [`MaskLaw`].
///
/// Depends on its arguments alone: `seed` is the seed of the cell, so that a cell is masked alike wherever it stands in a
/// batch, and anew in every epoch. `measured` are the genes of the cell's data set.
///
/// # Errors
/// If the law does not fit the vocabulary, the row is none of PolyGene v2, or detection rates are needed and not there.
pub fn mask(
    vocab: &PolygeneVocab,
    law: &MaskLaw,
    row: &TokenRow,
    measured: &MeasuredGenes,
    cut: CutGenes<'_>,
    epoch: u64,
    seed: Seed,
) -> Result<MaskedRow> {
    law.check(vocab.n_edges())?;
    let mut masked = MaskedRow::visible(row)?;
    let by_rate = law.negatives == Negatives::Detection && !law.reference;
    if by_rate && law.negative_rows > 0.0 && !measured.has_rates() {
        return Err(Error::config("negatives by detection need the detection rate of every measured gene")
            .with_hint("give MeasuredGenes its rates, or draw negatives uniformly"));
    }
    let mut rng = seed.derive("polygene.mask").derive_index(epoch).rng();
    let has_negatives = uniform(&mut rng) < law.negative_rows;
    let negative = if has_negatives { 1.0 / (f64::from(vocab.n_edges() + 1) * law.negative_rows) } else { 0.0 };
    let mut swapped = Vec::new();
    for at in 0..masked.input_ids.len() {
        if vocab.gene_of(masked.type_ids[at]).is_some() && uniform(&mut rng) < law.gene {
            masked.hide(at);
            if uniform(&mut rng) < negative {
                swapped.push(at);
            }
        }
    }
    // DIVERGES(polygene-negatives): expressed genes that were cut, and genes that the data set lacks, are no negatives.
    let everything =
        law.reference.then(|| MeasuredGenes::new((0..vocab.genes().len() as u32).collect())).transpose()?;
    let drawn = Absent::new(vocab, &masked, row, cut, law.reference).draw(
        everything.as_ref().unwrap_or(measured),
        &mut rng,
        swapped.len(),
        by_rate,
    );
    masked.n_negatives = drawn.len() as u32;
    masked.n_missed = (swapped.len() - drawn.len()) as u32;
    for (at, rank) in swapped.into_iter().zip(drawn) {
        masked.type_ids[at] = vocab.gene_type(rank);
        masked.labels[at] = vocab.bin_id(0) as i32;
    }
    for at in 0..masked.input_ids.len() {
        let known = vocab.category_of(masked.type_ids[at]).is_some() && masked.input_ids[at] != PolygeneVocab::MASK;
        if known && uniform(&mut rng) < law.phenotype {
            masked.hide(at);
            if uniform(&mut rng) < law.drop {
                masked.drop(at, u8::from(law.reference));
            }
        }
    }
    Ok(masked)
}

/// The genes that a cell does not express, as far as its row tells.
struct Absent<'a> {
    /// Ranks in the row, ascending.
    shown: Vec<u32>,
    cut: &'a [u32],
    /// Genes from this rank on may be expressed.
    limit: u32,
}

impl<'a> Absent<'a> {
    fn new(vocab: &PolygeneVocab, masked: &MaskedRow, row: &TokenRow, cut: CutGenes<'a>, reference: bool) -> Self {
        let mut shown: Vec<u32> = masked.type_ids.iter().filter_map(|it| vocab.gene_of(*it)).collect();
        // The encoder writes them so; a row from elsewhere may not be sorted.
        shown.sort_unstable();
        let (cut, limit) = match cut {
            _ if reference => (&[][..], u32::MAX),
            CutGenes::Listed(it) => (it, u32::MAX),
            CutGenes::ByRank if row.n_truncated == 0 => (&[][..], u32::MAX),
            CutGenes::ByRank => (&[][..], shown.last().copied().unwrap_or_default()),
        };
        Self { shown, cut, limit }
    }

    fn draw(&self, from: &MeasuredGenes, rng: &mut cellstone_core::SeedRng, k: usize, by_rate: bool) -> Vec<u32> {
        let excluded = |it: u32| self.shown.binary_search(&it).is_ok() || self.cut.binary_search(&it).is_ok();
        from.draw(rng, k, self.limit, by_rate, &excluded)
    }
}
