//! The command: it has our terminal, and its end is ours.

use super::signals::Signals;
use super::surroundings::Surroundings;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::ExitStatus;
use tokio::process::{Child, Command};

/// How the command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ended {
    /// Its exit code.
    pub(super) code: Option<i32>,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
}

/// Why it did not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unrunnable {
    #[error("there is no command `{0}`")]
    Missing(String),
    #[error("cannot run `{command}`: {cause}")]
    Refused { command: String, cause: io::Error },
    #[error("interrupted before the command was started")]
    Interrupted,
}

impl Ended {
    /// The command's own code; 128 and the signal's number, as shells have it. Codes that are no byte (Windows) are 1.
    pub(super) fn exit_code(self) -> u8 {
        let code = self.code.or_else(|| self.signal.map(|signal| 128 + signal));
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }

    fn of(status: ExitStatus) -> Self {
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        #[cfg(not(unix))]
        let signal = None;
        Self { code: status.code(), signal }
    }
}

impl Unrunnable {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Missing(_) => 127,
            Self::Refused { .. } => 126,
            Self::Interrupted => 130,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(_) => Some("as in `modgate try -- go build ./...`; is it in PATH?".to_owned()),
            Self::Refused { .. } | Self::Interrupted => None,
        }
    }
}

/// Runs a command (its name, then its arguments) to its end, whatever signals come meanwhile.
pub(super) async fn run(command: &[OsString], surroundings: &Surroundings) -> Result<Ended, Unrunnable> {
    let (name, arguments) = command.split_first().ok_or_else(|| Unrunnable::Missing(String::new()))?;
    let refused = |cause| Unrunnable::Refused { command: name.to_string_lossy().into_owned(), cause };
    let mut signals = Signals::new().map_err(refused)?;
    if signals.came() {
        return Err(Unrunnable::Interrupted);
    }
    let mut command = Command::new(name);
    command.args(arguments).envs(surroundings.iter().map(|(name, value)| (name, value)));
    // Only if the trial itself breaks down.
    command.kill_on_drop(true);
    let mut child = command.spawn().map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => Unrunnable::Missing(name.to_string_lossy().into_owned()),
        _ => refused(cause),
    })?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            signal = signals.next() => signals.pass_on(signal, &mut child),
        }
    };
    status.map(Ended::of).map_err(refused)
}

/// For [`Signals`]: ends the command at once.
pub(super) fn kill(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.start_kill();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_end_is_ours() {
        let code = |code, signal| Ended { code, signal }.exit_code();
        assert_eq!((code(Some(0), None), code(Some(7), None), code(Some(255), None)), (0, 7, 255));
        assert_eq!((code(None, Some(2)), code(None, Some(9))), (130, 137));
        assert_eq!(code(Some(-1_073_741_819), None), 1);
    }
}
