//! Integration tests of the metrics: reference tools, definitions, invariances, noise.

mod chance;
mod clustering;
mod common;
mod golden;
mod invariance;
mod noise;
mod registry;
