//! Integration tests of the metrics: reference tools, definitions, invariances, noise.

mod chance;
mod clustering;
mod common;
mod golden;
mod integration;
mod integration_common;
mod integration_laws;
mod integration_real;
mod invariance;
mod noise;
mod phenotype_checks;
mod phenotype_golden;
mod phenotype_laws;
mod registry;
