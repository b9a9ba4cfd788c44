//! JSON strings and numbers, written straight into a buffer.
//!
//! A record is written before every answer, so this costs what copying costs: a text without anything to escape is
//! found out in one pass that the compiler vectorises, and copied. Beyond what JSON demands, characters are escaped that
//! a terminal or a line splitter would obey, so that a journal can be printed and split by anything. Reading is serde's.

use std::{io::Write as _, net::IpAddr};

/// Whether a terminal, an editor or a line splitter would act on the character instead of showing it: control
/// characters (C0, DEL, C1), line and paragraph separators, and what changes the direction of text.
pub fn could_mislead(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends a text as a JSON string.
#[inline]
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    body(out, text);
    out.push(b'"');
}

/// Appends bytes as a JSON string, each invalid sequence replaced by U+FFFD as [`String::from_utf8_lossy`] does.
pub(super) fn lossy(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        body(out, chunk.valid());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

/// Appends a number.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, number: u64) {
    if number >= 10 {
        self::number(out, number / 10);
    }
    out.push(digit(number));
}

/// Appends exactly `WIDTH` decimal digits, the lowest ones of `number`.
#[inline]
pub(super) fn padded<const WIDTH: usize>(out: &mut Vec<u8>, number: u32) {
    let mut digits = [b'0'; WIDTH];
    let mut rest = number;
    for place in digits.iter_mut().rev() {
        *place = digit(u64::from(rest));
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Appends an address without quotes; an IPv4 address that came over IPv6 as what it is.
pub(super) fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            number(out, u64::from(a));
            for octet in [b, c, d] {
                out.push(b'.');
                number(out, u64::from(octet));
            }
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

/// The lowest decimal digit. Only constants divide here and above: a variable divisor costs ten times as much.
#[inline]
fn digit(number: u64) -> u8 {
    b'0'.wrapping_add((number % 10).to_le_bytes()[0])
}

#[inline]
fn body(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escaped(out, text);
    }
}

/// Whether the text is printable ASCII without quote and backslash, so that copying is escaping. Eight bytes at a time.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let suspects = words.iter().fold(0, |suspects, word| suspects | not_plain(*word));
    // The rest is read as the last eight bytes, some of them twice; or padded with what is plain.
    let last = bytes.last_chunk::<8>().copied().unwrap_or_else(|| {
        let mut padded = *b"........";
        for (to, from) in padded.iter_mut().zip(rest) {
            *to = *from;
        }
        padded
    });
    suspects | not_plain(last) == 0
}

/// Zero if all eight bytes are plain. `x - n` borrows into the high bit of each byte below `n`, and `x ^ c` is zero
/// where `c` stands; a borrow can only run on out of a byte that is a suspect itself.
#[inline]
fn not_plain(word: [u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let word = u64::from_le_bytes(word);
    let zero_in = |word: u64| word.wrapping_sub(EACH);
    let control = word.wrapping_sub(0x20 * EACH);
    let quote = zero_in(word ^ (0x22 * EACH));
    let backslash = zero_in(word ^ (0x5c * EACH));
    let delete = zero_in(word ^ (0x7f * EACH));
    (word | control | quote | backslash | delete) & HIGH
}

#[cold]
fn escaped(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            // All of them lie in the first plane: four digits do.
            c if could_mislead(c) => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn serde_json_reads_back_any_text(value in any::<String>()) {
            let json = written(|out| text(out, &value));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
        }

        #[test]
        fn any_bytes_are_read_back_lossily(value in any::<Vec<u8>>()) {
            let json = written(|out| lossy(out, &value));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), String::from_utf8_lossy(&value));
        }

        #[test]
        fn numbers_and_addresses_are_those_of_the_standard_library(n in any::<u64>(), a in any::<IpAddr>()) {
            prop_assert_eq!(written(|out| number(out, n)), n.to_string());
            prop_assert_eq!(written(|out| address(out, a)), a.to_canonical().to_string());
        }
    }

    #[test]
    fn every_character_of_the_first_plane_survives_and_none_that_misleads_is_written_raw() {
        for c in (0..=0xffff).filter_map(char::from_u32) {
            let json = written(|out| text(out, &format!("a{c}b")));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), format!("a{c}b"));
            assert!(!json.chars().any(could_mislead), "U+{:04X} is raw in {json:?}", u32::from(c));
        }
    }

    #[test]
    fn digits_are_padded_and_cut() {
        assert_eq!(written(|out| padded::<6>(out, 42)), "000042");
        assert_eq!(written(|out| padded::<4>(out, 12345)), "2345");
    }
}
