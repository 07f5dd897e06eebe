//! A stream of cells over a matrix that is already in memory. Reading files is the business of the other modules.

use crate::h5ad::unlike_scale;
use cellstone_core::{CountSource, Csr, Error, ObsTable, Result, RowBlock, Scale, Var, check_values};

/// Rows of a block unless the caller chooses otherwise.
const BLOCK_ROWS: usize = 1024;

/// A [`CountSource`] over an in-memory matrix `[n_obs, n_vars]`.
///
/// # Examples
/// ```
/// use cellstone_core::{CountSource, Csr, ObsTable, Scale, Var};
/// use cellstone_io::MemorySource;
/// let x = Csr::from_dense(&ndarray::array![[1.0_f32, 0.0], [0.0, 2.0], [3.0, 0.0]]);
/// let obs = ObsTable::new(vec!["a".into(), "b".into(), "c".into()]);
/// let source = MemorySource::new("example", x, Var::from_ids(["g1", "g2"])?, obs, Scale::Counts)?.with_block_rows(2);
/// let starts: Vec<usize> = source.blocks(0)?.map(|it| it.map(|it| it.start)).collect::<Result<_, _>>()?;
/// assert_eq!(starts, [0, 2]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemorySource {
    name: String,
    x: Csr<f32>,
    var: Var,
    obs: ObsTable,
    scale: Scale,
    block_rows: usize,
}

impl MemorySource {
    /// A checked source: `x` has a row for every row of `obs` and a column for every gene of `var`.
    ///
    /// # Errors
    /// If the shapes do not fit, or with row, column and value where `x` contradicts `scale`.
    pub fn new(name: impl Into<String>, x: Csr<f32>, var: Var, obs: ObsTable, scale: Scale) -> Result<Self> {
        let name = name.into();
        if x.shape() != (obs.n_rows(), var.len()) {
            return Err(Error::invalid_input(format!(
                "`{name}`: matrix is {} x {}, expected {} cells of obs x {} genes of var",
                x.shape().0,
                x.shape().1,
                obs.n_rows(),
                var.len()
            )));
        }
        check_values(&x, 0, scale).map_err(|error| unlike_scale(error, scale).context(format!("`{name}`")))?;
        Ok(Self { name, x, var, obs, scale, block_rows: BLOCK_ROWS })
    }

    /// The same source in blocks of `block_rows` cells (at least one); 1024 unless set.
    #[must_use]
    pub fn with_block_rows(mut self, block_rows: usize) -> Self {
        self.block_rows = block_rows.max(1);
        self
    }

    /// The whole matrix, `[n_obs, n_vars]`.
    pub fn x(&self) -> &Csr<f32> {
        &self.x
    }
}

impl CountSource for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_obs(&self) -> usize {
        self.x.shape().0
    }

    fn var(&self) -> &Var {
        &self.var
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        check_start(&self.name, start_row, self.n_obs())?;
        let n_obs = self.n_obs();
        Ok(Box::new((start_row..n_obs).step_by(self.block_rows).map(move |start| {
            let end = (start + self.block_rows).min(n_obs);
            Ok(RowBlock { start, x: row_range(&self.x, start, end)? })
        })))
    }
}

/// Rows `start..end` as a matrix of their own.
pub(crate) fn row_range(x: &Csr<f32>, start: usize, end: usize) -> Result<Csr<f32>> {
    let from = x.indptr()[start];
    let to = x.indptr()[end];
    let indptr = x.indptr()[start..=end].iter().map(|it| it - from).collect();
    Csr::new(end - start, x.shape().1, indptr, x.indices()[from..to].to_vec(), x.data()[from..to].to_vec())
}

/// Refuses to start behind the last row.
pub(crate) fn check_start(name: &str, start_row: usize, n_obs: usize) -> Result<()> {
    if start_row <= n_obs {
        return Ok(());
    }
    Err(Error::invalid_input(format!("`{name}`: cannot start at row {start_row}, there are {n_obs} cells")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn source() -> MemorySource {
        let x = Csr::from_dense(&array![[1.0_f32, 0.0], [0.0, 2.0], [3.0, 0.0]]);
        let obs = ObsTable::new(vec!["a".into(), "b".into(), "c".into()]);
        MemorySource::new("m", x, Var::from_ids(["g1", "g2"]).expect("unique"), obs, Scale::Counts).expect("checked")
    }

    #[test]
    fn restarting_yields_the_same_cells() {
        let source = source().with_block_rows(2);
        for start in 0..=3 {
            let rows: Vec<Vec<f32>> = source
                .blocks(start)
                .expect("starts")
                .flat_map(|it| {
                    it.expect("reads").x.to_dense().rows().into_iter().map(|r| r.to_vec()).collect::<Vec<_>>()
                })
                .collect();
            let whole = source.x().to_dense();
            let want: Vec<Vec<f32>> = whole.rows().into_iter().skip(start).map(|r| r.to_vec()).collect();
            assert_eq!(rows, want);
        }
        let Err(error) = source.blocks(4) else { panic!("row 4 does not exist") };
        assert_eq!(error.to_string(), "`m`: cannot start at row 4, there are 3 cells");
    }

    #[test]
    fn shapes_and_scale_are_checked() {
        let x = Csr::from_dense(&array![[0.5_f32]]);
        let obs = || ObsTable::new(vec!["a".into()]);
        let var = || Var::from_ids(["g"]).expect("unique");
        let error = MemorySource::new("m", x.clone(), var(), obs(), Scale::Counts).expect_err("fractional");
        assert_eq!(error.to_string(), "`m`: cell 0 gene 0 holds a fractional value 0.5, expected counts");
        let error = MemorySource::new("m", x, var(), ObsTable::default(), Scale::Cpm).expect_err("no obs");
        assert_eq!(error.to_string(), "`m`: matrix is 1 x 1, expected 0 cells of obs x 1 genes of var");
    }
}
