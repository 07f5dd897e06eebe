//! Classical classifiers of cells: what a model that names phenotypes has to beat.
//!
//! All take dense features `[n_obs, d]` (principal components, embeddings), except [`ConditionalFrequency`], which
//! takes the codes of the other phenotypes. Everything is estimated on the rows that are given to `fit`.

mod centroid;
mod frequency;
mod knn;
mod logistic;
mod majority;
mod registry;
mod seam;
#[cfg(test)]
mod tests;

pub use centroid::NearestCentroid;
pub use frequency::{ConditionalFrequency, FittedFrequency, MISSING};
pub use knn::KnnClassifier;
pub use logistic::{Logistic, Penalty, Strength, grouped_folds};
pub use majority::Majority;
pub use registry::{ClassifierEntry, classifier, classifiers};
pub use seam::{Classifier, FittedClassifier};
