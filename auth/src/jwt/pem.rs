//! The blocks of a PEM file (RFC 7468), each with the line that it begins on, so that what is wrong has a place.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A block.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Block<'f> {
    /// What stands after `BEGIN`.
    pub(super) label: &'f str,
    pub(super) content: Vec<u8>,
    /// The line of `BEGIN`, from 1.
    pub(super) line: usize,
}

/// Why a file is no PEM file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PemError {
    /// A block without its end.
    Unended { line: usize },
    /// An end of something else.
    Mismatch { line: usize },
    /// Something in a block that is not base64.
    Base64 { line: usize },
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Reads all blocks; what stands between them is commentary.
pub(super) fn blocks(text: &str) -> Result<Vec<Block<'_>>, PemError> {
    let mut lines = text.lines().zip(1..);
    let mut blocks = Vec::new();
    while let Some((opening, line)) = lines.next() {
        let Some(label) = boundary(opening, BEGIN) else { continue };
        let mut encoded = String::new();
        let closing = lines.by_ref().find_map(|(text, line)| match boundary(text, END) {
            Some(label) => Some((label, line)),
            None => {
                encoded.push_str(text.trim());
                None
            }
        });
        let (closed, end) = closing.ok_or(PemError::Unended { line })?;
        if closed != label {
            return Err(PemError::Mismatch { line: end });
        }
        let content = STANDARD.decode(&encoded).map_err(|_| PemError::Base64 { line })?;
        blocks.push(Block { label, content, line });
    }
    Ok(blocks)
}

fn boundary<'l>(line: &'l str, opening: &str) -> Option<&'l str> {
    line.trim_end().strip_prefix(opening)?.strip_suffix(DASHES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_lines() {
        let text =
            "a comment\n-----BEGIN A B-----\r\nAAEC\r\nAw==\r\n-----END A B-----\n\n-----BEGIN C-----\n-----END C-----";
        let expected = [
            Block { label: "A B", content: vec![0, 1, 2, 3], line: 2 },
            Block { label: "C", content: vec![], line: 7 },
        ];
        assert_eq!(blocks(text).unwrap(), expected);
        assert_eq!(blocks("nothing"), Ok(vec![]));
    }

    #[test]
    fn bad_blocks_have_their_places() {
        for (text, error) in [
            ("\n-----BEGIN A-----\nAAEC\n", PemError::Unended { line: 2 }),
            ("-----BEGIN A-----\nAAEC\n-----END B-----\n", PemError::Mismatch { line: 3 }),
            ("-----BEGIN A-----\nAA?C\n-----END A-----\n", PemError::Base64 { line: 1 }),
            ("-----BEGIN A-----\nAAE\n-----END A-----\n", PemError::Base64 { line: 1 }),
        ] {
            assert_eq!(blocks(text), Err(error), "{text}");
        }
    }
}
