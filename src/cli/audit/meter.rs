//! A progress bar on standard error, for scans that take longer than a second.

use crate::audit::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

/// A scan that is over sooner shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// The bar, or the wait for it.
pub(super) enum Meter {
    /// Never shown, or not any more.
    Off,
    /// Not shown yet.
    Waiting(Instant),
    /// Shown.
    On(ProgressBar),
}

impl Meter {
    /// A bar on standard error, if that is a terminal.
    pub(super) fn on_stderr() -> Self {
        if io::stderr().is_terminal() { Self::Waiting(Instant::now()) } else { Self::Off }
    }

    /// Shows how far the scan is.
    pub(super) fn show(&mut self, progress: Progress) {
        if let Self::Waiting(since) = self
            && since.elapsed() >= PATIENCE
        {
            let bar = ProgressBar::with_draw_target(Some(progress.total), ProgressDrawTarget::stderr());
            let style =
                ProgressStyle::with_template("reading the journal {wide_bar} {bytes}/{total_bytes}, {eta} left");
            *self = Self::On(style.map_or(bar.clone(), |style| bar.with_style(style)));
        }
        if let Self::On(bar) = self {
            bar.set_position(progress.done);
        }
    }

    /// Writes something else to the terminal meanwhile.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match self {
            Self::On(bar) => bar.suspend(write),
            Self::Off | Self::Waiting(_) => write(),
        }
    }

    /// Takes the bar away for good.
    pub(super) fn clear(&mut self) {
        if let Self::On(bar) = std::mem::replace(self, Self::Off) {
            bar.finish_and_clear();
        }
    }
}
