//! NumPy's `.npy` and `.npz`.

mod archive;
mod array;
mod header;

pub use archive::{Npz, write_npz};
pub use array::{NpyArray, NpyData, read_npy};
