//! One violated expectation, and how a test reports a list of them.

use std::fmt;

/// An expectation that an implementation does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The name of the check, as the options of the suite spell it.
    pub check: &'static str,
    /// What was found and what was expected.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.detail)
    }
}

/// Panics with one line per failure, unless there is none.
///
/// # Panics
/// If there is a failure: this is for tests.
#[track_caller]
pub fn assert_conforms(what: &str, failures: &[Failure]) {
    let lines: Vec<String> = failures.iter().map(|it| format!("  {it}")).collect();
    assert!(lines.is_empty(), "`{what}` does not conform:\n{}", lines.join("\n"));
}
