//! Signals: they end the command, and the command's end ends the trial, so that nothing stays behind.
//!
//! A terminal sends Ctrl-C to us and to the command alike: then it is not passed on, for the command would have it
//! twice. A signal that comes from elsewhere is passed on; when it comes again, the command is killed.

use super::process::kill;
use tokio::process::Child;

#[cfg(not(unix))]
pub(super) use of_others::Signals;
#[cfg(unix)]
pub(super) use of_unix::Signals;

#[cfg(unix)]
mod of_unix {
    use super::{Child, kill};
    use futures_util::FutureExt;
    use rustix::process::{Pid, Signal, getpgrp, kill_process};
    use std::fs::File;
    use std::io;
    use tokio::signal::unix::{self, SignalKind};

    /// Those that would end us.
    pub(in super::super) struct Signals {
        interrupt: unix::Signal,
        quit: unix::Signal,
        terminate: unix::Signal,
        hangup: unix::Signal,
        passed_on: bool,
    }

    impl Signals {
        /// From here on none of them ends us.
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Self {
                interrupt: unix::signal(SignalKind::interrupt())?,
                quit: unix::signal(SignalKind::quit())?,
                terminate: unix::signal(SignalKind::terminate())?,
                hangup: unix::signal(SignalKind::hangup())?,
                passed_on: false,
            })
        }

        /// Whether one came already.
        pub(in super::super) fn came(&mut self) -> bool {
            self.next().now_or_never().is_some()
        }

        pub(in super::super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::INT,
                _ = self.quit.recv() => Signal::QUIT,
                _ = self.terminate.recv() => Signal::TERM,
                _ = self.hangup.recv() => Signal::HUP,
            }
        }

        pub(in super::super) fn pass_on(&mut self, signal: Signal, child: &mut Child) {
            if matches!(signal, Signal::INT | Signal::QUIT) && is_terminals() {
                return;
            }
            if std::mem::replace(&mut self.passed_on, true) {
                return kill(child);
            }
            let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
            if let Some(id) = id {
                // It has not been waited for, so the id is still its own; it may have ended by itself.
                let _ = kill_process(id, signal);
            }
        }
    }

    /// Whether we are what the terminal talks to, and the command with us.
    fn is_terminals() -> bool {
        let terminal = File::open("/dev/tty").ok();
        terminal.is_some_and(|terminal| rustix::termios::tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
    }
}

#[cfg(not(unix))]
mod of_others {
    use super::{Child, kill};
    use std::io;

    /// Ctrl-C, which the console sends to every process that is attached to it, the command too.
    pub(in super::super) struct Signals {
        came: u32,
    }

    /// So often the command may pass over Ctrl-C.
    const PATIENCE: u32 = 3;

    impl Signals {
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Self { came: 0 })
        }

        pub(in super::super) fn came(&mut self) -> bool {
            false
        }

        pub(in super::super) async fn next(&mut self) {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }

        pub(in super::super) fn pass_on(&mut self, (): (), child: &mut Child) {
            self.came += 1;
            if self.came >= PATIENCE {
                kill(child);
            }
        }
    }
}
