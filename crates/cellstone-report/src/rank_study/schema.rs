//! The row types of the tables of a rank study. Column order is field order and part of the format.

use crate::table_row;

table_row! {
    /// One cell of the grid. Table `units`.
    #[derive(Default)]
    pub struct UnitRow in "units" {
        /// Name: gene set, encoder, projection, metric, joined by hyphens.
        unit: String,
        /// Gene set.
        genes: String,
        /// Encoder.
        encoder: String,
        /// Id of the encoder in the protocol: `E1` to `E10`.
        encoder_code: String,
        /// Projection.
        projection: String,
        /// Metric.
        metric: String,
        /// Id of the metric in the protocol: `M1` to `M10`.
        metric_code: String,
        /// Whether all pairs were taken; else the sampled ones.
        all_pairs: bool,
    }
}

table_row! {
    /// What one unit took in one seed. Table `unit_runs`.
    #[derive(Default)]
    pub struct UnitRunRow in "unit_runs" {
        /// Seed of the subsample.
        seed: i64,
        /// Unit.
        unit: String,
        /// Cells.
        n_cells: i64,
        /// Genes, before a projection.
        n_genes: i64,
        /// Pairs with a value.
        n_pairs: i64,
        /// Cells without a similarity to any other: constant or zero rows.
        n_constant: i64,
        /// `ok` or `error`.
        status: String,
        /// Why it failed.
        reason: Option<String>,
    }
}

table_row! {
    /// The similarities of one pair of types, or inside one type. Table `pairs_summary`.
    #[derive(Default)]
    pub struct PairRow in "pairs_summary" {
        /// Seed of the subsample.
        seed: i64,
        /// Unit.
        unit: String,
        /// `all`, `same` or `other`: whether the cells of a pair share their stratum.
        scope: String,
        /// First type.
        type_a: String,
        /// Second type; the first again inside a type.
        type_b: String,
        /// `same`, `similar`, `different`, or `unknown` where a type has no term.
        relation: String,
        /// Number of pairs.
        n: i64,
        /// Mean similarity.
        mean: Option<f64>,
        /// Standard deviation.
        sd: Option<f64>,
        /// 5 % quantile, to half a bin.
        q05: Option<f64>,
        /// 25 % quantile.
        q25: Option<f64>,
        /// Median.
        q50: Option<f64>,
        /// 75 % quantile.
        q75: Option<f64>,
        /// 95 % quantile.
        q95: Option<f64>,
        /// Chance that a pair inside the first type is more alike than one of these; empty inside a type.
        auroc_a: Option<f64>,
        /// The same for the second type.
        auroc_b: Option<f64>,
    }
}

table_row! {
    /// Chance that a pair inside a type is more alike than a pair with another type, for the cells of one stratum against
    /// those of the others. Table `strata_auroc`.
    #[derive(Default)]
    pub struct StratumRow in "strata_auroc" {
        /// Seed of the subsample.
        seed: i64,
        /// Unit.
        unit: String,
        /// Donor or batch.
        stratum: String,
        /// Type.
        cell_type: String,
        /// The chance; empty where the stratum has no such pair.
        auroc: Option<f64>,
    }
}

table_row! {
    /// A measure on the neighbours of the cells of one type and stratum. Table `neighbors`.
    #[derive(Default)]
    pub struct NeighborRow in "neighbors" {
        /// Seed of the subsample.
        seed: i64,
        /// Unit.
        unit: String,
        /// `purity`, `graded_purity`, `batch_excess`, `batch_observed`, `batch_expected`.
        statistic: String,
        /// `all` neighbours, or those of `other` strata.
        scope: String,
        /// Number of neighbours.
        k: i64,
        /// Type of the cells.
        cell_type: String,
        /// Stratum of the cells; empty where there is none.
        stratum: String,
        /// Cells with a value.
        n: i64,
        /// Mean over them.
        mean: Option<f64>,
    }
}

table_row! {
    /// One number about a unit, over all seeds. Table `study_summary`.
    #[derive(Default)]
    pub struct SummaryRow in "study_summary" {
        /// Unit.
        unit: String,
        /// `auroc_macro`, `auroc_global`, `d_prime`, `purity`, `cliffs_delta`, …
        statistic: String,
        /// `all`, `same` or `other` strata.
        scope: String,
        /// Number of neighbours, where the statistic has one.
        k: Option<i64>,
        /// What the interval is over: `types`, `strata`, or empty.
        over: String,
        /// The value, mean over seeds.
        value: Option<f64>,
        /// Lower end of the 95 % interval.
        ci_lo: Option<f64>,
        /// Upper end of it.
        ci_hi: Option<f64>,
        /// Least value of a seed.
        seed_lo: Option<f64>,
        /// Largest value of a seed.
        seed_hi: Option<f64>,
        /// What permuted labels give, where that is known.
        floor: Option<f64>,
        /// Types or strata with a value.
        n: i64,
        /// Why there is no value.
        reason: Option<String>,
    }
}

table_row! {
    /// A statistic of one seed. Table `seeds`.
    #[derive(Default)]
    pub struct SeedRow in "seeds" {
        /// Seed of the subsample.
        seed: i64,
        /// Unit.
        unit: String,
        /// As in `study_summary`.
        statistic: String,
        /// As in `study_summary`.
        scope: String,
        /// As in `study_summary`.
        k: Option<i64>,
        /// The value.
        value: Option<f64>,
    }
}

table_row! {
    /// Pairs called alike at a cut-off. Table `relation_calls`.
    #[derive(Default)]
    pub struct RelationRow in "relation_calls" {
        /// Seed of the subsample.
        seed: i64,
        /// Unit.
        unit: String,
        /// `all` or `other` strata.
        scope: String,
        /// `top_1e-3`: so large a share of the pairs; `youden`: the cut-off of largest J; `different_5`: 5 % different.
        rule: String,
        /// The cut-off; empty where the rule cannot be met.
        tau: Option<f64>,
        /// Pairs at or above it.
        n_called: i64,
        /// Share of them inside a type.
        share_same: Option<f64>,
        /// Share between similar types.
        share_similar: Option<f64>,
        /// Share between different types.
        share_different: Option<f64>,
        /// Share of all pairs inside types that are called.
        recall_same: Option<f64>,
        /// Share of all pairs between similar types that are called.
        recall_similar: Option<f64>,
    }
}

table_row! {
    /// A bin of the distribution of similarities, for pictures. Table `distributions`; first seed.
    #[derive(Default)]
    pub struct DistributionRow in "distributions" {
        /// Unit.
        unit: String,
        /// `all` or `other` strata.
        scope: String,
        /// `same`, `similar`, `different` or `unknown`.
        relation: String,
        /// Lower border.
        low: f64,
        /// Upper border.
        high: f64,
        /// Share of the pairs of this relation in the bin.
        share: f64,
    }
}

table_row! {
    /// What down-sampling does to the cells of one type. Table `thinning`.
    #[derive(Default)]
    pub struct ThinningRow in "thinning" {
        /// Seed of the subsample.
        seed: i64,
        /// Unit.
        unit: String,
        /// `share`: every cell keeps this share; `equal_depth`: every cell keeps as many molecules.
        mode: String,
        /// Mean share of the molecules that are kept; 1 is the identity.
        rate: f64,
        /// `self_similarity`, `mrr`, `top1`, `purity_full`, `purity_thin`, `auroc`.
        statistic: String,
        /// Type.
        cell_type: String,
        /// Mean over its cells; for `auroc` its pairs against those with other types.
        value: Option<f64>,
        /// Cells with a value.
        n: i64,
    }
}

table_row! {
    /// What down-sampling does to an encoder. Table `thinning_summary`.
    #[derive(Default)]
    pub struct ThinningSummaryRow in "thinning_summary" {
        /// Unit.
        unit: String,
        /// As in `thinning`.
        mode: String,
        /// As in `thinning`, mean over seeds.
        rate: f64,
        /// As in `thinning`; `slope_auroc`: change of the AUROC when the molecules are halved.
        statistic: String,
        /// Mean over types of the mean over seeds.
        value: Option<f64>,
        /// Lower end of its 95 % interval over types.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// Types with a value.
        n: i64,
    }
}

table_row! {
    /// Labels carried from one data set to another. Table `transfer`.
    #[derive(Default)]
    pub struct TransferRow in "transfer" {
        /// Seed of the subsample.
        seed: i64,
        /// Unit.
        unit: String,
        /// Data set with labels.
        from: String,
        /// Data set without.
        to: String,
        /// `none`, or `shuffled`: labels of the first permuted.
        control: String,
        /// `all` genes of the unit, or those detected in `both` data sets.
        genes: String,
        /// Mean F1 over shared types.
        macro_f1: Option<f64>,
        /// Share of right labels.
        accuracy: Option<f64>,
        /// Shared types.
        n_types: i64,
        /// Cells that were labelled.
        n_cells: i64,
        /// Why there is no value.
        reason: Option<String>,
    }
}

table_row! {
    /// How far two units agree. Table `agreement`.
    #[derive(Default)]
    pub struct AgreementRow in "agreement" {
        /// Seed of the subsample.
        seed: i64,
        /// First unit.
        unit_a: String,
        /// Second unit.
        unit_b: String,
        /// Spearman's correlation of their similarities over the sampled pairs.
        spearman: Option<f64>,
        /// Pairs that both have a similarity for.
        n_pairs: i64,
        /// Mean Jaccard index of their 15 nearest neighbours.
        jaccard: Option<f64>,
    }
}

table_row! {
    /// A hypothesis, compared pair by pair. Table `hypotheses`.
    #[derive(Default)]
    pub struct HypothesisRow in "hypotheses" {
        /// `H1` to `H5`.
        hypothesis: String,
        /// What it says, one sentence.
        claim: String,
        /// What is compared: `unit a minus unit b`.
        comparison: String,
        /// First unit.
        unit_a: String,
        /// Second unit.
        unit_b: String,
        /// Statistic that is compared.
        statistic: String,
        /// `all` or `other` strata, or `sampled` pairs.
        scope: String,
        /// What is paired: `types` or `strata`.
        over: String,
        /// Mean difference.
        difference: Option<f64>,
        /// Lower end of its 95 % interval.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// Mean difference over the standard deviation of the differences.
        effect: Option<f64>,
        /// Two-sided sign-flip p.
        p: Option<f64>,
        /// Holm-adjusted inside the hypothesis.
        p_holm: Option<f64>,
        /// Types or strata.
        n: i64,
        /// `holds`, `contradicted`, `open`, or `undefined`.
        verdict: String,
        /// Why there is no difference.
        reason: Option<String>,
    }
}

table_row! {
    /// Agreement of a unit with a known degree of likeness. Table `graded`.
    #[derive(Default)]
    pub struct GradedRow in "graded" {
        /// Seed of the subsample.
        seed: i64,
        /// Unit.
        unit: String,
        /// `all`, `same` or `other` strata.
        scope: String,
        /// Spearman's correlation of similarity and negative true distance over sampled pairs.
        spearman: Option<f64>,
        /// Lower end of its 95 % interval over cells.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// Pairs.
        n_pairs: i64,
    }
}

table_row! {
    /// A type of the data. Table `types`.
    #[derive(Default)]
    pub struct TypeRow in "types" {
        /// Type.
        cell_type: String,
        /// Term of the ontology.
        term: Option<String>,
        /// Cells of the file.
        n_available: i64,
        /// Cells of the first seed.
        n_used: i64,
        /// Strata of these.
        n_strata: i64,
        /// Their median total.
        median_total: Option<f64>,
        /// Their mean share of detected genes.
        detected: Option<f64>,
        /// Nearest other type in the ontology.
        nearest: Option<String>,
        /// Distance to it.
        nearest_distance: Option<i64>,
        /// Why it is left out, or has fewer cells than asked for.
        remark: Option<String>,
    }
}

table_row! {
    /// The first neighbours of a cell, nearest first. State of a unit, not a table of the run.
    #[derive(Default)]
    pub struct ListRow in "lists" {
        /// Places of the neighbours; whole numbers.
        neighbors: Vec<f32>,
    }
}

table_row! {
    /// The similarity of a sampled pair. State of a unit, not a table of the run.
    #[derive(Default)]
    pub struct SampledRow in "sampled" {
        /// The similarity; null where it is undefined.
        value: Option<f64>,
    }
}

table_row! {
    /// The loss of rank by type against what is known about the types. Table `why`.
    #[derive(Default)]
    pub struct WhyRow in "why" {
        /// Unit of values.
        unit_a: String,
        /// Unit of ranks.
        unit_b: String,
        /// As in `pairs_summary`.
        scope: String,
        /// `mean_loss`, or what a type is described by, in units of its standard deviation.
        covariate: String,
        /// Change of `AUROC(a) − AUROC(b)` with one standard deviation.
        coefficient: Option<f64>,
        /// Lower end of its 95 % interval (HC3).
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// Types.
        n: i64,
        /// Why there is no regression.
        reason: Option<String>,
    }
}
