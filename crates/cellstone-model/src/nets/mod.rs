//! Networks: the published ones, and what they are made of.

pub(crate) mod batch;
pub(crate) mod bert;
pub(crate) mod export;
pub(crate) mod layers;
pub(crate) mod polygene;
pub(crate) mod scgpt;
pub(crate) mod source;

pub use batch::TokenBatch;
pub use bert::BertConfig;
pub use polygene::PolyGeneConfig;
pub use scgpt::ScGptConfig;
