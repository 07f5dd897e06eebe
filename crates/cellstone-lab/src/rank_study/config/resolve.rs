//! From what was typed to a complete study, with errors that name the key.

use super::names::{EncoderName, PairMetric, Projection};
use super::raw::{RawData, RawGrid, RawOntology, RawPairs, RawStudy, RawSubsample, RawThinning};
use super::resolved::{
    DataFile, Gate, Graded, OntologyConfig, SampledPairs, Stratum, StudyConfig, StudyData, Subsample, Thinning,
    Transfer, Unit,
};
use crate::config::{check_preamble, join, parse_as, positive};
use cellstone_core::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// Reads the file of a study, applies `--set key=value` overrides, and resolves it.
///
/// # Errors
/// Names the file and the key; unknown keys come with a suggestion.
pub fn load_study(path: &Path, overrides: &[String]) -> Result<StudyConfig> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::io(path, error).with_hint("rank studies live under `experiments/rank_*.toml`"))?;
    let named = |error: Error| error.context(format!("`{}`", path.display()));
    let raw = parse_study(&text, overrides).map_err(named)?;
    resolve_study(raw, path.parent().unwrap_or(Path::new("."))).map_err(named)
}

/// Parses the text of a study with overrides.
///
/// # Errors
/// Names the key that is wrong.
pub fn parse_study(text: &str, overrides: &[String]) -> Result<RawStudy> {
    // The kind first: the keys of another kind of experiment would all be unknown here.
    let head: toml::Table = text.parse().unwrap_or_default();
    let kind = head.get("kind").and_then(toml::Value::as_str);
    if !head.is_empty() {
        check_kind(kind)?;
    }
    parse_as(text, overrides)
}

fn check_kind(kind: Option<&str>) -> Result<()> {
    if kind == Some("rank_study") {
        return Ok(());
    }
    let found = kind.map_or_else(|| "no kind".to_owned(), |it| format!("kind = \"{it}\""));
    Err(Error::config(format!("{found}, expected kind = \"rank_study\""))
        .with_hint("other experiments run with `cargo xtask run FILE.toml`"))
}

/// Fills in every default and checks every name. Paths become relative to `base`.
///
/// # Errors
/// Names the key that is wrong, what was found and what was expected.
pub fn resolve_study(raw: RawStudy, base: &Path) -> Result<StudyConfig> {
    check_preamble(raw.schema, &raw.id, &raw.seeds)?;
    check_kind(Some(&raw.kind))?;
    let data = resolve_data(raw.data, base)?;
    let (unit, skipped) = multiply(&raw.grid)?;
    let thinning = raw.thinning.map(|it| resolve_thinning(it, &unit)).transpose()?;
    let transfer = raw.transfer.map(|it| Transfer { k: it.k.unwrap_or(15) });
    if transfer.is_some_and(|it| it.k == 0) {
        return Err(Error::config("transfer.k is 0, expected at least 1"));
    }
    if transfer.is_some() && data.batch_col.is_none() && data.file.len() < 2 {
        return Err(Error::config("[transfer] needs several data sets")
            .with_hint("name their column with data.batch_col, or list files under [[data.file]]"));
    }
    let graded = raw.graded.map(|it| Graded { columns: it.columns });
    if graded.as_ref().is_some_and(|it| it.columns.is_empty()) {
        return Err(Error::config("graded.columns is empty, expected numeric columns of obs"));
    }
    let bootstrap = raw.bootstrap.unwrap_or(2000);
    if bootstrap == 0 {
        return Err(Error::config("bootstrap = 0, expected at least 1"));
    }
    Ok(StudyConfig {
        schema: 1,
        kind: raw.kind,
        id: raw.id,
        question: raw.question,
        seeds: raw.seeds,
        k: resolve_k(raw.k)?,
        bootstrap,
        data,
        ontology: raw.ontology.map(|it| resolve_ontology(it, base)).transpose()?,
        subsample: resolve_subsample(&raw.subsample)?,
        pairs: resolve_pairs(&raw.pairs)?,
        thinning,
        transfer,
        graded,
        skipped,
        unit,
    })
}

fn resolve_k(k: Option<Vec<usize>>) -> Result<Vec<usize>> {
    let k: BTreeSet<usize> = k.unwrap_or_else(|| vec![1, 5, 15, 50]).into_iter().collect();
    match k.first() {
        None => Err(Error::config("k is empty, expected numbers of neighbours")),
        Some(0) => Err(Error::config("k names 0 neighbours, expected at least 1")),
        Some(_) => Ok(k.into_iter().collect()),
    }
}

fn resolve_data(raw: RawData, base: &Path) -> Result<StudyData> {
    let file = match (raw.path, raw.file) {
        (Some(path), files) if files.is_empty() => vec![DataFile { name: String::new(), path: join(base, &path) }],
        (None, files) if !files.is_empty() => {
            files.into_iter().map(|it| DataFile { name: it.name, path: join(base, &it.path) }).collect()
        }
        (Some(_), _) => {
            return Err(Error::config("data.path and [[data.file]] are both there, expected one of them"));
        }
        (None, _) => {
            return Err(Error::config("data.path is missing").with_hint("or give --set data.path=FILE"));
        }
    };
    let names: BTreeSet<&str> = file.iter().map(|it| it.name.as_str()).collect();
    if names.len() < file.len() {
        return Err(Error::config("two [[data.file]] have one name, expected a name for each"));
    }
    if raw.type_col.is_some() != raw.gate.is_empty() {
        return Err(Error::config(if raw.gate.is_empty() {
            "data.type_col is missing"
        } else {
            "data.type_col and [[data.gate]] are both there, expected one of them"
        })
        .with_hint(
            "`cargo xtask inspect FILE` lists the columns; types may also come from proteins with [[data.gate]]",
        ));
    }
    if raw.term_col.is_some() && !raw.terms.is_empty() {
        return Err(Error::config("data.term_col and [data.terms] are both there, expected one of them"));
    }
    if raw.batch_col.is_some() && file.len() > 1 {
        return Err(Error::config("data.batch_col and several [[data.file]]: each file is a batch of its own"));
    }
    let has_batch = raw.batch_col.is_some() || file.len() > 1;
    let stratum = resolve_stratum(raw.stratum.as_deref(), raw.donor_col.is_some(), has_batch)?;
    if stratum.is_none() && !raw.train.is_empty() {
        return Err(Error::config("data.train names strata, but there is neither data.donor_col nor data.batch_col"));
    }
    let gate: Vec<Gate> = raw.gate.into_iter().map(|it| Gate { name: it.name, high: it.high, low: it.low }).collect();
    if let Some(empty) = gate.iter().find(|it| it.high.is_empty() && it.low.is_empty()) {
        return Err(Error::config(format!("gate `{}` names no protein, expected some in high or low", empty.name)));
    }
    Ok(StudyData {
        matrix: raw.matrix.unwrap_or_else(|| "X".into()),
        type_col: raw.type_col,
        term_col: raw.term_col,
        donor_col: raw.donor_col,
        batch_col: raw.batch_col,
        protein_key: raw.protein_key.unwrap_or_else(|| "protein_expression".into()),
        protein_names: raw.protein_names.unwrap_or_else(|| "protein_names".into()),
        stratum,
        train: raw.train,
        citation: raw.citation.unwrap_or_default(),
        keep: raw.keep,
        terms: raw.terms,
        gate,
        file,
    })
}

fn resolve_stratum(text: Option<&str>, has_donor: bool, has_batch: bool) -> Result<Option<Stratum>> {
    match text {
        None | Some("donor") if has_donor => Ok(Some(Stratum::Donor)),
        None | Some("batch") if has_batch => Ok(Some(Stratum::Batch)),
        None => Ok(None),
        Some("donor") => Err(Error::config("data.stratum = \"donor\" needs data.donor_col")),
        Some("batch") => Err(Error::config("data.stratum = \"batch\" needs data.batch_col or several [[data.file]]")),
        Some(other) => Err(Error::config(format!("data.stratum = \"{other}\", expected \"donor\" or \"batch\""))),
    }
}

fn resolve_ontology(raw: RawOntology, base: &Path) -> Result<OntologyConfig> {
    let similar_f = raw.similar_f.unwrap_or(0.8);
    if !(0.0..=1.0).contains(&similar_f) {
        return Err(Error::config(format!("ontology.similar_f = {similar_f}, expected 0 to 1")));
    }
    Ok(OntologyConfig {
        obo: join(base, &raw.obo),
        roots: raw.roots.unwrap_or_else(|| vec!["CL:0000000".into()]),
        similar_distance: raw.similar_distance.unwrap_or(2),
        similar_f,
    })
}

fn resolve_subsample(raw: &RawSubsample) -> Result<Subsample> {
    let it = Subsample {
        n_per_type: raw.n_per_type.unwrap_or(500),
        min_per_type: raw.min_per_type.unwrap_or(10),
        max_donor_share: raw.max_donor_share.unwrap_or(0.4),
    };
    if it.min_per_type < 2 || it.n_per_type < it.min_per_type {
        return Err(Error::config(format!(
            "subsample.n_per_type = {} and min_per_type = {}, expected n_per_type ≥ min_per_type ≥ 2",
            it.n_per_type, it.min_per_type
        )));
    }
    if !(it.max_donor_share > 0.0 && it.max_donor_share <= 1.0) {
        return Err(Error::config(format!(
            "subsample.max_donor_share = {}, expected above 0 and up to 1",
            it.max_donor_share
        )));
    }
    Ok(it)
}

fn resolve_pairs(raw: &RawPairs) -> Result<SampledPairs> {
    let it = SampledPairs {
        between: raw.between.unwrap_or(200),
        within: raw.within.unwrap_or(2000),
        rbo_p: raw.rbo_p.unwrap_or(0.98),
        top_k: raw.top_k.unwrap_or(100),
    };
    if it.between == 0 || it.within == 0 || it.top_k == 0 {
        return Err(Error::config("pairs.between, within and top_k are numbers of at least 1"));
    }
    if !(it.rbo_p > 0.0 && it.rbo_p < 1.0) {
        return Err(Error::config(format!("pairs.rbo_p = {}, expected between 0 and 1", it.rbo_p)));
    }
    Ok(it)
}

/// All combinations of every block, each once; those without a meaning are named apart.
fn multiply(grid: &[RawGrid]) -> Result<(Vec<Unit>, Vec<String>)> {
    let (mut units, mut skipped): (Vec<Unit>, Vec<String>) = (Vec::new(), Vec::new());
    for block in grid {
        let projections = block.projections.clone().unwrap_or_else(|| vec![Projection::None]);
        for genes in &block.genes {
            for encoder in &block.encoders {
                for projection in &projections {
                    for metric in &block.metrics {
                        let unit = Unit { genes: *genes, encoder: *encoder, projection: *projection, metric: *metric };
                        match meaningless(&unit) {
                            Some(why) => skipped.push(format!("{}: {why}", unit.name())),
                            None if !units.contains(&unit) => units.push(unit),
                            None => {}
                        }
                    }
                }
            }
        }
    }
    if units.is_empty() {
        return Err(Error::config("the grid has no unit")
            .with_hint("add [[grid]] with encoders = [\"lognorm\"], metrics = [\"cosine\"], genes = [\"hvg_2000\"]"));
    }
    Ok((units, skipped))
}

/// Why a combination is not computed.
fn meaningless(unit: &Unit) -> Option<&'static str> {
    let costly = !unit.metric.takes_all_pairs();
    if unit.metric == PairMetric::Spearman && unit.projection != Projection::None {
        return Some("ranks of components have no meaning");
    }
    let ranks = matches!(unit.metric, PairMetric::Kendall | PairMetric::WeightedTau | PairMetric::SpearmanCodetected);
    if costly && unit.projection != Projection::None {
        return Some("ranks and token lists do not survive a projection");
    }
    if unit.metric.takes_tokens() && !unit.encoder.needs_medians() && unit.encoder != EncoderName::LogNorm {
        return Some("token lists come from an order of genes");
    }
    if ranks && !matches!(unit.encoder, EncoderName::LogNorm | EncoderName::Geneformer | EncoderName::GeneformerScaled)
    {
        return Some("ordered by the same values as `lognorm`, or without an order");
    }
    None
}

fn resolve_thinning(raw: RawThinning, units: &[Unit]) -> Result<Thinning> {
    let mut rates = raw.rates.unwrap_or_else(|| vec![0.75, 0.5, 0.25, 0.1]);
    if let Some(bad) = rates.iter().find(|it| !(**it > 0.0 && **it < 1.0)) {
        return Err(Error::config(format!("thinning.rates names {bad}, expected shares between 0 and 1")));
    }
    rates.sort_by(|a, b| b.total_cmp(a));
    rates.dedup();
    let queries = positive("thinning.queries", raw.queries.unwrap_or(500) as f64)? as usize;
    let mut chosen: Vec<Unit> = Vec::new();
    let fits = |it: &&Unit| it.projection == Projection::None && it.metric.takes_all_pairs();
    // Ranks over all genes are compared by their correlation where the grid has it: their cosine sees the rank of zeros.
    let is_natural = |it: &Unit| {
        it.encoder != EncoderName::RankAll || matches!(it.metric, PairMetric::Spearman | PairMetric::Pearson)
    };
    let mut candidates: Vec<&Unit> = units.iter().filter(fits).collect();
    candidates.sort_by_key(|it| !is_natural(it));
    for unit in candidates {
        let wanted = raw.encoders.as_ref().is_none_or(|it| it.contains(&unit.encoder));
        if wanted && !chosen.iter().any(|it| it.encoder == unit.encoder) {
            chosen.push(*unit);
        }
    }
    chosen.sort_by_key(|it| units.iter().position(|unit| unit == it));
    if let Some(lost) = raw.encoders.iter().flatten().find(|it| !chosen.iter().any(|unit| unit.encoder == **it)) {
        return Err(Error::config(format!(
            "thinning.encoders names `{lost}`, which has no unit with projection `none` and a metric for all pairs"
        )));
    }
    if chosen.is_empty() {
        return Err(Error::config("[thinning] needs a unit with projection `none` and a metric for all pairs"));
    }
    Ok(Thinning { rates, queries, units: chosen })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank_study::config::GeneSet;

    const STUDY: &str = r#"
schema = 1
kind = "rank_study"
id = "tiny"
question = "Does it work?"
seeds = [1]
[data]
path = "cells.h5ad"
type_col = "cell_type"
donor_col = "donor"
batch_col = "dataset"
[[grid]]
encoders = ["lognorm", "E4"]
metrics = ["cosine", "spearman"]
projections = ["none", "pca_50"]
genes = ["hvg_100"]
[[grid]]
encoders = ["lognorm", "raw"]
metrics = ["spearman", "rbo", "kendall"]
genes = ["hvg_100"]
[thinning]
"#;

    fn resolved(text: &str) -> Result<StudyConfig> {
        resolve_study(parse_study(text, &[])?, Path::new("base"))
    }

    #[test]
    fn the_grid_is_multiplied_out_once() {
        let config = resolved(STUDY).expect("valid");
        let names: Vec<String> = config.unit.iter().map(Unit::name).collect();
        assert_eq!(names.len(), 6 + 3, "{names:?}");
        assert_eq!(names[0], "hvg_100-lognorm-none-cosine");
        assert_eq!(names.iter().filter(|it| *it == "hvg_100-lognorm-none-spearman").count(), 1);
        assert_eq!(config.skipped.len(), 4, "{:?}", config.skipped);
        assert!(config.skipped[0].starts_with("hvg_100-lognorm-pca_50-spearman: "));
        assert!(config.skipped[2].starts_with("hvg_100-raw-none-rbo: "));
        assert_eq!(config.data.stratum, Some(Stratum::Donor));
        assert_eq!(config.data.file[0].path, Path::new("base/cells.h5ad"));
        let thinned = &config.thinning.as_ref().expect("there").units;
        assert_eq!(thinned.len(), 3, "one unit an encoder");
        assert_eq!(thinned[0].genes, GeneSet::Hvg(100));
        assert_eq!(config.max_k(), 50);
    }

    #[test]
    fn a_stored_study_is_its_own_resolution() {
        let config = resolved(STUDY).expect("valid");
        let back: StudyConfig = toml::from_str(&config.to_toml()).expect("reads back");
        assert_eq!(back, config);
    }

    #[test]
    fn wrong_studies_name_the_key() {
        let check = |from: &str, to: &str, want: &str, hint: &str| {
            let text = STUDY.replacen(from, to, 1);
            assert_ne!(text, STUDY, "nothing was replaced");
            let error = resolved(&text).expect_err("wrong");
            let message = error.to_string();
            assert!(message.contains(want), "found: {message}");
            assert!(error.hints().iter().any(|it| it.contains(hint)) || hint.is_empty(), "{:?}", error.hints());
            assert_eq!(error.exit_code(), 2);
        };
        check("type_col", "typ_col", "unknown field `typ_col`", "did you mean `type_col`?");
        check("type_col = \"cell_type\"", "", "data.type_col is missing", "inspect");
        check("kind = \"rank_study\"", "kind = \"study\"", "kind = \"study\", expected kind = \"rank_study\"", "run");
        check("kind = \"rank_study\"", "", "no kind, expected kind = \"rank_study\"", "");
        check("\"E4\"", "\"rank_al\"", "unknown encoder `rank_al`", "");
        check("\"hvg_100\"", "\"hvg\"", "unknown gene set `hvg`", "");
        check("seeds = [1]", "seeds = []", "seeds is empty", "");
        check("seeds = [1]", "seeds = [1]\nk = [0, 5]", "k names 0 neighbours", "");
        check("seeds = [1]", "seeds = [1]\nbootstrap = 0", "bootstrap = 0", "");
        check("[thinning]", "[thinning]\nrates = [1.5]", "thinning.rates names 1.5", "");
        check("[thinning]", "[thinning]\nencoders = [\"bins\"]", "thinning.encoders names `bins`", "");
        check("[thinning]", "[subsample]\nn_per_type = 1", "n_per_type = 1", "");
        check("donor_col = \"donor\"", "stratum = \"donor\"", "needs data.donor_col", "");
        check("path = \"cells.h5ad\"", "", "data.path is missing", "--set");
        check("batch_col = \"dataset\"", "stratum = \"site\"", "data.stratum = \"site\"", "");
        check("[thinning]", "[transfer]\nk = 0", "transfer.k is 0", "");
    }
}
