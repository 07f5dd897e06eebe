//! What a gene is called: one table of ids and symbols, and how any name finds its gene in it.
//!
//! The issue tracker and papers speak of "gene ids"; the table is [`GeneTable`], because `cellstone_io::GeneIds` is
//! already the *kind* of names that a file uses. A [`GeneTable`] is made of [`Gene`]s (GENCODE) and of alias rows
//! (HGNC), answers for one name with [`GeneTable::resolve`] and for all names of a matrix with [`GeneTable::map`].
//!
//! ```
//! use cellstone_core::genes::{Gene, GeneTable, IdTarget, MapMode, Resolution};
//! let genes = vec![Gene::new("ENSG00000141510.20", "TP53")?, Gene::new("ENSG00000145416.14", "MARCHF1")?];
//! let table = GeneTable::new(genes)?.with_aliases([("p53", "TP53"), ("MARCH1", "MARCHF1")])?;
//! assert_eq!(table.resolve("ENSG00000141510.17", IdTarget::Symbol), Resolution::Versioned("TP53"));
//! assert_eq!(table.resolve("MARCH1", IdTarget::Ensembl), Resolution::Alias("ENSG00000145416"));
//! let mapped = table.map(&["TP53", "MARCH1", "AL669831.5"], IdTarget::Ensembl, MapMode::Lenient)?;
//! assert_eq!((mapped.ids[1].as_deref(), mapped.ids[2].as_deref()), (Some("ENSG00000145416"), None));
//! assert_eq!((mapped.report.n_mapped(), mapped.report.unknown), (2, 1));
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! What is not here: files (`cellstone_io::read_gene_table`) and vocabularies of models.

mod coverage;
mod gene;
mod map;
mod table;
#[cfg(test)]
mod tests;

pub use coverage::{Coverage, Shared};
pub use gene::Gene;
pub use map::{MapMode, Mapped};
pub use table::{GeneTable, IdKind, IdTarget, Resolution};
