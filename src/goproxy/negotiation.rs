//! What the request headers ask of an answer's form: gzip, "only if it changed", a part of a module zip.
//!
//! The `go` command sends none of the conditional headers (only `Accept-Encoding: gzip`), but caches in front of modgate
//! and people with `curl -C -` do. RFC 9110 §12.5.3 (Accept-Encoding), §13.1 (conditions), §14 (ranges). What cannot
//! be parsed is ignored, as the RFC says for each of them, so the worst that a bad header gets is the whole answer.

use axum::http::{
    HeaderMap,
    header::{ACCEPT_ENCODING, IF_NONE_MATCH, IF_RANGE, RANGE},
};
use std::ops::Range;

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
    let mut values = headers.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Ok(None) };
    if headers.get(IF_RANGE).is_some_and(|tag| etag.is_none_or(|etag| tag.as_bytes() != etag.as_bytes())) {
        return Ok(None);
    }
    let Some((first, last)) = value.to_str().ok().and_then(single_range) else { return Ok(None) };
    match (first, last) {
        (Some(first), Some(last)) if first > last => Ok(None),
        (Some(first), _) if first >= length => Err(Unsatisfiable),
        (Some(first), last) => Ok(Some(first..last.map_or(length, |last| last.saturating_add(1).min(length)))),
        (None, Some(0)) => Err(Unsatisfiable),
        (None, Some(_)) if length == 0 => Err(Unsatisfiable),
        (None, Some(suffix)) => Ok(Some(length.saturating_sub(suffix)..length)),
        (None, None) => Ok(None),
    }
}

/// `bytes=FIRST-LAST` with either end left out.
fn single_range(value: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, set) = value.split_once('=')?;
    let (first, last) = set.split_once('-')?;
    let end = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => None,
    };
    unit.trim().eq_ignore_ascii_case("bytes").then_some(())?;
    Some((end(first)?, end(last)?))
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
    fn a_range_of_another_entity_gets_the_whole() {
        let stale = headers(&[(RANGE, "bytes=2-"), (IF_RANGE, "\"old\"")]);
        assert_eq!(range(&stale, 10, Some("\"new\"")), Ok(None));
        assert_eq!(range(&stale, 10, Some("\"old\"")), Ok(Some(2..10)));
    }

    proptest! {
        #[test]
        fn a_range_lies_within_the_entity(value in "bytes=[0-9]{0,25}-[0-9]{0,25}", length in any::<u64>()) {
            if let Ok(Some(range)) = range(&headers(&[(RANGE, &value)]), length, None) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
