//! Escaping: `!` and a lower-case letter stand for the upper-case letter.
//!
//! Some file systems do not tell `BurntSushi` from `burntsushi`, so neither URLs nor stores hold upper-case letters.
//! Both functions are over ASCII; whatever else is checked (paths, versions) is checked by the caller.

use std::borrow::Cow;

/// The escaped form. The inverse of [`unescape`] for text without `!`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

/// The text that was escaped; `None` for a raw upper-case letter, a stray `!` or anything beyond ASCII.
pub(super) fn unescape(escaped: &str) -> Option<Cow<'_, str>> {
    // Nearly all of them.
    if escaped.bytes().all(|byte| byte.is_ascii() && byte != b'!' && !byte.is_ascii_uppercase()) {
        return Some(Cow::Borrowed(escaped));
    }
    let mut text = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        match c {
            '!' => text.push(chars.next().filter(char::is_ascii_lowercase)?.to_ascii_uppercase()),
            'A'..='Z' => return None,
            c if c.is_ascii() => text.push(c),
            _ => return None,
        }
    }
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::{escape, unescape};

    #[test]
    fn each_undoes_the_other() {
        assert_eq!(escape("BurntSushi/toml"), "!burnt!sushi/toml");
        assert_eq!(unescape("!burnt!sushi/toml").as_deref(), Some("BurntSushi/toml"));
        assert_eq!(unescape("pkg/errors").as_deref(), Some("pkg/errors"));
    }

    #[test]
    fn what_is_taken_as_it_is_is_what_would_be_taken_letter_by_letter() {
        for c in (0..=0xff_u8).map(char::from).filter(|&c| c != '!') {
            let whole = unescape(&format!("{c}")).map(|text| format!("{text}A"));
            assert_eq!(whole.as_deref(), unescape(&format!("{c}!a")).as_deref(), "{c:?}");
        }
    }

    #[test]
    fn one_spelling_only() {
        for bad in ["A", "a!", "a!!b", "a!B", "a!1", "é", "a!é"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }
}
