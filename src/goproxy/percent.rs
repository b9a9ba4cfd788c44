//! Percent-encoding of URL paths, once each way.

use std::borrow::Cow;

/// Decodes a raw URL path exactly once; the reason if it is refused.
///
/// Refused rather than normalised is whatever two readers of one URL could take for two things: a bad escape, an
/// encoded slash, a backslash, a control character, anything beyond ASCII (no module path or version has it).
pub(super) fn decode(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    // Nearly all of them: the `go` command encodes nothing but the `!` of upper-case letters.
    if raw.bytes().all(|byte| matches!(byte, b'!'..=b'~') && !matches!(byte, b'%' | b'\\')) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, encoded) = match byte {
            b'%' => (escape(&mut bytes).ok_or("bad percent escape in the path")?, true),
            byte => (byte, false),
        };
        match byte {
            b'/' if encoded => return Err("encoded slash in the path"),
            b'\\' => return Err("backslash in the path"),
            b' ' if !encoded => return Err("space in the path"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => return Err("control character or byte beyond ASCII in the path"),
        }
    }
    Ok(Cow::Owned(text))
}

/// The byte of two hexadecimal digits.
fn escape(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let mut digit = || char::from(bytes.next()?).to_digit(16);
    let (high, low) = (digit()?, digit()?);
    u8::try_from(high << 4 | low).ok()
}

/// Encodes a decoded path as the `go` command does (`url.PathEscape` of Go, slashes kept), so `!` becomes `%21`.
pub(super) fn encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut raw = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~$&+:=@/".contains(&byte);
        if plain {
            raw.push(char::from(byte));
            continue;
        }
        raw.push('%');
        for nibble in [byte >> 4, byte & 15] {
            raw.extend(HEX.get(usize::from(nibble)).map(|&digit| char::from(digit)));
        }
    }
    raw
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn decoded_once() {
        assert_eq!(decode("/a!b+c").as_deref(), Ok("/a!b+c"));
        assert_eq!(decode("/a%21b+c%2Bd%20e").as_deref(), Ok("/a!b+c+d e"));
        assert_eq!(decode("/%2521").as_deref(), Ok("/%21"));
        for bad in [
            "/%", "/%2", "/%zz", "/%+1", "/a%2Fb", "/a%2fb", "/a\\b", "/a%5cb", "/%00", "/a\nb", "/%C3%A9", "/é",
            "/a b", "/%7f",
        ] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_taken_as_it_is_is_what_would_be_taken_byte_by_byte() {
        for c in (0..=0x7f_u8).map(char::from).filter(|&c| c != '%') {
            let (plain, encoded) = (format!("/{c}a"), format!("/{c}%61"));
            assert_eq!(decode(&plain), decode(&encoded), "{c:?}");
        }
    }

    #[test]
    fn encoded_as_go_does() {
        assert_eq!(encode("/a/!b/@v/v1.0.0+incompatible.info"), "/a/%21b/@v/v1.0.0+incompatible.info");
        assert_eq!(encode("/a%b c,(d)"), "/a%25b%20c%2C%28d%29");
    }
}
