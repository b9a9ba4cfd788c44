//! What may stand between two slashes.
//!
//! Module paths and the names of files in a module are held to rules that let them be directories on every file
//! system, and URLs, without two of them ever meeting (`checkPath` and `checkElem` in `x/mod/module`). Reasons are
//! worded as there.

use super::unicode::is_letter;

/// Which rules apply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An element of a module path.
    Module,
    /// An element of a file name, or a version.
    File,
}

/// Checks every element of a path; the reason if one is refused.
pub(crate) fn check_path(path: &str, kind: Kind) -> Result<(), String> {
    if path.is_empty() {
        return Err("empty string".into());
    }
    if path.starts_with('-') && kind == Kind::Module {
        return Err("leading dash".into());
    }
    if path.contains("//") {
        return Err("double slash".into());
    }
    if path.ends_with('/') {
        return Err("trailing slash".into());
    }
    path.split('/').try_for_each(|element| check_element(element, kind))
}

/// Checks one element; the reason if it is refused.
pub(crate) fn check_element(element: &str, kind: Kind) -> Result<(), String> {
    if element.is_empty() {
        return Err("empty path element".into());
    }
    if element.bytes().all(|byte| byte == b'.') {
        return Err(format!("invalid path element `{element}`"));
    }
    if element.starts_with('.') && kind == Kind::Module {
        return Err("leading dot in path element".into());
    }
    if element.ends_with('.') {
        return Err("trailing dot in path element".into());
    }
    // Nearly all of them; characters need to be told apart only where there are others.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !element.bytes().all(plain)
        && let Some(c) = element.chars().find(|&c| !allowed(c, kind))
    {
        return Err(format!("invalid char {c:?}"));
    }
    let short = element.split('.').next().unwrap_or_default();
    if is_device(short) {
        return Err(format!("`{short}` disallowed as path element component on Windows"));
    }
    if kind == Kind::Module && looks_like_short_name(short) {
        return Err("trailing tilde and digits in path element".into());
    }
    Ok(())
}

fn allowed(c: char, kind: Kind) -> bool {
    if c.is_ascii_alphanumeric() {
        return true;
    }
    match kind {
        Kind::Module => matches!(c, '-' | '.' | '_' | '~'),
        Kind::File if c.is_ascii() => "!#$%&()+,-.=@[]^_{}~ ".contains(c),
        Kind::File => is_letter(c),
    }
}

/// What Windows keeps for devices, whatever the case and whatever follows the first dot: `CON`, `COM1` to `COM9`.
fn is_device(short: &str) -> bool {
    let among = |names: &[&str], name: &str| names.iter().any(|device| device.eq_ignore_ascii_case(name));
    match short.split_at_checked(3) {
        Some((name, "")) => among(&["CON", "PRN", "AUX", "NUL"], name),
        Some((name, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9")) => among(&["COM", "LPT"], name),
        _ => false,
    }
}

/// `PROGRA~1`: Windows would open another file by that name.
fn looks_like_short_name(short: &str) -> bool {
    short.rsplit_once('~').is_some_and(|(_, tail)| !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{Kind, check_element, check_path};

    #[test]
    fn file_names_may_what_module_paths_may_not() {
        for name in ["a b", "größe", "x@y", ".github", "a~1", "a!b"] {
            assert!(check_element(name, Kind::File).is_ok(), "{name}");
            assert!(check_element(name, Kind::Module).is_err(), "{name}");
        }
    }

    #[test]
    fn nobody_may() {
        for name in ["", ".", "..", "a.", "con", "Aux.go", "com1", "lpt9.x.y", "a:b", "a\\b", "a\nb", "a*b", "a\u{301}"]
        {
            assert!(check_element(name, Kind::File).is_err(), "{name:?}");
            assert!(check_element(name, Kind::Module).is_err(), "{name:?}");
        }
        for name in ["com", "com0", "com10", "lpt", "xaux", "console"] {
            assert!(check_element(name, Kind::Module).is_ok(), "{name}");
        }
        for path in ["/a", "a/", "a//b", "a/./b", "a/../b"] {
            assert!(check_path(path, Kind::File).is_err(), "{path:?}");
        }
    }
}
