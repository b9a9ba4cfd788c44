//! The keys of `[upstream]` that say what happens when a source fails. They hold for private sources too.

use super::quantity::{Form, Value, quoted};
use super::section::Section;
use super::settings::{Failures, Hedge};
use std::time::Duration;

pub(super) fn failures(section: &mut Section<'_, '_>) -> Failures {
    let (tenth, seconds) = (Duration::from_millis(100), Duration::from_secs);
    let failures = Failures {
        threshold: section.within("failure_threshold", 1, 5, 1000),
        cool_down: section.within("cool_down", tenth, seconds(5), seconds(3600)),
        max_cool_down: section.within("max_cool_down", tenth, seconds(60), seconds(3600)),
        retries: section.within("retries", 0, 2, 2),
        hedge: section.or("hedge", Hedge::Auto),
        max_in_flight: section.within("max_in_flight", 1, 256, 100_000),
    };
    if failures.cool_down > failures.max_cool_down {
        let message = "`upstream.cool_down` is longer than `upstream.max_cool_down`";
        section.problem(section.place(), message, "raise max_cool_down");
    }
    failures
}

impl Value for Hedge {
    const FORM: Form = Form::Text;
    const EXPECTED: &'static str = "\"auto\", \"off\" or a duration such as \"500ms\"";
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            // Sooner than this, everything would be asked for twice.
            _ => match Duration::parse(text).map_err(|_| String::new())? {
                delay if delay >= Duration::from_millis(10) => Ok(Self::After(delay)),
                _ => Err("it is shorter than 10ms".to_owned()),
            },
        }
    }
    fn show(&self) -> String {
        match self {
            Self::Auto => quoted("auto"),
            Self::Off => quoted("off"),
            Self::After(delay) => delay.show(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hedge_is_a_word_or_a_delay() {
        for (text, hedge) in
            [("auto", Hedge::Auto), ("off", Hedge::Off), ("1500ms", Hedge::After(Duration::from_millis(1500)))]
        {
            assert_eq!(Hedge::parse(text), Ok(hedge));
            assert_eq!(hedge.show(), quoted(text));
        }
        for text in ["", "on", "1ms", "0", "0s", "-1s"] {
            assert!(Hedge::parse(text).is_err(), "{text}");
        }
    }
}
