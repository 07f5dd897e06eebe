//! How long work tells whoever watches: phases with a count, no terminal in sight.

/// Someone who watches a run.
pub trait Progress: Send + Sync {
    /// A phase begins; `total` is what [`Progress::advance`] will add up to, where that is known.
    fn begin(&self, phase: &str, total: Option<u64>, unit: &str);

    /// So much more is done.
    fn advance(&self, done: u64);

    /// A few words that stand beside the phase, such as a second rate; they may be ignored.
    fn note(&self, _: &str) {}

    /// The phase is over.
    fn end(&self);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: Option<u64>, _: &str) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}
