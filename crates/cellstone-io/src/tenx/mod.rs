//! Files and folders of the 10x Genomics pipelines, versions 2 and 3.

mod features;
mod folder;
mod h5;

pub use features::TenxChoice;
pub use folder::TenxMtx;
pub use h5::TenxH5;
