//! What is measured: embeddings of the same cells, their batches and labels; checked before any work.

use cellstone_core::{Column, Error, Result};
use ndarray::{Array2, Axis};

/// Fewer cells than this have no neighbourhoods worth the name.
const MIN_CELLS: usize = 10;

/// The group of every cell, where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellGroups {
    /// Name of the column.
    pub column: String,
    /// Position in `names` of every cell; `None` where missing.
    pub codes: Vec<Option<u32>>,
    /// Names of the groups.
    pub names: Vec<String>,
}

impl CellGroups {
    /// The groups that a column of annotation says, whatever its type.
    pub fn from_column(name: &str, column: &Column) -> Self {
        let (codes, names) = column.to_codes();
        Self { column: name.to_owned(), codes, names }
    }
}

/// The cells before integration, for what integration changed.
#[derive(Debug, Clone, PartialEq)]
pub struct PreIntegration {
    /// Its name in the file.
    pub name: String,
    /// Its coordinates `[n_obs, d]`, usually principal components.
    pub x: Array2<f64>,
    /// The variance along each coordinate, if they are principal components of all cells.
    pub variances: Option<Vec<f64>>,
}

/// Everything that is measured. All parts have one row per cell, in one order.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegrationInput {
    /// Name and coordinates `[n_obs, d]` of every embedding.
    pub embeddings: Vec<(String, Array2<f64>)>,
    /// Batches.
    pub batch: CellGroups,
    /// Labels: cell types.
    pub label: CellGroups,
    /// The cells before integration.
    pub pre: Option<PreIntegration>,
    /// Pseudotime before integration; NaN where a cell has none.
    pub pseudotime: Option<Vec<f64>>,
    /// Counts per cell, for a warning.
    pub depth: Option<Vec<f64>>,
}

/// The cells that take part.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    /// Rows of the input.
    pub(super) rows: Vec<usize>,
    pub(super) n_obs: usize,
    pub(super) batch: Vec<u32>,
    pub(super) label: Vec<u32>,
    pub(super) batch_names: Vec<String>,
    pub(super) label_names: Vec<String>,
    pub(super) n_without_batch: usize,
    pub(super) n_without_label: usize,
}

impl Cells {
    /// # Errors
    /// If parts have different numbers of cells, too few cells are left, or there is neither a second batch nor a
    /// second label.
    pub(super) fn new(input: &IntegrationInput) -> Result<Self> {
        let n_obs = input.batch.codes.len();
        let fits = |what: &str, got: usize| {
            if got == n_obs {
                return Ok(());
            }
            Err(Error::invalid_input(format!(
                "{what} has {got} cells, the batches in `{}` have {n_obs}",
                input.batch.column
            )))
        };
        fits(&format!("the column `{}`", input.label.column), input.label.codes.len())?;
        for (name, x) in &input.embeddings {
            fits(&format!("embedding `{name}`"), x.nrows())?;
        }
        if let Some(pre) = &input.pre {
            fits(&format!("embedding `{}` before integration", pre.name), pre.x.nrows())?;
        }
        for (what, values) in [("the pseudotime", &input.pseudotime), ("the depth", &input.depth)] {
            if let Some(values) = values {
                fits(what, values.len())?;
            }
        }
        let both = |row: &usize| input.batch.codes[*row].is_some() && input.label.codes[*row].is_some();
        let rows: Vec<usize> = (0..n_obs).filter(both).collect();
        if rows.len() < MIN_CELLS {
            return Err(Error::invalid_input(format!(
                "{} of {n_obs} cells have both a batch (`{}`) and a label (`{}`), expected at least {MIN_CELLS}",
                rows.len(),
                input.batch.column,
                input.label.column
            )));
        }
        let (batch, batch_names) = used(&input.batch, &rows);
        let (label, label_names) = used(&input.label, &rows);
        if batch_names.len() < 2 && label_names.len() < 2 {
            return Err(Error::invalid_input(format!(
                "all {} cells are of the one batch `{}` and the one label `{}`: there is nothing to mix and nothing to keep apart",
                rows.len(),
                batch_names[0],
                label_names[0]
            ))
            .with_hint("`inspect` shows the columns of obs and their categories"));
        }
        let missing = |it: &CellGroups| it.codes.iter().filter(|it| it.is_none()).count();
        Ok(Self {
            n_obs,
            batch,
            label,
            batch_names,
            label_names,
            n_without_batch: missing(&input.batch),
            n_without_label: missing(&input.label),
            rows,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Rows of the cells that take part.
    ///
    /// # Errors
    /// If a coordinate is not finite or there is none; the embedding and the cell are named.
    pub(super) fn of(&self, name: &str, x: &Array2<f64>) -> Result<Array2<f64>> {
        if x.ncols() == 0 {
            return Err(Error::invalid_input(format!("embedding `{name}` has no coordinates")));
        }
        for row in &self.rows {
            if let Some(col) = x.row(*row).iter().position(|it| !it.is_finite()) {
                return Err(Error::invalid_input(format!(
                    "embedding `{name}` has {} at cell {row}, coordinate {col}, expected a finite number",
                    x[[*row, col]]
                ))
                .with_hint("drop cells without a position, or look for an overflow in the step that made it"));
            }
        }
        Ok(if self.rows.len() == x.nrows() { x.clone() } else { x.select(Axis(0), &self.rows) })
    }

    /// The values of the cells that take part.
    pub(super) fn values(&self, all: &[f64]) -> Vec<f64> {
        self.rows.iter().map(|it| all[*it]).collect()
    }
}

/// Codes without gaps and the names that occur, both by name: how a column was stored does not matter.
fn used(groups: &CellGroups, rows: &[usize]) -> (Vec<u32>, Vec<String>) {
    let mut occurs = vec![false; groups.names.len()];
    rows.iter().filter_map(|it| groups.codes[*it]).for_each(|it| occurs[it as usize] = true);
    let mut order: Vec<usize> = (0..occurs.len()).filter(|it| occurs[*it]).collect();
    order.sort_by(|a, b| groups.names[*a].cmp(&groups.names[*b]));
    let mut place = vec![0; occurs.len()];
    order.iter().zip(0_u32..).for_each(|(it, at)| place[*it] = at);
    let codes = rows.iter().filter_map(|it| groups.codes[*it].map(|it| place[it as usize])).collect();
    (codes, order.into_iter().map(|it| groups.names[it].clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(column: &str, codes: Vec<Option<u32>>) -> CellGroups {
        CellGroups { column: column.to_owned(), codes, names: ["a", "b", "c"].map(str::to_owned).to_vec() }
    }

    fn input(n: usize) -> IntegrationInput {
        IntegrationInput {
            embeddings: vec![("X_a".into(), Array2::from_shape_fn((n, 2), |(i, j)| (i + j) as f64))],
            batch: groups("donor", (0..n).map(|it| Some(2 * (it % 2) as u32)).collect()),
            label: groups("type", (0..n).map(|it| Some((it % 3) as u32)).collect()),
            pre: None,
            pseudotime: None,
            depth: None,
        }
    }

    #[test]
    fn cells_without_a_group_and_groups_without_cells_are_left_out() {
        let mut it = input(20);
        it.batch.codes[3] = None;
        it.label.codes[3] = None;
        it.label.codes[4] = None;
        let cells = Cells::new(&it).expect("enough");
        assert_eq!((cells.len(), cells.n_without_batch, cells.n_without_label), (18, 1, 2));
        assert_eq!(cells.batch_names, ["a", "c"]);
        assert_eq!(&cells.batch[..4], [0, 1, 0, 1]);
        assert_eq!(cells.of("X_a", &it.embeddings[0].1).expect("finite").row(3)[0], 5.0);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let message = |it: &IntegrationInput| Cells::new(it).expect_err("refused").to_string();
        let mut it = input(20);
        it.pre = Some(PreIntegration { name: "X_pca".into(), x: Array2::zeros((19, 2)), variances: None });
        assert!(message(&it).contains("embedding `X_pca` before integration has 19 cells"), "{}", message(&it));
        let mut it = input(20);
        it.batch.codes.fill(Some(1));
        assert!(Cells::new(&it).is_ok(), "one batch leaves the metrics of labels");
        it.label.codes.fill(Some(0));
        assert!(message(&it).contains("the one batch `b` and the one label `a`"));
        assert!(message(&input(9)).starts_with("9 of 9 cells have both"));
        let mut it = input(12);
        it.embeddings[0].1[[7, 1]] = f64::NAN;
        let cells = Cells::new(&it).expect("enough");
        let error = cells.of("X_a", &it.embeddings[0].1).expect_err("not finite").to_string();
        assert!(error.contains("`X_a` has NaN at cell 7, coordinate 1"), "{error}");
    }
}
