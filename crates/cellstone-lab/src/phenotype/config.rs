//! The file of a phenotype study: what is typed, its defaults, and what makes it valid.

use crate::config::{check_preamble, join, parse_as};
use cellstone_core::{Error, Result, nearest};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A phenotype study. Every key but the first four and `data`, `category` has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhenotypeConfig {
    /// Version of this format; 1.
    pub schema: u32,
    /// `phenotype`.
    pub kind: String,
    /// Lower snake case; names the folder of the runs.
    pub id: String,
    /// One sentence.
    pub question: String,
    /// Seeds; a study of a finished network takes one.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// `strict`, or `cam`: besides, the published protocol flaw for flaw.
    #[serde(default = "strict")]
    pub protocol: String,
    /// The input.
    pub data: PhenotypeData,
    /// The network; a study without one compares baselines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelSource>,
    /// What is predicted.
    pub category: Vec<Category>,
    /// Which cells train, calibrate and test.
    #[serde(default)]
    pub split: PhenotypeSplit,
    /// How predictions are judged.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// What the entropy is set against; left out unless it stands in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<EntropyPlan>,
}

fn one_seed() -> Vec<u64> {
    vec![1]
}

fn strict() -> String {
    "strict".into()
}

/// The cells and the meaning of their columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhenotypeData {
    /// A cell file; relative to the study file.
    pub path: PathBuf,
    /// `X`, `raw` or `layers/NAME`.
    #[serde(default = "x_matrix")]
    pub matrix: String,
    /// `counts`; `any` for other non-negative numbers, such as RPKM.
    #[serde(default = "counts_scale")]
    pub scale: String,
    /// Column of obs with the donor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub donor_col: Option<String>,
    /// In place of a column: the donor is the cell id up to this text; the whole id where it does not occur.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub donor_until: Option<String>,
    /// Column of obs with the data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_col: Option<String>,
    /// Column of obs with the assay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assay_col: Option<String>,
    /// Column of obs with the age in years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_col: Option<String>,
    /// Column of obs with the life stage, as an HsapDv id or its label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_col: Option<String>,
    /// Column of obs with a planted entropy of the first category, nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted_col: Option<String>,
    /// Column of obs that says whether the best guess that there can be is right, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted_hit_col: Option<String>,
    /// Column of obs to the values that are kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keep: BTreeMap<String, Vec<String>>,
    /// Where the data come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<String>,
}

fn x_matrix() -> String {
    "X".into()
}

fn counts_scale() -> String {
    "counts".into()
}

/// Where the network comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSource {
    /// A checkpoint directory; relative to the study file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<PathBuf>,
    /// A pretraining experiment that is run first, inside the folder of the study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretrain: Option<PathBuf>,
    /// `key=value` changes of the pretraining experiment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Name for people.
    #[serde(default = "polygene")]
    pub name: String,
}

fn polygene() -> String {
    "PolyGene v2".into()
}

/// A category that is predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its name; in a network that of the category of the vocabulary.
    pub name: String,
    /// Column of obs; the name unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Column of obs with ontology ids, by which labels are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_col: Option<String>,
    /// An OBO file with the terms of the ids, by which wrong answers are graded; relative to the study file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obo: Option<PathBuf>,
    /// Terms that, with all above them, say nothing when they are shared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<String>,
}

impl Category {
    /// The column of obs.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }
}

/// Which cells train, calibrate and test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhenotypeSplit {
    /// `donor`, `dataset`, `assay`; `random` as a control that leaks.
    pub by: String,
    /// Folds; 1 is one hold-out. A finished network has one.
    pub folds: usize,
    /// Groups to test on; chosen by seed when empty.
    pub test: Vec<String>,
    /// Groups to calibrate on; chosen by seed when empty.
    pub calibration: Vec<String>,
    /// Share of the groups to test on, where none are named.
    pub test_share: f64,
    /// Share of the groups to calibrate on, where none are named; for a network, of those that it has not seen.
    pub calibration_share: f64,
    /// `groups`; or `cells`: half of the cells of the test groups, where there are too few groups.
    pub calibrate_on: String,
}

impl Default for PhenotypeSplit {
    fn default() -> Self {
        Self {
            by: "donor".into(),
            folds: 1,
            test: Vec::new(),
            calibration: Vec::new(),
            test_share: 0.25,
            calibration_share: 0.25,
            calibrate_on: "groups".into(),
        }
    }
}

/// How predictions are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// What a network is shown of the other phenotypes; the first is the headline.
    pub conditions: Vec<String>,
    /// Baselines.
    pub baselines: Vec<String>,
    /// Highly variable genes of baselines.
    pub hvg: usize,
    /// Principal components of baselines.
    pub components: usize,
    /// Cells at most for each class and donor in the test.
    pub per_class_and_donor: usize,
    /// Bootstrap draws over donors.
    pub bootstrap: usize,
    /// Draws of permutation tests.
    pub permutations: usize,
    /// Clusters of intervals: `donor`, `cell` where a test has too few donors, or `auto`: the first, and the second with a
    /// warning where there are fewer than 5.
    pub cluster: String,
    /// Miscoverage of conformal sets; the first is the headline.
    pub alpha: Vec<f64>,
}

/// Every baseline.
pub const BASELINES: [&str; 7] =
    ["majority", "conditional_frequency", "knn", "nearest_centroid", "logistic", "logistic_balanced", "knn_embedding"];

/// Every condition.
pub const CONDITIONS: [&str; 3] = ["masked", "visible", "dropped"];

impl Default for Evaluation {
    fn default() -> Self {
        let texts = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect();
        Self {
            conditions: texts(&CONDITIONS),
            baselines: texts(&BASELINES),
            hvg: 2_000,
            components: 50,
            per_class_and_donor: 2_000,
            bootstrap: 2_000,
            permutations: 9_999,
            cluster: "donor".into(),
            alpha: vec![0.1, 0.05, 0.2],
        }
    }
}

/// What the entropy is set against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntropyPlan {
    /// Columns of obs whose groups are compared, such as the life stage.
    pub by: Vec<String>,
    /// Column of obs with numbers that order the groups of the first of them; ages or names where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_col: Option<String>,
    /// Models whose entropy is kept, by id; all where empty.
    #[serde(default)]
    pub models: Vec<String>,
}

/// Reads the file of a study and applies `--set key=value` overrides. Paths become relative to the file.
///
/// # Errors
/// Names the file and the key; unknown keys come with a suggestion.
pub fn load_phenotype(path: &Path, overrides: &[String]) -> Result<PhenotypeConfig> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::io(path, error).with_hint("phenotype studies live under `experiments/phenotype_*.toml`")
    })?;
    parse_phenotype(&text, overrides, path.parent().unwrap_or(Path::new(".")))
        .map_err(|error| error.context(format!("`{}`", path.display())))
}

/// Parses the text of a study; paths become relative to `base`.
///
/// # Errors
/// Names the key that is wrong, what was found and what was expected.
pub fn parse_phenotype(text: &str, overrides: &[String], base: &Path) -> Result<PhenotypeConfig> {
    let head: toml::Table = text.parse().unwrap_or_default();
    let kind = head.get("kind").and_then(toml::Value::as_str);
    if !head.is_empty() && kind != Some("phenotype") {
        let found = kind.map_or_else(|| "no kind".to_owned(), |it| format!("kind = \"{it}\""));
        return Err(Error::config(format!("{found}, expected kind = \"phenotype\""))
            .with_hint("other experiments run with `cargo xtask run FILE.toml`"));
    }
    let mut config: PhenotypeConfig = parse_as(text, overrides)?;
    config.data.path = join(base, &config.data.path);
    if let Some(it) = &mut config.model {
        it.checkpoint = it.checkpoint.as_ref().map(|path| join(base, path));
        it.pretrain = it.pretrain.as_ref().map(|path| join(base, path));
    }
    for it in &mut config.category {
        it.obo = it.obo.as_ref().map(|path| join(base, path));
    }
    config.check()?;
    Ok(config)
}

fn one_of(key: &str, found: &str, wanted: &[&str]) -> Result<()> {
    if wanted.contains(&found) {
        return Ok(());
    }
    let error = Error::config(format!("{key} = \"{found}\", expected one of {}", wanted.join(", ")));
    Err(match nearest(found, wanted.iter().copied()) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error,
    })
}

impl PhenotypeConfig {
    /// The resolved study as text; its hash names the run.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("invariant: a study always serialises")
    }

    /// The condition that conclusions rest on.
    pub fn headline(&self) -> &str {
        self.evaluation.conditions.first().map_or("masked", String::as_str)
    }

    fn check(&self) -> Result<()> {
        check_preamble(self.schema, &self.id, &self.seeds)?;
        if self.seeds.len() > 1 {
            return Err(Error::config(format!("seeds = {:?}, expected one", self.seeds))
                .with_hint("folds say how far a result carries; a network of another seed is another checkpoint"));
        }
        one_of("protocol", &self.protocol, &["strict", "cam"])?;
        one_of("data.scale", &self.data.scale, &["counts", "any"])?;
        one_of("split.by", &self.split.by, &["donor", "dataset", "assay", "random"])?;
        one_of("split.calibrate_on", &self.split.calibrate_on, &["groups", "cells"])?;
        one_of("evaluation.cluster", &self.evaluation.cluster, &["donor", "cell", "auto"])?;
        self.evaluation.conditions.iter().try_for_each(|it| one_of("evaluation.conditions", it, &CONDITIONS))?;
        self.evaluation.baselines.iter().try_for_each(|it| one_of("evaluation.baselines", it, &BASELINES))?;
        if self.category.is_empty() {
            return Err(Error::config("no [[category]], expected at least one"));
        }
        let names: BTreeSet<&String> = self.category.iter().map(|it| &it.name).collect();
        if names.len() < self.category.len() {
            return Err(Error::config("two [[category]] have one name, expected a name for each"));
        }
        if self.evaluation.baselines.is_empty() {
            return Err(Error::config("evaluation.baselines is empty, expected at least one"));
        }
        if self.model.is_some() && self.evaluation.conditions.is_empty() {
            return Err(Error::config("evaluation.conditions is empty, expected at least one"));
        }
        if self.data.donor_col.is_some() && self.data.donor_until.is_some() {
            return Err(Error::config("data.donor_col and data.donor_until are both there, expected one of them"));
        }
        self.check_model()?;
        self.check_numbers()
    }

    fn check_model(&self) -> Result<()> {
        let Some(model) = &self.model else { return Ok(()) };
        if model.checkpoint.is_some() == model.pretrain.is_some() {
            return Err(Error::config("[model] needs one of checkpoint and pretrain")
                .with_hint("checkpoint names a directory that `pretrain` wrote, pretrain an experiment to run first"));
        }
        if self.split.folds > 1 {
            return Err(Error::config(format!(
                "split.folds = {} with a network, expected 1: it was trained on one part of the cells",
                self.split.folds
            )));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<()> {
        let (split, evaluation) = (&self.split, &self.evaluation);
        for (key, it) in [("split.test_share", split.test_share), ("split.calibration_share", split.calibration_share)]
        {
            if !(0.0..1.0).contains(&it) {
                return Err(Error::config(format!("{key} = {it}, expected 0 to below 1")));
            }
        }
        if let Some(it) = evaluation.alpha.iter().find(|it| !(**it > 0.0 && **it < 1.0)) {
            return Err(Error::config(format!("evaluation.alpha names {it}, expected numbers between 0 and 1")));
        }
        let least = [
            ("split.folds", split.folds),
            ("evaluation.hvg", evaluation.hvg),
            ("evaluation.components", evaluation.components),
            ("evaluation.per_class_and_donor", evaluation.per_class_and_donor),
            ("evaluation.bootstrap", evaluation.bootstrap),
            ("evaluation.permutations", evaluation.permutations),
        ];
        match least.iter().find(|it| it.1 == 0) {
            Some((key, _)) => Err(Error::config(format!("{key} = 0, expected at least 1"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "schema = 1\nkind = \"phenotype\"\nid = \"x\"\nquestion = \"?\"\n[data]\npath = \"a.h5ad\"\n\
        donor_col = \"donor\"\n[[category]]\nname = \"cell_type\"\n";

    fn error(overrides: &[&str]) -> String {
        let overrides: Vec<String> = overrides.iter().map(|it| (*it).to_owned()).collect();
        parse_phenotype(TEXT, &overrides, Path::new("e")).expect_err("wrong").to_string()
    }

    #[test]
    fn defaults_are_those_of_the_protocol() {
        let config = parse_phenotype(TEXT, &[], Path::new("e")).expect("valid");
        assert_eq!(config.data.path, Path::new("e/a.h5ad"));
        assert_eq!((config.headline(), config.evaluation.bootstrap), ("masked", 2_000));
        assert_eq!(config.category[0].column(), "cell_type");
        let again = parse_phenotype(&config.to_toml(), &[], Path::new(".")).expect("reads back");
        assert_eq!(again.evaluation, config.evaluation);
        assert!(config.to_toml().lines().any(|it| it == "kind = \"phenotype\""));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (set, want) in [
            ("protocol=loose", "protocol = \"loose\", expected one of strict, cam"),
            ("split.by=donr", "split.by = \"donr\", expected one of donor, dataset, assay, random"),
            ("split.folds=0", "split.folds = 0, expected at least 1"),
            ("seeds=[1,2]", "seeds = [1, 2], expected one"),
            ("evaluation.baselines=[\"nn\"]", "evaluation.baselines = \"nn\", expected one of majority"),
            ("evaluation.alpha=[1.5]", "evaluation.alpha names 1.5, expected numbers between 0 and 1"),
            ("category=[]", "no [[category]], expected at least one"),
            ("model={}", "[model] needs one of checkpoint and pretrain"),
        ] {
            assert!(error(&[set]).contains(want), "{set}: {}", error(&[set]));
        }
        let kind = parse_phenotype("kind = \"rank_study\"", &[], Path::new(".")).expect_err("kind");
        assert_eq!(kind.to_string(), "kind = \"rank_study\", expected kind = \"phenotype\"");
    }
}
