//! The answer to a lookup: a record, and a signed tree head that the record is under.
//!
//! ```text
//! 9                                            the record's number
//! example.com/m v1.0.0 h1:…                    its text, lines without a blank one among them
//! example.com/m v1.0.0/go.mod h1:…
//!                                              a blank line
//! go.sum database tree                         a signed tree head, see `head`
//! …
//! ```
//!
//! Number and text are worth something only after their proof; the head need not be the one that the record came with:
//! any later one of the same log says the same ([`Record::under`]).

use super::head::{TreeHead, canonical};
use crate::module::{ModulePath, Version};
use bytes::{BufMut, Bytes, BytesMut};

/// The path of a lookup at the database, without a leading slash: `lookup/PATH@VERSION`, both escaped.
pub(super) fn path(module: &ModulePath, version: &Version) -> String {
    format!("lookup/{}@{}", module.escaped(), version.escaped())
}

/// A record of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// Its number, from 0 on.
    pub(super) id: u64,
    /// Its text, the final newline included: what is hashed into the tree.
    pub(super) text: Bytes,
}

/// Splits an answer into the record and the note with the head; `None` if it is no such thing. Nothing of it is verified.
pub(super) fn parse(answer: &Bytes) -> Option<(Record, Bytes)> {
    let text = std::str::from_utf8(answer).ok()?;
    let (id, rest) = text.split_once('\n')?;
    let (record, note) = rest.split_once("\n\n")?;
    let id_is_sound = canonical(id)?;
    let plain = !record.is_empty() && !record.starts_with('\n') && !record.contains(|c: char| c < ' ' && c != '\n');
    // The final newline of the record is the first of the two that end it.
    let with_newline = answer.get(id.len() + 1..id.len() + 1 + record.len() + 1)?;
    plain.then(|| (Record { id: id_is_sound, text: answer.slice_ref(with_newline) }, answer.slice_ref(note.as_bytes())))
}

impl Record {
    /// The answer that says this record is under that head.
    pub(super) fn under(&self, head: &TreeHead) -> Bytes {
        let id = self.id.to_string();
        let mut answer = BytesMut::with_capacity(id.len() + self.text.len() + head.note.len() + 2);
        answer.put_slice(id.as_bytes());
        answer.put_u8(b'\n');
        answer.put_slice(&self.text);
        answer.put_u8(b'\n');
        answer.put_slice(&head.note);
        answer.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[test]
    fn an_answer_is_split_in_three() {
        let (record, note) = parse(&bytes("9\na v1 h1:x\na v1/go.mod h1:y\n\ntree\n\n— n s\n")).unwrap();
        assert_eq!(record, Record { id: 9, text: bytes("a v1 h1:x\na v1/go.mod h1:y\n") });
        assert_eq!(note, "tree\n\n— n s\n");
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "",
            "9",
            "9\n",
            "9\n\n\nx",
            "9\na",
            "9\na\n",
            "+9\na\n\n",
            "09\na\n\n",
            "x\na\n\n",
            "9\na\tb\n\n",
            "9\na\r\n\n",
        ] {
            assert_eq!(parse(&bytes(text)), None, "{text:?}");
        }
        assert_eq!(parse(&Bytes::from_static(b"9\n\xff\n\n")), None);
    }

    proptest! {
        #[test]
        fn any_answer_reads_back(id: u64, lines in prop::collection::vec("[^\u{0}-\u{1f}]{1,30}", 1..4), note in any::<String>()) {
            let record = Record { id, text: bytes(&(lines.join("\n") + "\n")) };
            let head = TreeHead { note: bytes(&note), ..TreeHead::empty() };
            prop_assert_eq!(parse(&record.under(&head)), Some((record, head.note)));
        }

        #[test]
        fn nothing_else_does(answer in "[0-9]{0,3}(\n|[a-z \n]){0,12}") {
            if let Some((record, note)) = parse(&bytes(&answer)) {
                prop_assert_eq!(record.under(&TreeHead { note, ..TreeHead::empty() }), answer);
            }
        }

        #[test]
        fn no_bytes_break_it(answer: Vec<u8>) {
            let _ = parse(&answer.into());
        }
    }
}
