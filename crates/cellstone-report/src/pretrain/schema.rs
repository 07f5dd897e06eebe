//! The row types of the tables of a pretraining. Column order is field order and part of the format.

use crate::table_row;

table_row! {
    /// One step of the optimizer. Table `losses`.
    #[derive(Default)]
    pub struct LossRow in "losses" {
        /// Steps taken, this one counted.
        step: i64,
        /// Times that every cell was seen before this one.
        epoch: i64,
        /// Tokens learnt from so far, padding not counted.
        tokens: i64,
        /// Cells learnt from so far, each as often as it was.
        cells: i64,
        /// Learning rate.
        rate: f64,
        /// Norm of all gradients before clipping.
        gradient_norm: f64,
        /// The objective on the cells of the step.
        train_loss: f64,
        /// The objective on the validation cells behind the step; empty where nobody looked.
        validation_loss: Option<f64>,
    }
}

table_row! {
    /// What one slot adds to a loss. Table `losses_by_slot`.
    #[derive(Default)]
    pub struct SlotLossRow in "losses_by_slot" {
        /// Steps taken.
        step: i64,
        /// `train` or `validation`.
        part: String,
        /// Category of phenotypes, `bins` for genes, or `all`.
        slot: String,
        /// Masked tokens; empty for `train`.
        n: Option<i64>,
        /// Mean cross-entropy in nats; empty where nothing was masked.
        loss: Option<f64>,
        /// Share whose best score is right; empty for `train`.
        accuracy: Option<f64>,
    }
}

table_row! {
    /// What the best network says of the phenotypes of cells it never learnt from. Table `held_out_phenotypes`.
    #[derive(Default)]
    pub struct HeldOutRow in "held_out_phenotypes" {
        /// `held_out` or `validation`.
        part: String,
        /// Category.
        category: String,
        /// `masked`, `visible`, `dropped`: what is shown of the other categories.
        condition: String,
        /// `model`, `majority`, `conditional`.
        method: String,
        /// Cells with a value that the training cells have.
        n: i64,
        /// Values that training cells have.
        n_classes: i64,
        /// Share of right answers.
        accuracy: Option<f64>,
        /// Mean over the values that occur of the share of right answers.
        balanced_accuracy: Option<f64>,
        /// Mean of −ln p of the true value.
        log_loss: Option<f64>,
    }
}

table_row! {
    /// What went in. Table `corpus`.
    #[derive(Default)]
    pub struct CorpusRow in "corpus" {
        /// `train`, `validation`, `held_out`.
        part: String,
        /// Cells with tokens.
        cells: i64,
        /// Their tokens.
        tokens: i64,
    }
}

table_row! {
    /// A plain fact about the run. Table `run_facts`.
    #[derive(Default)]
    pub struct FactRow in "run_facts" {
        /// What it is about.
        name: String,
        /// In words or digits.
        value: String,
    }
}
