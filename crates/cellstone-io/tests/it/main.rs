//! Integration tests: every reader against real files, golden files and round trips.

mod annotate;
mod common;
mod delim;
mod genes;
mod h5ad_bad;
mod h5ad_golden;
mod h5ad_shared;
mod h5ad_write;
mod mtx;
mod npz;
mod table;
mod tenx;
mod tokens;
mod vocab;
