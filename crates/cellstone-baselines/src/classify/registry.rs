//! The one list of classifiers.

use super::{Classifier, KnnClassifier, Logistic, Majority, NearestCentroid};
use cellstone_core::{Error, Result, nearest};

/// An entry of the list.
#[derive(Debug, Clone, Copy)]
pub struct ClassifierEntry {
    /// Its id.
    pub id: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    make: fn() -> Box<dyn Classifier>,
}

impl ClassifierEntry {
    /// The classifier with the parameters of the protocol.
    pub fn make(&self) -> Box<dyn Classifier> {
        (self.make)()
    }
}

const ENTRIES: [ClassifierEntry; 6] = [
    ClassifierEntry { id: "majority", summary: "class frequencies of training", make: || Box::new(Majority) },
    ClassifierEntry {
        id: "knn",
        summary: "votes of the 15 nearest training cells by cosine",
        make: || Box::new(KnnClassifier::default()),
    },
    ClassifierEntry {
        id: "nearest_centroid",
        summary: "nearest class mean, one variance for all",
        make: || Box::new(NearestCentroid),
    },
    ClassifierEntry {
        id: "logistic",
        summary: "multinomial logistic regression, L2, C by 3-fold donor cross-validation",
        make: || Box::new(Logistic::default()),
    },
    ClassifierEntry {
        id: "logistic_balanced",
        summary: "the same with every class of equal weight",
        make: || Box::new(Logistic { balanced: true, ..Logistic::default() }),
    },
    ClassifierEntry {
        id: "logistic_l1",
        summary: "multinomial logistic regression, L1, C by 3-fold donor cross-validation",
        make: || Box::new(Logistic { penalty: super::Penalty::L1, ..Logistic::default() }),
    },
];

/// Every classifier, in the order of the tables.
pub fn classifiers() -> &'static [ClassifierEntry] {
    &ENTRIES
}

/// The classifier of that id with the parameters of the protocol.
///
/// # Errors
/// If there is none; the hint names the nearest.
///
/// # Examples
/// ```
/// assert_eq!(cellstone_baselines::classify::classifier("knn")?.id(), "knn");
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn classifier(id: &str) -> Result<Box<dyn Classifier>> {
    if let Some(entry) = ENTRIES.iter().find(|it| it.id == id) {
        return Ok(entry.make());
    }
    let error = Error::config(format!("unknown classifier `{id}`"));
    let ids: Vec<&str> = ENTRIES.iter().map(|it| it.id).collect();
    Err(match nearest(id, ids.iter().copied()) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint(format!("there are {}", ids.join(", "))),
    })
}
