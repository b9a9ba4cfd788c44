//! Authorization codes for a browser on the same machine (RFC 6749 §4.1 with RFC 7636 and RFC 8252).
//!
//! A program opens a browser and listens on loopback; the person consents; the browser brings the program a code; the
//! program shows the code and the verifier whose hash it began with, and gets tokens.
//!
//! INVARIANT: a code is redeemed once, within a minute, by whoever has the verifier, for the redirect URI that it was
//! issued for. Any attempt consumes it: whoever has a code and not its verifier has stolen it. A code that comes again
//! after tokens were issued for it is reported with their family, so that they are revoked (RFC 6749 §4.1.2).
//!
//! Codes are kept as SHA-256 only, in memory, and their number is bounded.

mod challenge;
mod loopback;

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use zeroize::Zeroizing;

pub use self::challenge::{Challenge, ChallengeError};
pub use self::loopback::{Loopback, LoopbackError};
use crate::device::Approved;
use crate::family::{FAMILY_BYTES, Family};
use crate::name::Line;
use crate::principal::Principal;

/// How many random bytes [`Codes::issue`] takes: 32 for the code, 16 for the family.
pub const CODE_BYTES: usize = 32 + FAMILY_BYTES;

/// How long a code is good.
const LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// How long a used code is remembered, to notice when it comes again.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);
/// Codes in all, used ones too.
const MOST: usize = 4000;

/// The authorization codes. Shared by all threads; nothing here waits or does I/O.
#[derive(Default)]
pub struct Codes {
    codes: Mutex<HashMap<Digest, Code>>,
}

type Digest = [u8; 32];

struct Code {
    family: Family,
    expires: Timestamp,
    state: State,
}

enum State {
    Issued(Box<Consent>),
    /// Tokens were issued for it; whether it came again since.
    Redeemed {
        again: bool,
    },
    /// Shown with a wrong verifier or redirect URI.
    Burnt,
}

/// What somebody consented to.
struct Consent {
    principal: Arc<Principal>,
    challenge: Challenge,
    redirect: Loopback,
    scope: Option<Line>,
}

/// Why a code gives nothing. All of them are `invalid_grant` outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodeError {
    /// Too many codes were issued of late.
    #[error("too many logins at a time; try again in a few minutes")]
    Full,
    /// Never issued, or long ago.
    #[error("no such code")]
    Unknown,
    /// Not redeemed in time.
    #[error("the code has expired")]
    Expired,
    /// The verifier is not that of the challenge.
    #[error("the code verifier does not match")]
    Verifier,
    /// Not the redirect URI that it was issued for.
    #[error("the redirect URI is another one")]
    Redirect,
    /// It was redeemed before; what it gave is to be revoked.
    #[error("the code was used before")]
    Reused(Family),
}

impl Codes {
    /// Issues a code for what a principal consented to.
    ///
    /// # Errors
    /// [`CodeError::Full`].
    pub fn issue(
        &self,
        principal: Arc<Principal>,
        challenge: Challenge,
        redirect: Loopback,
        scope: Option<Line>,
        now: Timestamp,
        random: &[u8; CODE_BYTES],
    ) -> Result<Zeroizing<String>, CodeError> {
        let (secret, rest) = random.split_first_chunk::<32>().ok_or(CodeError::Full)?;
        let family = Family::mint(rest.first_chunk().ok_or(CodeError::Full)?);
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret));
        let consent = Consent { principal, challenge, redirect, scope };
        let expires = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
        let mut codes = self.codes.lock();
        codes.retain(|_, code| now < code.expires.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX));
        if codes.len() >= MOST {
            return Err(CodeError::Full);
        }
        codes.insert(hashed(&text), Code { family, expires, state: State::Issued(Box::new(consent)) });
        Ok(text)
    }

    /// Redeems a code.
    ///
    /// # Errors
    /// Why it gives nothing. [`CodeError::Reused`] obliges the caller to revoke that family.
    pub fn redeem(
        &self,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
        now: Timestamp,
    ) -> Result<Approved, CodeError> {
        let mut codes = self.codes.lock();
        let code = codes.get_mut(&hashed(code)).ok_or(CodeError::Unknown)?;
        let consent = match std::mem::replace(&mut code.state, State::Burnt) {
            State::Issued(consent) => consent,
            State::Redeemed { .. } => {
                code.state = State::Redeemed { again: true };
                return Err(CodeError::Reused(code.family));
            }
            State::Burnt => return Err(CodeError::Unknown),
        };
        if now >= code.expires {
            return Err(CodeError::Expired);
        }
        if consent.redirect.as_str() != redirect_uri {
            return Err(CodeError::Redirect);
        }
        if !consent.challenge.is_met_by(verifier) {
            return Err(CodeError::Verifier);
        }
        code.state = State::Redeemed { again: false };
        Ok(Approved { principal: consent.principal, scope: consent.scope, family: code.family })
    }

    /// Whether the code of a family came again since it was redeemed: to be asked once its tokens are in the ledger, because
    /// it may come again while they are being written.
    pub fn came_again(&self, family: Family) -> bool {
        let again = |code: &Code| code.family == family && matches!(code.state, State::Redeemed { again: true });
        self.codes.lock().values().any(again)
    }
}

fn hashed(text: &str) -> Digest {
    let mut bytes = Digest::default();
    for (to, from) in bytes.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests;
