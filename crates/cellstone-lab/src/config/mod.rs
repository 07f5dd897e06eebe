//! Experiment files: what is typed, what it resolves to, and how the one becomes the other.

mod raw;
mod resolve;
mod resolved;

pub use raw::{RawConfig, RawMethod};
pub use resolve::{DEFAULT_METRICS, load_config, parse_config, resolve};
pub(crate) use resolve::{check_preamble, join, parse_as, positive};
pub use resolved::{Config, Data, EmbeddingConfig, Method, Metrics, Output, Prep, SplitConfig};
