//! Integration tests of the metrics: reference tools, definitions, invariances, noise.

mod common;
mod golden;
mod invariance;
mod noise;
mod registry;
