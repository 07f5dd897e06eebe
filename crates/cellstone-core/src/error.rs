//! The one error type that crosses seams: what went wrong, where, and, apart from it, what to try.
//!
//! Messages are lower-case fragments without a full stop that name file, key or row, what was found and what was
//! expected. Hints are kept apart so that a renderer can print them on their own lines.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Shorthand for results whose error is [`struct@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The classes of failure a caller can act on. Each maps to one exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Wrong usage or configuration.
    Config,
    /// The data are not what was promised.
    InvalidInput,
    /// Reading or writing failed.
    Io,
    /// An iteration did not reach its tolerance.
    NotConverged,
    /// The requested device cannot be used.
    Device,
    /// The caller asked to stop.
    Cancelled,
    /// A run is incomplete.
    Incomplete,
    /// A gate (a check that was asked for) failed.
    Gate,
}

/// An opaque, cheaply cloned error with context and hints.
///
/// # Examples
/// ```
/// use cellstone_core::Error;
/// let error = Error::invalid_input("column `perturbation` not found in obs of `a.h5ad` (columns: `guide`)")
///     .with_hint("set data.pert_col = \"guide\"")
///     .context("reading conditions");
/// assert!(error.is_invalid_input());
/// assert_eq!(error.to_string(), "reading conditions: column `perturbation` not found in obs of `a.h5ad` (columns: `guide`)");
/// assert_eq!(error.hints(), ["set data.pert_col = \"guide\""]);
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    context: Vec<String>,
    hints: Vec<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), context: Vec::new(), hints: Vec::new(), source: None }))
    }

    /// Data that are not what was promised.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Wrong usage or configuration.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// A failed read or write of `path`.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        let message = format!("`{}`: {source}", path.display());
        let mut inner = Inner { kind: ErrorKind::Io, message, context: Vec::new(), hints: Vec::new(), source: None };
        inner.source = Some(Arc::new(source));
        Self(Arc::new(inner))
    }

    /// A device that cannot be used.
    pub fn device(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Device, message)
    }

    /// An iteration that did not converge.
    pub fn not_converged(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotConverged, message)
    }

    /// Adds what was being done, outermost last; shown first.
    #[must_use]
    pub fn context(mut self, what: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).context.push(what.into());
        self
    }

    /// Adds something the reader can try.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).hints.push(hint.into());
        self
    }

    /// Attaches the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// The class of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the reader can try, in order.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// Whether the data were at fault.
    pub fn is_invalid_input(&self) -> bool {
        self.0.kind == ErrorKind::InvalidInput
    }

    /// Whether usage or configuration was at fault.
    pub fn is_config(&self) -> bool {
        self.0.kind == ErrorKind::Config
    }

    /// Whether an iteration failed to converge.
    pub fn is_not_converged(&self) -> bool {
        self.0.kind == ErrorKind::NotConverged
    }

    /// Whether a device was at fault.
    pub fn is_device(&self) -> bool {
        self.0.kind == ErrorKind::Device
    }

    /// Whether the caller asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::Cancelled
    }

    /// The documented exit code of the command line for this error.
    pub fn exit_code(&self) -> u8 {
        match self.0.kind {
            ErrorKind::Config => 2,
            ErrorKind::InvalidInput | ErrorKind::Io => 3,
            ErrorKind::Incomplete => 4,
            ErrorKind::Gate => 5,
            ErrorKind::Device => 6,
            ErrorKind::Cancelled => 130,
            ErrorKind::NotConverged => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for it in self.0.context.iter().rev() {
            write!(f, "{it}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        for it in &self.0.hints {
            write!(f, "\nhint: {it}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|it| it as &(dyn std::error::Error + 'static))
    }
}

/// Adds context to a result's error.
pub trait Context<T> {
    /// Adds what was being done; `what` runs only on failure.
    ///
    /// # Errors
    /// The same error, with context.
    fn context_with(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context_with(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| error.context(what()))
    }
}

/// The candidate most like `name`, if one is near enough to be what was meant.
///
/// # Examples
/// ```
/// assert_eq!(cellstone_core::nearest("pearson_dleta", ["pearson_delta", "l2"]), Some("pearson_delta"));
/// assert_eq!(cellstone_core::nearest("zzz", ["pearson_delta", "l2"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|it| (strsim::jaro_winkler(&lower, &it.to_lowercase()), it))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, it)| it)
}
