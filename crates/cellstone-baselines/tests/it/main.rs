//! Integration tests of the baselines, through their public seam alone.

mod classify_golden;
mod conformance;
mod golden;
mod methods;
mod support;
