//! Everything the page reads, loaded once, with names for people.

use super::schema::{
    AgreementRow, DistributionRow, GradedRow, HypothesisRow, PairRow, RelationRow, SummaryRow, ThinningSummaryRow,
    TransferRow, TypeRow, UnitRow, UnitRunRow, WhyRow,
};
use crate::run_dir::{Manifest, RunDir};
use crate::schema::NoteRow;
use crate::table::{Row, read_table_if_present};
use cellstone_core::Result;

/// The tables, manifest and configuration of a study.
pub(super) struct StudyData {
    pub(super) manifest: Manifest,
    pub(super) config: Option<String>,
    pub(super) units: Vec<UnitRow>,
    pub(super) runs: Vec<UnitRunRow>,
    pub(super) types: Vec<TypeRow>,
    pub(super) pairs: Vec<PairRow>,
    pub(super) relations: Vec<RelationRow>,
    pub(super) distributions: Vec<DistributionRow>,
    pub(super) summary: Vec<SummaryRow>,
    pub(super) hypotheses: Vec<HypothesisRow>,
    pub(super) thinning: Vec<ThinningSummaryRow>,
    pub(super) transfer: Vec<TransferRow>,
    pub(super) agreement: Vec<AgreementRow>,
    pub(super) graded: Vec<GradedRow>,
    pub(super) why: Vec<WhyRow>,
    pub(super) notes: Vec<NoteRow>,
}

fn load<R: Row>(run: &RunDir) -> Result<Vec<R>> {
    Ok(read_table_if_present(&run.tables_dir(), R::TABLE)?.unwrap_or_default())
}

impl StudyData {
    /// Loads what is there.
    pub(super) fn load(run: &RunDir) -> Result<Self> {
        Ok(Self {
            manifest: run.manifest()?,
            config: run.config()?,
            units: load(run)?,
            runs: load(run)?,
            types: load(run)?,
            pairs: load(run)?,
            relations: load(run)?,
            distributions: load(run)?,
            summary: load(run)?,
            hypotheses: load(run)?,
            thinning: load(run)?,
            transfer: load(run)?,
            agreement: load(run)?,
            graded: load(run)?,
            why: load(run)?,
            notes: load(run)?,
        })
    }

    /// A unit by name.
    pub(super) fn unit(&self, name: &str) -> Option<&UnitRow> {
        self.units.iter().find(|it| it.unit == name)
    }

    /// What a person calls a unit; the gene set is named where it is not the first one.
    pub(super) fn label(&self, unit: &str) -> String {
        let Some(it) = self.unit(unit) else { return unit.to_owned() };
        let projection = match it.projection.as_str() {
            "none" => String::new(),
            other => format!(", {}", projection_name(other)),
        };
        format!(
            "{} · {}{projection}{}",
            encoder_name(&it.encoder),
            metric_name(&it.metric),
            self.genes_suffix(&it.genes)
        )
    }

    /// ` (all genes)` for a gene set that is not the first one.
    pub(super) fn genes_suffix(&self, genes: &str) -> String {
        if genes == self.first_genes() { String::new() } else { format!(" ({})", genes_name(genes)) }
    }

    /// [`StudyData::short`] with the metric, where that is not the cosine.
    pub(super) fn short_with_metric(&self, unit: &str) -> String {
        let metric = self.unit(unit).map(|it| it.metric.as_str()).filter(|it| *it != "cosine");
        metric.map_or_else(|| self.short(unit), |it| format!("{} · {}", self.short(unit), metric_name(it)))
    }

    /// The shortest name that tells the chosen units apart: for keys of figures.
    pub(super) fn short(&self, unit: &str) -> String {
        let Some(it) = self.unit(unit) else { return unit.to_owned() };
        let encoder = match it.encoder.as_str() {
            "lognorm" => "log".to_owned(),
            "rank_all" => "rank".to_owned(),
            "geneformer_rank" => "Geneformer".to_owned(),
            "geneformer_scaled" => "scaled".to_owned(),
            "pearson_residuals" => "residuals".to_owned(),
            other => encoder_name(other),
        };
        match it.projection.as_str() {
            "none" => encoder,
            other => format!("{encoder}, {}", projection_name(other)),
        }
    }

    /// The scope that conclusions rest on: other strata where the data have them.
    pub(super) fn scope(&self) -> &'static str {
        if self.summary.iter().any(|it| it.scope == "other") { "other" } else { "all" }
    }

    /// What strata are, from the configuration: `donor` or `batch`.
    pub(super) fn stratum(&self) -> &'static str {
        let says = |word: &str| {
            let line = format!("stratum = \"{word}\"");
            self.config.as_ref().is_some_and(|it| it.lines().any(|it| it.trim() == line))
        };
        if says("donor") { "donor" } else { "batch" }
    }

    /// The same for several.
    pub(super) fn strata(&self) -> &'static str {
        if self.stratum() == "donor" { "donors" } else { "batches" }
    }

    /// A number of the summary.
    pub(super) fn get(
        &self,
        unit: &str,
        statistic: &str,
        scope: &str,
        k: Option<i64>,
        over: &str,
    ) -> Option<&SummaryRow> {
        self.summary.iter().find(|it| {
            it.unit == unit && it.statistic == statistic && it.scope == scope && it.k == k && it.over == over
        })
    }

    /// A number of a whole unit, whatever its number of neighbours.
    pub(super) fn whole(&self, unit: &str, statistic: &str) -> Option<f64> {
        self.summary.iter().find(|it| it.unit == unit && it.statistic == statistic && it.over.is_empty())?.value
    }

    /// The numbers of neighbours that purities are given for, ascending.
    pub(super) fn ks(&self) -> Vec<i64> {
        let mut ks: Vec<i64> =
            self.summary.iter().filter(|it| it.statistic == "purity").filter_map(|it| it.k).collect();
        ks.sort_unstable();
        ks.dedup();
        ks
    }

    /// 15 neighbours, or the largest number there is.
    pub(super) fn k(&self) -> i64 {
        let ks = self.ks();
        if ks.contains(&15) { 15 } else { ks.last().copied().unwrap_or(15) }
    }

    /// The first gene set: figures are about it.
    pub(super) fn first_genes(&self) -> &str {
        self.units.first().map_or("", |it| it.genes.as_str())
    }

    /// The first unit with these parts in the first gene set.
    pub(super) fn find(&self, encoder: &str, metrics: &[&str], projection: &str) -> Option<&UnitRow> {
        let genes = self.first_genes();
        metrics.iter().find_map(|metric| {
            self.units.iter().find(|it| {
                it.genes == genes && it.encoder == encoder && it.metric == *metric && it.projection == projection
            })
        })
    }

    /// Spearman on all genes: the rank that the published study compared.
    pub(super) fn rank_unit(&self) -> Option<&UnitRow> {
        self.find("rank_all", &["spearman", "pearson"], "none").or_else(|| self.find("lognorm", &["spearman"], "none"))
    }

    /// Cosine of log-normalised values.
    pub(super) fn raw_unit(&self) -> Option<&UnitRow> {
        self.find("lognorm", &["cosine"], "none")
    }

    /// Up to five units for pictures: log-normalised, rank, and what else stands in the grid of the published question.
    pub(super) fn chosen(&self) -> Vec<&UnitRow> {
        let wanted = [
            self.raw_unit(),
            self.rank_unit(),
            self.find("geneformer_rank", &["cosine"], "none"),
            self.find("lognorm", &["cosine"], "pca_50"),
            self.find("rank_all", &["cosine"], "pca_50"),
            self.find("raw", &["cosine"], "none"),
            self.find("binary", &["cosine"], "none"),
        ];
        let mut chosen: Vec<&UnitRow> = Vec::new();
        for it in wanted.into_iter().flatten().filter(|it| it.all_pairs) {
            if chosen.len() < 5 && !chosen.iter().any(|other| other.unit == it.unit) {
                chosen.push(it);
            }
        }
        chosen
    }
}

/// An encoder for people.
pub(super) fn encoder_name(id: &str) -> String {
    match id {
        "raw" => "raw counts".to_owned(),
        "lognorm" => "log-normalised".to_owned(),
        "zscore" => "z-score".to_owned(),
        "rank_all" => "rank, all genes".to_owned(),
        "rank_detected" => "rank, detected".to_owned(),
        "geneformer_rank" => "Geneformer rank".to_owned(),
        "geneformer_scaled" => "median-scaled".to_owned(),
        "bins" => "scGPT bins".to_owned(),
        "binary" => "detected or not".to_owned(),
        "pearson_residuals" => "Pearson residuals".to_owned(),
        other => match other.strip_prefix("top_") {
            Some(k) => format!("first {k} genes"),
            None => other.to_owned(),
        },
    }
}

/// A metric for people.
pub(super) fn metric_name(id: &str) -> &str {
    match id {
        "euclidean" => "Euclidean",
        "pearson" => "Pearson",
        "spearman" => "Spearman",
        "kendall" => "Kendall τ-b",
        "rbo" => "rank-biased overlap",
        "weighted_tau" => "weighted τ",
        "top_overlap" => "top-k overlap",
        "spearman_codetected" => "Spearman, co-detected",
        other => other,
    }
}

/// A projection for people.
pub(super) fn projection_name(id: &str) -> String {
    match id.split_once('_') {
        Some(("pca", k)) => format!("PCA-{k}"),
        Some(("random", k)) => format!("random-{k}"),
        Some(("umap", k)) => format!("UMAP-{k}"),
        _ => id.to_owned(),
    }
}

/// A gene set for people.
pub(super) fn genes_name(id: &str) -> String {
    match id.strip_prefix("hvg_") {
        Some(n) => format!("{n} HVG"),
        None => format!("{id} genes"),
    }
}

/// A scope for people.
pub(super) fn scope_name(scope: &str, stratum: &str) -> String {
    match scope {
        "other" => format!("pairs of two {}", if stratum == "donor" { "donors" } else { "batches" }),
        "same" => format!("pairs of one {stratum}"),
        "sampled" => "sampled pairs".to_owned(),
        _ => "all pairs".to_owned(),
    }
}
