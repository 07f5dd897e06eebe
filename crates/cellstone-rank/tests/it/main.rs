//! Tests through the public interface.

mod common;
mod geneformer;
mod golden;
mod lists;
mod mask;
mod medians;
mod polygene;
mod properties;
mod real;
mod registry;
mod scgpt;
mod sentence;
mod uce;
mod vectors;
