//! Multinomial logistic regression with an L2 or L1 penalty.

mod fit;
mod folds;
mod objective;
mod quasi_newton;

pub use fit::{Logistic, Penalty, Strength};
pub use folds::grouped_folds;
