//! From what was typed to a complete pretraining, with errors that name the key.

use super::raw::{RawData, RawEncoder, RawHeldOut, RawMask, RawNetwork, RawPretrain, RawTrain};
use super::resolved::{
    CellFilter, EncoderSettings, MaskSettings, NetworkKind, NetworkSettings, PretrainConfig, PretrainData,
    TrainSettings,
};
use crate::config::{check_preamble, join, parse_as, positive};
use cellstone_core::{Error, Result, nearest};
use std::path::Path;

/// Reads the file of a pretraining, applies `--set key=value` overrides, and resolves it.
///
/// # Errors
/// Names the file and the key; unknown keys come with a suggestion.
pub fn load_pretrain(path: &Path, overrides: &[String]) -> Result<PretrainConfig> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::io(path, error).with_hint("pretrainings live under `experiments/pretrain_*.toml`"))?;
    let named = |error: Error| error.context(format!("`{}`", path.display()));
    let raw = parse_pretrain(&text, overrides).map_err(named)?;
    resolve_pretrain(raw, path.parent().unwrap_or(Path::new("."))).map_err(named)
}

/// Parses the text of a pretraining with overrides.
///
/// # Errors
/// Names the key that is wrong.
pub fn parse_pretrain(text: &str, overrides: &[String]) -> Result<RawPretrain> {
    // The kind first: the keys of another kind of experiment would all be unknown here.
    let head: toml::Table = text.parse().unwrap_or_default();
    if !head.is_empty() {
        check_kind(head.get("kind").and_then(toml::Value::as_str))?;
    }
    parse_as(text, overrides)
}

fn check_kind(kind: Option<&str>) -> Result<()> {
    if kind == Some("pretrain") {
        return Ok(());
    }
    let found = kind.map_or_else(|| "no kind".to_owned(), |it| format!("kind = \"{it}\""));
    Err(Error::config(format!("{found}, expected kind = \"pretrain\""))
        .with_hint("other experiments run with `cargo xtask run FILE.toml`"))
}

/// Fills in every default and checks every name. Paths become relative to `base`.
///
/// # Errors
/// Names the key that is wrong, what was found and what was expected.
pub fn resolve_pretrain(raw: RawPretrain, base: &Path) -> Result<PretrainConfig> {
    check_preamble(raw.schema, &raw.id, &[raw.seed])?;
    check_kind(Some(&raw.kind))?;
    let encoder = encoder(raw.encoder)?;
    Ok(PretrainConfig {
        schema: 1,
        kind: raw.kind,
        id: raw.id,
        question: raw.question,
        seed: raw.seed,
        data: data(raw.data, base)?,
        network: network(&raw.network)?,
        mask: mask(&raw.mask)?,
        train: train(&raw.train, encoder.max_len)?,
        encoder,
    })
}

fn data(raw: RawData, base: &Path) -> Result<PretrainData> {
    match (&raw.path, &raw.tokens) {
        (None, None) => {
            return Err(Error::config("data.path is missing").with_hint("or give --set data.path=FILE"));
        }
        (Some(_), Some(_)) => {
            return Err(Error::config("data.path and data.tokens are both there, expected one of them"));
        }
        (None, Some(_)) if raw.vocab.is_none() => {
            return Err(Error::config("data.tokens needs data.vocab")
                .with_hint("polygene.json of the checkpoint or run that the tokens were made with"));
        }
        _ => {}
    }
    if raw.path.is_some() && raw.phenotypes.is_empty() {
        return Err(Error::config("data.phenotypes is empty, expected columns of obs")
            .with_hint("`cargo xtask inspect FILE` lists the columns"));
    }
    let mut phenotypes = raw.phenotypes;
    phenotypes.sort();
    if let Some([twice, _]) = phenotypes.array_windows().find(|[a, b]| a == b) {
        return Err(Error::config(format!("data.phenotypes names `{twice}` twice")));
    }
    let held_out = raw.held_out.map(|it| filter("data.held_out", it)).transpose()?;
    let validation = raw.validation.map(|it| filter("data.validation", it)).transpose()?;
    if let (Some(a), Some(b)) = (&held_out, &validation)
        && a.column == b.column
        && let Some(both) = a.values.iter().find(|it| b.values.contains(it))
    {
        return Err(Error::config(format!(
            "`{both}` is in data.held_out and in data.validation, expected one of them"
        )));
    }
    Ok(PretrainData {
        path: raw.path.map(|it| join(base, &it)),
        tokens: raw.tokens.map(|it| join(base, &it)),
        vocab: raw.vocab.map(|it| join(base, &it)),
        matrix: raw.matrix.unwrap_or_else(|| "X".into()),
        phenotypes,
        citation: raw.citation.unwrap_or_default(),
        keep: raw.keep,
        held_out,
        validation,
    })
}

fn filter(key: &str, raw: RawHeldOut) -> Result<CellFilter> {
    if raw.values.is_empty() {
        return Err(Error::config(format!("{key}.values is empty, expected values of column `{}`", raw.column)));
    }
    Ok(CellFilter { column: raw.column, values: raw.values })
}

/// Width, inner width, blocks, heads.
const PRESETS: [(&str, [usize; 4]); 3] =
    [("nano", [64, 128, 2, 4]), ("tiny", [128, 512, 4, 4]), ("small", [256, 1024, 6, 8])];

fn network(raw: &RawNetwork) -> Result<NetworkSettings> {
    let preset = raw.preset.as_deref().unwrap_or("tiny");
    let Some((_, [d, d_inner, n_layers, n_heads])) = PRESETS.iter().find(|it| it.0 == preset) else {
        let error = Error::config(format!("network.preset = \"{preset}\", expected nano, tiny or small"));
        return Err(match nearest(preset, PRESETS.iter().map(|it| it.0)) {
            Some(it) => error.with_hint(format!("did you mean `{it}`?")),
            None => error,
        });
    };
    let it = NetworkSettings {
        kind: raw.kind.unwrap_or(NetworkKind::PolygeneV2),
        d: raw.d.unwrap_or(*d),
        d_inner: raw.d_inner.unwrap_or(*d_inner),
        n_layers: raw.n_layers.unwrap_or(*n_layers),
        n_heads: raw.n_heads.unwrap_or(*n_heads),
        dropout: raw.dropout.unwrap_or(0.1),
    };
    if it.d == 0 || it.n_heads == 0 || !it.d.is_multiple_of(it.n_heads) || it.n_layers == 0 || it.d_inner == 0 {
        return Err(Error::config(format!(
            "network.d = {} and n_heads = {}, expected a width that the heads divide, and at least one block",
            it.d, it.n_heads
        )));
    }
    share("network.dropout", it.dropout)?;
    Ok(it)
}

fn share(key: &str, value: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(Error::config(format!("{key} = {value}, expected from 0 to 1")))
    }
}

fn word(key: &str, value: Option<String>, words: &[&str]) -> Result<String> {
    let Some(value) = value else { return Ok(words[0].to_owned()) };
    if words.contains(&value.as_str()) {
        return Ok(value);
    }
    let error = Error::config(format!("{key} = \"{value}\", expected one of {}", words.join(", ")));
    Err(match nearest(&value, words.iter().copied()) {
        Some(it) => error.with_hint(format!("did you mean `{it}`?")),
        None => error,
    })
}

fn encoder(raw: RawEncoder) -> Result<EncoderSettings> {
    let (edges, edge_values) = match raw.edges {
        None => ("cam".to_owned(), Vec::new()),
        Some(toml::Value::String(it)) => (word("encoder.edges", Some(it), &["cam", "linear", "binary"])?, Vec::new()),
        Some(toml::Value::Array(it)) => {
            let number = |it: &toml::Value| it.as_float().or_else(|| it.as_integer().map(|it| it as f64));
            let values: Option<Vec<f64>> = it.iter().map(number).collect();
            (
                "numbers".to_owned(),
                values.ok_or_else(|| Error::config("encoder.edges holds something else than numbers"))?,
            )
        }
        Some(other) => {
            return Err(Error::config(format!("encoder.edges = {other}, expected a name or a list of numbers")));
        }
    };
    Ok(EncoderSettings {
        n_genes: positive("encoder.n_genes", raw.n_genes.unwrap_or(2000) as f64)? as usize,
        max_len: positive("encoder.max_len", raw.max_len.unwrap_or(512) as f64)? as usize,
        truncate: word("encoder.truncate", raw.truncate, &["hvg", "expression", "sample"])?,
        edges,
        edge_values,
    })
}

fn mask(raw: &RawMask) -> Result<MaskSettings> {
    Ok(MaskSettings {
        gene: share("mask.gene", raw.gene.unwrap_or(0.15))?,
        phenotype: share("mask.phenotype", raw.phenotype.unwrap_or(0.5))?,
        drop: share("mask.drop", raw.drop.unwrap_or(0.1))?,
        negative_rows: share("mask.negative_rows", raw.negative_rows.unwrap_or(0.6))?,
        negatives: word("mask.negatives", raw.negatives.clone(), &["detection", "uniform"])?,
    })
}

fn train(raw: &RawTrain, max_len: usize) -> Result<TrainSettings> {
    let at_least_one = |key: &str, it: u64| {
        if it > 0 { Ok(it) } else { Err(Error::config(format!("train.{key} = 0, expected at least 1"))) }
    };
    let not_negative = |key: &str, it: f64| {
        if it >= 0.0 && it.is_finite() {
            Ok(it)
        } else {
            Err(Error::config(format!("train.{key} = {it}, expected 0 or above")))
        }
    };
    let eval_every = at_least_one("eval_every", raw.eval_every.unwrap_or(50))?;
    let it = TrainSettings {
        steps: raw.steps.unwrap_or(0),
        epochs: raw.epochs.unwrap_or(0),
        max_minutes: not_negative("max_minutes", raw.max_minutes.unwrap_or(0.0))?,
        tokens_per_batch: raw.tokens_per_batch.unwrap_or(8192),
        accumulate: at_least_one("accumulate", raw.accumulate.unwrap_or(1) as u64)? as usize,
        lr: positive("train.lr", raw.lr.unwrap_or(1e-3))?,
        warmup: raw.warmup.unwrap_or(20),
        decay: word("train.decay", raw.decay.clone(), &["cosine", "linear", "constant"])?,
        weight_decay: not_negative("weight_decay", raw.weight_decay.unwrap_or(0.01))?,
        clip: not_negative("clip", raw.clip.unwrap_or(1.0))?,
        label_smoothing: not_negative("label_smoothing", raw.label_smoothing.unwrap_or(0.0))?,
        gene_weight: not_negative("gene_weight", raw.gene_weight.unwrap_or(1.0))?,
        phenotype_weight: not_negative("phenotype_weight", raw.phenotype_weight.unwrap_or(1.0))?,
        all_ids: raw.all_ids.unwrap_or(false),
        eval_every,
        eval_cells: at_least_one("eval_cells", raw.eval_cells.unwrap_or(512) as u64)? as usize,
        patience: raw.patience.unwrap_or(0),
        checkpoint_every: at_least_one("checkpoint_every", raw.checkpoint_every.unwrap_or(eval_every))?,
        shuffle: at_least_one("shuffle", raw.shuffle.unwrap_or(8192) as u64)? as usize,
        precision: word("train.precision", raw.precision.clone(), &["auto", "f32", "f16"])?,
    };
    if it.steps == 0 && it.epochs == 0 {
        return Err(Error::config("train.steps and train.epochs are missing, expected one of them"));
    }
    if it.tokens_per_batch < max_len {
        return Err(Error::config(format!(
            "train.tokens_per_batch = {}, expected at least encoder.max_len = {max_len}: a batch holds a row",
            it.tokens_per_batch
        )));
    }
    if it.label_smoothing >= 1.0 {
        return Err(Error::config(format!("train.label_smoothing = {}, expected below 1", it.label_smoothing)));
    }
    Ok(it)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
schema = 1
kind = "pretrain"
id = "tiny"
question = "Does it work?"
[data]
path = "cells.h5ad"
phenotypes = ["sex", "cell_type"]
held_out = { column = "donor", values = ["d1"] }
[train]
steps = 10
"#;

    fn resolved(overrides: &[&str]) -> Result<PretrainConfig> {
        let overrides: Vec<String> = overrides.iter().map(|it| (*it).to_owned()).collect();
        resolve_pretrain(parse_pretrain(TEXT, &overrides)?, Path::new("base"))
    }

    #[test]
    fn defaults_are_written_out_and_read_back() {
        let config = resolved(&[]).expect("valid");
        assert_eq!(config.data.phenotypes, ["cell_type", "sex"]);
        assert_eq!(config.data.path.as_deref(), Some(Path::new("base/cells.h5ad")));
        let again: PretrainConfig = toml::from_str(&config.to_toml()).expect("the same format");
        assert_eq!(again, config);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (set, said) in [
            ("train.stepz=1", "unknown field `stepz`"),
            ("train.steps=0", "train.steps and train.epochs are missing"),
            ("train.lr=-1", "train.lr = -1"),
            ("network.n_heads=3", "a width that the heads divide"),
            ("network.preset=\"tinny\"", "expected nano, tiny or small"),
            ("encoder.max_len=9000", "a batch holds a row"),
            ("mask.gene=1.5", "mask.gene = 1.5"),
            ("train.precision=\"f8\"", "expected one of auto, f32, f16"),
            ("data.held_out.values=[]", "data.held_out.values is empty"),
            ("data.validation={column=\"donor\",values=[\"d1\"]}", "in data.held_out and in data.validation"),
            ("data.tokens=\"t.parquet\"", "data.path and data.tokens are both there"),
            ("kind=\"rank_study\"", "expected kind = \"pretrain\""),
        ] {
            let error = resolved(&[set]).expect_err(set);
            assert!(error.is_config() && error.to_string().contains(said), "{set}: {error}");
        }
    }
}
