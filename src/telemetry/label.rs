//! The labels of the metrics: closed lists, each value with its text.

/// A closed list of label values.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The value's place in [`Label::ALL`].
    fn index(self) -> usize;
    /// The value as it is exposed.
    fn text(self) -> &'static str;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident: $label:literal { $($(#[$value_doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$value_doc])* $value,)+ }

        impl Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$value,)+];
            fn index(self) -> usize {
                self as usize
            }
            fn text(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }
    };
}

label! {
    /// What was asked for.
    Kind: "kind" {
        /// `/`
        Root = "root",
        /// `/@v/list`
        List = "list",
        /// `/@latest`
        Latest = "latest",
        /// `.info` of a branch, commit or other query
        Query = "query",
        /// `.info` of a version
        Info = "info",
        /// `.mod`
        Mod = "mod",
        /// `.zip`
        Zip = "zip",
        /// `/sumdb/NAME/lookup/…`
        Lookup = "sumdb_lookup",
        /// `/sumdb/NAME/tile/…`
        Tile = "sumdb_tile",
        /// `/sumdb/NAME/supported` and `/sumdb/NAME/latest`
        Sumdb = "sumdb_other",
        /// Pages, and the interface for programs
        Console = "console",
        /// A path that is no target.
        Invalid = "invalid",
    }
}

label! {
    /// The first digit of the status.
    StatusClass: "status" {
        /// 1xx and 2xx
        Success = "2xx",
        /// 3xx
        Redirect = "3xx",
        /// 4xx
        Client = "4xx",
        /// 5xx
        Server = "5xx",
    }
}

impl StatusClass {
    /// The class of a status.
    pub fn of(status: u16) -> Self {
        match status {
            0..300 => Self::Success,
            300..400 => Self::Redirect,
            400..500 => Self::Client,
            _ => Self::Server,
        }
    }
}

label! {
    /// What the policy said.
    Decision: "decision" {
        /// Allowed.
        Allow = "allow",
        /// Denied by a rule, or because none allows.
        Deny = "deny",
        /// Answered 404 without asking anyone, because the path leads to a private name.
        Withheld = "withheld",
        /// Never decided: not authenticated, malformed, over a limit.
        Undecided = "none",
    }
}

label! {
    /// Where the answer came from.
    Cache: "cache" {
        /// Held.
        Hit = "hit",
        /// Held, past its freshness.
        Stale = "stale",
        /// Fetched for this request.
        Miss = "miss",
        /// Fetched for another request that was already under way.
        Joined = "joined",
        /// Handed on from the store behind, in forward mode.
        Forwarded = "forwarded",
        /// A remembered absence.
        Negative = "negative",
        /// No content was looked for.
        Unused = "none",
    }
}

label! {
    /// How a request to a source ended.
    Upstream: "result" {
        /// Content.
        Found = "ok",
        /// 404 or 410.
        Absent = "absent",
        /// 401, 403 and other 4xx.
        Refused = "refused",
        /// 429.
        Overloaded = "overloaded",
        /// 5xx, connection refused or reset.
        Failed = "failed",
        /// No answer in time.
        TimedOut = "timed_out",
        /// Past a cap.
        TooLarge = "too_large",
        /// Not what the protocol says.
        Invalid = "invalid",
        /// It was this very instance.
        Loop = "loop",
    }
}

label! {
    /// Why a connection was not served, or was ended from this side.
    ConnectionEnd: "reason" {
        /// Closed at once: `max_connections` were open.
        TooMany = "too_many",
        /// No or a bad PROXY protocol header, or one from an address that is not trusted.
        ProxyHeader = "proxy_header",
        /// The TLS handshake failed or took too long.
        Handshake = "handshake",
        /// A request head was not complete in time.
        SlowHead = "slow_head",
        /// Nothing was asked for longer than `idle_timeout`.
        Idle = "idle",
        /// The peer took nothing of an answer for longer than `idle_timeout`.
        Stalled = "stalled",
        /// Cut at the end of `drain_timeout`.
        Drained = "drained",
    }
}

label! {
    /// What is read again while running.
    Reloaded: "what" {
        /// The TLS certificate and its key.
        Certificate = "certificate",
        /// The policy files.
        Policy = "policy",
        /// The issued tokens, after another process changed them.
        Tokens = "tokens",
        /// The keys of an issuer of JWTs.
        Keys = "keys",
    }
}

label! {
    /// Who is over a limit.
    Limit: "limit" {
        /// A principal.
        Principal = "principal",
        /// The anonymous at an address.
        Anonymous = "anonymous",
        /// Whoever has no good credential, at an address.
        Failures = "failures",
    }
}

label! {
    /// Whether something worked.
    Success: "result" {
        /// It did.
        Succeeded = "ok",
        /// It did not; what was good before stays in force.
        Failed = "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consistent<L: Label>() {
        for (place, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), place, "{}", value.text());
        }
        let mut texts: Vec<_> = L::ALL.iter().map(|value| value.text()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), L::ALL.len(), "{}: texts repeat", L::NAME);
    }

    #[test]
    fn an_index_is_the_place_and_texts_are_distinct() {
        consistent::<Kind>();
        consistent::<StatusClass>();
        consistent::<Decision>();
        consistent::<Cache>();
        consistent::<Upstream>();
        consistent::<ConnectionEnd>();
        consistent::<Reloaded>();
        consistent::<Limit>();
        consistent::<Success>();
    }

    #[test]
    fn a_status_has_the_class_of_its_first_digit() {
        let classes = [(200, "2xx"), (304, "3xx"), (404, "4xx"), (499, "4xx"), (500, "5xx"), (508, "5xx")];
        for (status, class) in classes {
            assert_eq!(StatusClass::of(status).text(), class, "{status}");
        }
    }
}
