//! The rows of a row group until they are written, and the columns they become.

use super::pq::{Columns, Field, Kind, Values};
use cellstone_core::{Column, Error, Result, TokenRow};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Annotation of the cells that rows carry along: categories, or numbers.
#[derive(Debug, Clone)]
pub struct ObsValues {
    name: String,
    values: Carried,
}

#[derive(Debug, Clone)]
enum Carried {
    Codes(Vec<Option<u32>>, Arc<Vec<String>>),
    Numbers(Vec<Option<f64>>),
}

impl ObsValues {
    /// A column of annotation: numbers stay numbers, everything else becomes text. NaN is a missing value.
    pub fn new(name: impl Into<String>, column: &Column) -> Self {
        let values = match column {
            Column::Int(it) => Carried::Numbers(it.iter().map(|it| it.map(|it| it as f64)).collect()),
            Column::Float(it) => Carried::Numbers(it.iter().map(|it| it.is_finite().then_some(*it)).collect()),
            Column::Categorical { .. } | Column::Str(_) | Column::Bool(_) => {
                let (codes, names) = column.to_codes();
                Carried::Codes(codes, Arc::new(names))
            }
        };
        Self { name: name.into(), values }
    }

    fn field(&self) -> Field {
        let kind = match self.values {
            Carried::Codes(..) => Kind::Text,
            Carried::Numbers(_) => Kind::Double,
        };
        Field { name: format!("obs.{}", self.name), kind }
    }

    fn select(&self, rows: &[usize]) -> Values {
        match &self.values {
            Carried::Codes(codes, names) => {
                Values::Codes { codes: rows.iter().map(|it| codes[*it]).collect(), names: Arc::clone(names) }
            }
            Carried::Numbers(it) => Values::Doubles(rows.iter().map(|row| it[*row]).collect()),
        }
    }
}

/// Which of the optional columns a table has: those of its first row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) type_ids: bool,
    pub(super) values: bool,
    pub(super) sentence: bool,
}

impl Shape {
    pub(super) fn of(row: &TokenRow) -> Self {
        Self { type_ids: row.type_ids.is_some(), values: row.values.is_some(), sentence: row.sentence.is_some() }
    }

    /// The columns of the table, in order.
    pub(super) fn fields(self, obs: &[ObsValues]) -> Vec<Field> {
        let all = [
            ("cell_id", Kind::Text, true),
            ("dataset_id", Kind::Text, true),
            ("row_index", Kind::Long, true),
            ("input_ids", Kind::IntList, true),
            ("type_ids", Kind::IntList, self.type_ids),
            ("values", Kind::FloatList, self.values),
            ("length", Kind::Int, true),
            ("n_counts", Kind::Double, true),
            ("n_genes", Kind::Int, true),
            ("n_truncated", Kind::Int, true),
            ("mapped_fraction", Kind::Float, true),
            ("sentence", Kind::Text, self.sentence),
        ];
        let fixed = all.into_iter().filter(|it| it.2).map(|it| Field { name: it.0.to_owned(), kind: it.1 });
        fixed.chain(obs.iter().map(ObsValues::field)).collect()
    }
}

/// Rows of a group, column by column.
#[derive(Debug, Default)]
pub(super) struct Rows {
    cell_ids: Vec<String>,
    rows: Vec<usize>,
    bounds: Vec<usize>,
    input_ids: Vec<i32>,
    type_ids: Vec<i32>,
    values: Vec<f32>,
    n_counts: Vec<f64>,
    n_genes: Vec<i32>,
    n_truncated: Vec<i32>,
    mapped: Vec<f32>,
    sentences: Vec<String>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.cell_ids.len()
    }

    pub(super) fn n_tokens(&self) -> usize {
        self.input_ids.len()
    }

    /// Adds the tokens of a cell.
    ///
    /// # Errors
    /// If the streams of the row have different lengths, or an id is too large for the table.
    pub(super) fn push(&mut self, cell_id: &str, row: usize, n_counts: f64, tokens: TokenRow) -> Result<()> {
        let n = tokens.input_ids.len();
        let uneven = |name: &str, found: usize| {
            Error::invalid_input(format!("cell `{cell_id}` has {n} tokens but {found} {name}, expected as many"))
        };
        put_ids(&mut self.input_ids, &tokens.input_ids, cell_id)?;
        if let Some(ids) = &tokens.type_ids {
            if ids.len() != n {
                return Err(uneven("type ids", ids.len()));
            }
            put_ids(&mut self.type_ids, ids, cell_id)?;
        }
        if let Some(values) = &tokens.values {
            if values.len() != n {
                return Err(uneven("values", values.len()));
            }
            if values.iter().any(|it| !it.is_finite()) {
                return Err(Error::invalid_input(format!("cell `{cell_id}` has a token whose value is not finite")));
            }
            self.values.extend(values);
        }
        self.cell_ids.push(cell_id.to_owned());
        self.rows.push(row);
        self.bounds.push(self.input_ids.len());
        self.n_counts.push(n_counts);
        self.n_genes.push(tokens.n_genes as i32);
        self.n_truncated.push(tokens.n_truncated as i32);
        self.mapped.push(if n_counts > 0.0 { (tokens.mapped / n_counts) as f32 } else { 0.0 });
        self.sentences.extend(tokens.sentence);
        Ok(())
    }

    /// The columns of the group.
    pub(super) fn into_columns(self, shape: Shape, dataset_id: &str, obs: &[ObsValues]) -> Columns {
        let mut bounds = vec![0];
        bounds.extend(&self.bounds);
        let lengths = bounds.windows(2).map(|it| (it[1] - it[0]) as i32).collect();
        let mut columns = vec![
            Values::Texts(self.cell_ids),
            constant(self.rows.len(), dataset_id),
            Values::Longs(self.rows.iter().map(|it| *it as i64).collect()),
            Values::IntLists { bounds: bounds.clone(), values: self.input_ids },
        ];
        if shape.type_ids {
            columns.push(Values::IntLists { bounds: bounds.clone(), values: self.type_ids });
        }
        if shape.values {
            columns.push(Values::FloatLists { bounds, values: self.values });
        }
        columns.extend([
            Values::Ints(lengths),
            Values::Doubles(self.n_counts.into_iter().map(Some).collect()),
            Values::Ints(self.n_genes),
            Values::Ints(self.n_truncated),
            Values::Floats(self.mapped),
        ]);
        if shape.sentence {
            columns.push(Values::Texts(self.sentences));
        }
        columns.extend(obs.iter().map(|it| it.select(&self.rows)));
        columns
    }
}

fn put_ids(all: &mut Vec<i32>, ids: &[u32], cell_id: &str) -> Result<()> {
    if let Some(large) = ids.iter().find(|it| **it > i32::MAX as u32) {
        return Err(Error::invalid_input(format!("cell `{cell_id}` has the token {large}, expected below 2147483648")));
    }
    all.extend(ids.iter().map(|it| *it as i32));
    Ok(())
}

fn constant(n: usize, text: &str) -> Values {
    Values::Codes { codes: vec![Some(0); n], names: Arc::new(vec![text.to_owned()]) }
}

/// Cells of a group that have no tokens, and why.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    cell_ids: Vec<String>,
    rows: Vec<i64>,
    reasons: Vec<Option<u32>>,
    /// The distinct reasons, by first appearance.
    names: Vec<String>,
    details: Vec<String>,
}

impl Rejects {
    pub(super) fn fields() -> Vec<Field> {
        let text = |name: &str| Field { name: name.to_owned(), kind: Kind::Text };
        let row = Field { name: "row_index".to_owned(), kind: Kind::Long };
        vec![text("cell_id"), text("dataset_id"), row, text("reason"), text("detail")]
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn push(&mut self, cell_id: &str, row: usize, reason: &str, detail: String) {
        let code = self.names.iter().position(|it| it == reason).unwrap_or_else(|| {
            self.names.push(reason.to_owned());
            self.names.len() - 1
        });
        self.cell_ids.push(cell_id.to_owned());
        self.rows.push(row as i64);
        self.reasons.push(Some(code as u32));
        self.details.push(detail);
    }

    pub(super) fn into_columns(self, dataset_id: &str) -> Columns {
        vec![
            Values::Texts(self.cell_ids),
            constant(self.rows.len(), dataset_id),
            Values::Longs(self.rows),
            Values::Codes { codes: self.reasons, names: Arc::new(self.names) },
            Values::Texts(self.details),
        ]
    }
}
