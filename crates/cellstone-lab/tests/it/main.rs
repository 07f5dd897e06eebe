//! Experiments from end to end on simulated cells: determinism, leakage, resume, scores of foreign predictions.

mod bad_input;
mod common;
mod determinism;
mod extension;
mod integration;
mod leakage;
mod phenotype;
mod pretrain;
mod rank_study;
mod real_data;
mod real_steps;
mod resume;
mod scoring;
mod tokenize;
