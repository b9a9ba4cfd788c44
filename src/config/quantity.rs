//! Values as they are written: what a text must look like, and how it is shown again.

use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use url::Url;

/// Bytes, written as `64MiB`, `500kB` or a plain number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
    ("", 1),
];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().take(3).find(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit));
        match whole {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What TOML type a value may be written as, besides a string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Only a string.
    Text,
    /// Only a boolean.
    Boolean,
    /// Only an integer.
    Integer,
    /// A string, or an integer without a unit.
    TextOrInteger,
}

/// A value of the configuration.
pub(super) trait Value: Sized {
    /// How it may be written.
    const FORM: Form = Form::Text;
    /// What it is, with an example; completes "expected …".
    const EXPECTED: &'static str;
    /// Reads it. `Err` says what is wrong beyond not being as expected; it may be empty.
    fn parse(text: &str) -> Result<Self, String>;
    /// As TOML would have it.
    fn show(&self) -> String;
}

impl Value for String {
    const EXPECTED: &'static str = "a text that is not empty";
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() || text.chars().any(char::is_control) { Err(String::new()) } else { Ok(text.into()) }
    }
    fn show(&self) -> String {
        quoted(self)
    }
}

impl Value for bool {
    const FORM: Form = Form::Boolean;
    const EXPECTED: &'static str = "`true` or `false`";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    const FORM: Form = Form::Integer;
    const EXPECTED: &'static str = "a whole number";
    fn parse(text: &str) -> Result<Self, String> {
        text.replace('_', "").parse().map_err(|_| String::new())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Size {
    const FORM: Form = Form::TextOrInteger;
    const EXPECTED: &'static str = "a size such as \"64MiB\"";
    fn parse(text: &str) -> Result<Self, String> {
        let (digits, unit) = split_number(text);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(String::new)?;
        let number: u64 = digits.parse().map_err(|_| String::new())?;
        number.checked_mul(*unit).map(Size).ok_or_else(|| "it is too large".to_owned())
    }
    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for Duration {
    const EXPECTED: &'static str = "a duration such as \"500ms\", \"30s\", \"2m\", \"1h\" or \"7d\"";
    fn parse(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self::ZERO);
        }
        let (digits, unit) = split_number(text);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(String::new()),
        };
        let number: u64 = digits.parse().map_err(|_| String::new())?;
        // A year is longer than anything here, and far from what timers can hold.
        let within = |millis: &u64| *millis <= 366 * 86_400_000;
        number.checked_mul(millis).filter(within).map(Self::from_millis).ok_or_else(|| "it is too long".to_owned())
    }
    fn show(&self) -> String {
        let millis = self.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
        let shown = units.into_iter().find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit));
        quoted(&shown.map_or("0s".to_owned(), |(unit, name)| format!("{}{name}", millis / unit)))
    }
}

impl Value for SocketAddr {
    const EXPECTED: &'static str = "an IP address with a port such as \"127.0.0.1:8443\" or \"[::]:8443\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| String::new())
    }
    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for IpNet {
    const EXPECTED: &'static str = "an IP address or network such as \"10.0.0.0/8\"";
    fn parse(text: &str) -> Result<Self, String> {
        let network = text.parse::<Self>().or_else(|_| text.parse::<IpAddr>().map(Self::from));
        let network = network.map_err(|_| String::new())?;
        // An address with host bits set is more likely a slip than a network.
        if network.trunc() == network { Ok(network) } else { Err(format!("did you mean `{}`?", network.trunc())) }
    }
    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for Url {
    const EXPECTED: &'static str = "a URL such as \"https://modules.corp.example\"";
    fn parse(text: &str) -> Result<Self, String> {
        let url = Self::parse(text).map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
            return Err("it must begin with https:// or http://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a password does not belong in a URL: name a file with it".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it must not have a query or a fragment".to_owned());
        }
        Ok(url)
    }
    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A text with what stands between `://` and `@` masked, for messages.
pub(super) fn masked(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("://");
        let authority = part.find(['/', ',', '|']).unwrap_or(part.len());
        match part.get(..authority).and_then(|authority| authority.rfind('@')) {
            Some(at) => {
                shown.push_str("***");
                shown.push_str(part.get(at..).unwrap_or_default());
            }
            None => shown.push_str(part),
        }
    }
    shown
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, millis) in [("0", 0), ("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(<Duration as Value>::parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1.5s", "30 s", "1y", "99999999999999999999s", "9999999d", "ms"] {
            assert!(<Duration as Value>::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_binary_or_decimal() {
        for (text, bytes) in [("0", 0), ("7", 7), ("64MiB", 64 << 20), ("500kB", 500_000), ("2GiB", 2 << 30)] {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "MiB", "64mib", "64 MiB", "-1", "1e3", "99999999999999GiB"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_url_has_no_password() {
        assert!(<Url as Value>::parse("https://modules.corp.example/go").is_ok());
        for text in ["https://a:b@c", "https://a@c", "ftp://c", "c", "https://c?q", "https://c#f", "https://"] {
            assert!(<Url as Value>::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_has_no_host_bits() {
        assert_eq!(<IpNet as Value>::parse("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(<IpNet as Value>::parse("10.1.2.3/8"), Err("did you mean `10.0.0.0/8`?".to_owned()));
    }

    #[test]
    fn passwords_are_masked() {
        for (text, shown) in [
            ("https://a:b@c/d", "https://***@c/d"),
            ("https://a:b@c,https://d|http://tok@e,direct", "https://***@c,https://d|http://***@e,direct"),
            ("https://c/@v/list", "https://c/@v/list"),
            ("https://a:p@ss@c", "https://***@c"),
            ("plain", "plain"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(millis in 0..30_000_000_000u64, bytes: u64) {
            let unquoted = |text: String| text.trim_matches('"').to_owned();
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(<Duration as Value>::parse(&unquoted(duration.show())), Ok(duration));
            prop_assert_eq!(Size::parse(&unquoted(Size(bytes).show())), Ok(Size(bytes)));
        }

        #[test]
        fn no_text_makes_them_panic(text in ".{0,40}") {
            let _ = <Duration as Value>::parse(&text);
            let _ = Size::parse(&text);
            let _ = <Url as Value>::parse(&text);
            let _ = <IpNet as Value>::parse(&text);
            let _ = masked(&text);
        }
    }
}
