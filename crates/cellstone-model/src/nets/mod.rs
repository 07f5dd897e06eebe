//! Networks: the published ones, and what they are made of.

pub(crate) mod batch;
pub(crate) mod bert;
pub(crate) mod export;
pub(crate) mod fused;
pub(crate) mod layers;
pub(crate) mod performer;
pub(crate) mod polygene;
pub(crate) mod scbert;
pub(crate) mod scfoundation;
pub(crate) mod scgpt;
pub(crate) mod source;

pub use batch::TokenBatch;
pub use bert::BertConfig;
pub use polygene::PolyGeneConfig;
pub use scbert::{ScBert, ScBertConfig};
pub use scfoundation::{ScFoundationConfig, ScFoundationNet};
pub use scgpt::ScGptConfig;
