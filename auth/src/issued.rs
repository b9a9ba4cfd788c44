//! What is known about an issued token, short of its secret: for whom, until when, and whether it still stands.
//!
//! Issued tokens are an issuer of their own, with the built-in alias `token`: a token for NAME is
//! `user:token/NAME`, or `ci:token/NAME` for machines, and is a member of `group:token/GROUP`. Several tokens may
//! bear one name (an old and a new one while it is being replaced); what tells them apart is the id.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::name::{Line, Name};
use crate::principal::{Method, Principal};
use crate::token::TokenId;

/// Whether a token speaks for a person or for a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `user:token/NAME`.
    User,
    /// `ci:token/NAME`.
    Ci,
}

impl Kind {
    /// What stands before the name in a subject.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::User => "user:token/",
            Self::Ci => "ci:token/",
        }
    }
}

/// What stands before the name of a group.
pub(crate) const GROUP_PREFIX: &str = "group:token/";

/// What somebody who creates a token asks for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Person or machine.
    pub kind: Kind,
    /// For whom.
    pub name: Name,
    /// Its groups; repeated ones count once.
    pub groups: Vec<Name>,
    /// What it is limited to: opaque here, read by the policy. `None`: whatever its owner may do.
    pub scope: Option<Line>,
    /// When it stops being valid; `None`: never.
    pub expires: Option<Timestamp>,
    /// For whoever reads the list.
    pub note: Option<Line>,
}

/// A token as the ledger knows it. Times are to the second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issued {
    /// Its public part.
    pub id: TokenId,
    /// Person or machine.
    pub kind: Kind,
    /// For whom.
    pub name: Name,
    /// Its groups, without `group:token/`.
    pub groups: Vec<Name>,
    /// Opaque here.
    pub scope: Option<Line>,
    /// For whoever reads the list.
    pub note: Option<Line>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last used, up to a minute behind; `None`: not yet.
    pub last_used: Option<Timestamp>,
    /// Until when it stands.
    pub validity: Validity,
}

impl Issued {
    /// `user:token/NAME` or `ci:token/NAME`.
    pub fn subject(&self) -> String {
        format!("{}{}", self.kind.prefix(), self.name)
    }

    /// `group:token/NAME` for each of its groups.
    pub fn group_names(&self) -> impl Iterator<Item = String> {
        self.groups.iter().map(|name| format!("{GROUP_PREFIX}{name}"))
    }

    /// The principal that whoever holds the token is.
    pub(crate) fn principal(&self) -> Principal {
        Principal {
            subject: self.subject().into(),
            groups: self.group_names().map(Arc::from).collect(),
            method: Method::Token,
            token_id: Some(self.id.as_str().into()),
            scope: self.scope.as_ref().map(|scope| scope.as_str().into()),
            claims: Arc::from([]),
        }
    }
}

/// Until when a token stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    /// From this moment on it is expired; `None`: never.
    pub expires: Option<Timestamp>,
    /// When it was revoked, if it was. A revocation is never taken back.
    pub revoked: Option<Timestamp>,
}

impl Validity {
    /// What a token is worth at a moment. A revoked token is revoked at any moment, whatever a clock says.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match *self {
            Self { revoked: Some(at), .. } => Standing::Revoked(at),
            Self { expires: Some(at), .. } if now >= at => Standing::Expired(at),
            _ => Standing::Live,
        }
    }
}

/// What a token is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is good.
    Live,
    /// It was good until then.
    Expired(Timestamp),
    /// It was taken back then.
    Revoked(Timestamp),
}

impl fmt::Display for Standing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Live => "live",
            Self::Expired(_) => "expired",
            Self::Revoked(_) => "revoked",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn expiry_begins_at_its_moment() {
        let validity = Validity { expires: Some(at(100)), revoked: None };
        assert_eq!(validity.standing(at(99)), Standing::Live);
        assert_eq!(validity.standing(at(100)), Standing::Expired(at(100)));
    }

    #[test]
    fn revoked_wins_at_any_time() {
        let validity = Validity { expires: Some(at(100)), revoked: Some(at(50)) };
        for now in [0, 50, 200] {
            assert_eq!(validity.standing(at(now)), Standing::Revoked(at(50)));
        }
    }

    #[test]
    fn without_an_expiry_it_stands_for_ever() {
        let validity = Validity { expires: None, revoked: None };
        assert_eq!(validity.standing(Timestamp::MAX), Standing::Live);
    }
}
