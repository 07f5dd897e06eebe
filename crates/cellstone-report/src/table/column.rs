//! Columns and tables in memory, free of any table library's types.

use cellstone_core::{Error, Result, nearest, quoted};

/// The values of one column; `None` is null.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Text.
    Str(Vec<Option<String>>),
    /// Whole numbers.
    Int(Vec<Option<i64>>),
    /// Real numbers, always finite.
    Float(Vec<Option<f64>>),
    /// Truth values.
    Bool(Vec<Option<bool>>),
    /// One vector a row, always finite.
    Floats(Vec<Option<Vec<f32>>>),
}

impl ColumnData {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Str(it) => it.len(),
            Self::Int(it) => it.len(),
            Self::Float(it) => it.len(),
            Self::Bool(it) => it.len(),
            Self::Floats(it) => it.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A word for the kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Str(_) => "text",
            Self::Int(_) => "integer",
            Self::Float(_) => "float",
            Self::Bool(_) => "boolean",
            Self::Floats(_) => "list of floats",
        }
    }

    /// Whether values are numbers: printed right-aligned.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Float(_))
    }

    /// The value of a row as text that reads back to the same value; `None` for null. Lists are joined by `;`.
    pub fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Str(it) => it[row].clone(),
            Self::Int(it) => it[row].map(|it| it.to_string()),
            Self::Float(it) => it[row].map(|it| it.to_string()),
            Self::Bool(it) => it[row].map(|it| it.to_string()),
            Self::Floats(it) => it[row].as_ref().map(|it| it.iter().map(f32::to_string).collect::<Vec<_>>().join(";")),
        }
    }

    /// The first row whose value is not finite.
    pub(crate) fn first_not_finite(&self) -> Option<usize> {
        match self {
            Self::Float(it) => it.iter().position(|it| it.is_some_and(|it| !it.is_finite())),
            Self::Floats(it) => {
                it.iter().position(|it| it.as_ref().is_some_and(|it| it.iter().any(|it| !it.is_finite())))
            }
            Self::Str(_) | Self::Int(_) | Self::Bool(_) => None,
        }
    }
}

/// Named columns of equal length, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<ColumnData>,
}

impl Table {
    /// A table of the given columns.
    ///
    /// # Errors
    /// If a name repeats, lengths differ, or a value is NaN or infinite.
    pub fn new(columns: Vec<(String, ColumnData)>) -> Result<Self> {
        let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        for (at, (name, column)) in names.iter().zip(&columns).enumerate() {
            if names[..at].contains(name) {
                return Err(Error::invalid_input(format!("column `{name}` appears twice")));
            }
            if column.len() != columns[0].len() {
                let message = format!("column `{name}` has {} rows, expected {}", column.len(), columns[0].len());
                return Err(Error::invalid_input(message));
            }
            if let Some(row) = column.first_not_finite() {
                let message = format!("column `{name}`, row {row}: found NaN or infinity, expected a finite value");
                return Err(Error::invalid_input(message)
                    .with_hint("a value that does not exist is null with a reason, never NaN"));
            }
        }
        Ok(Self { names, columns })
    }

    /// The column names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[ColumnData] {
        &self.columns
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, ColumnData::len)
    }

    /// The position of a column.
    ///
    /// # Errors
    /// Names the columns there are, with a hint at the nearest.
    pub fn position(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|it| it == name).ok_or_else(|| {
            let error = Error::config(format!("column `{name}` not found (columns: {})", quoted(&self.names)));
            match nearest(name, self.names.iter().map(String::as_str)) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    }
}
