//! Networks against PyTorch: same weights, same tokens.

mod adapter;
mod checkpoint;
mod embed;
mod parity;
mod performer;
mod published;
mod training;
