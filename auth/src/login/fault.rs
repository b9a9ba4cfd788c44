//! Why a login ends without anybody being logged in: a stable code, and a cause for the log.
//!
//! INVARIANT: what is quoted may come from anybody who can make a browser open a URL, so it is short and on one line. Codes,
//! verifiers, states and tokens are never quoted.

use std::fmt;

/// The most characters that are quoted.
const QUOTED: usize = 80;

/// Which check failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No login waits for this state: it was never begun, is over, or took too long.
    State,
    /// It was begun in another browser, or for another issuer.
    Browser,
    /// `iss` is not the issuer that the browser was sent to (RFC 9207).
    Sender,
    /// The issuer refused, or the person did.
    Denied,
    /// The issuer does not take the code.
    Code,
    /// There is no ID token, or it is malformed.
    Form,
    /// The issuer's keys have not signed it.
    Signature,
    /// It is of another issuer, for another client, expired, or from the future.
    Claims,
    /// It is of another login.
    Nonce,
    /// Its names of subject or groups cannot be used.
    Names,
}

impl Fault {
    /// The code, for records.
    pub fn code(self) -> &'static str {
        match self {
            Self::State => "login_state",
            Self::Browser => "login_browser",
            Self::Sender => "login_iss",
            Self::Denied => "login_denied",
            Self::Code => "login_code",
            Self::Form => "login_form",
            Self::Signature => "login_signature",
            Self::Claims => "login_claims",
            Self::Nonce => "login_nonce",
            Self::Names => "login_names",
        }
    }

    pub(super) fn because(self, detail: impl fmt::Display) -> LoginError {
        LoginError::Refused { fault: self, detail: detail.to_string().into() }
    }
}

/// Why nobody is logged in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoginError {
    /// No issuer of that name has a login.
    #[error("no issuer of that name has a login")]
    Unknown,
    /// The issuer cannot be asked; the text is for the log.
    #[error("the issuer cannot be asked: {0}")]
    Unavailable(Box<str>),
    /// Something is wrong with what came.
    #[error("login refused ({}): {detail}", fault.code())]
    Refused {
        /// Which check failed.
        fault: Fault,
        /// For the log.
        detail: Box<str>,
    },
}

/// A text of somebody else's, in backquotes: escaped and cut.
pub(super) struct Quoted<'t>(pub(super) &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = if self.0.chars().nth(QUOTED).is_some() { "…" } else { "" };
        write!(out, "`{}{cut}`", self.0.chars().take(QUOTED).flat_map(char::escape_default).collect::<String>())
    }
}
