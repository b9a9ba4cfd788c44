//! h1: the hash of a module zip and of a go.mod (`golang.org/x/mod/sumdb/dirhash`).
//!
//! It is the SHA-256 of a summary with one line for each file, sorted by name,
//!
//! ```text
//! <SHA-256 of the content in hex>  <name>\n
//! ```
//!
//! printed as `h1:` and standard base64: the hash of the contents, not of how they were packed.

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::{self, Write};

/// SHA-256 over the sorted `"<hex sha256>  <name>\n"` lines; printed `h1:` + base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct H1([u8; 32]);

impl H1 {
    /// Reads `h1:` and 44 characters of base64.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix("h1:")?).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The hash of a go.mod: one line with the name `go.mod`.
    pub fn of_gomod(bytes: &[u8]) -> Self {
        Self::of_gomod_digest(digest(&SHA256, bytes).as_ref())
    }

    /// As [`H1::of_gomod`], from the SHA-256 of the go.mod.
    pub(super) fn of_gomod_digest(content: &[u8]) -> Self {
        let mut summary = Summary::new();
        summary.add(content, b"go.mod");
        summary.finish()
    }
}

impl fmt::Display for H1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h1:{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for H1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The summary in the making. The caller adds files in the order of their names and none with a newline in it.
pub(super) struct Summary(Context);

impl Summary {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds one line.
    pub(super) fn add(&mut self, content: &[u8], name: &[u8]) {
        let mut line = String::with_capacity(66);
        for byte in content {
            // Writing to a string cannot fail.
            let _ = write!(line, "{byte:02x}");
        }
        line.push_str("  ");
        self.0.update(line.as_bytes());
        self.0.update(name);
        self.0.update(b"\n");
    }

    pub(super) fn finish(self) -> H1 {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.finish().as_ref());
        H1(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::H1;

    /// As in the public checksum database for golang.org/x/text v0.3.0's go.mod.
    const TEXT_GOMOD: &str = "h1:NqM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ=";

    #[test]
    fn a_known_gomod() {
        assert_eq!(H1::of_gomod(b"module golang.org/x/text\n").to_string(), TEXT_GOMOD);
    }

    #[test]
    fn text_and_back() {
        assert_eq!(H1::parse(TEXT_GOMOD).unwrap().to_string(), TEXT_GOMOD);
        for bad in [
            "",
            "h1:",
            "h2:NqM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ=",
            "h1:NqM8",
            "h1:NqM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ",
        ] {
            assert_eq!(H1::parse(bad), None, "{bad}");
        }
    }
}
