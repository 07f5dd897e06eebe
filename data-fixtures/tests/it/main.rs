//! The fixtures from outside: what is simulated is what was planted, and the suites catch what they promise to catch.

mod atlas;
mod conform_metric;
mod conform_predictor;
mod conform_source;
mod order_of_methods;
mod perturbseq;
mod phenotypes;
mod written;
