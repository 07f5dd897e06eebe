//! From names to the codes that the kernels count by.

use super::groups::{DeGroups, first_names};
use super::params::{DeParams, DeReference, SmallGroups};
use cellstone_core::{Error, Result};

/// Code of a cell that takes no part.
pub(super) const EXCLUDED: u16 = u16::MAX;

/// Fewest cells of a group and of its reference.
const MIN_CELLS: usize = 2;

/// Who is compared with whom. Codes `0..k` are the tested groups in order; code `k` is everyone else who takes part:
/// the reference group, or the cells of the rest that are in no tested group.
#[derive(Debug)]
pub(super) struct Design {
    pub(super) names: Vec<String>,
    /// Code of each cell.
    pub(super) codes: Vec<u16>,
    /// Cells by code, `k + 1` long.
    pub(super) sizes: Vec<u64>,
    /// Whether a group is compared with all others who take part; else with code `k` alone.
    pub(super) against_rest: bool,
    pub(super) skipped: Vec<String>,
}

impl Design {
    pub(super) fn new(groups: &DeGroups, n_cells: usize, params: &DeParams) -> Result<Self> {
        if groups.group_of().len() != n_cells {
            return Err(Error::invalid_input(format!("{} labels for {n_cells} cells", groups.group_of().len())));
        }
        let (reference, control) = match &params.reference {
            DeReference::Rest => (None, None),
            DeReference::AllPerturbed { control } => (None, Some(groups.find(control, "control")?)),
            DeReference::Group(name) => (Some(groups.find(name, "reference")?), None),
        };
        let aside = reference.or(control);
        let wanted = wanted(groups, params, aside)?;
        let (tested, skipped) = large_enough(groups, wanted, params.small_groups)?;
        if tested.len() >= usize::from(EXCLUDED) {
            return Err(Error::config(format!("{} groups, expected fewer than {EXCLUDED}", tested.len()))
                .with_hint("test them in several calls with `groups`"));
        }
        let mut code_of = vec![if reference.is_some() { EXCLUDED } else { tested.len() as u16 }; groups.names().len()];
        for (code, group) in tested.iter().enumerate() {
            code_of[*group] = code as u16;
        }
        if let Some(reference) = reference {
            code_of[reference] = tested.len() as u16;
        }
        if let Some(control) = control {
            code_of[control] = EXCLUDED;
        }
        let codes: Vec<u16> =
            groups.group_of().iter().map(|it| it.map_or(EXCLUDED, |group| code_of[group as usize])).collect();
        let mut sizes = vec![0; tested.len() + 1];
        for code in &codes {
            if *code != EXCLUDED {
                sizes[usize::from(*code)] += 1;
            }
        }
        let design = Self {
            names: tested.iter().map(|it| groups.names()[*it].clone()).collect(),
            codes,
            sizes,
            against_rest: reference.is_none(),
            skipped,
        };
        design.check_references(params)?;
        Ok(design)
    }

    /// Number of tested groups.
    pub(super) fn k(&self) -> usize {
        self.names.len()
    }

    /// Number of cells that take part.
    pub(super) fn n(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// Number of cells that group `code` is compared with.
    pub(super) fn n_reference(&self, code: usize) -> u64 {
        if self.against_rest { self.n() - self.sizes[code] } else { self.sizes[self.k()] }
    }

    fn check_references(&self, params: &DeParams) -> Result<()> {
        for code in 0..self.k() {
            let n = self.n_reference(code);
            if n >= MIN_CELLS as u64 {
                continue;
            }
            let what = match &params.reference {
                DeReference::Rest => format!("the rest of group `{}`", self.names[code]),
                DeReference::AllPerturbed { control } => {
                    format!("what is neither in group `{}` nor in control `{control}`", self.names[code])
                }
                DeReference::Group(name) => format!("reference `{name}`"),
            };
            return Err(Error::invalid_input(format!("{what} has {n} cells, expected at least {MIN_CELLS}"))
                .with_hint("a comparison needs a second group of cells"));
        }
        Ok(())
    }
}

/// The groups that are asked for, as positions; unasked, every group with cells but the one set aside.
fn wanted(groups: &DeGroups, params: &DeParams, aside: Option<usize>) -> Result<Vec<usize>> {
    let Some(names) = &params.groups else {
        let all: Vec<usize> =
            (0..groups.names().len()).filter(|it| groups.sizes()[*it] > 0 && Some(*it) != aside).collect();
        if all.is_empty() {
            return Err(Error::invalid_input("no group of cells to test")
                .with_hint("check the column that groups the cells, and that it names more than the reference"));
        }
        return Ok(all);
    };
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let group = groups.find(name, "group")?;
        if found.contains(&group) {
            return Err(Error::config(format!("group `{name}` is asked for twice")));
        }
        if Some(group) == aside {
            return Err(match params.reference {
                DeReference::AllPerturbed { .. } => {
                    Error::config(format!("control `{name}` is not compared with all perturbed cells"))
                        .with_hint("the control against all other cells is reference = \"rest\"")
                }
                _ => {
                    Error::config(format!("group `{name}` is its own reference")).with_hint("leave it out of `groups`")
                }
            });
        }
        if groups.sizes()[group] == 0 {
            return Err(Error::invalid_input(format!("group `{name}` has no cells")));
        }
        found.push(group);
    }
    if found.is_empty() {
        return Err(Error::config("`groups` is empty").with_hint("leave it out to test every group"));
    }
    Ok(found)
}

/// The groups with enough cells, and the names of the others.
fn large_enough(groups: &DeGroups, wanted: Vec<usize>, rule: SmallGroups) -> Result<(Vec<usize>, Vec<String>)> {
    let (tested, small): (Vec<usize>, Vec<usize>) = wanted.into_iter().partition(|it| groups.sizes()[*it] >= MIN_CELLS);
    let small: Vec<String> = small.into_iter().map(|it| groups.names()[it].clone()).collect();
    if !small.is_empty() && (rule == SmallGroups::Refuse || tested.is_empty()) {
        return Err(Error::invalid_input(format!(
            "groups with one cell (SingletonGroup): {}; a test needs at least {MIN_CELLS}",
            first_names(&small)
        ))
        .with_hint("name the groups to test, or leave small ones out (small_groups = \"skip\", --skip-small)"));
    }
    Ok((tested, small))
}
