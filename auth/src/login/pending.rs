//! Logins under way: who was sent to an issuer and has not come back.
//!
//! INVARIANT: a state is found once, by the browser that was sent, until ten minutes later. State and browser's secret are
//! kept as SHA-256 only, so nothing that is compared here can be guessed by its timing. The number is bounded; where
//! there are too many, the oldest is forgotten and has to be begun again.
//!
//! In memory: what is lost with the process is a login of the last minutes.

use super::fault::{Fault, LoginError};
use crate::secret::{Digest, hashed, text};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// How long a person may take at the issuer.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// Logins under way.
const MOST: usize = 10_000;

/// The logins under way.
#[derive(Default)]
pub(super) struct Pending {
    waiting: Mutex<HashMap<Digest, Waiting>>,
}

/// A login under way.
pub(super) struct Waiting {
    pub(super) state: Zeroizing<String>,
    pub(super) nonce: Zeroizing<String>,
    pub(super) verifier: Zeroizing<String>,
    /// Where the person wanted to go.
    pub(super) back: String,
    alias: Box<str>,
    browser: Digest,
    expires: Timestamp,
}

impl Waiting {
    pub(super) fn new(
        alias: &str,
        browser: &str,
        back: &str,
        now: Timestamp,
        random: &[u8; super::LOGIN_BYTES],
    ) -> Self {
        let mut secrets = random.chunks(32).map(text);
        let mut next = || secrets.next().unwrap_or_default();
        Self {
            state: next(),
            nonce: next(),
            verifier: next(),
            back: back.to_owned(),
            alias: alias.into(),
            browser: hashed(browser),
            expires: now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX),
        }
    }
}

impl Pending {
    /// Remembers a login.
    pub(super) fn keep(&self, login: Waiting, now: Timestamp) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MOST {
            waiting.retain(|_, login| now < login.expires);
        }
        if waiting.len() >= MOST {
            let oldest = waiting.iter().min_by_key(|(_, login)| login.expires).map(|(key, _)| *key);
            oldest.and_then(|key| waiting.remove(&key));
        }
        waiting.insert(hashed(&login.state), login);
    }

    /// The login of a state, which is over with that, whoever asks.
    pub(super) fn take(
        &self,
        state: &str,
        browser: Option<&str>,
        alias: &str,
        now: Timestamp,
    ) -> Result<Waiting, LoginError> {
        let taken = self.waiting.lock().remove(&hashed(state));
        let login = taken.ok_or_else(|| Fault::State.because("no login waits for this state"))?;
        if now >= login.expires {
            return Err(Fault::State.because("the login took more than ten minutes"));
        }
        if browser.map(hashed) != Some(login.browser) {
            return Err(Fault::Browser.because("the login was begun in another browser"));
        }
        if *login.alias != *alias {
            return Err(Fault::Browser.because("the login was begun at another issuer"));
        }
        Ok(login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(result: Result<Waiting, LoginError>) -> Option<Fault> {
        match result {
            Err(LoginError::Refused { fault, .. }) => Some(fault),
            _ => None,
        }
    }

    fn begun(pending: &Pending, seed: u16, now: Timestamp) -> String {
        let mut random = [7; super::super::LOGIN_BYTES];
        random[..2].copy_from_slice(&seed.to_be_bytes());
        let login = Waiting::new("corp", "browser", "/-/", now, &random);
        let state = login.state.to_string();
        pending.keep(login, now);
        state
    }

    #[test]
    fn a_login_ends_once_in_its_browser_at_its_issuer_and_in_time() {
        let (pending, now) = (Pending::default(), Timestamp::UNIX_EPOCH);
        let mut seed = 0;
        let mut take = |browser: Option<&str>, alias: &str, seconds: i64| {
            seed += 1;
            let state = begun(&pending, seed, now);
            let then = now + SignedDuration::from_secs(seconds);
            let first = pending.take(&state, browser, alias, then);
            assert_eq!(fault(pending.take(&state, Some("browser"), "corp", then)), Some(Fault::State), "once");
            first
        };
        assert!(take(Some("browser"), "corp", 599).is_ok());
        assert_eq!(fault(take(Some("browser"), "corp", 600)), Some(Fault::State));
        assert_eq!(fault(take(Some("other"), "corp", 1)), Some(Fault::Browser));
        assert_eq!(fault(take(None, "corp", 1)), Some(Fault::Browser));
        assert_eq!(fault(take(Some("browser"), "else", 1)), Some(Fault::Browser));
        assert_eq!(fault(pending.take("", Some("browser"), "corp", now)), Some(Fault::State));
    }

    #[test]
    fn state_nonce_and_verifier_are_three_and_as_long_as_they_must_be() {
        let random = std::array::from_fn(|at| at as u8);
        let login = Waiting::new("corp", "browser", "/-/", Timestamp::UNIX_EPOCH, &random);
        assert!(login.state != login.nonce && login.nonce != login.verifier && login.state != login.verifier);
        // RFC 7636 §4.1: 43 to 128 characters.
        assert_eq!([login.state.len(), login.nonce.len(), login.verifier.len()], [43; 3]);
    }

    #[test]
    fn too_many_forget_the_oldest() {
        let (pending, now) = (Pending::default(), Timestamp::UNIX_EPOCH);
        let states: Vec<_> =
            (0..=MOST as u16).map(|at| begun(&pending, at, now + SignedDuration::from_millis(at.into()))).collect();
        assert_eq!(pending.waiting.lock().len(), MOST);
        assert_eq!(fault(pending.take(&states[0], Some("browser"), "corp", now)), Some(Fault::State));
        assert!(pending.take(&states[1], Some("browser"), "corp", now).is_ok());
    }
}
