//! What spreads over a graph of cells: diffusion maps and pseudotime, and random walks.

mod basis;
mod lanczos;
mod map;
mod pseudotime;
mod transitions;
mod walks;

pub use map::{DiffusionMap, diffusion_map};
pub use pseudotime::diffusion_pseudotime;
pub use transitions::transitions;
pub use walks::walk_neighbors;
