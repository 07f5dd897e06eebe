//! Highly variable genes by the flavours of scanpy, number for number, from a matrix or a stream.

mod bins;
mod dispersion;
mod local_fit;
mod loess;
mod moments;
mod params;
mod pearson;
mod ranks;
mod run;
mod table;
mod variance;

pub use loess::{LoessSurface, loess};
pub use params::{CellBatches, DispersionCutoffs, HvgFlavor, HvgParams};
pub use run::highly_variable_genes;
pub use table::{HvgColumn, HvgTable};
