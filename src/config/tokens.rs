//! `[tokens]`: how long what people and pipelines get themselves is good, and how much of it.

use super::section::Section;
use std::time::Duration;

/// `[tokens]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tokens {
    /// How long the access token of a login is good.
    pub access_lifetime: Duration,
    /// How long a refresh token is good; each use gives a new one.
    pub refresh_lifetime: Duration,
    /// How long a token that somebody makes is good at most, and unless they say.
    pub max_lifetime: Duration,
    /// How long what a pipeline gets for its JWT is good.
    pub exchange_lifetime: Duration,
    /// People's JWTs are exchanged, too.
    pub exchange_people: bool,
    /// Live tokens of one owner.
    pub max_per_owner: usize,
    /// How often the groups of people who logged in are looked up again; zero: never.
    pub refresh_groups: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn tokens(mut section: Section<'_, '_>) -> Tokens {
    let year = 366 * DAY;
    let tokens = Tokens {
        access_lifetime: section.within("access_lifetime", 5 * Duration::from_secs(1), HOUR, 7 * DAY),
        refresh_lifetime: section.within("refresh_lifetime", MINUTE, 30 * DAY, year),
        max_lifetime: section.within("max_lifetime", MINUTE, 90 * DAY, year),
        exchange_lifetime: section.within("exchange_lifetime", MINUTE, 15 * MINUTE, DAY),
        exchange_people: section.or("exchange_people", false),
        max_per_owner: usize::try_from(section.within("max_per_owner", 2, 500u32, 100_000)).unwrap_or(500),
        refresh_groups: section.within("refresh_groups", Duration::ZERO, HOUR, 7 * DAY),
    };
    if tokens.access_lifetime > tokens.refresh_lifetime {
        let text = "`tokens.access_lifetime` is longer than `tokens.refresh_lifetime`, so nothing would be refreshed";
        section.problem(section.place(), text, "set a shorter access_lifetime");
    }
    section.finish();
    tokens
}
