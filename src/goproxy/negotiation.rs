//! What the request headers ask of an answer's form: gzip, "only if it changed", a part of a module zip.
//!
//! The `go` command sends none of the conditional headers (only `Accept-Encoding: gzip`), but caches in front of modgate
//! and people with `curl -C -` do. RFC 9110 §12.5.3 (Accept-Encoding), §13.1 (conditions), §14 (ranges). What cannot
//! be parsed is ignored, as the RFC says for each of them, so the worst that a bad header gets is the whole answer.

use axum::http::{
    HeaderMap, HeaderName,
    header::{ACCEPT_ENCODING, IF_NONE_MATCH, IF_RANGE, RANGE},
};
use std::{ops::Range, sync::Arc};

/// How the entity tag of a gzip form ends; without it, it is that of the plain bytes.
pub const GZIP_TAG: &str = "-gzip\"";

/// Whether gzip may be sent.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut star = false;
    for value in headers.get_all(ACCEPT_ENCODING) {
        let Ok(value) = value.to_str() else { continue };
        for coding in value.split(',') {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let wanted = !refused(weight);
            match name.trim() {
                name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => return wanted,
                "*" => star = wanted,
                _ => {}
            }
        }
    }
    star
}

/// Whether a weight is `q=0` in any spelling.
fn refused(weight: &str) -> bool {
    let Some((name, value)) = weight.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
}

/// Whether `If-None-Match` names this entity tag (quotes included) or that of its gzip form, compared weakly.
pub fn is_unchanged(headers: &HeaderMap, etag: &str) -> bool {
    let names = |tag: &str| {
        let opaque = tag.strip_prefix("W/").unwrap_or(tag);
        let plain = opaque.strip_suffix(GZIP_TAG).zip(etag.strip_suffix('"'));
        tag == "*" || opaque == etag || plain.is_some_and(|(tag, etag)| tag == etag)
    };
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|tag| names(tag.trim()))
}

/// A range outside the entity: 416.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsatisfiable;

/// The one part that `Range` asks for of an entity of `length` bytes; `None` for the whole of it.
///
/// Several ranges, other units and malformed ones get the whole (RFC 9110 §14.2 allows it), as does an `If-Range` that
/// does not name this entity tag strongly.
pub fn range(headers: &HeaderMap, length: u64, etag: Option<&str>) -> Result<Option<Range<u64>>, Unsatisfiable> {
    let Some(part) = Part::asked(headers) else { return Ok(None) };
    if headers.get(IF_RANGE).is_some_and(|tag| etag.is_none_or(|etag| tag.as_bytes() != etag.as_bytes())) {
        return Ok(None);
    }
    part.within(length)
}

/// One range as it was asked for, before the length of the entity is known: `bytes=FIRST-LAST`, `bytes=FIRST-` or
/// `bytes=-COUNT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    first: Option<u64>,
    last: Option<u64>,
}

impl Part {
    /// What `Range` asks for, if that is one range of bytes.
    pub fn asked(headers: &HeaderMap) -> Option<Self> {
        Self::parse(only(headers, &RANGE)?)
    }

    fn parse(value: &str) -> Option<Self> {
        let (unit, set) = value.split_once('=')?;
        let (first, last) = set.split_once('-')?;
        let end = |text: &str| match text.trim() {
            "" => Some(None),
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
            _ => None,
        };
        unit.trim().eq_ignore_ascii_case("bytes").then_some(())?;
        let part = Self { first: end(first)?, last: end(last)? };
        match part {
            Self { first: None, last: None } => None,
            Self { first: Some(first), last: Some(last) } if first > last => None,
            part => Some(part),
        }
    }

    /// Which bytes that is of an entity of `length` bytes.
    pub fn within(self, length: u64) -> Result<Option<Range<u64>>, Unsatisfiable> {
        match (self.first, self.last) {
            (Some(first), _) if first >= length => Err(Unsatisfiable),
            (Some(first), last) => Ok(Some(first..last.map_or(length, |last| last.saturating_add(1).min(length)))),
            (None, Some(0)) => Err(Unsatisfiable),
            (None, Some(_)) if length == 0 => Err(Unsatisfiable),
            (None, Some(suffix)) => Ok(Some(length.saturating_sub(suffix)..length)),
            (None, None) => Ok(None),
        }
    }

    /// The same as the value of a `Range` header, written anew.
    pub fn header(self) -> String {
        let end = |end: Option<u64>| end.map(|end| end.to_string()).unwrap_or_default();
        format!("bytes={}-{}", end(self.first), end(self.last))
    }
}

/// A strong entity tag with its quotes, fit to be sent on: visible ASCII, at most 128 bytes, and not that of a gzip form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(Arc<str>);

impl EntityTag {
    /// Reads one; none for a weak or a malformed one.
    pub fn parse(text: &str) -> Option<Self> {
        let opaque = text.strip_prefix('"')?.strip_suffix('"')?;
        let plain = opaque.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e));
        (plain && text.len() <= 128 && !text.ends_with(GZIP_TAG)).then(|| Self(text.into()))
    }

    /// The tag that `If-None-Match` names, if that is one and no more.
    pub fn unless(headers: &HeaderMap) -> Option<Self> {
        Self::parse(only(headers, &IF_NONE_MATCH)?.trim())
    }

    /// The tag that `If-Range` names.
    pub fn if_range(headers: &HeaderMap) -> Option<Self> {
        Self::parse(only(headers, &IF_RANGE)?.trim())
    }

    /// The tag, quotes included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;
    use proptest::prelude::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn gzip_is_sent_to_those_who_ask() {
        for (value, wanted) in [
            ("gzip", true),
            ("gzip;q=0", false),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("*;q=0", false),
            ("*, gzip;q=0.000", false),
            ("identity", false),
            ("gzipped", false),
        ] {
            assert_eq!(accepts_gzip(&headers(&[(ACCEPT_ENCODING, value)])), wanted, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn an_entity_tag_is_compared_weakly() {
        for (value, unchanged) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("W/\"a-gzip\"", true),
            ("\"b-gzip\"", false),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(is_unchanged(&headers(&[(IF_NONE_MATCH, value)]), "\"a\""), unchanged, "{value}");
        }
    }

    #[test]
    fn ranges() {
        for (value, expected) in [
            ("bytes=0-0", Ok(Some(0..1))),
            ("bytes=2-", Ok(Some(2..10))),
            ("bytes=2-99", Ok(Some(2..10))),
            ("bytes=-3", Ok(Some(7..10))),
            ("bytes=-99", Ok(Some(0..10))),
            ("bytes=10-", Err(Unsatisfiable)),
            ("bytes=-0", Err(Unsatisfiable)),
            ("bytes=5-2", Ok(None)),
            ("bytes=0-1,3-4", Ok(None)),
            ("items=0-1", Ok(None)),
            ("bytes=a-b", Ok(None)),
            ("bytes=-", Ok(None)),
            ("bytes=99999999999999999999999-", Err(Unsatisfiable)),
        ] {
            assert_eq!(range(&headers(&[(RANGE, value)]), 10, None), expected, "{value}");
        }
    }

    #[test]
    fn only_strong_tags_are_fit_to_be_sent_on() {
        let long = format!("\"{}\"", "x".repeat(127));
        for bad in ["", "\"", "a", "W/\"a\"", "\"a", "\"a b\"", "\"a\"b\"", "\"a-gzip\"", "\"\u{e9}\"", "*", &long] {
            assert_eq!(EntityTag::parse(bad), None, "{bad}");
        }
        assert_eq!(EntityTag::parse("\"65a-1f,x\"").unwrap().as_str(), "\"65a-1f,x\"");
        assert!(EntityTag::unless(&headers(&[(IF_NONE_MATCH, "\"a\", \"b\"")])).is_none());
        let twice = headers(&[(IF_NONE_MATCH, "\"a\"")]);
        assert!(EntityTag::unless(&twice).is_some() && EntityTag::if_range(&twice).is_none());
    }

    #[test]
    fn a_range_of_another_entity_gets_the_whole() {
        let stale = headers(&[(RANGE, "bytes=2-"), (IF_RANGE, "\"old\"")]);
        assert_eq!(range(&stale, 10, Some("\"new\"")), Ok(None));
        assert_eq!(range(&stale, 10, Some("\"old\"")), Ok(Some(2..10)));
    }

    proptest! {
        #[test]
        fn what_is_asked_for_reads_back(value in "bytes=[0-9]{0,21} ?- ?[0-9]{0,21}") {
            if let Some(part) = Part::parse(&value) {
                prop_assert_eq!(Part::parse(&part.header()), Some(part));
            }
        }

        #[test]
        fn anything_is_a_part_a_tag_or_neither(value in any::<String>()) {
            let _ = (Part::parse(&value), EntityTag::parse(&value));
        }

        #[test]
        fn a_range_lies_within_the_entity(value in "bytes=[0-9]{0,25}-[0-9]{0,25}", length in any::<u64>()) {
            if let Ok(Some(range)) = range(&headers(&[(RANGE, &value)]), length, None) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
