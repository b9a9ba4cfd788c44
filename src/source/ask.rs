//! How a source is asked, beside for what: for a part of a zip, only if it changed, on whose behalf.
//!
//! Nothing of a caller's request goes on as it came. What a caller wished for was parsed, and is written anew here from
//! its parts; who asks is said by an [`Introduce`], which signs it for the very path.
//!
//! INVARIANT: an answer that is less than the whole is taken only when it is exactly what was asked for: the part that
//! the range means at the length that the source tells, under the tag that was named. Anything else is asked for again,
//! whole.

use crate::goproxy::negotiation::{EntityTag, Part};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE},
};
use std::{ops::Range, sync::Arc};

/// Says to a source on whose behalf it is asked.
pub trait Introduce: Send + Sync + 'static {
    /// The headers for a GET of `path`, which is as it stands on the wire, without its query.
    fn headers(&self, path: &str) -> Vec<(HeaderName, HeaderValue)>;
}

/// How a source is asked. The default asks for all of it, on nobody's behalf.
#[derive(Clone, Default)]
pub struct Ask {
    /// The bytes must come as they are, so that their number is known beforehand: no compression on the way.
    pub verbatim: bool,
    /// Only this part, and the tag that the whole must have for it.
    pub part: Option<(Part, Option<EntityTag>)>,
    /// Only if it has another tag than this one.
    pub unless: Option<EntityTag>,
    /// On whose behalf. Told to the upstream list alone, not to the sources of private namespaces.
    pub introduction: Option<Arc<dyn Introduce>>,
}

/// How much of a thing an answer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// The part that was asked for.
    Part {
        /// Which bytes.
        range: Range<u64>,
        /// The length of the whole.
        of: u64,
    },
    /// Nothing, for the part lies outside a whole of this length.
    Outside {
        /// The length of the whole.
        of: u64,
    },
    /// Nothing, for it has the tag still.
    Unchanged,
}

impl Ask {
    /// The same on nobody's behalf.
    pub(super) fn anonymous(&self) -> Self {
        Self { introduction: None, ..self.clone() }
    }

    /// The same without conditions.
    pub(super) fn whole(&self) -> Self {
        Self { part: None, unless: None, ..self.clone() }
    }

    /// The headers for a GET of `path`; `home` is the configured origin itself, and no redirect led away from it.
    pub(super) fn headers(&self, path: &str, home: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        };
        if self.verbatim {
            add(ACCEPT_ENCODING, "identity");
        }
        if let Some((part, tag)) = &self.part {
            add(RANGE, &part.header());
            if let Some(tag) = tag {
                add(IF_RANGE, tag.as_str());
            }
        }
        if let Some(tag) = &self.unless {
            add(IF_NONE_MATCH, tag.as_str());
        }
        // INVARIANT: who asks is told to the configured origin and to nobody else.
        if let Some(introduction) = self.introduction.as_ref().filter(|_| home) {
            headers.extend(introduction.headers(path));
        }
        headers
    }

    /// What an answer is that is less than the whole; none if it is the whole, or not what was asked for.
    pub(super) fn extent(&self, status: StatusCode, headers: &HeaderMap) -> Option<Extent> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        match status {
            StatusCode::NOT_MODIFIED => {
                let tag = self.unless.as_ref()?;
                text(ETAG).is_none_or(|told| told == tag.as_str()).then_some(Extent::Unchanged)
            }
            StatusCode::PARTIAL_CONTENT if !headers.contains_key(CONTENT_ENCODING) => {
                let (part, tag) = self.part.as_ref()?;
                let (range, of) = content_range(text(CONTENT_RANGE)?)?;
                let length: u64 = text(CONTENT_LENGTH)?.parse().ok()?;
                let asked =
                    part.within(of) == Ok(Some(range.clone())) && length == range.end.checked_sub(range.start)?;
                let tagged = tag.as_ref().is_none_or(|tag| text(ETAG) == Some(tag.as_str()));
                (asked && tagged).then_some(Extent::Part { range, of })
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let (part, tag) = self.part.as_ref()?;
                let of = text(CONTENT_RANGE)?.strip_prefix("bytes */")?.parse().ok()?;
                (tag.is_none() && part.within(of).is_err()).then_some(Extent::Outside { of })
            }
            _ => None,
        }
    }
}

/// `bytes FIRST-LAST/LENGTH`.
fn content_range(value: &str) -> Option<(Range<u64>, u64)> {
    let (range, of) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, of) = (first.parse().ok()?, last.parse::<u64>().ok()?, of.parse().ok()?);
    (first <= last && last < of).then_some((first..last.checked_add(1)?, of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn part(range: &str, tag: Option<&str>) -> Ask {
        let part = Part::asked(&headers(&[(RANGE, range)])).unwrap();
        Ask { part: Some((part, tag.map(|tag| EntityTag::parse(tag).unwrap()))), ..Ask::default() }
    }

    #[test]
    fn a_part_counts_only_if_it_is_the_one_that_was_asked_for() {
        let taken = |range: &str, told: &str, length: &str| {
            let told = headers(&[(CONTENT_RANGE, told), (CONTENT_LENGTH, length)]);
            part(range, None).extent(StatusCode::PARTIAL_CONTENT, &told)
        };
        for (range, told, length) in [
            ("bytes=2-4", "bytes 2-4/10", "3"),
            ("bytes=2-", "bytes 2-9/10", "8"),
            ("bytes=-3", "bytes 7-9/10", "3"),
            ("bytes=2-99", "bytes 2-9/10", "8"),
        ] {
            assert!(matches!(taken(range, told, length), Some(Extent::Part { of: 10, .. })), "{range} {told}");
        }
        for (range, told, length) in [
            ("bytes=2-4", "bytes 0-4/10", "5"),
            ("bytes=2-4", "bytes 2-3/10", "2"),
            ("bytes=2-4", "bytes 2-4/10", "4"),
            ("bytes=2-4", "bytes 2-4/*", "3"),
            ("bytes=2-4", "bytes 2-4/4", "3"),
            ("bytes=2-", "bytes 2-8/10", "7"),
            ("bytes=-3", "bytes 6-8/10", "3"),
            ("bytes=2-4", "items 2-4/10", "3"),
            ("bytes=2-4", "bytes 4-2/10", "3"),
            ("bytes=0-", "bytes 0-18446744073709551615/18446744073709551615", "1"),
        ] {
            assert_eq!(taken(range, told, length), None, "{range} {told}");
        }
        let encoded = headers(&[(CONTENT_RANGE, "bytes 2-4/10"), (CONTENT_LENGTH, "3"), (CONTENT_ENCODING, "gzip")]);
        assert_eq!(part("bytes=2-4", None).extent(StatusCode::PARTIAL_CONTENT, &encoded), None);
        let unasked = headers(&[(CONTENT_RANGE, "bytes 2-4/10"), (CONTENT_LENGTH, "3")]);
        assert_eq!(Ask::default().extent(StatusCode::PARTIAL_CONTENT, &unasked), None);
    }

    #[test]
    fn a_part_of_another_entity_is_none() {
        let told = |tag: &str| headers(&[(CONTENT_RANGE, "bytes 2-4/10"), (CONTENT_LENGTH, "3"), (ETAG, tag)]);
        let ask = part("bytes=2-4", Some("\"a\""));
        assert!(ask.extent(StatusCode::PARTIAL_CONTENT, &told("\"a\"")).is_some());
        assert_eq!(ask.extent(StatusCode::PARTIAL_CONTENT, &told("\"b\"")), None);
        assert_eq!(ask.extent(StatusCode::PARTIAL_CONTENT, &told("W/\"a\"")), None);
    }

    #[test]
    fn unchanged_and_outside_only_when_asked() {
        let ask = Ask { unless: EntityTag::parse("\"a\""), ..Ask::default() };
        assert_eq!(ask.extent(StatusCode::NOT_MODIFIED, &HeaderMap::new()), Some(Extent::Unchanged));
        assert_eq!(ask.extent(StatusCode::NOT_MODIFIED, &headers(&[(ETAG, "\"b\"")])), None);
        assert_eq!(Ask::default().extent(StatusCode::NOT_MODIFIED, &HeaderMap::new()), None);
        let outside = headers(&[(CONTENT_RANGE, "bytes */10")]);
        let extent = |range: &str| part(range, None).extent(StatusCode::RANGE_NOT_SATISFIABLE, &outside);
        assert_eq!((extent("bytes=10-"), extent("bytes=9-")), (Some(Extent::Outside { of: 10 }), None));
    }

    #[test]
    fn who_asks_is_told_at_home_only() {
        struct Fixed;
        impl Introduce for Fixed {
            fn headers(&self, path: &str) -> Vec<(HeaderName, HeaderValue)> {
                vec![(HeaderName::from_static("x-path"), path.parse().unwrap())]
            }
        }
        let ask = Ask { introduction: Some(Arc::new(Fixed)), verbatim: true, ..Ask::default() };
        assert_eq!(ask.headers("/a", true)["x-path"], "/a");
        assert!(!ask.headers("/a", false).contains_key("x-path"));
        assert!(!ask.anonymous().headers("/a", true).contains_key("x-path"));
        assert_eq!(ask.headers("/a", false)[ACCEPT_ENCODING], "identity");
    }

    proptest! {
        #[test]
        fn any_content_range_is_read_or_not(value in "(bytes )?[0-9*]{0,21}-?[0-9]{0,21}/?[0-9*]{0,21}") {
            if let Some((range, of)) = content_range(&value) {
                prop_assert!(range.start < range.end && range.end <= of);
            }
        }
    }
}
