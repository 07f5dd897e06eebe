//! Which cell belongs to which group.

use cellstone_core::{Column, Error, ObsTable, Result, quoted};
use std::collections::BTreeSet;

/// A partition of cells into named groups; a cell may belong to none.
///
/// # Examples
/// ```
/// use cellstone_prep::DeGroups;
/// let groups = DeGroups::from_labels(&[Some("T"), None, Some("B"), Some("T")]);
/// assert_eq!(groups.names(), ["B", "T"]);
/// assert_eq!(groups.sizes(), [1, 2]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeGroups {
    names: Vec<String>,
    group_of: Vec<Option<u32>>,
    sizes: Vec<usize>,
}

impl DeGroups {
    /// Groups from their names and the group of each cell. A name may have no cells.
    ///
    /// # Errors
    /// If a name is repeated or a cell points beyond the names.
    pub fn new(names: Vec<String>, group_of: Vec<Option<u32>>) -> Result<Self> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|it| !seen.insert(it.as_str())) {
            return Err(Error::invalid_input(format!("group `{twice}` is named twice")));
        }
        let mut sizes = vec![0; names.len()];
        for (cell, group) in group_of.iter().enumerate() {
            let Some(group) = group else { continue };
            *sizes.get_mut(*group as usize).ok_or_else(|| {
                Error::invalid_input(format!("cell {cell} is in group {group}, expected below {}", names.len()))
            })? += 1;
        }
        Ok(Self { names, group_of, sizes })
    }

    /// Groups named by the label of each cell, sorted by code point.
    pub fn from_labels<S: AsRef<str>>(labels: &[Option<S>]) -> Self {
        let names: BTreeSet<&str> = labels.iter().flatten().map(AsRef::as_ref).collect();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut sizes = vec![0; names.len()];
        let mut code = |label: &S| {
            let at = names.binary_search_by(|it| it.as_str().cmp(label.as_ref())).ok()?;
            sizes[at] += 1;
            Some(at as u32)
        };
        let group_of = labels.iter().map(|it| it.as_ref().and_then(&mut code)).collect();
        Self { names, group_of, sizes }
    }

    /// Groups named by a column of the annotation: categories in the order of the file, other columns sorted.
    ///
    /// # Errors
    /// If there is no such column, or one category is listed twice.
    pub fn from_column(obs: &ObsTable, name: &str) -> Result<Self> {
        let column = obs.column(name)?;
        if let Column::Categorical { codes, categories, .. } = column {
            return Self::new(categories.clone(), codes.clone())
                .map_err(|error| error.context(format!("column `{name}`")));
        }
        let labels: Vec<Option<String>> = (0..column.len()).map(|row| column.text(row)).collect();
        Ok(Self::from_labels(&labels))
    }

    /// Names of the groups.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Group of each cell.
    pub fn group_of(&self) -> &[Option<u32>] {
        &self.group_of
    }

    /// Number of cells of each group.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The position of a name.
    pub(super) fn find(&self, name: &str, what: &str) -> Result<usize> {
        self.names.iter().position(|it| it == name).ok_or_else(|| {
            let error = Error::config(format!("{what} `{name}` is not a group (groups: {})", first_names(&self.names)));
            match cellstone_core::nearest(name, self.names.iter().map(String::as_str)) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error.with_hint("name a value of the column that groups the cells"),
            }
        })
    }
}

/// The names, cut where they would fill the screen.
pub(super) fn first_names(names: &[String]) -> String {
    const SHOWN: usize = 12;
    if names.len() <= SHOWN {
        return quoted(names);
    }
    format!("{} and {} more", quoted(&names[..SHOWN]), names.len() - SHOWN)
}
