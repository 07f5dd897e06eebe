//! Streams of cells: bounded memory, restartable at a row.

use crate::{ObsTable, Result, RowBlock, Scale, Var};

/// Cells × genes as a stream of row blocks. Readers and simulators implement it; whatever streams consumes it.
pub trait CountSource: Send + Sync {
    /// What to call it in messages: usually the path.
    fn name(&self) -> &str;

    /// Number of cells.
    fn n_obs(&self) -> usize;

    /// The genes.
    fn var(&self) -> &Var;

    /// The annotation of the cells.
    fn obs(&self) -> &ObsTable;

    /// The declared scale of the values; every block is checked against it.
    fn scale(&self) -> Scale;

    /// Blocks of consecutive rows from `start_row` to the end, in order, each checked against [`CountSource::scale`].
    ///
    /// The source chooses the block length, so that its working memory stays bounded whatever the file.
    /// Starting at another row yields the same values for the same cells.
    ///
    /// # Errors
    /// If the source cannot be opened; each item fails on its own if its rows cannot be read.
    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>>;
}
