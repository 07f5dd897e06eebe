//! The roles that annotation columns play, and which column plays them where the user does not say.

use cellstone_core::{Column, Error, ObsTable, Result, nearest, quoted};

const PERT: [&str; 8] =
    ["perturbation", "condition", "target", "target_gene", "gene_target", "pert_id", "gene", "drug"];
const CONTROL_FLAG: [&str; 3] = ["is_control", "control", "nperts"];
const CONTEXT: [&str; 6] = ["context", "cell_line", "cell_type", "celltype", "cov", "donor"];
const BATCH: [&str; 7] = ["gem_group", "gemgroup", "batch", "lane", "plate", "bio_rep", "replicate"];
const GUIDE: [&str; 4] = ["guide", "guide_id", "sgRNA", "top_grna"];
/// Columns that belong to the condition where they vary inside one.
pub(super) const MODIFIERS: [&str; 3] = ["dose", "time", "perturbation_type"];

/// Which columns to read and which cells to keep.
///
/// A role that is `None` is looked up by the usual names, without regard to case; an empty name switches it off.
///
/// | name | tried in order | meaning |
/// |---|---|---|
/// | `pert` | `perturbation`, `condition`, `target`, `target_gene`, `gene_target`, `pert_id`, `gene`, `drug` | the condition name; required |
/// | `control_flag` | `is_control`, `control`, `nperts` (= 0) | says which cells are control; must not contradict the name |
/// | `context` | `context`, `cell_line`, `cell_type`, `celltype`, `cov`, `donor` | one context `default` without it |
/// | `batch` | `gem_group`, `gemgroup`, `batch`, `lane`, `plate`, `bio_rep`, `replicate` | for matched controls |
/// | `guide` | `guide`, `guide_id`, `sgRNA`, `top_grna` | reported, never used as the condition |
/// | `keep` | | cells stay only if the column has one of the values; several entries must all hold |
/// | `drop` | | cells with one of the values go |
/// | `min_cells` | | conditions with fewer cells are warned about (10) |
/// | `require_control` | | a context with perturbed cells but no control cell is an error (true) |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelColumns {
    /// Condition name.
    pub pert: Option<String>,
    /// Control flag.
    pub control_flag: Option<String>,
    /// Cell line, cell type or donor.
    pub context: Option<String>,
    /// Batch.
    pub batch: Option<String>,
    /// Guide.
    pub guide: Option<String>,
    /// Columns and the values to keep.
    pub keep: Vec<(String, Vec<String>)>,
    /// Columns and the values to drop.
    pub drop: Vec<(String, Vec<String>)>,
    /// Conditions with fewer cells are warned about.
    pub min_cells: u64,
    /// Whether every context with perturbed cells needs control cells. Predictions of other tools may lack them.
    pub require_control: bool,
}

impl Default for LabelColumns {
    fn default() -> Self {
        Self {
            pert: None,
            control_flag: None,
            context: None,
            batch: None,
            guide: None,
            keep: Vec::new(),
            drop: Vec::new(),
            min_cells: 10,
            require_control: true,
        }
    }
}

/// The columns that were used, for printing and for the run manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UsedColumns {
    /// Condition name.
    pub pert: String,
    /// Control flag.
    pub control_flag: Option<String>,
    /// Cell line, cell type or donor.
    pub context: Option<String>,
    /// Batch.
    pub batch: Option<String>,
    /// Guide.
    pub guide: Option<String>,
}

impl LabelColumns {
    /// The column of every role.
    ///
    /// # Errors
    /// If a named column or every usual name of the condition column is absent.
    pub(super) fn resolve(
        &self,
        obs: &ObsTable,
        file: &str,
        looks_like_control: &dyn Fn(&str) -> bool,
    ) -> Result<UsedColumns> {
        let Some(pert) = pick(obs, self.pert.as_deref(), &PERT, file)? else {
            return Err(no_pert_column(obs, file, looks_like_control));
        };
        let control_flag = match pick(obs, self.control_flag.as_deref(), &CONTROL_FLAG, file)? {
            // A column found by its name alone may hold something else, such as the name of the matching control.
            Some(name) if self.control_flag.is_none() && !(name != pert && is_flag(obs, &name)) => None,
            other => other,
        };
        Ok(UsedColumns {
            control_flag,
            context: pick(obs, self.context.as_deref(), &CONTEXT, file)?,
            batch: pick(obs, self.batch.as_deref(), &BATCH, file)?,
            guide: pick(obs, self.guide.as_deref(), &GUIDE, file)?,
            pert,
        })
    }

    /// Whether each cell passes `keep` and `drop`.
    ///
    /// # Errors
    /// If a column is absent, or a value to keep occurs nowhere.
    pub(super) fn passing(&self, obs: &ObsTable, file: &str) -> Result<Vec<bool>> {
        let mut passing = vec![true; obs.n_rows()];
        for ((name, values), keep) in
            self.keep.iter().map(|it| (it, true)).chain(self.drop.iter().map(|it| (it, false)))
        {
            let (codes, categories) = column(obs, name, file)?.to_codes();
            if keep && let Some(value) = values.iter().find(|it| !categories.contains(it)) {
                let error = Error::invalid_input(format!(
                    "no cell has `{value}` in column `{name}` of obs of `{file}` (values: {})",
                    quoted(&categories)
                ));
                return Err(match nearest(value, categories.iter().map(String::as_str)) {
                    Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                    None => error,
                });
            }
            let listed: Vec<bool> = categories.iter().map(|it| values.contains(it)).collect();
            for (cell, code) in codes.iter().enumerate() {
                passing[cell] &= code.is_some_and(|it| listed[it as usize]) == keep;
            }
        }
        Ok(passing)
    }
}

/// A column that must be there.
pub(super) fn column<'a>(obs: &'a ObsTable, name: &str, file: &str) -> Result<&'a Column> {
    obs.get(name).ok_or_else(|| {
        let names = obs.names();
        let error =
            Error::invalid_input(format!("column `{name}` not found in obs of `{file}` (columns: {})", quoted(names)));
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

/// A flag as text: `None` where the text is no truth value.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Whether the column counts perturbations instead of flagging control.
pub(super) fn counts_perturbations(name: &str) -> bool {
    name.to_lowercase() == "nperts"
}

fn pick(obs: &ObsTable, named: Option<&str>, usual: &[&str], file: &str) -> Result<Option<String>> {
    match named {
        Some("") => Ok(None),
        Some(name) => column(obs, name, file).map(|_| Some(name.to_owned())),
        None => {
            let find = |want: &&str| obs.names().iter().find(|it| it.to_lowercase() == want.to_lowercase());
            Ok(usual.iter().find_map(find).cloned())
        }
    }
}

fn is_flag(obs: &ObsTable, name: &str) -> bool {
    let Some(column) = obs.get(name) else { return false };
    let (codes, categories) = column.to_codes();
    let mut used: Vec<u32> = codes.iter().flatten().copied().collect();
    used.sort_unstable();
    used.dedup();
    let counts = counts_perturbations(name);
    used.iter().all(|it| {
        let text = &categories[*it as usize];
        if counts { text.parse::<f64>().is_ok() } else { truth(text).is_some() }
    })
}

fn no_pert_column(obs: &ObsTable, file: &str, looks_like_control: &dyn Fn(&str) -> bool) -> Error {
    let names = obs.names();
    let error =
        Error::invalid_input(format!("no condition column found in obs of `{file}` (columns: {})", quoted(names)));
    for name in names {
        let Some(column @ (Column::Categorical { .. } | Column::Str(_))) = obs.get(name) else { continue };
        let (_, categories) = column.to_codes();
        if let Some(control) = categories.iter().find(|it| looks_like_control(it)) {
            return error
                .with_hint(format!("column `{name}` has cells labeled `{control}`: set data.pert_col = \"{name}\""));
        }
    }
    let near = PERT.iter().find_map(|it| nearest(it, names.iter().map(String::as_str)));
    match near {
        Some(near) => error.with_hint(format!("set data.pert_col = \"{near}\" if it names the conditions")),
        None => error.with_hint("set data.pert_col to the column that names the conditions"),
    }
}
