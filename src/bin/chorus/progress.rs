//! A bar for whoever waits at a terminal.

use std::cell::Cell;

use chorus::sync::time::{Duration, Instant};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work shorter than this gets no bar: it would only flicker.
const PATIENCE: Duration = Duration::from_millis(300);

/// A bar on standard error, while there is something to wait for. Where standard error is no
/// terminal there is none.
pub(crate) struct Progress {
    bar: ProgressBar,
    begin: Instant,
    visible: Cell<bool>,
}

impl Progress {
    /// A bar of so many steps, not drawn yet.
    pub(crate) fn new(steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len}  {wide_msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar, begin: Instant::now(), visible: Cell::new(false) }
    }

    /// Names the work at hand.
    pub(crate) fn show(&self, name: &str) {
        self.bar.set_message(name.to_owned());
    }

    /// One more step is done.
    pub(crate) fn tick(&self) {
        if !self.visible.get() && self.begin.elapsed() > PATIENCE {
            self.visible.set(true);
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(1);
    }

    /// Writes something else without tearing the bar.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
