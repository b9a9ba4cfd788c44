//! The signed tree head: how many records the log has, and the hash over them.
//!
//! ```text
//! go.sum database tree
//! 46250543
//! kn0ocvnIaFqLVHrXf4PEihyWVmzGjw5nu8bAEDhJFYc=
//!
//! — sum.golang.org Az3grn…
//! ```
//!
//! The text up to the blank line is what is signed (`golang.org/x/mod/sumdb/note`, `tlog.ParseTree`); lines after the
//! hash are ignored, as the `go` command ignores them.

use super::database::Database;
use bytes::Bytes;
use signed_note::Note;
use tlog_tiles::{EMPTY_HASH, Hash};

/// More records than any log will have; keeps the arithmetic of the tree far from its limits.
const MOST: u64 = 1 << 48;

/// A tree head whose signature was verified, or that of the empty tree, which nobody signs.
#[derive(Clone, Debug)]
pub(super) struct TreeHead {
    /// Records in the tree.
    pub(super) size: u64,
    /// The hash over them.
    pub(super) hash: Hash,
    /// The signed note it was read from, as it came.
    pub(super) note: Bytes,
}

/// Why a text is not a head of the database.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// Not a signed note at all: an error page, a cut answer.
    #[error("not a signed tree head")]
    Malformed,
    /// A note that the database's key did not sign.
    #[error("tree head with a bad signature ({0})")]
    Signature(String),
    /// Signed by the database, and no tree head.
    #[error("signed note that is no tree head")]
    NoTree,
}

impl TreeHead {
    /// The head before any was seen.
    pub(super) fn empty() -> Self {
        Self { size: 0, hash: EMPTY_HASH, note: Bytes::new() }
    }

    /// Verifies a note with the database's key and reads the head in it.
    pub(super) fn open(database: &Database, note: &Bytes) -> Result<Self, HeadError> {
        let signed = Note::from_bytes(note).map_err(|_| HeadError::Malformed)?;
        signed.verify(database).map_err(|error| HeadError::Signature(error.to_string()))?;
        let (size, hash) = tree(signed.text()).ok_or(HeadError::NoTree)?;
        Ok(Self { size, hash, note: note.clone() })
    }
}

/// Reads the signed text.
fn tree(text: &[u8]) -> Option<(u64, Hash)> {
    let rest = std::str::from_utf8(text).ok()?.strip_prefix("go.sum database tree\n")?;
    let (size, rest) = rest.split_once('\n')?;
    let (hash, _) = rest.split_once('\n')?;
    let size = canonical(size).filter(|size| *size <= MOST)?;
    let hash = Hash::parse_hash(hash).ok()?;
    (size > 0 || hash == EMPTY_HASH).then_some((size, hash))
}

/// A decimal number without sign and leading zeros.
pub(super) fn canonical(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::testlog::{self, TestLog};
    use proptest::prelude::*;

    #[test]
    fn a_signed_head_is_read() {
        let mut log = TestLog::default();
        log.append(b"x\n");
        let head = TreeHead::open(&testlog::database(), &log.head(1)).unwrap();
        assert_eq!((head.size, head.hash), (1, log.root(1)));
        assert_eq!(TreeHead::open(&testlog::database(), &log.head(0)).unwrap().hash, EMPTY_HASH);
    }

    /// A head of the public database, as it answered `/latest` in November 2026.
    #[test]
    fn a_head_of_the_public_database_is_verified_with_its_built_in_key() {
        let note = "go.sum database tree\n71909756\niHqVxqh8cyFgqTcentUiEjZ88MD/U2r6w+0h9y1wcFA=\n\n\
            — sum.golang.org Az3gruqca1CkvBUmiVQwTbA/gaUFzmjGdeKsltdaxDjB0sALZnZFiokxoLeuELkWgcacVEQfWPJ8/AdDoOHPspHuDgk=\n";
        let database = Database::parse("sum.golang.org").unwrap().unwrap();
        assert_eq!(TreeHead::open(&database, &note.into()).unwrap().size, 71_909_756);
        let bent = note.replace("71909756", "71909757");
        assert!(matches!(TreeHead::open(&database, &bent.into()), Err(HeadError::Signature(_))));
    }

    #[test]
    fn lines_after_the_hash_are_for_later() {
        // From the documentation of the checksum database, with a line after the hash.
        let text = "go.sum database tree\n11131\nhhhD7x8ltFmH6Ogj1DKcvv8cPIl9CP4RC/Cum2jQXws=\nand more\n";
        assert_eq!(tree(text.as_bytes()).map(|(size, _)| size), Some(11131));
    }

    #[test]
    fn other_keys_and_texts_are_refused() {
        let database = testlog::database();
        let open = |note: Bytes| TreeHead::open(&database, &note).unwrap_err();
        let head = TestLog::default().head(0);
        assert_eq!(open(Bytes::from_static(b"<html>no such page</html>\n")), HeadError::Malformed);
        assert_eq!(open(head.slice(..head.len() - 1)), HeadError::Malformed);
        let of_another_size = String::from_utf8(head.to_vec()).unwrap().replacen("\n0\n", "\n1\n", 1);
        assert!(matches!(open(of_another_size.into()), HeadError::Signature(_)));
        assert!(matches!(open(testlog::sign_as_somebody_else("go.sum database tree\n")), HeadError::Signature(_)));
        for text in [
            "hello\n",
            "go.sum database tree\n1\n",
            "go.sum database tree\n01\nhhhD7x8ltFmH6Ogj1DKcvv8cPIl9CP4RC/Cum2jQXws=\n",
        ] {
            assert_eq!(open(testlog::sign(text)), HeadError::NoTree, "{text}");
        }
        let huge = format!("go.sum database tree\n{}\nhhhD7x8ltFmH6Ogj1DKcvv8cPIl9CP4RC/Cum2jQXws=\n", u64::MAX);
        assert_eq!(open(testlog::sign(&huge)), HeadError::NoTree);
    }

    proptest! {
        #[test]
        fn numbers_have_one_spelling(number: u64, text in "[0-9+ -]{0,6}") {
            prop_assert_eq!(canonical(&number.to_string()), Some(number));
            if let Some(read) = canonical(&text) {
                prop_assert_eq!(read.to_string(), text);
            }
        }

        #[test]
        fn no_change_of_a_head_keeps_its_signature(at: prop::sample::Index, with: u8) {
            let head = TestLog::default().head(0);
            let mut bytes = head.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = with;
            let changed = bytes != head;
            prop_assert_eq!(TreeHead::open(&testlog::database(), &bytes.into()).is_err(), changed);
        }
    }
}
