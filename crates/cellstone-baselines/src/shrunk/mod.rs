//! Shrunk additive: `δ̂_AB = α · (δ_A + δ_B)` and its variants, fitted on training combinations alone.

mod doubles;
mod fit;
mod params;
mod select;

pub(crate) use params::{PARAMS, Shrunk};
