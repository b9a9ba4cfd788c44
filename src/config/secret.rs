//! Secrets, which are read from files and never shown.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use zeroize::Zeroize;

/// Longer files are no secrets but mistakes.
const MAX: u64 = 64 << 10;

/// A password or token.
///
/// INVARIANT (design 9): there is no `Display`, and `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Reads a file: its content without the line end at its end.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let length = fs::metadata(path).map_err(|error| reason(&error))?.len();
        if length > MAX {
            return Err(format!("it has {length} bytes"));
        }
        let text = fs::read_to_string(path).map_err(|error| reason(&error))?;
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        if secret.is_empty() {
            return Err("it is empty".to_owned());
        }
        if secret.chars().any(char::is_control) {
            return Err("it has more than one line, or control characters".to_owned());
        }
        Ok(Self(secret.to_owned()))
    }

    /// A secret that was found where the `go` command keeps its own.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// A secret that somebody gave just now.
    pub(crate) fn of(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Whether others than the owner and the group can read the file.
pub(super) fn is_open_to_all(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_it_and_nothing_shows_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        for content in ["hunter2", "hunter2\n", "hunter2\r\n"] {
            fs::write(&file, content).unwrap();
            let secret = Secret::read(&file).unwrap();
            assert_eq!(secret.expose(), "hunter2");
            assert!(!format!("{secret:?}").contains("hunter2"));
        }
        for content in [&b""[..], b"\n", b"a\nb\n", b"\xff", &[b'a'; 70_000]] {
            fs::write(&file, content).unwrap();
            assert!(Secret::read(&file).is_err(), "{content:?}");
        }
        assert_eq!(Secret::read(&directory.path().join("none")).unwrap_err(), "there is no such file");
    }
}
