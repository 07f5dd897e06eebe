//! Files in, files out: the only crate that knows HDF5 and tables on disk.
//!
//! `.h5ad` of AnnData 0.5 to today is read as a whole or streamed in blocks of rows, and written so that Python
//! anndata reads it back.
//!
//! What is not here: anything that computes on what was read.

#![forbid(unsafe_code)]

mod atomic;
mod cells;
mod delim;
mod edges;
mod embed;
mod fields;
mod genes;
mod gmt;
mod h5;
mod h5ad;
mod hash;
mod inspect;
mod memory;
mod mtx;
mod narrow;
mod npz;
mod obo;
mod open;
mod parquet;
mod table;
mod tenx;
mod text;
mod tokens;
mod vocab;

pub use atomic::atomic_write;
pub use delim::read_count_table;
pub use edges::{Edge, read_edges};
pub use embed::{EmbeddingOptions, LoadedEmbedding, load_embedding, read_embedding};
pub use genes::{read_gene_aliases, read_gene_table};
pub use gmt::{GeneSet, read_gmt};
pub use h5ad::{
    Additions, AnnData, AnyMatrix, Extras, H5ad, H5adSource, H5adWriter, Matrix, MatrixInfo, MatrixKind, Transform,
    Uns, Value, WriteOptions, var_table, write_annotated, write_dense, write_transformed,
};
pub use hash::{sha256_bytes, sha256_file};
pub use inspect::{ColumnReport, GeneIds, Inspection, Looks, MatrixReport, Problem, inspect};
pub use memory::MemorySource;
pub use mtx::read_mtx;
pub use npz::{NpyArray, NpyData, Npz, read_npy, write_npz};
pub use obo::{Obo, OboTerm, Synonym, SynonymScope, read_obo};
pub use open::{OpenOptions, open_source};
pub use parquet::read_parquet_counts;
pub use table::{AnnotatedSource, align_obs, read_obs_table};
pub use tenx::{TenxChoice, TenxH5, TenxMtx};
pub use tokens::{ObsValues, Sidecars, Start, TokenBatch, TokenCell, TokenFile, TokenTable, TokenWriter};
pub use vocab::{
    LocatedGene, read_category_lists, read_gene_locations, read_gene_mapping, read_gene_medians, read_token_dictionary,
};
