//! The principal: who asks, as every later step sees it.
//!
//! Names carry their issuer (`user:ISSUER/SUBJECT`, `ci:ISSUER/…`, `group:ISSUER/NAME`), so that two issuers'
//! `alice` differ and no claim can name a role. The secret that proved it is not in here.

use std::sync::Arc;

/// How a principal proved who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// No credential was sent.
    Anonymous,
    /// An issued token (`mg_…`).
    Token,
    /// A JWT of a configured issuer.
    Jwt,
    /// A login and a password of the directory.
    Ldap,
    /// A client certificate.
    Certificate,
    /// A session in a browser, after a login at an issuer.
    Session,
}

impl Method {
    /// The method's name in records: `anonymous`, `token`, `jwt`, `ldap`, `certificate` or `session`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Token => "token",
            Self::Jwt => "jwt",
            Self::Ldap => "ldap",
            Self::Certificate => "certificate",
            Self::Session => "session",
        }
    }
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// `user:ISSUER/SUBJECT`, `ci:ISSUER/…`, or `anonymous`.
    pub subject: Arc<str>,
    /// `group:ISSUER/NAME`, as the issuer spells them.
    pub groups: Arc<[Arc<str>]>,
    /// How it was proved.
    pub method: Method,
    /// The issued token's id (12 base62), or the `jti` of a JWT (at most 64 printable ASCII characters); safe to record.
    pub token_id: Option<Arc<str>>,
    /// The token's scope, opaque here; the policy intersects it.
    pub scope: Option<Arc<str>>,
    /// What the credential says that only records are interested in: a pipeline's run id, repository and commit.
    pub claims: Arc<[Claim]>,
}

/// A claim of a verified credential that is kept in records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// As the configuration calls it: `run_id`.
    pub name: Arc<str>,
    /// Printable, on one line, at most 256 bytes.
    pub value: Arc<str>,
}

impl Principal {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self {
            subject: "anonymous".into(),
            groups: Arc::from([]),
            method: Method::Anonymous,
            token_id: None,
            scope: None,
            claims: Arc::from([]),
        }
    }

    /// Every name the policy may grant to: the subject, the groups, and `authenticated` unless anonymous.
    pub fn identities(&self) -> impl Iterator<Item = &str> {
        let authenticated = (self.method != Method::Anonymous).then_some("authenticated");
        std::iter::once(&*self.subject).chain(authenticated).chain(self.groups.iter().map(|g| &**g))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anonymous_are_not_authenticated() {
        let names: Vec<_> = Principal::anonymous().identities().map(str::to_owned).collect();
        assert_eq!(names, ["anonymous"]);
    }

    #[test]
    fn identities_are_subject_authenticated_and_groups() {
        let principal = Principal {
            subject: "user:token/alice".into(),
            groups: ["group:token/dev".into()].into(),
            method: Method::Token,
            ..Principal::anonymous()
        };
        let names: Vec<_> = principal.identities().collect();
        assert_eq!(names, ["user:token/alice", "authenticated", "group:token/dev"]);
    }
}
