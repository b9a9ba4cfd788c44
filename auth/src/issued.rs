//! What is known about an issued token, short of its secret: for whom, until when, and whether it still stands.
//!
//! The owner is a full name of the policy. Tokens that are made by hand are of an issuer of their own, with the built-in
//! alias `token`: a token for NAME is `user:token/NAME`, or `ci:token/NAME` for machines, and is a member of
//! `group:token/GROUP`. Tokens that people and pipelines get themselves bear the subject and the groups that they proved
//! elsewhere. Several tokens may bear one name; what tells them apart is the id.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::family::Family;
use crate::name::{Line, Name};
use crate::principal::{Claim, Method, Principal};
use crate::subject::{Group, Subject, SubjectError};
use crate::token::TokenId;

/// Whether a token that is made by hand speaks for a person or for a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `user:token/NAME`.
    User,
    /// `ci:token/NAME`.
    Ci,
}

impl Kind {
    /// What stands before the name in a subject.
    fn prefix(self) -> &'static str {
        match self {
            Self::User => "user:token/",
            Self::Ci => "ci:token/",
        }
    }

    /// The subject of a token that is made by hand.
    ///
    /// # Errors
    /// For the one name that a policy could take for a pattern.
    pub fn subject(self, name: &Name) -> Result<Subject, SubjectError> {
        format!("{}{name}", self.prefix()).parse()
    }
}

/// What a token is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A credential.
    Access,
    /// To be exchanged for a new pair of tokens, once; opens nothing else.
    Refresh,
}

impl Purpose {
    /// The word in lists and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

impl FromStr for Purpose {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Access, Self::Refresh].into_iter().find(|purpose| purpose.as_str() == text).ok_or(())
    }
}

/// What somebody who creates a token asks for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// For whom.
    pub owner: Subject,
    /// The owner's groups; repeated ones count once.
    pub groups: Vec<Group>,
    /// What it is limited to: opaque here, read by the policy. `None`: whatever its owner may do.
    pub scope: Option<Line>,
    /// When it stops being valid; `None`: never.
    pub expires: Option<Timestamp>,
    /// For whoever reads the list.
    pub note: Option<Line>,
    /// What it is for.
    pub purpose: Purpose,
    /// The login that it comes from.
    pub family: Option<Family>,
    /// The token with whose help it was made.
    pub maker: Option<TokenId>,
    /// How a pipeline came to it: by which exchange.
    pub rule: Option<Line>,
    /// What its owner's own credential said that only records are interested in.
    pub claims: Arc<[Claim]>,
}

impl Grant {
    /// An access token for its owner, without end, limits or groups.
    pub fn of(owner: Subject) -> Self {
        Self {
            owner,
            groups: Vec::new(),
            scope: None,
            expires: None,
            note: None,
            purpose: Purpose::Access,
            family: None,
            maker: None,
            rule: None,
            claims: Arc::from([]),
        }
    }

    /// A token that is made by hand, as [`Kind::subject`] and with groups of the built-in issuer.
    ///
    /// # Errors
    /// For names that a policy could take for patterns.
    pub fn by_hand(kind: Kind, name: &Name, groups: &[Name]) -> Result<Self, SubjectError> {
        let group = |name: &Name| format!("group:token/{name}").parse();
        let groups = groups.iter().map(group).collect::<Result<_, _>>()?;
        Ok(Self { groups, ..Self::of(kind.subject(name)?) })
    }

    /// A token in the name of a principal, with its groups, its claims and its scope.
    ///
    /// # Errors
    /// For the anonymous, and whoever has a name that the ledger cannot keep.
    pub fn in_the_name_of(principal: &Principal) -> Result<Self, SubjectError> {
        let groups = principal.groups.iter().map(|group| group.parse()).collect::<Result<_, _>>()?;
        let scope = principal.scope.as_deref().map(str::parse).transpose()?;
        let claims = Arc::clone(&principal.claims);
        Ok(Self { groups, scope, claims, ..Self::of(principal.subject.parse()?) })
    }
}

/// A token as the ledger knows it. Times are to the second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issued {
    /// Its public part.
    pub id: TokenId,
    /// For whom.
    pub owner: Subject,
    /// The owner's groups.
    pub groups: Vec<Group>,
    /// Opaque here.
    pub scope: Option<Line>,
    /// For whoever reads the list.
    pub note: Option<Line>,
    /// What it is for.
    pub purpose: Purpose,
    /// The login that it comes from.
    pub family: Option<Family>,
    /// The token with whose help it was made.
    pub maker: Option<TokenId>,
    /// How a pipeline came to it.
    pub rule: Option<Line>,
    /// For records only.
    pub claims: Arc<[Claim]>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last used, up to a minute behind; `None`: not yet.
    pub last_used: Option<Timestamp>,
    /// When a refresh token was exchanged for the next pair.
    pub spent: Option<Timestamp>,
    /// Until when it stands.
    pub validity: Validity,
}

impl Issued {
    /// `user:ALIAS/NAME` or `ci:ALIAS/…`.
    pub fn subject(&self) -> &str {
        self.owner.as_str()
    }

    /// `group:ALIAS/NAME` for each of its groups.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(Group::as_str)
    }

    /// The principal that whoever holds the token is.
    pub(crate) fn principal(&self) -> Principal {
        Principal {
            subject: Arc::clone(self.owner.shared()),
            groups: self.groups.iter().map(|group| Arc::clone(group.shared())).collect(),
            method: Method::Token,
            token_id: Some(self.id.as_str().into()),
            scope: self.scope.as_ref().map(|scope| scope.as_str().into()),
            claims: Arc::clone(&self.claims),
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
