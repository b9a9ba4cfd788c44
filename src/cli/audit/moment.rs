//! A point in time as a person writes it: `2026-11-22`, `2026-11-22T08:00:00+01:00`, `24h`.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use std::str::FromStr;

/// A point in time, perhaps relative to now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Moment {
    /// This instant.
    At(Timestamp),
    /// A whole day, UTC.
    Day(Date),
    /// So long ago.
    Ago(SignedDuration),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(ago) = duration(text) {
            return Ok(Self::Ago(ago));
        }
        // A date alone would also read as a timestamp's beginning, and jiff takes more spellings than we promise.
        if text.len() == "2026-11-22".len() {
            return text.parse().map(Self::Day).map_err(|error: jiff::Error| error.to_string());
        }
        text.parse().map(Self::At).map_err(|error: jiff::Error| {
            format!("{error}; write `2026-11-22`, `2026-11-22T08:00:00Z` or a time ago as `24h`, `7d`")
        })
    }
}

impl Moment {
    /// The instant from which on.
    pub(super) fn beginning(self, now: Timestamp) -> Result<Timestamp, jiff::Error> {
        match self {
            Self::At(instant) => Ok(instant),
            Self::Day(day) => Ok(day.to_zoned(TimeZone::UTC)?.timestamp()),
            Self::Ago(ago) => now.checked_sub(ago),
        }
    }

    /// The instant before which: a day lies before its end.
    pub(super) fn end(self, now: Timestamp) -> Result<Timestamp, jiff::Error> {
        match self {
            Self::Day(day) => Self::Day(day.checked_add(1.day())?).beginning(now),
            moment => moment.beginning(now),
        }
    }
}

/// Reads a number and one of s, m, h, d, w.
fn duration(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let digits = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let number: i64 = digits.parse().ok()?;
    Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_has_a_beginning_and_an_end() {
        let now = at("2026-11-22T12:00:00Z");
        let table = [
            ("2026-11-20", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
            ("24h", "2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z"),
            ("1w", "2026-11-15T12:00:00Z", "2026-11-15T12:00:00Z"),
            ("90m", "2026-11-22T10:30:00Z", "2026-11-22T10:30:00Z"),
            ("0s", "2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
        ];
        for (text, beginning, end) in table {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.beginning(now).unwrap(), at(beginning), "{text}");
            assert_eq!(moment.end(now).unwrap(), at(end), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_and_so_is_the_end_of_the_calendar() {
        let wrong =
            ["", "h", "-1h", "1.5h", "24", "yesterday", "2026-13-01", "2026-11-22T08:00:00", "99999999999999999999d"];
        for text in wrong {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        let moment: Moment = "999999999w".parse().unwrap();
        assert!(moment.beginning(Timestamp::UNIX_EPOCH).is_err());
        let moment: Moment = "9999-12-31".parse().unwrap();
        assert!(moment.end(Timestamp::UNIX_EPOCH).is_err());
    }
}
