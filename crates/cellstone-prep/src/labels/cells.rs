//! From annotation columns to one group per cell.

use super::checks;
use super::columns::{LabelColumns, UsedColumns, column, counts_perturbations, truth};
use crate::condition::{ParseOptions, Parsed, has_separator, is_control, is_unassigned, parse_condition};
use cellstone_core::{Column, Condition, Context, ContextId, CountSource, Error, ObsTable, Result, Var};
use std::collections::{BTreeMap, BTreeSet};

/// The cells of one condition in one context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Cell line, cell type or donor.
    pub context: ContextId,
    /// What was done.
    pub condition: Condition,
    /// The name in the file; the smallest by code point where several names mean one condition.
    pub raw: String,
}

/// The condition, context and batch of every cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellLabels {
    /// The groups that occur, sorted by context and canonical key (`control` for the control).
    pub groups: Vec<Group>,
    /// Group of each cell; `None` if unassigned or filtered out.
    pub group_of: Vec<Option<u32>>,
    /// Batch names, sorted; empty without batches.
    pub batches: Vec<String>,
    /// Batch of each cell, where the file has batches.
    pub batch_of: Option<Vec<u32>>,
    /// The columns that were read.
    pub columns: UsedColumns,
    /// Cells that passed the filter but carry no condition.
    pub n_unassigned: usize,
    /// Cells that `keep` and `drop` removed.
    pub n_filtered: usize,
    /// Targets that are no gene of the file, sorted; their conditions stay.
    pub unmapped: Vec<String>,
    /// What a person should know before trusting the numbers.
    pub warnings: Vec<String>,
}

/// The batch of cells that name none.
const NO_BATCH: &str = "(missing)";

impl CellLabels {
    /// Refuses a source that has another number of cells.
    pub(crate) fn check_cells(&self, source: &dyn CountSource) -> Result<()> {
        if self.group_of.len() == source.n_obs() {
            return Ok(());
        }
        Err(Error::invalid_input(format!(
            "{} labels for the {} cells of `{}`",
            self.group_of.len(),
            source.n_obs(),
            source.name()
        )))
    }

    /// Reads condition, context and batch of every cell of `obs`.
    ///
    /// A name counts as a gene if `var` carries it as id or symbol, or if the condition column uses it alone or
    /// beside a `+`: the targets of a file cut down to variable genes are still told apart from their separators.
    /// A control flag overrides the name where the name says nothing against it.
    ///
    /// # Errors
    /// A missing column; a repeated cell id; a name that parses to nothing; a flag that contradicts the name; a cell
    /// without context; a context with perturbed cells but no control cell; no cell left.
    pub fn from_obs(
        obs: &ObsTable,
        var: &Var,
        columns: &LabelColumns,
        parse: &ParseOptions,
        file: &str,
    ) -> Result<Self> {
        if let Some((name, first, second)) = obs.first_duplicate() {
            return Err(Error::invalid_input(format!(
                "cell `{name}` of `{file}` stands at obs rows {first} and {second}, expected once"
            ))
            .with_hint("in Python: adata.obs_names_make_unique()"));
        }
        let in_var = |it: &str| !var.columns_of(it).is_empty();
        let used = columns.resolve(obs, file, &|it| is_control(it.trim(), &in_var, parse))?;
        let passing = columns.passing(obs, file)?;
        let n_filtered = passing.iter().filter(|it| !**it).count();
        if n_filtered == passing.len() {
            return Err(Error::invalid_input(format!("no cell of `{file}` is left after keep and drop")));
        }

        let names = Names::read(obs, var, &used, &passing, parse, file)?;
        let flags = used.control_flag.as_deref().map(|it| read_flags(obs, it, &passing, file)).transpose()?;
        let conditions = names.conditions(obs, var, flags.as_deref(), &passing, &used, file)?;
        let n_unassigned = passing.iter().zip(&conditions).filter(|(pass, it)| **pass && it.is_none()).count();

        let (context_of, contexts) = read_contexts(obs, &used, &conditions, file)?;
        let (batch_of, batches) = read_batches(obs, &used, &conditions)?;
        let (groups, group_of, mut warnings) = group(&names, &conditions, &context_of, &contexts);
        if groups.is_empty() {
            return Err(Error::invalid_input(format!(
                "every cell of `{file}` is unassigned in column `{}`",
                used.pert
            )));
        }
        let mut labels = Self {
            groups,
            group_of,
            batches,
            batch_of,
            columns: used,
            n_unassigned,
            n_filtered,
            unmapped: Vec::new(),
            warnings: Vec::new(),
        };
        if columns.require_control {
            checks::require_controls(&labels, file)?;
        }
        labels.unmapped = checks::unmapped(&labels, var);
        warnings.extend(names.unsplit_warning());
        warnings.extend(checks::warnings(&labels, obs, columns.min_cells));
        labels.warnings = warnings;
        Ok(labels)
    }

    /// Number of cells of each group.
    pub fn n_cells(&self) -> Vec<u64> {
        let mut n_cells = vec![0; self.groups.len()];
        for it in self.group_of.iter().flatten() {
            n_cells[*it as usize] += 1;
        }
        n_cells
    }

    /// Batch of a cell; 0 without batches.
    pub(crate) fn batch(&self, cell: usize) -> u32 {
        self.batch_of.as_ref().map_or(0, |it| it[cell])
    }
}

/// The distinct condition names of the cells that passed, parsed once each.
struct Names {
    codes: Vec<Option<u32>>,
    raw: Vec<String>,
    parsed: Vec<Option<Parsed>>,
    /// Names with a separator and a control word that stayed whole, because a piece is no known gene.
    unsplit: Vec<String>,
}

impl Names {
    fn read(
        obs: &ObsTable,
        var: &Var,
        used: &UsedColumns,
        passing: &[bool],
        parse: &ParseOptions,
        file: &str,
    ) -> Result<Self> {
        let (codes, raw) = column(obs, &used.pert, file)?.to_codes();
        let mut first_cell: Vec<Option<usize>> = vec![None; raw.len()];
        for (cell, code) in codes.iter().enumerate().rev().filter(|(cell, _)| passing[*cell]) {
            if let Some(code) = code {
                first_cell[*code as usize] = Some(cell);
            }
        }
        let in_var = |it: &str| !var.columns_of(it).is_empty();
        let present = || raw.iter().zip(&first_cell).filter(|(_, it)| it.is_some()).map(|(it, _)| it.as_str());
        let alone: BTreeSet<&str> = present()
            .flat_map(|it| it.split('+').map(str::trim))
            .filter(|it| !has_separator(it) && !is_unassigned(it) && !is_control(it, &in_var, parse))
            .collect();
        let known = |it: &str| in_var(it) || alone.contains(it);
        let mut parsed = Vec::with_capacity(raw.len());
        for (name, cell) in raw.iter().zip(&first_cell) {
            parsed.push(match cell {
                None => None,
                Some(cell) => Some(parse_condition(name, &known, parse).context_with(|| {
                    format!("cell `{}`, column `{}` of obs of `{file}`", obs.index()[*cell], used.pert)
                })?),
            });
        }
        let has_control_piece = |name: &str| {
            let pieces = name.split(['_', '|', '&', ';', ',']).map(str::trim);
            !known(name) && pieces.clone().count() > 1 && pieces.clone().any(|it| is_control(it, &in_var, parse))
        };
        let stays = |it: &Option<Parsed>, name: &str| match it {
            Some(Parsed::Condition(Condition::Perturbed(it))) => it.targets() == [name],
            _ => false,
        };
        let unsplit = raw
            .iter()
            .zip(&parsed)
            .filter(|(name, it)| stays(it, name.trim()) && has_control_piece(name.trim()))
            .map(|(name, _)| name.clone())
            .collect();
        Ok(Self { codes, raw, parsed, unsplit })
    }

    /// The condition of every cell, reconciled with the control flag.
    fn conditions(
        &self,
        obs: &ObsTable,
        var: &Var,
        flags: Option<&[Option<bool>]>,
        passing: &[bool],
        used: &UsedColumns,
        file: &str,
    ) -> Result<Vec<Option<Condition>>> {
        let by_name = |code: Option<u32>| match code.and_then(|it| self.parsed[it as usize].as_ref()) {
            Some(Parsed::Condition(it)) => Some(it.clone()),
            _ => None,
        };
        let mut flag_of_name: Vec<Option<bool>> = vec![None; self.raw.len()];
        let mut conditions = Vec::with_capacity(passing.len());
        for cell in 0..passing.len() {
            if !passing[cell] {
                conditions.push(None);
                continue;
            }
            let code = self.codes[cell];
            let named = by_name(code);
            let Some(flag) = flags.and_then(|it| it[cell]) else {
                conditions.push(named);
                continue;
            };
            let measured = |it: &Condition| {
                it.perturbation().is_some_and(|it| it.targets().iter().any(|it| !var.columns_of(it).is_empty()))
            };
            let both = code.is_some_and(|it| {
                let seen = flag_of_name[it as usize].get_or_insert(flag);
                *seen != flag && named.is_some()
            });
            let contradicts = match &named {
                Some(Condition::Control) => !flag,
                Some(it) => flag && measured(it),
                None => false,
            };
            if both || contradicts {
                let name = code.map_or("", |it| &self.raw[it as usize]);
                let says = if flag { "control" } else { "perturbed" };
                let against = if both { "other cells of that name do not" } else { "its name does not" };
                return Err(Error::invalid_input(format!(
                    "cell `{}` of `{file}` is {says} by column `{}`, but {against} (`{}` = `{name}`)",
                    obs.index()[cell],
                    used.control_flag.as_deref().unwrap_or_default(),
                    used.pert
                ))
                .with_hint("correct the flag, or set control_flag = \"\" to read the names alone"));
            }
            conditions.push(if flag { Some(Condition::Control) } else { named });
        }
        Ok(conditions)
    }

    fn unsplit_warning(&self) -> Option<String> {
        (!self.unsplit.is_empty()).then(|| {
            format!(
                "{} condition names hold a control word but stay whole, because the rest is no known gene: {}",
                self.unsplit.len(),
                cellstone_core::quoted(&self.unsplit)
            )
        })
    }
}

fn read_flags(obs: &ObsTable, name: &str, passing: &[bool], file: &str) -> Result<Vec<Option<bool>>> {
    let (codes, categories) = column(obs, name, file)?.to_codes();
    let counts = counts_perturbations(name);
    let meaning: Vec<Option<bool>> = categories
        .iter()
        .map(|it| if counts { it.parse::<f64>().ok().map(|it| it == 0.0) } else { truth(it) })
        .collect();
    let mut flags = Vec::with_capacity(codes.len());
    for (cell, code) in codes.iter().enumerate() {
        let flag = code.map(|it| meaning[it as usize]);
        if flag == Some(None) && passing[cell] {
            return Err(Error::invalid_input(format!(
                "column `{name}` of obs of `{file}` holds `{}` at cell `{}`, expected a truth value",
                categories[code.map_or(0, |it| it as usize)],
                obs.index()[cell]
            ))
            .with_hint("set control_flag to the column that says which cells are control, or to \"\" for none"));
        }
        flags.push(flag.flatten());
    }
    Ok(flags)
}

fn read_contexts(
    obs: &ObsTable,
    used: &UsedColumns,
    conditions: &[Option<Condition>],
    file: &str,
) -> Result<(Vec<u32>, Vec<ContextId>)> {
    let Some(name) = &used.context else {
        return Ok((vec![0; obs.n_rows()], vec![ContextId::default_context()]));
    };
    let (codes, categories) = column(obs, name, file)?.to_codes();
    if let Some(cell) = (0..codes.len()).find(|it| codes[*it].is_none() && conditions[*it].is_some()) {
        return Err(Error::invalid_input(format!(
            "cell `{}` of `{file}` has no value in context column `{name}`",
            obs.index()[cell]
        ))
        .with_hint("drop such cells, or set context = \"\" if the file has one context"));
    }
    let codes = codes.into_iter().map(|it| it.unwrap_or(0)).collect();
    Ok((codes, categories.into_iter().map(ContextId::new).collect()))
}

/// Batches of the assigned cells, numbered by sorted name.
fn read_batches(
    obs: &ObsTable,
    used: &UsedColumns,
    conditions: &[Option<Condition>],
) -> Result<(Option<Vec<u32>>, Vec<String>)> {
    let Some(name) = &used.batch else { return Ok((None, Vec::new())) };
    let (codes, categories) = obs.column(name).map(Column::to_codes)?;
    let text = |cell: usize| codes[cell].map_or(NO_BATCH, |it| &categories[it as usize]);
    let names: BTreeSet<&str> = (0..codes.len()).filter(|it| conditions[*it].is_some()).map(text).collect();
    let number: BTreeMap<&str, u32> = names.iter().zip(0..).map(|(name, at)| (*name, at)).collect();
    let batch_of = (0..codes.len()).map(|it| number.get(text(it)).copied().unwrap_or(0)).collect();
    Ok((Some(batch_of), names.into_iter().map(str::to_owned).collect()))
}

type Grouped = (Vec<Group>, Vec<Option<u32>>, Vec<String>);

fn group(names: &Names, conditions: &[Option<Condition>], context_of: &[u32], contexts: &[ContextId]) -> Grouped {
    // One canonical condition has one raw name, whatever the context: splits are made of raw names.
    let mut raws: BTreeMap<&Condition, BTreeSet<&str>> = BTreeMap::new();
    let mut keys: BTreeMap<(&ContextId, String), &Condition> = BTreeMap::new();
    let mut texts: BTreeMap<&Condition, String> = BTreeMap::new();
    for (cell, condition) in conditions.iter().enumerate() {
        let Some(condition) = condition else { continue };
        let raw = names.codes[cell].map_or("control", |it| &names.raw[it as usize]);
        raws.entry(condition).or_default().insert(raw);
        let text = texts.entry(condition).or_insert_with(|| condition.to_string()).clone();
        keys.insert((&contexts[context_of[cell] as usize], text), condition);
    }
    let at: BTreeMap<(&ContextId, &Condition), u32> =
        keys.iter().zip(0..).map(|(((context, _), condition), at)| ((*context, *condition), at)).collect();
    let groups = keys
        .iter()
        .map(|((context, _), condition)| Group {
            context: (*context).clone(),
            condition: (*condition).clone(),
            raw: (*raws[condition].first().expect("invariant: a group has a cell")).to_owned(),
        })
        .collect();
    let group_of = conditions
        .iter()
        .zip(context_of)
        .map(|(condition, context)| condition.as_ref().map(|it| at[&(&contexts[*context as usize], it)]))
        .collect();
    let warnings = raws
        .iter()
        .filter(|(_, it)| it.len() > 1)
        .map(|(condition, it)| {
            let all: Vec<String> = it.iter().map(|it| (*it).to_owned()).collect();
            format!(
                "{} names mean `{condition}` and are merged as `{}`: {}",
                all.len(),
                all[0],
                cellstone_core::quoted(&all)
            )
        })
        .collect();
    (groups, group_of, warnings)
}
