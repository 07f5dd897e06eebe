//! Integration tests of neighbours, graphs, communities and layouts: reference tools, definitions, invariances.

mod common;
mod community;
mod graphs;
mod knn;
mod layout;
