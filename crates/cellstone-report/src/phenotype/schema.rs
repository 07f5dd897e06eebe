//! The row types of the tables of a phenotype study. Column order is field order and part of the format.
//!
//! `model` is a network or a baseline, `condition` what a network was shown of the other phenotypes: `masked`, `visible`,
//! `dropped`; a baseline that reads genes has `genes`, one that reads phenotypes `visible`, one that reads nothing `none`.

use crate::table_row;

table_row! {
    /// What was compared. Table `models`.
    #[derive(Default)]
    pub struct ModelRow in "models" {
        /// Id in the other tables.
        model: String,
        /// Name for people.
        name: String,
        /// `model` or `baseline`.
        role: String,
        /// One line.
        summary: String,
    }
}

table_row! {
    /// One category in one fold. Table `tasks`.
    #[derive(Default)]
    pub struct TaskRow in "tasks" {
        /// Category.
        category: String,
        /// What groups were split by: `donor`, `dataset`, `assay`, `random`.
        split: String,
        /// Fold, from 0.
        fold: i64,
        /// Seed.
        seed: i64,
        /// Cells to train on.
        n_train: i64,
        /// Cells to calibrate on.
        n_calibration: i64,
        /// Cells to test on.
        n_test: i64,
        /// Groups to train on.
        train_groups: i64,
        /// Groups to calibrate on.
        calibration_groups: i64,
        /// Groups to test on.
        test_groups: i64,
        /// Classes seen in training.
        n_classes: i64,
        /// Classes seen in training and in the test set.
        n_test_classes: i64,
        /// Share of the test cells whose class was never seen in training; they are not scored.
        unseen_share: f64,
        /// What intervals are clustered by: `donor`, or `cell` where there are too few donors.
        cluster: String,
        /// `ok` or `skipped`.
        status: String,
        /// Why it was skipped.
        reason: Option<String>,
    }
}

table_row! {
    /// One class of a category. Table `classes`.
    #[derive(Default)]
    pub struct ClassRow in "classes" {
        /// Category.
        category: String,
        /// Ontology id, or normalised text.
        class: String,
        /// Name for people.
        label: String,
        /// Fold.
        fold: i64,
        /// Cells to train on.
        n_train: i64,
        /// Cells to calibrate on.
        n_calibration: i64,
        /// Cells to test on.
        n_test: i64,
        /// Groups that have it, over all parts.
        n_groups: i64,
    }
}

table_row! {
    /// The prediction for one test cell. Table `predictions`.
    #[derive(Default)]
    pub struct PredictionRow in "predictions" {
        /// Cell.
        cell_id: String,
        /// Data set.
        dataset_id: String,
        /// Donor.
        donor: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// True class.
        y_true: String,
        /// Predicted class; among ties never the true one.
        y_pred: String,
        /// Rank of the true class, ties counted against it.
        rank: i64,
        /// Probability of the true class.
        p_true: f64,
        /// The five most probable classes, joined by semicolons.
        top5: String,
        /// Their probabilities.
        p_top5: Vec<f32>,
        /// Entropy of the restricted, de-smoothed probabilities before the temperature, nats.
        entropy_nats: f64,
        /// The same over its maximum.
        entropy_norm: f64,
        /// `−ln Σ exp z` over the category; `None` for baselines, which have no scores beyond probabilities.
        energy: Option<f64>,
        /// Fold.
        fold: i64,
        /// Model.
        model: String,
    }
}

table_row! {
    /// One score of one model. Table `scores`.
    #[derive(Default)]
    pub struct PhenotypeScoreRow in "scores" {
        /// Model.
        model: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// `closed`: classes seen in training; `present`: of those, the ones in the test set.
        candidates: String,
        /// Whether every `cell` or every `donor` counts alike.
        weighting: String,
        /// Metric.
        metric: String,
        /// The score.
        value: Option<f64>,
        /// Lower end of the 95 % interval.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// What a guess gives, where that is known.
        chance: Option<f64>,
        /// Test cells.
        n_cells: i64,
        /// Clusters of the interval.
        n_donors: i64,
        /// Share of decisions among ties.
        tied_share: f64,
        /// `ok` or `undefined`.
        status: String,
        /// Why there is no value or no interval.
        reason: Option<String>,
    }
}

table_row! {
    /// One class of one model. Table `class_scores`.
    #[derive(Default)]
    pub struct ClassScoreRow in "class_scores" {
        /// Model.
        model: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// Class.
        class: String,
        /// Test cells of the class.
        support: f64,
        /// Test cells that were called it.
        predicted: f64,
        /// Recall.
        recall: Option<f64>,
        /// Precision.
        precision: Option<f64>,
        /// F1.
        f1: Option<f64>,
    }
}

table_row! {
    /// Scores that know the ontology. Table `hierarchy`.
    #[derive(Default)]
    pub struct HierarchyRow in "hierarchy" {
        /// Model.
        model: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// Share of the terms of the predicted classes that are also true.
        precision: Option<f64>,
        /// Share of the true terms that are predicted.
        recall: Option<f64>,
        /// Harmonic mean of both, over cells.
        f: Option<f64>,
        /// Mean over classes of the same.
        macro_f: Option<f64>,
        /// Mean steps between prediction and truth over their nearest common term.
        distance: Option<f64>,
        /// Share of exact answers.
        exact: f64,
        /// Share of answers above the truth.
        under_specific: f64,
        /// Share of answers below the truth.
        over_specific: f64,
        /// Share of answers with the same parent.
        sibling: f64,
        /// Share of the others.
        other: f64,
        /// Mean similarity by information content, 0 to 1.
        lin: Option<f64>,
        /// Share of the cells for which a term has a probability of 0.8 or more.
        cut_coverage: f64,
        /// Share of these for which the deepest such term is right.
        cut_accuracy: Option<f64>,
        /// Share of these for which it is the true class itself.
        cut_exact: Option<f64>,
    }
}

table_row! {
    /// A model against a baseline on the same cells. Table `differences`.
    #[derive(Default)]
    pub struct DifferenceRow in "differences" {
        /// Category.
        category: String,
        /// Model.
        model: String,
        /// Condition of the model.
        condition: String,
        /// Baseline.
        baseline: String,
        /// Metric.
        metric: String,
        /// Model minus baseline.
        difference: Option<f64>,
        /// Lower end of the paired 95 % interval.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// Two-sided sign flips of donors.
        p: Option<f64>,
        /// The same, Holm-adjusted over the table.
        p_holm: Option<f64>,
        /// Clusters.
        n_donors: i64,
        /// `beats`, `loses`, `open`, or `undefined` without an interval.
        verdict: String,
        /// Why there is no interval.
        reason: Option<String>,
    }
}

table_row! {
    /// How far probabilities can be trusted, before and after the temperature. Table `calibration`.
    #[derive(Default)]
    pub struct CalibrationRow in "calibration" {
        /// Model.
        model: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// `before` or `after` the temperature.
        stage: String,
        /// The temperature that was fitted; 1 before.
        temperature: f64,
        /// Whether it lies at the end of the range that was searched.
        boundary: bool,
        /// Negative log-likelihood, nats.
        nll: Option<f64>,
        /// Brier score, 0 to 2.
        brier: Option<f64>,
        /// Calibration error in bins of equal width.
        ece_width: Option<f64>,
        /// The same in bins of equal mass.
        ece_mass: Option<f64>,
        /// What a calibrated model would have by chance: mean over resamples.
        ece_perfect: Option<f64>,
        /// 97.5 % quantile of the same.
        ece_perfect_hi: Option<f64>,
        /// Mean over classes.
        ece_classwise: Option<f64>,
        /// Largest error of a bin with 50 cells or more.
        mce: Option<f64>,
        /// Test cells.
        n_cells: i64,
        /// Cells that the temperature was fitted on.
        n_calibration: i64,
    }
}

table_row! {
    /// One bin of a reliability diagram. Table `reliability`.
    #[derive(Default)]
    pub struct ReliabilityTableRow in "reliability" {
        /// Model.
        model: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// `before` or `after` the temperature.
        stage: String,
        /// Bin, from 0.
        bin: i64,
        /// Cells.
        n: i64,
        /// Donors.
        n_donors: i64,
        /// Mean probability of the predicted class.
        confidence: f64,
        /// Share that was right.
        accuracy: f64,
        /// Lower end of the 95 % interval of the share.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
    }
}

table_row! {
    /// Sets that are to hold the true class with a given chance. Table `conformal`.
    #[derive(Default)]
    pub struct ConformalRow in "conformal" {
        /// Model.
        model: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// `lac`, `aps`, `raps`.
        score: String,
        /// `cell`, `donor`, `class`.
        mode: String,
        /// Chance of a miss that was asked for.
        alpha: f64,
        /// Share of test cells whose set holds the true class.
        coverage: Option<f64>,
        /// Lower end of the 95 % interval, clustered.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// Smallest coverage of a class.
        worst_class: Option<f64>,
        /// Smallest coverage of a donor.
        worst_donor: Option<f64>,
        /// Mean number of classes in a set.
        mean_size: Option<f64>,
        /// Share of sets of one class.
        singleton: Option<f64>,
        /// Share of empty sets.
        empty: Option<f64>,
        /// Test cells.
        n_cells: i64,
        /// Calibration cells.
        n_calibration: i64,
        /// Calibration donors.
        calibration_donors: i64,
        /// Whether the interval reaches `1 − alpha`.
        reached: Option<bool>,
        /// Why there is no coverage, or what to beware of.
        reason: Option<String>,
    }
}

table_row! {
    /// Entropy of one test cell. Table `entropy`.
    #[derive(Default)]
    pub struct EntropyRow in "entropy" {
        /// Cell.
        cell_id: String,
        /// Data set.
        dataset_id: String,
        /// Donor.
        donor: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// Model.
        model: String,
        /// Youngest age in years.
        age_lo: Option<f64>,
        /// Oldest age in years.
        age_hi: Option<f64>,
        /// The age that regressions take.
        age_mid: Option<f64>,
        /// Bin of ages.
        age_bin: Option<String>,
        /// Whether the cell was taken before birth.
        prenatal: bool,
        /// Logarithm of the molecules.
        ln_counts: f64,
        /// Logarithm of the genes.
        ln_genes: f64,
        /// Entropy after de-smoothing, restriction and temperature, nats.
        h_nats: f64,
        /// The same over `ln C`.
        h_norm: f64,
        /// Entropy over the whole vocabulary as the network says it, to base 10; networks only.
        h_published: Option<f64>,
        /// Surprise at the true class, nats.
        nll: f64,
        /// Probability of the true class.
        p_true: f64,
        /// Temperature.
        t: f64,
        /// Label smoothing of the network.
        e: f64,
        /// Size of its vocabulary.
        v: i64,
        /// Candidates.
        c: i64,
        /// Planted entropy of the cell, nats, where it is known.
        planted: Option<f64>,
    }
}

table_row! {
    /// Floor of the entropy due to label smoothing, and how far from it the cells are. Table `entropy_floor`.
    #[derive(Default)]
    pub struct FloorRow in "entropy_floor" {
        /// Model.
        model: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// Label smoothing.
        e: f64,
        /// Ids it is spread over.
        v: i64,
        /// Candidates.
        c: i64,
        /// Least entropy over the whole vocabulary that a network which fits its targets can have, nats.
        h_floor: f64,
        /// Largest probability it can give.
        q_max: f64,
        /// Smallest observed entropy over the whole vocabulary, nats.
        min: Option<f64>,
        /// 1 % quantile.
        q01: Option<f64>,
        /// Median.
        median: Option<f64>,
        /// Whether the median is within 5 % of the floor.
        floor_dominated: bool,
        /// Cells whose candidates were all clipped by de-smoothing.
        n_fallback: i64,
    }
}

table_row! {
    /// Entropy of one group of cells, such as a life stage. Table `entropy_groups`.
    #[derive(Default)]
    pub struct EntropyGroupRow in "entropy_groups" {
        /// Model.
        model: String,
        /// Category whose entropy it is.
        category: String,
        /// Condition.
        condition: String,
        /// Column of the groups.
        column: String,
        /// Group.
        group: String,
        /// Place in the order of the groups.
        place: i64,
        /// Cells.
        n_cells: i64,
        /// Donors.
        n_donors: i64,
        /// Mean entropy, nats.
        mean: Option<f64>,
        /// Median, nats.
        median: Option<f64>,
        /// Lower end of the 95 % interval of the mean.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// Mean over `ln C`.
        normalised: Option<f64>,
        /// Candidates.
        c: i64,
        /// Fewer than 3 donors or 50 cells: shown, not tested.
        hollow: bool,
        /// Mean planted entropy of the same cells, nats.
        planted: Option<f64>,
    }
}

table_row! {
    /// Change of entropy with age. Table `entropy_regression.csv`.
    #[derive(Default)]
    pub struct RegressionRow in "entropy_regression.csv" {
        /// Category.
        category: String,
        /// Model.
        model: String,
        /// Condition.
        condition: String,
        /// `headline`, `donor_means`, `within_type`, `spline`.
        stratum: String,
        /// Cells.
        n_cells: i64,
        /// Donors.
        n_donors: i64,
        /// Nats per decade.
        slope_per_decade: Option<f64>,
        /// Standard error.
        se: Option<f64>,
        /// How the p value was made.
        method: String,
        /// Two-sided p value.
        p: Option<f64>,
        /// Lower end of the 95 % interval.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// Why there is none.
        reason: Option<String>,
    }
}

table_row! {
    /// Ages permuted between donors inside strata. Table `entropy_permutation.csv`.
    #[derive(Default)]
    pub struct PermutationRow in "entropy_permutation.csv" {
        /// Category.
        category: String,
        /// Model.
        model: String,
        /// Condition.
        condition: String,
        /// Observed slope, nats per decade.
        observed: Option<f64>,
        /// Permutations.
        draws: i64,
        /// p value.
        p: Option<f64>,
        /// Strata with one donor, which contribute nothing.
        single_strata: i64,
        /// Seed.
        seed: i64,
        /// Why there is none.
        reason: Option<String>,
    }
}

table_row! {
    /// What genes say about a phenotype. Table `mutual_information`.
    #[derive(Default)]
    pub struct InformationRow in "mutual_information" {
        /// Model.
        model: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// Entropy of the class frequencies of the test cells, nats, corrected for their number.
        h_prior: Option<f64>,
        /// Prior less the mean entropy of the predictions; meaningful if they are calibrated.
        model_entropy: Option<f64>,
        /// Prior less the mean surprise: a lower bound whatever the probabilities.
        lower_bound: Option<f64>,
        /// Mean surprise less mean entropy: a defect of calibration.
        gap: Option<f64>,
        /// Lower bound over the prior.
        efficiency: Option<f64>,
        /// Test cells.
        n_cells: i64,
        /// What the correction counts: cells, or donors where a class is constant inside them.
        n_eff: f64,
    }
}

table_row! {
    /// What was left out, and why. Table `excluded.csv`.
    #[derive(Default)]
    pub struct ExcludedRow in "excluded.csv" {
        /// Category; empty for cells that are left out of everything.
        category: String,
        /// Reason.
        reason: String,
        /// Cells.
        n: i64,
    }
}

table_row! {
    /// What was planted and what was found. Table `recovery`.
    #[derive(Default)]
    pub struct RecoveryRow in "recovery" {
        /// Model.
        model: String,
        /// Category.
        category: String,
        /// Condition.
        condition: String,
        /// What is compared.
        what: String,
        /// Planted.
        planted: Option<f64>,
        /// Found.
        found: Option<f64>,
        /// Lower end of the 95 % interval of what was found.
        ci_lo: Option<f64>,
        /// Upper end.
        ci_hi: Option<f64>,
        /// Whether it was recovered.
        recovered: bool,
        /// In words.
        note: String,
    }
}

table_row! {
    /// The published protocol, flaw for flaw; not comparable. Table `cam`.
    #[derive(Default)]
    pub struct CamRow in "cam" {
        /// Category.
        category: String,
        /// Candidates looked at.
        k: i64,
        /// Share of cells with a fuzzy hit among them.
        score: f64,
        /// Share with an exact hit, for comparison.
        exact: f64,
        /// Cells.
        n_cells: i64,
        /// The published number, where there is one.
        published: Option<f64>,
    }
}
