//! `--expires`: how long a new token is good.
//!
//! `8h` and `90d` count from now. A day, `2026-12-31`, is included, as in the policy's `until` column: the token expires
//! when the next day begins in UTC. `never` must be said; there is no other way to a token without an end.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The longest term, in days: a hundred years. Longer is a slip of the finger, or `never`.
const LONGEST: u32 = 36_500;

/// An end of validity, as typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expiry {
    /// So many hours from now.
    Hours(u32),
    /// When this day is over in UTC.
    Through(Date),
    /// Never.
    Never,
}

impl Expiry {
    /// The moment from which on a token that is created now is expired; `None`: never.
    pub(super) fn from(self, now: Timestamp) -> Result<Option<Timestamp>, PastError> {
        let end = match self {
            Self::Never => return Ok(None),
            Self::Hours(hours) => now.checked_add(SignedDuration::from_hours(hours.into())),
            Self::Through(date) => {
                date.tomorrow().and_then(|next| next.to_zoned(TimeZone::UTC)).map(|midnight| midnight.timestamp())
            }
        };
        // What does not fit into a timestamp lies thousands of years ahead.
        let end = end.unwrap_or(Timestamp::MAX);
        match self {
            Self::Through(date) if end <= now => Err(PastError { date }),
            _ => Ok(Some(end)),
        }
    }
}

/// A day that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`--expires {date}`: that day is over")]
pub struct PastError {
    date: Date,
}

/// A text that is no [`Expiry`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum ExpiryError {
    #[error("write hours (8h), days (90d), a day (2026-12-31) or never")]
    Form,
    #[error("it is 1 hour at least and {LONGEST} days at most; write never for a token without an end")]
    Term,
}

impl FromStr for Expiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let term = |number: &str, hours: u32| match number.parse::<u32>() {
            Ok(number) => match number.checked_mul(hours) {
                Some(total @ 1..) if total <= LONGEST * 24 => Ok(Self::Hours(total)),
                _ => Err(ExpiryError::Term),
            },
            Err(_) => Err(ExpiryError::Form),
        };
        if let Some(number) = text.strip_suffix('d') {
            term(number, 24)
        } else if let Some(number) = text.strip_suffix('h') {
            term(number, 1)
        } else if text.len() == "2026-12-31".len() {
            text.parse().map(Self::Through).map_err(|_| ExpiryError::Form)
        } else {
            Err(ExpiryError::Form)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01T12:00:00Z.
    fn noon() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn end(text: &str) -> String {
        let expiry: Expiry = text.parse().unwrap();
        expiry.from(noon()).unwrap().map_or("never".to_owned(), |at| at.to_string())
    }

    #[test]
    fn terms_count_from_now_and_days_are_included() {
        assert_eq!(end("90d"), "2026-05-30T12:00:00Z");
        assert_eq!(end("8h"), "2026-03-01T20:00:00Z");
        assert_eq!(end("2026-12-31"), "2027-01-01T00:00:00Z");
        assert_eq!(end("2026-03-01"), "2026-03-02T00:00:00Z");
        assert_eq!(end("9999-12-31"), Timestamp::MAX.to_string());
        assert_eq!(end("never"), "never");
    }

    #[test]
    fn a_day_that_is_over_is_refused() {
        let yesterday: Expiry = "2026-02-28".parse().unwrap();
        assert_eq!(yesterday.from(noon()).unwrap_err().to_string(), "`--expires 2026-02-28`: that day is over");
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "d",
            "90",
            "-1d",
            "1.5d",
            "90 d",
            "90D",
            "Never",
            "tomorrow",
            "2026-02-30",
            "2026-1-1",
            "20261231",
            "31.12.2026",
            "+2026-12-31",
            "99999999999d",
        ] {
            assert_eq!(bad.parse::<Expiry>(), Err(ExpiryError::Form), "{bad}");
        }
        for bad in ["0d", "0h", "36501d", "4294967295d"] {
            assert_eq!(bad.parse::<Expiry>(), Err(ExpiryError::Term), "{bad}");
        }
    }
}
