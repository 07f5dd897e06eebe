//! The list of protocols, their common parameters, and the one entry point.

use super::conditions::{SplitCondition, controls};
use super::{contexts, gears, gears_modes, genes, groups, norman};
use crate::mt19937::NumpyRng;
use cellstone_core::{Error, Part, Result, Split, nearest, quoted};

/// What a protocol says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ProtocolInfo {
    /// Lower snake case, as configurations name it.
    pub id: &'static str,
    /// What is held out, in one sentence.
    pub summary: &'static str,
    /// How many splits one seed gives.
    pub n_splits: &'static str,
    /// Parameters it reads.
    pub params: &'static str,
    /// Paper DOI or repository and path; empty for our own.
    pub source: &'static str,
}

const PROTOCOLS: [ProtocolInfo; 7] = [
    ProtocolInfo {
        id: "norman_doubles",
        summary: "half of the doubles train with all singles; the rest is halved into test and val",
        n_splits: "1",
        params: "",
        source: "doi:10.1038/s41592-025-02772-6, benchmark/src/prepare_perturbation_data.py",
    },
    ProtocolInfo {
        id: "gears_simulation",
        summary: "a quarter of the genes is unseen; combinations are grouped by how many of their genes were seen",
        n_splits: "1",
        params: "",
        source: "snap-stanford/GEARS, gears/data_utils.py",
    },
    ProtocolInfo {
        id: "gene_kfold",
        summary: "target genes in k folds, the same in all contexts; a combination is held out with any of its targets",
        n_splits: "k",
        params: "k, fold",
        source: "doi:10.64898/2026.02.18.706454, preprocessing/pseudobulk/pseudobulk_norman.py",
    },
    ProtocolInfo {
        id: "group_kfold",
        summary: "as gene_kfold, but genes that a chain of edges of a gene graph connects are held out together",
        n_splits: "k",
        params: "edges, k, fold",
        source: "",
    },
    ProtocolInfo {
        id: "leave_one_context_out",
        summary: "the perturbations of one context are held out: all, all but a fraction, or with their genes everywhere",
        n_splits: "one a context (times k for gene_and_context)",
        params: "variant, fraction, k, fold",
        source: "doi:10.64898/2026.02.18.706454, cross_context",
    },
    ProtocolInfo {
        id: "combos_2fold",
        summary: "combinations in two halves, each held out once; singles train",
        n_splits: "2",
        params: "fold",
        source: "shiftbioscience/Perturbation-Models-Outperform-Baselines",
    },
    ProtocolInfo {
        id: "gears_modes",
        summary: "the other modes of GEARS, with its draws with replacement; some combinations are neither trained on nor scored",
        n_splits: "1",
        params: "variant",
        source: "snap-stanford/GEARS, gears/data_utils.py",
    },
];

/// Every protocol [`make_splits`] knows.
pub fn protocols() -> &'static [ProtocolInfo] {
    &PROTOCOLS
}

/// What protocols can be told; each reads what concerns it.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `k` | 5 | number of folds | 2.. (1 for `gene_and_context`: all genes at once) |
/// | `fold` | all | only this fold, from 0 | below the number of folds |
/// | `fraction` | 0.2 | share of the held-out context's conditions that train (`few_shot`) | 0..1 |
/// | `variant` | `zero_shot` | of `leave_one_context_out`: `zero_shot`, `few_shot`, `gene_and_context` | |
/// | | `single` | of `gears_modes`: `single`, `single_only`, `combo_seen0`, `combo_seen1`, `combo_seen2`, `no_test` | |
/// | `edges` | none | pairs of related genes, by the names that conditions use (`group_kfold`) | |
#[derive(Debug, Clone, PartialEq)]
pub struct SplitParams {
    /// Number of folds.
    pub k: usize,
    /// Only this fold.
    pub fold: Option<usize>,
    /// Share of the held-out context's conditions that train.
    pub fraction: f64,
    /// Variant of the protocol.
    pub variant: Option<String>,
    /// Pairs of related genes.
    pub edges: Vec<(String, String)>,
}

impl Default for SplitParams {
    fn default() -> Self {
        Self { k: 5, fold: None, fraction: 0.2, variant: None, edges: Vec::new() }
    }
}

/// Makes the splits of a protocol. Controls are always train.
///
/// Draws follow NumPy's legacy stream from `seed`, names are sorted by code point, so published splits are reproduced.
/// Conditions that a split does not name are neither trained on nor scored.
///
/// # Errors
/// An unknown protocol, parameters out of range, a seed of more than 32 bits, or conditions that leave a part empty.
///
/// # Examples
/// ```
/// use cellstone_core::Part;
/// use cellstone_prep::{SplitParams, make_splits, read_condition_list};
/// let conditions = read_condition_list("ctrl\nA\nB\nC\nD\nE\nA+B\nC+D")?;
/// let splits = make_splits("gene_kfold", &SplitParams::default(), &conditions, 0)?;
/// assert_eq!(splits.len(), 5);
/// let held_out: usize = splits.iter().map(|it| it.names(Part::Test).len()).sum();
/// assert_eq!(held_out, 5 + 4, "every single once, every double with each of its targets");
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn make_splits(
    protocol: &str,
    params: &SplitParams,
    conditions: &[SplitCondition],
    seed: u64,
) -> Result<Vec<Split>> {
    let rng_seed = u32::try_from(seed).map_err(|_| {
        Error::config(format!("seed of split protocol `{protocol}` is {seed}, expected at most {}", u32::MAX))
    })?;
    let draw = Draw { seed: rng_seed };
    let mut splits = match protocol {
        "norman_doubles" => norman::doubles(conditions, draw),
        "gears_simulation" => gears::simulation(conditions, draw),
        "gene_kfold" => genes::kfold(conditions, params, draw),
        "group_kfold" => groups::kfold(conditions, params, draw),
        "gears_modes" => gears_modes::modes(conditions, params, draw),
        "combos_2fold" => norman::combos_2fold(conditions, params, draw),
        "leave_one_context_out" => contexts::leave_one_out(conditions, params, draw),
        _ => Err(unknown(protocol)),
    }?;
    for split in &mut splits {
        for raw in controls(conditions) {
            split.assign(raw, Part::Train)?;
        }
    }
    Ok(splits)
}

/// The stream that a protocol may restart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    seed: u32,
}

impl Draw {
    /// The stream from its start.
    pub(super) fn restart(self) -> NumpyRng {
        NumpyRng::new(self.seed)
    }

    /// An empty split with a name that tells seed and fold.
    pub(super) fn split(self, protocol: &str, suffix: &str) -> Split {
        Split::new(format!("{protocol}_s{}{suffix}", self.seed), protocol, u64::from(self.seed))
    }
}

/// The folds to make: all of them, or the one asked for.
pub(super) fn folds(params: &SplitParams, k: usize) -> Result<std::ops::Range<usize>> {
    match params.fold {
        None => Ok(0..k),
        Some(it) if it < k => Ok(it..it + 1),
        Some(it) => Err(Error::config(format!("fold is {it}, expected below {k}"))),
    }
}

fn unknown(protocol: &str) -> Error {
    let ids: Vec<String> = PROTOCOLS.iter().map(|it| it.id.to_owned()).collect();
    let error = Error::config(format!("unknown split protocol `{protocol}` (protocols: {})", quoted(&ids)));
    match nearest(protocol, PROTOCOLS.iter().map(|it| it.id)) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error,
    }
}
