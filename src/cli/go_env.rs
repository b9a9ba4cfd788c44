//! Changing the go command's settings: `go env -w`, which writes where the go command itself would.

use super::terminal::Failure;
use crate::durability;
use crate::source::{Environment, go_setting};
use serde::Serialize;
use std::{
    env, fmt,
    fs::{self, OpenOptions},
    io,
    path::Path,
    process::Command,
};

/// What became of a setting.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    /// `go env` says so now: the name and the value; no value: the default.
    Written(&'static str, Option<String>),
    /// It is set in the environment, where nobody but the person can change it: the line for that.
    Yours(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(name, Some(value)) => write!(f, "go env: {name} is now `{value}`"),
            Self::Written(name, None) => write!(f, "go env: {name} is now the default"),
            Self::Yours(line) => {
                write!(f, "the environment has it otherwise, and only you can change that:\n    {line}")
            }
        }
    }
}

/// Sets `name`, or sets it back to its default.
pub(super) fn write(environment: &Environment, name: &'static str, value: Option<&str>) -> Result<Change, Failure> {
    if is_of_environment(environment, name) {
        return Ok(Change::Yours(line(environment, name, value)));
    }
    let set = match value {
        Some(value) => go(&["env", "-w", &format!("{name}={value}")]),
        None => go(&["env", "-u", name]),
    };
    match set {
        Ok(_) => Ok(Change::Written(name, value.map(str::to_owned))),
        Err(said) if said.contains("unknown go command variable") => Err(unknown(name)),
        Err(said) => {
            let hint = format!("set it yourself: {}", line(environment, name, value));
            Err(Failure::new(format!("cannot set {name}: {said}")).hint(hint))
        }
    }
}

/// Whether [`write()`] would work now, as far as that can be told without changing anything.
pub(super) fn check_writable(environment: &Environment, name: &str) -> Result<(), Failure> {
    if is_of_environment(environment, name) {
        return Ok(());
    }
    let wrong = |what: &dyn fmt::Display| Failure::new(format!("cannot set {name}: {what}"));
    let printed = go(&["env", name, "GOENV"]).map_err(|said| wrong(&said))?;
    let mut lines = printed.lines();
    // It has a default, so nothing is printed only by a go command that does not know it.
    if lines.next().is_none_or(str::is_empty) {
        return Err(unknown(name));
    }
    let file = match lines.next() {
        None | Some("" | "off") => return Err(wrong(&"GOENV keeps `go env -w` from changing anything")),
        Some(file) => Path::new(file),
    };
    let writable = match file.exists() {
        // The go command writes into the file that is there.
        true => OpenOptions::new().append(true).open(file).map(|_| ()),
        false => file
            .ancestors()
            .skip(1)
            .find(|directory| directory.exists())
            .map_or(Ok(()), |directory| durability::check_writable(&directory.join("env"))),
    };
    writable.map_err(|error| wrong(&format!("`{}`: {error}", file.display())))
}

fn unknown(name: &str) -> Failure {
    Failure::new(format!("this go command knows no {name}: that came with go 1.24"))
        .hint("log in without --goauth: the netrc file serves every go command".to_owned())
}

/// What a go command prints, or what it complains about.
fn go(arguments: &[&str]) -> Result<String, String> {
    // Elsewhere a go.mod could have another toolchain fetched.
    let output = Command::new("go").args(arguments).env("GOTOOLCHAIN", "local").current_dir(env::temp_dir()).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no `go` in PATH".to_owned(),
        _ => error.to_string(),
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(super::audit::printable(text(&output.stderr).trim()))
    }
}

/// The line by which a person would do it.
pub(super) fn line(environment: &Environment, name: &str, value: Option<&str>) -> String {
    match (is_of_environment(environment, name), value) {
        (true, Some(value)) if cfg!(windows) => format!("setx {name} \"{value}\""),
        (true, Some(value)) => format!("export {name}={}", shell(value)),
        (true, None) if cfg!(windows) => format!("setx {name} \"\""),
        (true, None) => format!("unset {name}"),
        (false, Some(value)) => format!("go env -w {}", shell(&format!("{name}={value}"))),
        (false, None) => format!("go env -u {name}"),
    }
}

/// Whether the value in force comes from the environment, which `go env -w` does not change.
pub(super) fn is_of_environment(environment: &Environment, name: &str) -> bool {
    go_setting(name, environment).is_some_and(|setting| setting.origin == "the environment")
}

/// How the go command runs this program: by its name if that leads here, else by its path.
pub(super) fn own_name() -> Result<String, Failure> {
    let own = env::current_exe()?;
    let real = fs::canonicalize(&own).unwrap_or_else(|_| own.clone());
    let name = if cfg!(windows) { "modgate.exe" } else { "modgate" };
    let path = env::var_os("PATH").unwrap_or_default();
    let first = env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    if first.and_then(|file| fs::canonicalize(file).ok()).is_some_and(|file| file == real) {
        return Ok("modgate".to_owned());
    }
    own.into_os_string().into_string().map_err(|_| Failure::new("the path of this program is not UTF-8"))
}

/// A text as one word of a shell.
pub(super) fn shell(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,@:=%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
