//! `[limits]`: who may ask how much.

use super::quantity::{Form, Value, quoted};
use super::section::Section;
use crate::limit::{Rate, RoleRate, Settings};
use std::num::NonZeroU32;
use std::time::Duration;

/// How long it may take until all of a burst has flowed back. More is a slip, and governor counts in nanoseconds.
const LONGEST_REFILL: Duration = Duration::from_secs(30 * 86_400);
/// A larger burst is no limit.
const LARGEST_BURST: u32 = 100_000_000;

pub(super) fn limits(mut section: Section<'_, '_>) -> Settings {
    let default = Settings::default();
    let fetch_cost = section.within("fetch_cost", 0, default.fetch_cost, 1000);
    let dearest = 1 + fetch_cost;
    let principal = rate(&mut section, ["principal", "principal_burst"], default.principal, dearest);
    let anonymous = rate(&mut section, ["anonymous", "anonymous_burst"], default.anonymous, dearest);
    let failures = rate(&mut section, ["failures", "failures_burst"], default.failures, 1);
    let longest_wait = section.within("longest_wait", Duration::ZERO, default.longest_wait, Duration::from_secs(300));
    let waiting = section.within("waiting", 0, default.waiting, 100_000);
    let keys = section.within("keys", 1024, 65_536, 10_000_000) as usize;
    let roles = section.sections("role").unwrap_or_default();
    let roles = roles.into_iter().filter_map(|section| role(section, principal.or(default.principal), dearest));
    let roles = roles.collect();
    section.finish();
    Settings { principal, anonymous, failures, roles, fetch_cost, longest_wait, waiting, keys }
}

fn role(mut section: Section<'_, '_>, default: Option<Rate>, dearest: u32) -> Option<RoleRate> {
    let role = section.required::<Role>("role");
    let rate = rate(&mut section, ["rate", "burst"], default, dearest);
    section.finish();
    Some(RoleRate { role: role?.value.0.into(), rate })
}

/// A rate by its two keys. The burst must be enough for the dearest request.
fn rate(
    section: &mut Section<'_, '_>,
    [pace, burst]: [&'static str; 2],
    default: Option<Rate>,
    dearest: u32,
) -> Option<Rate> {
    let default_burst = default.map_or(LARGEST_BURST, |rate| rate.burst.get());
    let Pace(found) = section.or(pace, Pace(default.map(|rate| (rate.units, rate.per))));
    let units = section.within(burst, 1, default_burst, LARGEST_BURST);
    let (of_time, per) = found?;
    let rate = Rate { units: of_time, per, burst: NonZeroU32::new(units)? };
    let shown = section.dotted(burst);
    if units < dearest {
        let message = format!("`{shown}` is {units}, and a request that asks a source costs {dearest}");
        section.problem(section.place(), message, "at least 1 and `limits.fetch_cost` together");
    }
    if rate.refill() > LONGEST_REFILL {
        let message = format!("`{shown}` is {units}, which takes more than 30 days to come back at {rate}");
        section.problem(section.place(), message, "set a smaller burst or a higher rate");
    }
    Some(rate)
}

/// Units and the time in which they flow back; `None`: no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pace(Option<(NonZeroU32, Duration)>);

const TIMES: [(&str, Duration); 3] =
    [("s", Duration::from_secs(1)), ("m", Duration::from_secs(60)), ("h", Duration::from_secs(3600))];

impl Value for Pace {
    const FORM: Form = Form::TextOrInteger;
    const EXPECTED: &'static str = "a rate such as \"1000/s\", \"600/m\" or \"50/h\", or \"off\"";

    fn parse(text: &str) -> Result<Self, String> {
        if matches!(text, "off" | "0") {
            return Ok(Self(None));
        }
        let (units, time) = text.split_once('/').ok_or_else(String::new)?;
        let (_, per) = TIMES.iter().find(|(name, _)| *name == time).ok_or_else(String::new)?;
        match units.bytes().all(|byte| byte.is_ascii_digit()).then(|| units.parse::<u32>()) {
            Some(Ok(units)) if units <= 10_000_000 => Ok(Self(NonZeroU32::new(units).map(|units| (units, *per)))),
            Some(_) => Err("at most 10000000, or \"off\"".to_owned()),
            None => Err(String::new()),
        }
    }

    fn show(&self) -> String {
        let Some((units, per)) = self.0 else { return quoted("off") };
        let name = TIMES.iter().find(|(_, time)| *time == per).map_or("s", |(name, _)| name);
        quoted(&format!("{units}/{name}"))
    }
}

/// A role as the policy names it.
struct Role(String);

impl Value for Role {
    const EXPECTED: &'static str = "a role such as \"role:ci\"";

    fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("role:").filter(|name| !name.is_empty());
        let good = name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
        if good { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rate_is_units_in_a_time_or_off() {
        let pace = |units, seconds| Ok(Pace(NonZeroU32::new(units).map(|units| (units, Duration::from_secs(seconds)))));
        for (text, expected) in [("1000/s", pace(1000, 1)), ("10/m", pace(10, 60)), ("1/h", pace(1, 3600))] {
            assert_eq!(Pace::parse(text), expected);
        }
        for off in ["off", "0", "0/s"] {
            assert_eq!(Pace::parse(off), Ok(Pace(None)));
        }
        for bad in ["", "10", "10/d", "-1/s", "+1/s", "1.5/s", "10 /s", "/s", "99999999/s", "99999999999/s", "on"] {
            assert!(Pace::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(units in 1u32..=10_000_000, time in 0usize..3) {
            let pace = Pace(NonZeroU32::new(units).map(|units| (units, TIMES[time].1)));
            prop_assert_eq!(Pace::parse(pace.show().trim_matches('"')), Ok(pace));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}") {
            let _ = Pace::parse(&text);
            let _ = Role::parse(&text);
        }
    }
}
