//! The command line from outside: what it prints, which code it ends with, what it leaves on disk.

#![expect(clippy::print_stderr, reason = "a skipped check is printed, never silent")]

mod cells;
mod common;
mod disk;
mod embed;
mod errors_data;
mod errors_tables;
mod errors_usage;
mod genes;
mod help;
mod integration;
mod kill;
mod phenotype;
mod pretrain;
mod rank_study;
mod steps;
mod threads;
mod tokenize;
