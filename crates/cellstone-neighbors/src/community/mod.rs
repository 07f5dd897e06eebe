//! Communities of a weighted undirected graph: Leiden, Louvain, and the qualities they optimise.

mod leiden;
mod moving;
mod network;
mod quality;
mod refine;

pub use leiden::{LeidenParams, leiden, louvain};
pub use quality::{Objective, quality};
