//! All-pairs distances as blocked products, and exact nearest neighbours from them.
//!
//! ```
//! use cellstone_neighbors::exact_knn;
//! let cells = ndarray::array![[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]];
//! let graph = exact_knn(cells.view(), 1)?;
//! assert_eq!(graph.neighbors(2).0, [1]);
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! What is not here yet: rank correlations, approximate neighbours, Leiden, ontology distance.

#![forbid(unsafe_code)]

mod knn;

pub use knn::exact_knn;
