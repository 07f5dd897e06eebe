//! HDF5: reading with all cores on top of `hdf5-pure`'s metadata, and a writer that streams.

mod decode;
mod file;
mod lzf;
mod num;
mod stored;
pub(crate) mod write;

pub(crate) use file::{Attrs, H5File, Heap, Node};
pub(crate) use num::{Kind, NumType, Target};
pub(crate) use stored::{Carry, Stored};
