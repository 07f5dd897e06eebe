//! Least squares with errors that are alike within a donor, and tests of one coefficient.

mod age;
mod design;
mod fit;
mod spline;
mod wild;

pub use age::{AgeFit, AgeMethod, AgeRegression, age_regression};
pub use design::Covariate;
pub(crate) use design::Design;
pub use fit::{ClusterFit, Coefficient, Wald, cluster_regression};
pub use spline::natural_spline;
pub use wild::{WildTest, wild_bootstrap};
