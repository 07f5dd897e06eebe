//! Networks against PyTorch: same weights, same tokens.

mod parity;
mod training;
