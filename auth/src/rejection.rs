//! Why a credential was not accepted: a text for whoever sent it, and a cause for the log.
//!
//! INVARIANT: whoever does not hold a token's secret learns nothing about it. An id that was never issued and a
//! wrong secret for one that was give the same text; expiry and revocation are told only to the holder. A JWT that is
//! not accepted gives one text whatever is wrong with it: which check failed is worth a lot to whoever forges one. So does
//! a directory's account that does not exist, and a wrong password of one that does.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::certificate::CertificateError;
use crate::directory::LdapRefusal;
use crate::jwt::Refusal;
use crate::token::{TokenError, TokenId};

/// Why a credential was not accepted. Answered 401; no other authenticator is asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.inside())]
pub enum Rejection {
    /// Begins like a token and is none.
    Mistyped(TokenError),
    /// No such token was issued.
    UnknownId(TokenId),
    /// There is such a token, but this is not its secret.
    WrongSecret(TokenId),
    /// The right secret, too late.
    Expired {
        /// Which token.
        id: TokenId,
        /// Since when.
        at: Timestamp,
    },
    /// The right secret of a token that was taken back.
    Revoked {
        /// Which token.
        id: TokenId,
        /// Since when.
        at: Timestamp,
    },
    /// A refresh token where a credential is due.
    Purpose(TokenId),
    /// A JWT that no configured issuer stands for.
    Jwt(Refusal),
    /// A client certificate that names nobody, or that the connection has outlived.
    Certificate(CertificateError),
    /// A login and a password that the directory does not accept.
    Ldap(LdapRefusal),
    /// Nobody looked at it: whoever sent it failed too often of late.
    NotJudged,
    /// A JWT, and no issuer of such is configured.
    NoIssuer,
    /// A login and a password, and no directory is configured.
    NoDirectory,
}

impl Rejection {
    /// The text for whoever sent it: at most two lines, no internals.
    pub fn outside(&self) -> String {
        const RENEW: &str = "ask for a new one and put it into .netrc as the password for this host";
        match self {
            Self::Mistyped(how) => {
                format!("{how}\ncheck the password in .netrc for this host")
            }
            Self::UnknownId(_) | Self::WrongSecret(_) => format!("the token is not known here\n{RENEW}"),
            Self::Expired { at, .. } => format!("the token expired on {}\n{RENEW}", day(*at)),
            Self::Revoked { at, .. } => format!("the token was revoked on {}\n{RENEW}", day(*at)),
            Self::Purpose(_) => {
                "this is a refresh token, which only gets new tokens\nsend the access token, or log in again".to_owned()
            }
            Self::Jwt(_) => {
                "the JWT is not accepted here\nget a new one, and send it as the password in .netrc or as Bearer".to_owned()
            }
            Self::Certificate(error) => format!("{error}\nuse another certificate, or send a token (mg_…)"),
            Self::Ldap(refusal) => refusal.outside(),
            Self::NotJudged => "too many requests without a good credential came from this address\ncome back in a minute".to_owned(),
            Self::NoIssuer => "no issuer of JWTs is configured here\nsend a token (mg_…) instead".to_owned(),
            Self::NoDirectory => {
                "passwords are not accepted here: no directory is configured\nsend a token (mg_…) as the password instead"
                    .to_owned()
            }
        }
    }

    /// The cause, for the log. It may name a token's id, never a secret or a login.
    pub fn inside(&self) -> String {
        match self {
            Self::Mistyped(how) => how.to_string(),
            Self::UnknownId(id) => format!("no token `{id}` was issued"),
            Self::WrongSecret(id) => format!("wrong secret for token `{id}`"),
            Self::Expired { id, at } => format!("token `{id}` expired at {at}"),
            Self::Revoked { id, at } => format!("token `{id}` was revoked at {at}"),
            Self::Purpose(id) => format!("token `{id}` is a refresh token"),
            Self::Jwt(refusal) => refusal.to_string(),
            Self::Certificate(error) => error.to_string(),
            Self::Ldap(refusal) => refusal.to_string(),
            Self::NotJudged => "its sender failed too often to be looked at".to_owned(),
            Self::NoIssuer => "a JWT was sent and no issuer is configured".to_owned(),
            Self::NoDirectory => "a password was sent and no directory is configured".to_owned(),
        }
    }

    /// A stable code for the reason, for logs and records. An unknown id and a wrong secret differ in it, so it is never
    /// told outside.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mistyped(_) => "token_mistyped",
            Self::UnknownId(_) => "token_unknown",
            Self::WrongSecret(_) => "token_secret",
            Self::Expired { .. } => "token_expired",
            Self::Revoked { .. } => "token_revoked",
            Self::Purpose(_) => "token_purpose",
            Self::Jwt(refusal) => refusal.reason().code(),
            Self::Certificate(error) => error.code(),
            Self::Ldap(refusal) => refusal.code(),
            Self::NotJudged => "not_judged",
            Self::NoIssuer => "no_issuer",
            Self::NoDirectory => "no_directory",
        }
    }

    /// Whether another process may just have issued the token. A wrong secret counts too, though nothing will come of it:
    /// else the time that the answer takes would tell which ids were issued.
    pub fn may_be_news(&self) -> bool {
        matches!(self, Self::UnknownId(_) | Self::WrongSecret(_))
    }

    /// The token whose secret was proved; `None` where an id was only claimed.
    pub fn token_id(&self) -> Option<TokenId> {
        match self {
            Self::Expired { id, .. } | Self::Revoked { id, .. } | Self::Purpose(id) => Some(*id),
            Self::Mistyped(_)
            | Self::UnknownId(_)
            | Self::WrongSecret(_)
            | Self::Jwt(_)
            | Self::Certificate(_)
            | Self::Ldap(_)
            | Self::NotJudged
            | Self::NoIssuer
            | Self::NoDirectory => None,
        }
    }
}

/// `2026-12-31 at 00:00 UTC`.
fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d at %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> TokenId {
        "0123456789aZ".parse().unwrap()
    }

    #[test]
    fn an_unknown_id_and_a_wrong_secret_look_the_same_outside() {
        let (unknown, wrong) = (Rejection::UnknownId(id()), Rejection::WrongSecret(id()));
        assert_eq!(unknown.outside(), wrong.outside());
        assert_ne!(unknown.inside(), wrong.inside());
        assert_eq!((unknown.token_id(), wrong.token_id()), (None, None));
        assert!(unknown.may_be_news() && wrong.may_be_news());
    }

    #[test]
    fn texts_are_two_lines_at_most_and_name_no_id() {
        let at = Timestamp::from_second(1_767_225_600).unwrap();
        for rejection in [
            Rejection::Mistyped(TokenError::Wrapped),
            Rejection::UnknownId(id()),
            Rejection::Expired { id: id(), at },
            Rejection::Revoked { id: id(), at },
            Rejection::Purpose(id()),
            Rejection::NotJudged,
            Rejection::NoIssuer,
            Rejection::NoDirectory,
        ] {
            let text = rejection.outside();
            assert!(text.lines().count() <= 2 && text.len() <= 300, "{text}");
            assert!(!text.contains("0123456789aZ"), "{text}");
        }
        let expired = Rejection::Expired { id: id(), at }.outside();
        assert!(expired.starts_with("the token expired on 2026-01-01 at 00:00 UTC\n"), "{expired}");
    }
}
