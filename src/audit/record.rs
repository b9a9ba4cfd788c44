//! The record: one line of the journal, as it is written.
//!
//! All fields are borrowed, because a record lives only from the decision to the write. A field that says nothing (an
//! empty text or list, an absent value, [`Decision::None`], [`Cache::None`]) is left out of the line, and no key occurs
//! twice. Keys come in the order of `docs/audit.md`. Adding a field keeps [`SCHEMA`]; giving one another meaning raises it.
//!
//! INVARIANT: no secret and no query string is ever in a record (invariant 9 of the design). There is no field that
//! could hold a credential, and [`Target`] takes the parts of a parsed target rather than a URL.

use super::json;
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The schema version that is written, and the newest that is read.
pub const SCHEMA: u32 = 1;

/// What a record is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A source is about to be asked: from here on the name may have left the house.
    Asked,
    /// An answer is about to be given: offered, which is not yet received.
    Answered,
    /// A transfer that `answered` announced did not complete.
    Broken,
    /// An administrative act, or something that happened to the gateway itself.
    Act,
}

/// What was decided about a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Permitted.
    Allow,
    /// Forbidden, by a rule or because no rule allows it.
    Deny,
    /// Answered as absent, asking nobody, to keep a private name private.
    Withheld,
    /// No valid credential.
    Unauthenticated,
    /// Nothing was decided (acts).
    #[default]
    None,
}

/// Where the answer's bytes came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// Fresh from the store.
    Hit,
    /// From the store, past its freshness.
    Stale,
    /// From a source that was asked for this request.
    Miss,
    /// From a source that was being asked already.
    Joined,
    /// Handed on from the store behind, in forward mode.
    Forwarded,
    /// Nothing was looked up.
    #[default]
    None,
}

/// What was asked for: the parts of a parsed target, never a URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Target<'a> {
    /// The HTTP method: `GET` or `HEAD`.
    pub verb: &'a str,
    /// The kind of target: `list`, `latest`, `query`, `info`, `mod`, `zip`, `lookup`, `tile`, …
    pub label: &'a str,
    /// The module path, unescaped.
    pub module: Option<&'a str>,
    /// The canonical version, unescaped.
    pub version: Option<&'a str>,
    /// The branch, commit or version prefix that was asked for instead of a version.
    pub query: Option<&'a str>,
    /// The checksum database's name.
    pub sumdb: Option<&'a str>,
    /// The path of a page or of the interface for programs, without a query string.
    pub path: Option<&'a str>,
}

/// The rule that decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuleRef<'a> {
    /// The policy file, as the policy names it.
    pub file: &'a str,
    /// The line in it, from 1.
    pub line: u32,
    /// The rule's own id, if it has one.
    pub id: Option<&'a str>,
}

/// What an administrator did, or what happened to the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Act<'a> {
    /// A dotted name: `policy.reloaded`, `journal.tail_cut`, `server.started`.
    pub name: &'a str,
    /// One sentence for a person. Bytes, because it may quote file names; what is no UTF-8 is replaced.
    pub detail: &'a [u8],
}

/// One line of the journal.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When, written as RFC 3339 in UTC with microseconds.
    pub time: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// The request's id, which joins the records of a request, its log lines and its answer.
    pub request: &'a str,
    /// The caller's trace id, if one was sent.
    pub trace: Option<&'a str>,
    /// Who: `user:ISSUER/SUBJECT`, `anonymous`, or `system`.
    pub subject: &'a str,
    /// The subject's groups, as the issuer spells them.
    pub groups: &'a [Arc<str>],
    /// The roles that the policy gives the subject.
    pub roles: &'a [Arc<str>],
    /// How the subject was proved: `token`, `anonymous`, …
    pub method: &'a str,
    /// The issued token's id; never its secret.
    pub token: Option<&'a str>,
    /// What else the credential says, each with a name: a pipeline's run, its repository and commit.
    pub claims: &'a [(&'a str, &'a str)],
    /// Why a credential was not accepted: a code.
    pub reason: Option<&'a str>,
    /// A short keyed hash of a login that was not verified; never the login.
    pub login: Option<&'a str>,
    /// Who connected.
    pub peer: Option<SocketAddr>,
    /// The client behind trusted proxies; the peer's address where there are none.
    pub client: Option<IpAddr>,
    /// What was asked for.
    pub target: Option<Target<'a>>,
    /// What was decided.
    pub decision: Decision,
    /// The rule that decided; none when no rule allows.
    pub rule: Option<RuleRef<'a>>,
    /// The ids (or `file:line`) of the `warn` rules that matched.
    pub warnings: &'a [&'a str],
    /// The digest of the policy in force, sha256 in hex.
    pub policy: &'a str,
    /// The HTTP status that is answered.
    pub status: Option<u16>,
    /// Where the bytes came from.
    pub cache: Cache,
    /// The source that gave them, printable and without credentials.
    pub source: Option<&'a str>,
    /// The module zip's or go.mod's hash (`h1:…`).
    pub h1: Option<&'a str>,
    /// The administrative act, for [`Kind::Act`].
    pub act: Option<Act<'a>>,
}

impl<'a> Record<'a> {
    /// A record that says only who and when; the rest is for the caller to fill in.
    pub fn new(time: Timestamp, kind: Kind, subject: &'a str) -> Self {
        Self {
            time,
            kind,
            subject,
            request: "",
            trace: None,
            groups: &[],
            roles: &[],
            method: "",
            token: None,
            claims: &[],
            reason: None,
            login: None,
            peer: None,
            client: None,
            target: None,
            decision: Decision::None,
            rule: None,
            warnings: &[],
            policy: "",
            status: None,
            cache: Cache::None,
            source: None,
            h1: None,
            act: None,
        }
    }

    /// The record of an act of the gateway itself.
    pub fn act(time: Timestamp, name: &'a str, detail: &'a [u8]) -> Self {
        let act = Some(Act { name, detail });
        Self { act, ..Self::new(time, Kind::Act, "system") }
    }

    /// Appends the line, newline included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(768);
        out.extend_from_slice(b"{\"v\":");
        json::number(out, u64::from(SCHEMA));
        out.extend_from_slice(b",\"time\":\"");
        timestamp(out, self.time);
        out.extend_from_slice(b"\",\"kind\":\"");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.push(b'"');
        self.encode_caller(out);
        if let Some(target) = &self.target {
            target.encode(out);
        }
        self.encode_decision(out);
        self.encode_answer(out);
        out.extend_from_slice(b"}\n");
    }

    fn encode_caller(&self, out: &mut Vec<u8>) {
        text(out, b",\"request\":", self.request);
        optional(out, b",\"trace\":", self.trace);
        text(out, b",\"subject\":", self.subject);
        list(out, b",\"groups\":", self.groups);
        list(out, b",\"roles\":", self.roles);
        text(out, b",\"method\":", self.method);
        optional(out, b",\"token\":", self.token);
        self.encode_claims(out);
        optional(out, b",\"reason\":", self.reason);
        optional(out, b",\"login\":", self.login);
        if let Some(peer) = self.peer {
            out.extend_from_slice(b",\"peer\":\"");
            socket(out, peer);
            out.push(b'"');
        }
        if let Some(client) = self.client {
            out.extend_from_slice(b",\"client\":\"");
            json::address(out, client);
            out.push(b'"');
        }
    }

    fn encode_claims(&self, out: &mut Vec<u8>) {
        for (number, (name, value)) in self.claims.iter().enumerate() {
            out.extend_from_slice(if number == 0 { b",\"claims\":{" } else { b"," });
            json::text(out, name);
            out.push(b':');
            json::text(out, value);
        }
        if !self.claims.is_empty() {
            out.push(b'}');
        }
    }

    fn encode_decision(&self, out: &mut Vec<u8>) {
        text(out, b",\"decision\":", self.decision.as_str());
        if let Some(rule) = &self.rule {
            rule.encode(out);
        }
        list(out, b",\"warnings\":", self.warnings);
        text(out, b",\"policy\":", self.policy);
    }

    fn encode_answer(&self, out: &mut Vec<u8>) {
        if let Some(status) = self.status {
            out.extend_from_slice(b",\"status\":");
            json::number(out, u64::from(status));
        }
        text(out, b",\"cache\":", self.cache.as_str());
        optional(out, b",\"source\":", self.source);
        optional(out, b",\"h1\":", self.h1);
        if let Some(act) = &self.act {
            text(out, b",\"act\":", act.name);
            out.extend_from_slice(b",\"detail\":");
            json::lossy(out, act.detail);
        }
    }
}

impl Target<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        text(out, b",\"http\":", self.verb);
        text(out, b",\"target\":", self.label);
        optional(out, b",\"module\":", self.module);
        optional(out, b",\"version\":", self.version);
        optional(out, b",\"query\":", self.query);
        optional(out, b",\"sumdb\":", self.sumdb);
        optional(out, b",\"path\":", self.path);
    }
}

impl RuleRef<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"rule\":");
        json::text(out, self.file);
        // Inside the quotes: `file:line` is one text.
        out.pop();
        out.push(b':');
        json::number(out, u64::from(self.line));
        out.push(b'"');
        optional(out, b",\"rule_id\":", self.id);
    }
}

impl Kind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Answered => "answered",
            Self::Broken => "broken",
            Self::Act => "act",
        }
    }
}

impl Decision {
    /// As it is written; empty for [`Decision::None`], which is left out.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Withheld => "withheld",
            Self::Unauthenticated => "unauthenticated",
            Self::None => "",
        }
    }
}

impl Cache {
    /// As it is written; empty for [`Cache::None`], which is left out.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Joined => "joined",
            Self::Forwarded => "forwarded",
            Self::None => "",
        }
    }
}

#[inline]
fn text(out: &mut Vec<u8>, key: &[u8], value: &str) {
    if !value.is_empty() {
        out.extend_from_slice(key);
        json::text(out, value);
    }
}

#[inline]
fn optional(out: &mut Vec<u8>, key: &[u8], value: Option<&str>) {
    text(out, key, value.unwrap_or_default());
}

fn list<T: AsRef<str>>(out: &mut Vec<u8>, key: &[u8], values: &[T]) {
    let Some((first, rest)) = values.split_first() else {
        return;
    };
    out.extend_from_slice(key);
    out.push(b'[');
    json::text(out, first.as_ref());
    for value in rest {
        out.push(b',');
        json::text(out, value.as_ref());
    }
    out.push(b']');
}

fn socket(out: &mut Vec<u8>, socket: SocketAddr) {
    let v6 = socket.ip().to_canonical().is_ipv6();
    if v6 {
        out.push(b'[');
    }
    json::address(out, socket.ip());
    if v6 {
        out.push(b']');
    }
    out.push(b':');
    json::number(out, u64::from(socket.port()));
}

/// `2026-11-22T12:31:22.000042Z`, by hand because the general printer costs as much as half a record.
fn timestamp(out: &mut Vec<u8>, time: Timestamp) {
    let at = TimeZone::UTC.to_datetime(time);
    json::padded::<4>(out, u32::from(at.year().unsigned_abs()));
    for (mark, part) in
        [(b'-', at.month()), (b'-', at.day()), (b'T', at.hour()), (b':', at.minute()), (b':', at.second())]
    {
        out.push(mark);
        json::padded::<2>(out, u32::from(part.unsigned_abs()));
    }
    out.push(b'.');
    json::padded::<6>(out, at.subsec_nanosecond().unsigned_abs() / 1000);
    out.push(b'Z');
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
