//! What `torch.save` writes: a zip archive with a pickle of names and shapes, and the bytes of every storage.
//!
//! The pickle is read as data. It may name functions; none is ever called: the few that put tensors together are known
//! by name, any other leaves an opaque value behind.

mod archive;
mod cursor;
mod machine;

pub(super) use archive::{is_legacy, is_zip, read_torch};
