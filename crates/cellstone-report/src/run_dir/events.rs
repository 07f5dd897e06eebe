//! The event log: one JSON object a line, appended and flushed, never rewritten.

use cellstone_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Event {
    /// When, UTC.
    pub at: String,
    /// `phase`, `loss`, `timing` or `warning`.
    pub kind: String,
    /// The phase it belongs to.
    pub phase: String,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A number: a loss, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// The log of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog {
    path: PathBuf,
}

impl EventLog {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Appends one line, in one write.
    ///
    /// # Errors
    /// If a number is NaN or infinite, or the file cannot be written.
    pub fn append(&self, event: &Event) -> Result<()> {
        if event.value.is_some_and(|it| !it.is_finite()) {
            let message =
                format!("event `{}` of `{}`: found NaN or infinity, expected a finite value", event.kind, event.phase);
            return Err(Error::invalid_input(message));
        }
        let mut line = serde_json::to_string(event).expect("invariant: an event is plain data");
        line.push('\n');
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        file.and_then(|mut it| it.write_all(line.as_bytes()).and_then(|()| it.flush()))
            .map_err(|source| Error::io(&self.path, source))
    }

    /// All events so far. A last line cut short by a kill is left out.
    ///
    /// # Errors
    /// If the file cannot be read or a complete line is no event.
    pub fn read(&self) -> Result<Vec<Event>> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&self.path).map_err(|source| Error::io(&self.path, source))?;
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |(at, line): (usize, &str)| {
            serde_json::from_str(line)
                .map_err(|why| Error::invalid_input(format!("`{}`, line {}: {why}", self.path.display(), at + 1)))
        };
        complete.lines().enumerate().map(parse).collect()
    }
}
