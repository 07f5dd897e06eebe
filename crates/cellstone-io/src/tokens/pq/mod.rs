//! Writing Parquet front to back, a row group at a time, so that a file that was cut off can be continued.
//!
//! What polars writes, it holds as a frame first; here a row group is encoded page by page on all cores, goes to the
//! end of the file, and leaves a description ([`Group`]) from which the footer is written last. A file cut back to the
//! end of any group, with the descriptions of the groups before it, is continued to the same bytes.
//!
//! The subset written: optional flat columns and lists of one level, plain and dictionary encoding, data pages of
//! version 1, Zstandard with its checksum, so that a changed byte is noticed by whoever reads. Layout of every
//! structure: <https://parquet.apache.org/docs/file-format/>.

mod chunk;
mod footer;
mod levels;
mod out;
mod pack;
mod page;
mod thrift;

pub(crate) use chunk::{Columns, Values};
pub(crate) use footer::{Field, Kind};
pub(crate) use out::{Group, PqOut};
