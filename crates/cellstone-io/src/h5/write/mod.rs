//! Writing HDF5 front to back: chunks as they come, headers once their contents stand, the superblock last.
//!
//! What `hdf5-pure` writes, it holds in memory first and compresses on one core; a matrix of gigabytes needs neither.
//! The subset written here is small: superblock 2, object headers 2 with compact links and attributes, contiguous
//! and chunked layouts (version 3) with a version-1 B-tree, shuffle and deflate, variable-length strings in global
//! heaps. Layout of every structure: "HDF5 File Format Specification Version 3.0", The HDF Group.

mod chunks;
mod heap;
mod message;
mod out;

pub(crate) use chunks::Chunks;
pub(crate) use message::Elem;
pub(crate) use out::{Attr, H5Out, Links};
