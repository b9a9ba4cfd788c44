//! Whether bytes may be a go.mod at all.
//!
//! The `go` command parses the go.mod of a dependency itself and reports what is wrong with it, so nothing is refused
//! here but what certainly is none: an error page, an empty file, a file of another kind. A module line right behind a
//! byte order mark is none to `go` either. A path other than the one asked for is served as it is: forks
//! and renamed modules have one, and only `go` knows what the build wants of them. Comments may be in any encoding.

/// The largest go.mod that `go` accepts, in bytes.
pub const MAX_GOMOD: u64 = 16 << 20;

/// Why bytes are no go.mod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GoModError {
    /// Larger than [`MAX_GOMOD`].
    #[error("go.mod file too large (max size is {MAX_GOMOD} bytes)")]
    TooLarge,
    /// Starts like HTML, XML or JSON.
    #[error("not a go.mod file but a web page or data")]
    Foreign,
    /// No line that names the module.
    #[error("no module declaration in go.mod")]
    NoModule,
}

/// The module path that a go.mod declares, unquoted; the first one if it declares several.
pub fn declared_path(bytes: &[u8]) -> Result<String, GoModError> {
    if bytes.len() as u64 > MAX_GOMOD {
        return Err(GoModError::TooLarge);
    }
    if matches!(bytes.trim_ascii_start().first(), Some(b'<' | b'{' | b'[')) {
        return Err(GoModError::Foreign);
    }
    let mut lines = bytes.split(|&byte| byte == b'\n').map(statement);
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix(b"module") else {
            continue;
        };
        if !matches!(rest.first(), None | Some(b' ' | b'\t' | b'\r' | b'"' | b'`' | b'(')) {
            continue;
        }
        let argument = rest.trim_ascii();
        // `module ( PATH )` over several lines is allowed, if unusual.
        let argument = match argument.strip_prefix(b"(") {
            Some(_) => lines.find(|line| !line.is_empty()).unwrap_or_default(),
            None => argument,
        };
        return path(argument).ok_or(GoModError::NoModule);
    }
    Err(GoModError::NoModule)
}

/// A line without its comment and the white space around it.
fn statement(line: &[u8]) -> &[u8] {
    let end = memchr::memmem::find(line, b"//").unwrap_or(line.len());
    line.get(..end).unwrap_or(line).trim_ascii()
}

/// A module path as an argument, plain or quoted. Not held to the rules of [`ModulePath`]: a replaced module's go.mod
/// may declare anything, and is in the public checksum database with it.
///
/// [`ModulePath`]: super::ModulePath
fn path(argument: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(argument).ok()?;
    let quoted = ['"', '`'].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
    match quoted {
        Some(path) => (!path.is_empty()).then(|| path.to_owned()),
        None => (!text.is_empty() && !text.contains([' ', '\t', '(', ')'])).then(|| text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{GoModError, declared_path};

    #[test]
    fn accepted() {
        for (text, path) in [
            ("module example.com/a\n", "example.com/a"),
            ("// Deprecated: no\n\n  module\texample.com/a // why\r\n\ngo 1.20\n", "example.com/a"),
            ("module \"example.com/a\"", "example.com/a"),
            ("go 1.12\nmodule `example.com/a`\n", "example.com/a"),
            ("module (\n\n\texample.com/a\n)\n", "example.com/a"),
            ("module m\n", "m"),
            ("module github.com\\a\\b\n", "github.com\\a\\b"),
        ] {
            assert_eq!(declared_path(text.as_bytes()).as_deref(), Ok(path), "{text:?}");
        }
        assert!(declared_path(b"// Andr\xe9\nmodule a.b/c\n").is_ok(), "a comment in Latin-1");
    }

    #[test]
    fn refused() {
        use GoModError::{Foreign, NoModule, TooLarge};
        for (bytes, error) in [
            (&b""[..], NoModule),
            (b"go 1.20\n", NoModule),
            (b"modulex a\n", NoModule),
            (b"module\n", NoModule),
            (b"module \"\"\n", NoModule),
            (b"module not found\n", NoModule),
            (b"// module a.b/c\n", NoModule),
            (b" <!DOCTYPE html><html>\nmodule a.b/c", Foreign),
            (b"{\"error\":1}", Foreign),
            (b"\xef\xbb\xbfmodule a.b/c\n", NoModule),
            (b"PK\x03\x04\0\0module a.b/c", NoModule),
            (b"not found: module example.com/x", NoModule),
        ] {
            assert_eq!(declared_path(bytes), Err(error), "{}", bytes.escape_ascii());
        }
        assert_eq!(declared_path(&vec![b'\n'; (16 << 20) + 1]), Err(TooLarge));
    }
}
