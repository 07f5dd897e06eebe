//! Integration tests of neighbours, graphs, communities and layouts: reference tools, definitions, invariances.

mod common;
mod community;
mod diffusion;
mod graphs;
mod knn;
mod layout;
mod similarity;
mod similarity_engine;
