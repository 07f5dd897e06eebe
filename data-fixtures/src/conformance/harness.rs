//! What the suites share: running a check without letting it take the others down, and comparing bits.

use super::Failure;
use cellstone_core::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The outcome of one check: what is wrong, if anything is.
pub(super) type Check = std::result::Result<(), String>;

/// Runs checks by name, catches panics, and collects failures.
pub(super) struct Harness<'a> {
    skip: &'a [&'static str],
    failures: Vec<Failure>,
}

impl<'a> Harness<'a> {
    pub(super) fn new(skip: &'a [&'static str]) -> Self {
        Self { skip, failures: Vec::new() }
    }

    pub(super) fn check(&mut self, check: &'static str, work: impl FnOnce() -> Check) {
        if self.skip.contains(&check) {
            return;
        }
        match guarded(work) {
            Ok(Ok(())) => {}
            Ok(Err(detail)) | Err(detail) => self.failures.push(Failure { check, detail }),
        }
    }

    pub(super) fn finish(self) -> Vec<Failure> {
        self.failures
    }
}

/// Runs `work`; a panic becomes an error that quotes it.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|it| (*it).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        format!("panicked: {text}")
    })
}

/// Runs `work` on a pool of its own.
pub(super) fn with_threads<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> std::result::Result<T, String> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().map_err(|it| it.to_string())?;
    Ok(pool.install(work))
}

/// An error that was not expected, as the detail of a failure.
pub(super) fn unexpected(doing: &str, error: &Error) -> String {
    format!("{doing} failed: {error}")
}

/// Fails with `detail` unless `holds`.
pub(super) fn ensure(holds: bool, detail: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(detail()) }
}

/// Whether a text is a lower snake case identifier.
pub(super) fn is_snake(id: &str) -> bool {
    let plain = id.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_');
    plain && id.starts_with(|it: char| it.is_ascii_lowercase()) && !id.ends_with('_') && !id.contains("__")
}

/// Numbers `0..n` in a fixed order that is not ascending (for `n > 2`): a stride coprime to `n`.
pub(super) fn permutation(n: usize) -> Vec<usize> {
    let gcd = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let stride = (n / 2 + 1..=n + 1).find(|it| gcd(*it, n) == 1).unwrap_or(1);
    (0..n).map(|it| (it * stride + n / 3) % n.max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_are_permutations() {
        for n in 0..40 {
            let mut order = permutation(n);
            assert!(n < 3 || order.iter().enumerate().any(|(at, it)| at != *it), "{n} is left in order");
            order.sort_unstable();
            assert_eq!(order, (0..n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn snake_case_is_told_from_the_rest() {
        for (id, want) in
            [("pearson_delta", true), ("l2", true), ("L2", false), ("a-b", false), ("_a", false), ("", false)]
        {
            assert_eq!(is_snake(id), want, "{id}");
        }
    }

    #[test]
    fn a_panic_becomes_a_failure() {
        let mut harness = Harness::new(&["skipped"]);
        harness.check("skipped", || Err("never seen".into()));
        harness.check("panics", || panic!("at {}", 1));
        assert_eq!(harness.finish(), [Failure { check: "panics", detail: "panicked: at 1".into() }]);
    }
}
