//! One seed of a study: the cells that are taken, their labels, their counts.

use super::cells::{Cells, Labels};
use super::config::{GeneSet, StudyConfig};
use super::encode::Cut;
use super::genes::{columns, training};
use super::load::CellCounts;
use super::purity::Known;
use super::relations::Relations;
use super::sample::{Sampled, stratified};
use super::sampled::{Pairs, draw};
use cellstone_core::{Error, Result, Seed, cell_seed};

/// The cells of one seed.
pub(crate) struct Study<'a> {
    /// The seed as a person chose it.
    pub(crate) seed: u64,
    /// The seed of everything that is drawn.
    pub(crate) root: Seed,
    pub(crate) config: &'a StudyConfig,
    pub(crate) relations: &'a Relations,
    pub(crate) type_names: &'a [String],
    /// Counts over all shared genes, one row a cell.
    pub(crate) counts: CellCounts,
    /// A seed for each cell.
    pub(crate) seeds: Vec<Seed>,
    /// Type of each cell.
    pub(crate) types: Vec<u32>,
    /// Donor or batch of each cell: what other-stratum pairs differ in.
    pub(crate) strata: Option<Labels>,
    /// Data set or batch of each cell.
    pub(crate) batches: Option<Labels>,
    /// Whether genes, moments and medians are taken from a cell.
    pub(crate) train: Vec<bool>,
    /// Pairs that every measure is compared on.
    pub(crate) pairs: Pairs,
}

/// The sample of each seed, and a remark.
type Samples = (Vec<(u64, Sampled)>, Option<String>);

/// The cells of every seed. Seeds that would take the same cells are left out, with a remark.
pub(crate) fn samples(config: &StudyConfig, cells: &Cells) -> Result<Samples> {
    let donors = cells.donors.as_ref().or(cells.batches.as_ref()).map(|it| it.codes.as_slice());
    let mut samples = Vec::new();
    for seed in &config.seeds {
        let root = root(*seed).derive("sample");
        let it = stratified(&cells.types, donors, &cells.ids, "", root, &config.subsample);
        samples.push((*seed, it));
    }
    let n_types = |it: &Sampled| {
        let mut kinds: Vec<u32> = it.rows.iter().filter_map(|row| cells.types[*row]).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.len()
    };
    if let Some((_, it)) = samples.iter().find(|it| n_types(&it.1) < 2) {
        let listed: Vec<String> =
            it.too_few.iter().map(|(kind, n)| format!("{} ({n})", cells.type_names[*kind as usize])).collect();
        return Err(Error::invalid_input(format!(
            "{} types have {} cells or more, expected at least 2 (too few: {})",
            n_types(it),
            config.subsample.min_per_type,
            if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
        ))
        .with_hint("lower subsample.min_per_type, or choose another data.type_col"));
    }
    if samples.len() > 1 && samples.iter().all(|it| !it.1.is_random && it.1.rows == samples[0].1.rows) {
        samples.truncate(1);
        let note = format!("every seed takes the same cells: seed {} stands for all", samples[0].0);
        return Ok((samples, Some(note)));
    }
    Ok((samples, None))
}

/// Everything drawn under a seed of a study comes from here.
pub(crate) fn root(seed: u64) -> Seed {
    Seed::new(seed).derive("rank_study")
}

impl<'a> Study<'a> {
    /// The cells at `rows` (places in `cells`), whose counts are given.
    ///
    /// # Errors
    /// If a stratum of `data.train` does not occur or has too few cells.
    pub(crate) fn new(
        config: &'a StudyConfig,
        cells: &'a Cells,
        relations: &'a Relations,
        seed: u64,
        rows: &[usize],
        counts: CellCounts,
    ) -> Result<Self> {
        let root = root(seed);
        let take = |labels: &Labels| Labels {
            codes: rows.iter().map(|it| labels.codes[*it]).collect(),
            names: labels.names.clone(),
        };
        let types: Vec<u32> = rows.iter().filter_map(|it| cells.types[*it]).collect();
        if types.len() != rows.len() || counts.totals.len() != rows.len() {
            return Err(Error::invalid_input("a cell of the sample has no type or no counts"));
        }
        let strata = cells.strata(config).map(take);
        let batches = cells.batches.as_ref().map(take).or_else(|| strata.clone());
        let train = training(config, strata.as_ref(), rows.len(), root)?;
        let n_types = cells.type_names.len();
        let pairs = draw(&types, n_types, strata.as_ref().map(|it| it.codes.as_slice()), &config.pairs, root);
        let seeds = rows.iter().map(|it| cell_seed(root, "cell", &cells.ids[*it])).collect();
        Ok(Self {
            seed,
            root,
            config,
            relations,
            type_names: &cells.type_names,
            counts,
            seeds,
            types,
            strata,
            batches,
            train,
            pairs,
        })
    }

    /// Number of types, those without a cell in the sample counted.
    pub(crate) fn n_types(&self) -> usize {
        self.type_names.len()
    }

    /// The codes of the strata.
    pub(crate) fn stratum_codes(&self) -> Option<&[u32]> {
        self.strata.as_ref().map(|it| it.codes.as_slice())
    }

    /// Whether there are two strata or more in the sample: only then pairs of other strata exist.
    pub(crate) fn has_other_strata(&self) -> bool {
        self.stratum_codes().is_some_and(|it| it.windows(2).any(|pair| pair[0] != pair[1]))
    }

    /// The labels that neighbours are judged by.
    pub(crate) fn known(&self) -> Known<'_> {
        Known {
            types: &self.types,
            n_types: self.n_types(),
            strata: self.stratum_codes(),
            batches: self.batches.as_ref().map(|it| it.codes.as_slice()),
            relations: self.relations,
        }
    }

    /// The counts over a gene set; the second value is a remark.
    ///
    /// # Errors
    /// As the choice of genes says.
    pub(crate) fn cut(&self, genes: GeneSet) -> Result<(Vec<usize>, Cut, Option<String>)> {
        let (columns, note) = columns(genes, &self.counts, &self.train)?;
        let cut = self.cut_of(&self.counts, &columns);
        Ok((columns, cut, note))
    }

    /// Other counts of the same cells over chosen genes.
    pub(crate) fn cut_of(&self, counts: &CellCounts, columns: &[usize]) -> Cut {
        Cut { x: counts.x.select_cols(columns), totals: counts.totals.clone(), seeds: self.seeds.clone() }
    }
}
