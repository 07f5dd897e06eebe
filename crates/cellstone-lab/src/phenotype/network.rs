//! The network of a study: its checkpoint, which cells it has seen, what it predicts.

use super::cells::Cells;
use super::config::PhenotypeConfig;
use super::counts::StudyCounts;
use super::split::Unseen;
use crate::progress::Progress;
use cellstone_core::{BoundTokenizer, CellInput, Encoded, Error, ErrorKind, Result, Scale, Seed, TokenRow, cell_seed};
use cellstone_io::sha256_file;
use cellstone_metrics::phenotype::{desmooth_restrict, restrict, softmax};
use cellstone_model::{
    Checkpoint, DeviceChoice, NetworkConfig, Objective, PhenotypeQuery, Selected, TokenBatch, open_checkpoint,
    phenotype_logits, select,
};
use cellstone_rank::{EvaluationCondition, PolygeneVocab, condition_row};
use ndarray::{Array2, ArrayView2, Axis};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cells that are run at once.
const CHUNK: usize = 256;

/// A network with its vocabulary of phenotypes.
pub struct PhenotypeNetwork {
    checkpoint: Checkpoint,
}

/// What a network says about some cells and one category.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// De-smoothed probabilities of the candidates, `[cells, candidates]`.
    pub p: Array2<f64>,
    /// Entropy over everything that competes, as the network says it, nats.
    pub h_full: Vec<f64>,
    /// `−ln Σ exp z` over the candidates.
    pub energy: Vec<f64>,
    /// Cells whose candidates were all clipped.
    pub n_fallback: usize,
    /// For the published protocol: the three most probable ids of the whole vocabulary.
    pub top3: Vec<[u32; 3]>,
}

impl PhenotypeNetwork {
    /// Opens a checkpoint that predicts phenotypes.
    ///
    /// # Errors
    /// `ConditionUnsupported` if the network has no slot for phenotypes; as the reader says.
    pub fn open(dir: &Path, device: &Selected) -> Result<Self> {
        let checkpoint = open_checkpoint(dir, device)?;
        let shown = dir.display();
        let Ok(vocab) = checkpoint.vocab.polygene() else {
            return Err(Error::invalid_input(format!(
                "ConditionUnsupported: `{shown}` is a {}, which has no phenotype slots",
                checkpoint.config.architecture
            ))
            .with_hint("phenotypes are predicted by a PolyGene v2; `embed` gives the embeddings of any model"));
        };
        if vocab.categories().is_empty() {
            return Err(Error::invalid_input(format!(
                "ConditionUnsupported: the vocabulary of `{shown}` has no category of phenotypes"
            )));
        }
        Ok(Self { checkpoint })
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The vocabulary.
    ///
    /// # Errors
    /// Never after [`PhenotypeNetwork::open`].
    pub fn vocab(&self) -> Result<&PolygeneVocab> {
        self.checkpoint.vocab.polygene()
    }

    /// Names of the categories.
    ///
    /// # Errors
    /// Never after [`PhenotypeNetwork::open`].
    pub fn categories(&self) -> Result<Vec<String>> {
        Ok(self.vocab()?.categories().iter().map(|it| it.name.clone()).collect())
    }

    /// Place of a category.
    ///
    /// # Errors
    /// Names the categories there are, the nearest as a hint.
    pub fn category(&self, name: &str) -> Result<usize> {
        let vocab = self.vocab()?;
        if let Some(it) = vocab.category(name) {
            return Ok(it);
        }
        let names = self.categories()?;
        let error =
            Error::config(format!("unknown category `{name}` (the network has {})", cellstone_core::quoted(&names)));
        Err(match cellstone_core::nearest(name, names.iter().map(String::as_str)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        })
    }

    /// Ties the encoder to the genes of a file.
    ///
    /// # Errors
    /// As the encoder says; if no gene of the file is in the vocabulary.
    pub fn bind(&self, var: &cellstone_core::Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let encoder = self.checkpoint.encoder.tokenizer(&self.checkpoint.vocab, None)?;
        let bound = encoder.bind(var, scale)?;
        let coverage = bound.coverage();
        if coverage.n_hit == 0 {
            return Err(Error::invalid_input(format!(
                "no known gene: none of the {} genes of the file is in the vocabulary of the network ({} genes; the file has {})",
                coverage.n_features,
                coverage.n_vocabulary,
                cellstone_core::quoted(&var.ids().iter().take(3).cloned().collect::<Vec<_>>())
            ))
            .with_hint("the file must name genes as the file that the network was trained on"));
        }
        Ok(bound)
    }

    /// Label smoothing, and the number of ids that it was spread over for a category.
    ///
    /// # Errors
    /// Never after [`PhenotypeNetwork::open`].
    pub fn smoothing(&self, category: usize) -> Result<(f64, usize)> {
        let vocab = self.vocab()?;
        // DIVERGES(phenotype-smoothing-ids)
        let over = match &self.checkpoint.config.objective {
            Some(Objective::AllIds { .. }) => vocab.n_values() as usize,
            _ => vocab.category_ids(category).len(),
        };
        Ok((self.checkpoint.config.label_smoothing, over))
    }

    /// What the network says about cells: probabilities over `candidates`, value ids of the category.
    ///
    /// # Errors
    /// As the network says.
    pub fn say(
        &self,
        rows: &[TokenRow],
        category: usize,
        condition: EvaluationCondition,
        candidates: &[u32],
    ) -> Result<Said> {
        let vocab = self.vocab()?;
        let query = PhenotypeQuery { vocab, category, condition };
        let logits = phenotype_logits(&self.checkpoint.network, &query, rows)?.mapv(f64::from);
        let (e, over) = self.smoothing(category)?;
        // Ids that never competed in training have scores that mean nothing: the law is over those that did.
        let competing: Vec<u32> = if over == vocab.n_values() as usize {
            (0..vocab.n_values()).collect()
        } else {
            vocab.category_ids(category).to_vec()
        };
        let columns: Vec<usize> = competing.iter().map(|it| *it as usize).collect();
        let full = softmax(logits.select(Axis(1), &columns).view());
        let places: Vec<u32> = candidates
            .iter()
            .map(|it| competing.iter().position(|id| id == it).map(|it| it as u32))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::invalid_input("a candidate is no value of the category"))?;
        let (p, n_fallback) = if e > 0.0 {
            let it = desmooth_restrict(full.view(), &places, e)?;
            (it.p, it.n_fallback)
        } else {
            (restrict(full.view(), &places)?, 0)
        };
        Ok(Said {
            p,
            h_full: entropies(full.view()),
            energy: energies(&logits, candidates),
            n_fallback,
            top3: top3(&logits),
        })
    }
}

fn entropies(p: ArrayView2<'_, f64>) -> Vec<f64> {
    p.rows().into_iter().map(|row| -row.iter().filter(|it| **it > 0.0).map(|it| it * it.ln()).sum::<f64>()).collect()
}

fn energies(logits: &Array2<f64>, candidates: &[u32]) -> Vec<f64> {
    let one = |row: ndarray::ArrayView1<'_, f64>| {
        let best = candidates.iter().map(|it| row[*it as usize]).fold(f64::NEG_INFINITY, f64::max);
        -(best + candidates.iter().map(|it| (row[*it as usize] - best).exp()).sum::<f64>().ln())
    };
    logits.rows().into_iter().map(one).collect()
}

fn top3(logits: &Array2<f64>) -> Vec<[u32; 3]> {
    let one = |row: ndarray::ArrayView1<'_, f64>| {
        let mut order: Vec<u32> = (0..row.len() as u32).collect();
        order.sort_by(|a, b| row[*b as usize].total_cmp(&row[*a as usize]).then(a.cmp(b)));
        std::array::from_fn(|it| order.get(it).copied().unwrap_or_default())
    };
    logits.rows().into_iter().map(one).collect()
}

/// The condition by name.
///
/// # Errors
/// If there is none of that name.
pub fn condition(name: &str) -> Result<EvaluationCondition> {
    [EvaluationCondition::Masked, EvaluationCondition::Visible, EvaluationCondition::Dropped]
        .into_iter()
        .find(|it| it.as_str() == name)
        .ok_or_else(|| Error::config(format!("unknown condition `{name}`, expected masked, visible or dropped")))
}

/// The device that was asked for, by the word of the record.
///
/// # Errors
/// If it is not there.
pub(crate) fn device(name: &str) -> Result<Selected> {
    let word = match name {
        "auto" => "auto",
        _ if name.starts_with("cpu") => "cpu",
        _ => "wgpu",
    };
    select(DeviceChoice::parse(word)?)
}

/// Which cells a network has not been trained on, by its own record; `None` where the record does not say.
///
/// # Errors
/// If a file cannot be hashed, or the column of the record is missing in the file.
pub(crate) fn unseen(
    config: &PhenotypeConfig,
    network: &PhenotypeNetwork,
    cells: &Cells,
    notes: &mut Vec<(&'static str, String)>,
) -> Result<Option<Unseen>> {
    let record = &network.checkpoint.config.provenance;
    let hash = sha256_file(&config.data.path)?;
    let known = record.data.iter().any(|it| it.sha256 == hash);
    if !known {
        let name = config.data.path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        let text = if record.data.is_empty() {
            "the checkpoint does not say which cells it was trained on: whether test cells were among them is not known"
                .to_owned()
        } else {
            format!(
                "the network was not trained on `{name}` by its record; baselines are trained on its own training groups"
            )
        };
        notes.push(("warning", text));
        return Ok(None);
    }
    let Some(held_out) = &record.held_out else {
        notes.push(("warning", "the network was trained on every cell of this file: nothing was held out".to_owned()));
        return Ok(Some(Unseen { cells: vec![false; cells.n_obs()] }));
    };
    let groups = cells.groups_of(&held_out.column)?;
    let is_out = |row: usize| held_out.values.contains(&groups.names[groups.codes[row] as usize]);
    Ok(Some(Unseen { cells: (0..cells.n_obs()).map(is_out).collect() }))
}

/// Tokens of chosen cells, phenotypes among them; a cell that the encoder rejects has none.
pub(crate) struct Tokens {
    pub(crate) rows: Vec<TokenRow>,
    /// The cells that have a row.
    pub(crate) cells: Vec<usize>,
    /// Rejected cells by reason.
    pub(crate) rejected: BTreeMap<&'static str, usize>,
}

/// Encodes cells, with the phenotypes that the network knows as the study reads them.
///
/// # Errors
/// As the encoder says; if no cell has a row.
pub(crate) fn encode(
    config: &PhenotypeConfig,
    network: &PhenotypeNetwork,
    cells: &Cells,
    counts: &StudyCounts,
    chosen: &[usize],
) -> Result<Tokens> {
    let bound = network.bind(&counts.var, Scale::Counts)?;
    let names = network.categories()?;
    let columns = phenotype_texts(config, network, cells, &names)?;
    let seed = Seed::new(config.seeds[0]).derive("phenotype.encode");
    let mut tokens = Tokens { rows: Vec::new(), cells: Vec::new(), rejected: BTreeMap::new() };
    for cell in chosen {
        let Some(place) = counts.place(*cell) else { continue };
        let (genes, values) = counts.x.row(place);
        let phenotypes: Vec<Option<&str>> =
            columns.iter().map(|it| it.as_ref().and_then(|it| it[*cell].as_deref())).collect();
        let input = CellInput {
            columns: genes,
            values,
            n_counts: counts.totals[place],
            phenotypes: &phenotypes,
            seed: cell_seed(seed, "", &cells.ids[*cell]),
        };
        match bound.encode(&input) {
            Encoded::Row(row) => {
                tokens.rows.push(row);
                tokens.cells.push(*cell);
            }
            Encoded::Rejected { reason, .. } => *tokens.rejected.entry(reason).or_default() += 1,
        }
    }
    if tokens.rows.is_empty() {
        let reasons: Vec<String> = tokens.rejected.iter().map(|(reason, n)| format!("{reason}: {n}")).collect();
        return Err(Error::invalid_input(format!("the encoder of the network takes no cell ({})", reasons.join(", "))));
    }
    Ok(tokens)
}

/// Texts of every category of a network, cell by cell; `None` for a category that the study does not have. A value that
/// the vocabulary lacks is left out: it cannot be shown.
pub(crate) fn phenotype_texts(
    config: &PhenotypeConfig,
    network: &PhenotypeNetwork,
    cells: &Cells,
    names: &[String],
) -> Result<Vec<Option<Vec<Option<String>>>>> {
    let vocab = network.vocab()?;
    let obs = cells.source.obs();
    let texts = |(at, name): (usize, &String)| {
        let own = config.category.iter().find(|it| it.name == *name);
        let term = own.and_then(|it| it.term_col.as_deref()).and_then(|it| obs.get(it));
        let column = obs.get(own.map_or(name.as_str(), |it| it.column()))?;
        let known = |text: String| vocab.value_id(at, &text).map(|_| text);
        let one =
            |row: usize| term.and_then(|it| it.text(row)).and_then(known).or_else(|| column.text(row).and_then(known));
        Some((0..obs.n_rows()).map(one).collect::<Vec<_>>())
    };
    Ok(names.iter().enumerate().map(texts).collect())
}

/// Runs the network over token rows in chunks, so that memory does not grow with their number.
///
/// # Errors
/// As the network says; if the user asked to stop.
pub(crate) fn run(
    network: &PhenotypeNetwork,
    tokens: &Tokens,
    category: usize,
    condition: EvaluationCondition,
    candidates: &[u32],
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Said> {
    let mut all = Said {
        p: Array2::zeros((0, candidates.len())),
        h_full: Vec::new(),
        energy: Vec::new(),
        n_fallback: 0,
        top3: Vec::new(),
    };
    for rows in tokens.rows.chunks(CHUNK) {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Cancelled, "stopped on request").with_hint("--resume goes on from here"));
        }
        let said = network.say(rows, category, condition, candidates)?;
        all.p.append(Axis(0), said.p.view()).map_err(|error| Error::invalid_input(error.to_string()))?;
        all.h_full.extend(said.h_full);
        all.energy.extend(said.energy);
        all.top3.extend(said.top3);
        all.n_fallback += said.n_fallback;
        progress.advance(rows.len() as u64);
    }
    Ok(all)
}

/// The same rows without their genes: what phenotypes alone say.
pub(crate) fn without_genes(tokens: &Tokens, vocab: &PolygeneVocab) -> Tokens {
    let bare = |row: &TokenRow| {
        let types = row.type_ids.clone().unwrap_or_default();
        let keep: Vec<usize> = (0..types.len()).filter(|it| vocab.gene_of(types[*it]).is_none()).collect();
        TokenRow {
            input_ids: keep.iter().map(|it| row.input_ids[*it]).collect(),
            type_ids: Some(keep.iter().map(|it| types[*it]).collect()),
            ..TokenRow::default()
        }
    };
    Tokens { rows: tokens.rows.iter().map(bare).collect(), cells: tokens.cells.clone(), rejected: BTreeMap::new() }
}

/// The state of `[cls]` behind the last block, all phenotypes masked, `[cells, d]`.
///
/// # Errors
/// As the network says; if the user asked to stop.
pub(crate) fn embeddings(
    network: &PhenotypeNetwork,
    tokens: &Tokens,
    wanted: &[usize],
    cancel: &AtomicBool,
) -> Result<Array2<f64>> {
    let vocab = network.vocab()?;
    let NetworkConfig::PolyGene(shape) = &network.checkpoint.config.network else {
        return Err(Error::config("embeddings of phenotypes need a PolyGene v2"));
    };
    let mut all = Array2::zeros((wanted.len(), shape.d));
    // Rows of similar length share a batch.
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|it| tokens.rows[wanted[*it]].input_ids.len());
    for chunk in order.chunks(16) {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Cancelled, "stopped on request").with_hint("--resume goes on from here"));
        }
        let masked = |at: &usize| {
            let row = condition_row(vocab, &tokens.rows[wanted[*at]], 0, EvaluationCondition::Masked)?;
            Ok(TokenRow { input_ids: row.input_ids, type_ids: Some(row.type_ids), ..TokenRow::default() })
        };
        let rows = chunk.iter().map(masked).collect::<Result<Vec<_>>>()?;
        let batch = TokenBatch::new(&rows, PolygeneVocab::PAD, 0.0)?;
        let states = network.checkpoint.network.hidden_state(&batch, shape.n_layers)?;
        for (row, at) in chunk.iter().enumerate() {
            let cls = states.index_axis(Axis(0), row);
            let cls = cls.index_axis(Axis(0), 0);
            all.row_mut(*at).assign(&cls.mapv(f64::from));
        }
    }
    Ok(all)
}
