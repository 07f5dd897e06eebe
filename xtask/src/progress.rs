//! Progress on stderr: a bar with rate and time left on a terminal, plain lines elsewhere.

use crate::cli::{Common, ProgressMode};
use cellstone_lab::{Progress, Stopwatch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shows phases to whoever sits at the terminal.
pub(crate) struct TerminalProgress {
    mode: Mode,
    current: Mutex<Option<Phase>>,
    done: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Bars,
    Lines,
    Silent,
}

struct Phase {
    name: String,
    bar: ProgressBar,
    watch: Stopwatch,
    unit: String,
}

impl TerminalProgress {
    pub(crate) fn new(common: &Common) -> Self {
        let mode = match common.progress {
            _ if common.quiet => Mode::Silent,
            ProgressMode::Never => Mode::Silent,
            ProgressMode::Always => Mode::Bars,
            ProgressMode::Auto if std::io::stderr().is_terminal() => Mode::Bars,
            ProgressMode::Auto => Mode::Lines,
        };
        Self { mode, current: Mutex::new(None), done: AtomicU64::new(0) }
    }

    fn phase(&self) -> std::sync::MutexGuard<'_, Option<Phase>> {
        self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for TerminalProgress {
    fn begin(&self, phase: &str, total: Option<u64>, unit: &str) {
        self.done.store(0, Ordering::Relaxed);
        let target = if self.mode == Mode::Bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = if total.is_some() {
            format!("{{msg:<22}} {{bar:28}} {{human_pos}}/{{human_len}} {unit}  {{per_sec}}  {{eta}} left")
        } else {
            "{msg:<22} {spinner} {elapsed}".to_owned()
        };
        bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(phase.to_owned());
        let watch = Stopwatch::start();
        *self.phase() = Some(Phase { name: phase.to_owned(), bar, watch, unit: unit.to_owned() });
    }

    fn advance(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
        if let Some(phase) = self.phase().as_ref() {
            phase.bar.inc(done);
        }
    }

    fn note(&self, text: &str) {
        if let Some(phase) = self.phase().as_ref() {
            phase.bar.set_message(format!("{}, {text}", phase.name));
        }
    }

    fn end(&self) {
        let Some(phase) = self.phase().take() else { return };
        phase.bar.finish_and_clear();
        let seconds = phase.watch.elapsed().as_secs_f64();
        // A phase of less than a second needs no line.
        if self.mode != Mode::Silent && seconds >= 1.0 {
            let done = self.done.load(Ordering::Relaxed);
            let rate = if done > 0 {
                format!(", {done} {}, {:.0} {}/s", phase.unit, done as f64 / seconds, phase.unit)
            } else {
                String::new()
            };
            line(&format!("{}: {seconds:.1} s{rate}", phase.name));
        }
    }
}

#[expect(clippy::print_stderr, reason = "progress belongs on stderr")]
fn line(text: &str) {
    eprintln!("{text}");
}
