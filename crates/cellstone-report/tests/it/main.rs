//! Integration tests: the public surface alone.

mod browser;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod integration;
mod phenotype;
mod report;
mod run_dir;
mod tables;
