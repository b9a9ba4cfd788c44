//! What becomes known of one request on its walk, and what is kept of it: its audit records and its log line.
//!
//! The same facts go everywhere, so the denial that a developer reads, the line in the log and the record that an
//! auditor finds cannot tell different stories. Filled in step by step; nothing here decides anything.

use super::{Caller, RequestId, shape::Toll};
use crate::{
    audit::{self, Cache, Kind, Record, RuleRef},
    forward::Asker,
    goproxy::{Asked, SumdbAsk, Target},
    policy::{Authorization, Decision, Effect, Rule, Verdict},
};
use auth::Principal;
use axum::http::Method;
use jiff::Timestamp;
use smallvec::SmallVec;
use std::{fmt, net::SocketAddr, sync::Arc};

/// The facts of one request.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    pub(super) id: RequestId,
    pub(super) received: Timestamp,
    pub(super) method: Method,
    pub(super) peer: SocketAddr,
    pub(super) caller: Option<Caller>,
    pub(super) target: Option<Arc<Target>>,
    /// The path of what was asked of the console.
    pub(super) page: Option<Box<str>>,
    pub(super) principal: Arc<Principal>,
    /// A token that was proved and is no longer accepted.
    pub(super) token: Option<String>,
    /// The code of why a credential was not accepted.
    pub(super) rejected: Option<&'static str>,
    /// A keyed hash of a login that was not verified.
    pub(super) login: Option<String>,
    pub(super) ruling: Ruling,
    pub(super) toll: Toll,
    /// Whether the answer has a record of its own: always, but for refusals among very many (`shape.rs`).
    pub(super) recorded: bool,
    pub(super) cache: Cache,
    pub(super) source: Option<Arc<str>>,
    pub(super) h1: Option<Arc<str>>,
}

/// What the policy said, and which policy it was.
#[derive(Debug, Clone, Default)]
pub(super) struct Ruling {
    pub(super) decision: audit::Decision,
    pub(super) rule: Option<Arc<Rule>>,
    pub(super) warnings: Vec<Arc<Rule>>,
    pub(super) roles: Arc<[Arc<str>]>,
    pub(super) digest: Option<Arc<str>>,
}

impl Ruling {
    /// Nobody was let in, so nothing was decided about the target.
    pub(super) fn unauthenticated() -> Self {
        Self { decision: audit::Decision::Unauthenticated, ..Self::default() }
    }

    /// The policy lets the caller have this target, but not what it came to.
    pub(super) fn deny(&mut self, decision: &Decision) {
        self.decision = audit::Decision::Deny;
        self.rule.clone_from(&decision.rule);
    }

    pub(super) fn of(authorization: &Authorization, digest: Arc<str>) -> Self {
        let decision = match (&authorization.verdict, authorization.decision.effect) {
            (Verdict::Withheld(_), _) => audit::Decision::Withheld,
            (Verdict::Denied, _) | (_, Effect::Deny) => audit::Decision::Deny,
            (Verdict::Permitted(_), Effect::Allow) => audit::Decision::Allow,
        };
        let rule = match &authorization.verdict {
            Verdict::Withheld(rule) => Some(Arc::clone(rule)),
            _ => authorization.decision.rule.clone(),
        };
        Self {
            decision,
            rule,
            warnings: authorization.decision.warnings.clone(),
            roles: Arc::clone(&authorization.roles),
            digest: Some(digest),
        }
    }
}

impl Trail {
    /// The trail of a request of which nothing is known but its arrival.
    pub(super) fn new(
        id: RequestId,
        received: Timestamp,
        method: Method,
        peer: SocketAddr,
        principal: Arc<Principal>,
    ) -> Self {
        Self {
            id,
            received,
            method,
            peer,
            caller: None,
            target: None,
            page: None,
            principal,
            token: None,
            rejected: None,
            login: None,
            ruling: Ruling::default(),
            toll: Toll::None,
            recorded: true,
            cache: Cache::None,
            source: None,
            h1: None,
        }
    }

    /// Who asks, as far as a store behind is told.
    pub(super) fn asker(&self) -> Asker<'_> {
        let Principal { subject, groups, .. } = &*self.principal;
        Asker { subject, groups, roles: &self.ruling.roles, request: self.id.as_str() }
    }

    /// What was asked for, in a few words.
    pub(super) fn asked(&self) -> AskedFor<'_> {
        AskedFor(self)
    }

    /// Hands the facts to `keep` as a record of this kind.
    pub(super) fn record<T>(
        &self,
        kind: Kind,
        now: Timestamp,
        status: Option<u16>,
        keep: impl FnOnce(&Record<'_>) -> T,
    ) -> T {
        self.record_about(self.target.as_deref(), kind, now, status, keep)
    }

    /// The same about another target, which is needed to answer this one.
    pub(super) fn record_about<T>(
        &self,
        target: Option<&Target>,
        kind: Kind,
        now: Timestamp,
        status: Option<u16>,
        keep: impl FnOnce(&Record<'_>) -> T,
    ) -> T {
        let page = self.page.as_deref().filter(|_| target.is_none()).map(|path| page(path, self.method.as_str()));
        let claims =
            self.principal.claims.iter().map(|claim| (&*claim.name, &*claim.value)).collect::<SmallVec<[_; 4]>>();
        let names = self.ruling.warnings.iter().map(|rule| rule.to_string()).collect::<Vec<_>>();
        let warnings = names.iter().map(String::as_str).collect::<Vec<_>>();
        keep(&Record {
            time: now,
            kind,
            request: self.id.as_str(),
            trace: None,
            subject: &self.principal.subject,
            groups: &self.principal.groups,
            roles: &self.ruling.roles,
            method: self.principal.method.as_str(),
            token: self.principal.token_id.as_deref().or(self.token.as_deref()),
            claims: &claims,
            reason: self.rejected,
            login: self.login.as_deref(),
            peer: Some(self.peer),
            client: self.caller.map(|caller| caller.client),
            target: target.map(|target| parts(target, self.method.as_str())).or(page),
            decision: self.ruling.decision,
            rule: self.ruling.rule.as_deref().map(|rule| RuleRef {
                file: rule.file(),
                line: rule.line(),
                id: rule.id(),
            }),
            warnings: &warnings,
            policy: self.ruling.digest.as_deref().unwrap_or_default(),
            status,
            cache: self.cache,
            source: self.source.as_deref(),
            h1: self.h1.as_deref(),
            act: None,
        })
    }
}

/// What was asked for, for a log line: `GET zip github.com/a/b v1.0.0`. All of it was checked when it was parsed.
pub(super) struct AskedFor<'a>(&'a Trail);

impl fmt::Display for AskedFor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.0.method.as_str();
        let Some(target) = self.0.target.as_deref() else {
            return write!(f, "{verb} {}", self.0.page.as_deref().unwrap_or("nothing"));
        };
        let audit::Target { label, module, version, query, sumdb, .. } = parts(target, verb);
        write!(f, "{verb} {label}")?;
        [sumdb, module, version, query].into_iter().flatten().try_for_each(|part| write!(f, " {part}"))
    }
}

/// A target in the journal's parts.
fn parts<'a>(target: &'a Target, verb: &'a str) -> audit::Target<'a> {
    let query = match target {
        Target::Module { asked: Asked::Query(query), .. } => Some(query.as_str()),
        _ => None,
    };
    let (label, sumdb) = match target {
        Target::Sumdb { name, asked } => (sumdb_label(asked), Some(&*name.0)),
        other => (other.kind(), None),
    };
    let (module, version) =
        (target.module().map(|path| path.as_str()), target.version().map(|version| version.as_str()));
    audit::Target { verb, label, module, version, query, sumdb, path: None }
}

/// What was asked of the console.
fn page<'a>(path: &'a str, verb: &'a str) -> audit::Target<'a> {
    audit::Target { verb, label: "console", path: Some(path), ..audit::Target::default() }
}

fn sumdb_label(asked: &SumdbAsk) -> &'static str {
    match asked {
        SumdbAsk::Supported => "supported",
        SumdbAsk::Latest => "sumdb-latest",
        SumdbAsk::Lookup(..) => "lookup",
        SumdbAsk::Tile(_) => "tile",
    }
}
