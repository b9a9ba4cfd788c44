//! Why a JWT is not accepted: a stable code, a cause for the log, and never anything for outside.
//!
//! INVARIANT: whoever sent the token is told the same for every reason ([`crate::Rejection::outside`]). What is quoted here
//! may come from a token that nobody has verified, so it is short, on one line and without what a terminal would obey;
//! the token itself and its signature are never quoted.

use std::fmt;

/// The most characters that are quoted from a token.
const QUOTED: usize = 80;

/// Which check failed. Each has a code that may be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// Larger than any token that is read.
    Oversize,
    /// Five parts, or a header with `enc` or `zip`: encrypted (JWE).
    Encrypted,
    /// A part is not base64url, or not in its one canonical form.
    Base64,
    /// The header is not the JSON that it should be.
    Header,
    /// The claims are not the JSON that they should be.
    Claims,
    /// A member of header or claims is named twice.
    Duplicate,
    /// No algorithm.
    AlgorithmMissing,
    /// `none`, in whatever spelling.
    AlgorithmNone,
    /// An algorithm that is none of the five.
    AlgorithmUnknown,
    /// An algorithm that is not pinned for the issuer.
    AlgorithmNotAllowed,
    /// The key that `kid` names is not one for the algorithm.
    KeyType,
    /// The header demands that extensions are understood.
    Critical,
    /// The header brings or names a key of its own choice.
    EmbeddedKey,
    /// The token has another token in it (`cty`).
    Nested,
    /// Another type of token than is accepted here.
    Type,
    /// A `kid` that is no short text.
    KidMalformed,
    /// The issuer has several keys, and the token does not say which.
    KidMissing,
    /// No key of the issuer has this `kid`.
    KidUnknown,
    /// No `iss`.
    IssuerMissing,
    /// An `iss` that is no text.
    IssuerMalformed,
    /// Nobody of that name is configured.
    IssuerUnknown,
    /// The issuer's key has not signed this.
    Signature,
    /// No `aud`.
    AudienceMissing,
    /// An `aud` that is neither a text nor a list of texts.
    AudienceMalformed,
    /// The token is for somebody else.
    AudienceWrong,
    /// It was made for a party that is not let in (`azp`).
    Party,
    /// Parties are listed, and the token does not say for which it was made.
    PartyMissing,
    /// It says who logged in to somebody's page, where a token for using something is due.
    IdToken,
    /// No `exp`.
    ExpiryMissing,
    /// Too late.
    Expired,
    /// No `nbf`.
    NotBeforeMissing,
    /// Too early.
    NotYetValid,
    /// `iat` lies in the future.
    IssuedInFuture,
    /// A time that is no number of seconds.
    TimeMalformed,
    /// A maximum lifetime is configured, and the token does not say when it was issued.
    LifetimeUnknown,
    /// It lives longer than is allowed.
    LifetimeLong,
    /// No `sub`.
    SubjectMissing,
    /// The subject is not one text.
    SubjectMalformed,
    /// The subject has characters or a length that a name cannot have.
    SubjectName,
    /// The groups are not texts.
    GroupsMalformed,
    /// There are too many groups.
    GroupsMany,
    /// A group has characters or a length that a name cannot have.
    GroupName,
    /// The issuer keeps the groups elsewhere (`_claim_names`), so those in the token are not all.
    GroupsElsewhere,
    /// The issuer's tokens are accepted by rules, and none of them is for this one.
    NoTrustRule,
}

impl Reason {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Oversize => "jwt_oversize",
            Self::Encrypted => "jwt_encrypted",
            Self::Base64 => "jwt_base64",
            Self::Header => "jwt_header",
            Self::Claims => "jwt_claims",
            Self::Duplicate => "jwt_duplicate",
            Self::AlgorithmMissing => "jwt_alg_missing",
            Self::AlgorithmNone => "jwt_alg_none",
            Self::AlgorithmUnknown => "jwt_alg_unknown",
            Self::AlgorithmNotAllowed => "jwt_alg_not_allowed",
            Self::KeyType => "jwt_key_type",
            Self::Critical => "jwt_crit",
            Self::EmbeddedKey => "jwt_embedded_key",
            Self::Nested => "jwt_nested",
            Self::Type => "jwt_typ",
            Self::KidMalformed => "jwt_kid_malformed",
            Self::KidMissing => "jwt_kid_missing",
            Self::KidUnknown => "jwt_kid_unknown",
            Self::IssuerMissing => "jwt_iss_missing",
            Self::IssuerMalformed => "jwt_iss_malformed",
            Self::IssuerUnknown => "jwt_iss_unknown",
            Self::Signature => "jwt_signature",
            Self::AudienceMissing => "jwt_aud_missing",
            Self::AudienceMalformed => "jwt_aud_malformed",
            Self::AudienceWrong => "jwt_aud_wrong",
            Self::Party => "jwt_azp",
            Self::PartyMissing => "jwt_azp_missing",
            Self::IdToken => "jwt_id_token",
            Self::ExpiryMissing => "jwt_exp_missing",
            Self::Expired => "jwt_expired",
            Self::NotBeforeMissing => "jwt_nbf_missing",
            Self::NotYetValid => "jwt_not_yet_valid",
            Self::IssuedInFuture => "jwt_iat_future",
            Self::TimeMalformed => "jwt_time_malformed",
            Self::LifetimeUnknown => "jwt_lifetime_unknown",
            Self::LifetimeLong => "jwt_lifetime_long",
            Self::SubjectMissing => "jwt_sub_missing",
            Self::SubjectMalformed => "jwt_sub_malformed",
            Self::SubjectName => "jwt_sub_name",
            Self::GroupsMalformed => "jwt_groups_malformed",
            Self::GroupsMany => "jwt_groups_many",
            Self::GroupName => "jwt_group_name",
            Self::GroupsElsewhere => "jwt_groups_elsewhere",
            Self::NoTrustRule => "jwt_no_trust_rule",
        }
    }
}

/// A reason with what is known about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    reason: Reason,
    /// The alias of the issuer that the token claims; verified only if the reason comes after the signature.
    issuer: Option<Box<str>>,
    detail: Box<str>,
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// With a detail in words of ours.
    pub(super) fn new(reason: Reason, detail: impl fmt::Display) -> Self {
        Self { reason, issuer: None, detail: detail.to_string().into() }
    }

    /// Adds whose token it claims to be.
    pub(super) fn of(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Which check failed.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The alias of the issuer that the token claims to be from, if one of that name is configured.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }
}

/// Why nobody stands behind a token, or not yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unproved {
    /// It is not accepted.
    Refused(Refusal),
    /// Its issuer has to be asked for its keys first ([`super::Issuers::inquire`]).
    Open,
    /// Its issuer cannot be asked; the text is for the log.
    Unavailable(String),
}

impl From<Refusal> for Unproved {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// For the log: one line.
impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.issuer {
            Some(issuer) => write!(out, "JWT of issuer `{issuer}` refused: {}", self.detail),
            None => write!(out, "JWT refused: {}", self.detail),
        }
    }
}

/// A text from a token, in backquotes: escaped and cut.
pub(super) struct Quoted<'t>(pub(super) &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("`")?;
        for character in self.0.chars().take(QUOTED) {
            match character.is_ascii() {
                true => write!(out, "{}", character.escape_debug())?,
                false if character.is_alphanumeric() => write!(out, "{character}")?,
                false => write!(out, "{}", character.escape_unicode())?,
            }
        }
        out.write_str(if self.0.chars().nth(QUOTED).is_some() { "…`" } else { "`" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_says_is_quoted_harmlessly() {
        let hostile = format!("a\n\u{1b}[2J\u{202e}`{}", "x".repeat(500));
        let text = Refusal::new(Reason::KidUnknown, format_args!("kid {}", Quoted(&hostile))).of("corp").to_string();
        assert!(!text.contains(['\n', '\u{1b}', '\u{202e}']) && text.len() < 200, "{text}");
        assert!(text.starts_with("JWT of issuer `corp` refused: kid `a\\n\\u{1b}[2J\\u{202e}"), "{text}");
        assert!(text.ends_with("…`"), "{text}");
    }
}
