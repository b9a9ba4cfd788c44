//! `modgate completions`: scripts by which a shell completes the command line.

use super::terminal::Failure;
use clap_complete::Shell;
use std::io::{self, Write};

/// Print the completions of a shell
///
/// For bash: modgate completions bash > ~/.local/share/bash-completion/completions/modgate
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Whose
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "modgate", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}
