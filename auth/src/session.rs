//! Sessions of browsers: a secret in a cookie stands for somebody who logged in.
//!
//! ```text
//! login ──begin──► id (in the cookie) ──find──► Session … until idle, too old, ended, or the process ends
//! ```
//!
//! INVARIANT: an id is drawn when somebody logs in and never taken from a request, so nobody can have fixed it before. It has
//! 256 bits and is kept as SHA-256 only: who reads the memory or a dump of it cannot continue a session.
//!
//! INVARIANT: what a session changes needs its *CSRF token* besides the cookie, which browsers send unasked. The token is
//! another secret, compared in constant time.
//!
//! In memory: a restart logs people out of the pages, and out of nothing else, for tokens are in the ledger. Their number
//! is bounded, in all and for each subject; where there are too many, the one that was used longest ago ends.
//!
//! What is deliberately elsewhere: cookies and where they count (the console), who may log in (`login`).

use crate::principal::Principal;
use crate::secret::{Digest, hashed, text};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How many random bytes a session takes: id and CSRF token, 32 each.
pub const SESSION_BYTES: usize = 64;
/// Sessions in all.
const MOST: usize = 10_000;
/// Sessions of one subject.
const MOST_OF_SUBJECT: usize = 20;

/// How long sessions last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionSettings {
    /// Without use.
    pub idle: Duration,
    /// At all.
    pub lifetime: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { idle: Duration::from_mins(60), lifetime: Duration::from_hours(12) }
    }
}

/// The sessions. Shared by all threads; nothing here waits or does I/O.
pub struct Sessions {
    idle: SignedDuration,
    lifetime: SignedDuration,
    sessions: Mutex<HashMap<Digest, Kept>>,
}

struct Kept {
    session: Arc<Session>,
    used: Timestamp,
}

/// Somebody's session.
pub struct Session {
    /// Who; its method is [`crate::Method::Session`] where an issuer said it.
    pub principal: Arc<Principal>,
    /// When it ends at the latest.
    pub expires: Timestamp,
    csrf: Zeroizing<String>,
}

impl Session {
    /// What a form of a page of this session carries.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether this is [`Session::csrf`]. Takes the same time wherever it differs.
    pub fn is_vouched_by(&self, token: &str) -> bool {
        self.csrf.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { principal, expires, .. } = self;
        out.debug_struct("Session").field("principal", principal).field("expires", expires).finish_non_exhaustive()
    }
}

impl Sessions {
    /// None yet.
    pub fn new(settings: SessionSettings) -> Self {
        let signed = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        Self { idle: signed(settings.idle), lifetime: signed(settings.lifetime), sessions: Mutex::default() }
    }

    /// Begins a session: its id, for the cookie, and the session.
    pub fn begin(
        &self,
        principal: Arc<Principal>,
        now: Timestamp,
        random: &[u8; SESSION_BYTES],
    ) -> (Zeroizing<String>, Arc<Session>) {
        let (id, csrf) = random.split_at(SESSION_BYTES / 2);
        let (id, csrf) = (text(id), text(csrf));
        let expires = now.saturating_add(self.lifetime).unwrap_or(Timestamp::MAX);
        let session = Arc::new(Session { principal, expires, csrf });
        let mut sessions = self.sessions.lock();
        if sessions.len() >= MOST {
            sessions.retain(|_, kept| self.is_live(kept, now));
        }
        let subject = &session.principal.subject;
        let theirs = |kept: &&Kept| kept.session.principal.subject == *subject;
        if sessions.values().filter(theirs).count() >= MOST_OF_SUBJECT {
            drop_oldest(&mut sessions, |kept| kept.session.principal.subject == *subject);
        }
        if sessions.len() >= MOST {
            drop_oldest(&mut sessions, |_| true);
        }
        sessions.insert(hashed(&id), Kept { session: Arc::clone(&session), used: now });
        (id, session)
    }

    /// The session of an id, which is used with that.
    pub fn find(&self, id: &str, now: Timestamp) -> Option<Arc<Session>> {
        let key = hashed(id);
        let mut sessions = self.sessions.lock();
        let kept = sessions.get_mut(&key)?;
        if !self.is_live(kept, now) {
            sessions.remove(&key);
            return None;
        }
        kept.used = kept.used.max(now);
        Some(Arc::clone(&kept.session))
    }

    /// Ends a session; it, if there was one.
    pub fn end(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions.lock().remove(&hashed(id)).map(|kept| kept.session)
    }

    /// Ends all sessions of a subject, who is gone or whose groups are others now; how many there were.
    pub fn end_all_of(&self, subject: &str) -> usize {
        let mut sessions = self.sessions.lock();
        let before = sessions.len();
        sessions.retain(|_, kept| *kept.session.principal.subject != *subject);
        before.saturating_sub(sessions.len())
    }

    /// How many there are; some may have expired.
    pub fn count(&self) -> usize {
        self.sessions.lock().len()
    }

    fn is_live(&self, kept: &Kept, now: Timestamp) -> bool {
        now < kept.session.expires && now.duration_since(kept.used) < self.idle
    }
}

fn drop_oldest(sessions: &mut HashMap<Digest, Kept>, among: impl Fn(&Kept) -> bool) {
    let oldest = sessions.iter().filter(|(_, kept)| among(kept)).min_by_key(|(_, kept)| kept.used);
    let key = oldest.map(|(key, _)| *key);
    key.and_then(|key| sessions.remove(&key));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Method;

    fn somebody(name: &str) -> Arc<Principal> {
        let subject = format!("user:corp/{name}").into();
        Arc::new(Principal { subject, method: Method::Session, ..Principal::anonymous() })
    }

    fn random(seed: u64) -> [u8; SESSION_BYTES] {
        let mut random = [0; SESSION_BYTES];
        random[..8].copy_from_slice(&seed.to_be_bytes());
        random
    }

    fn after(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_session_lasts_while_it_is_used_and_no_longer_than_its_life() {
        let sessions = Sessions::new(SessionSettings::default());
        let (id, _) = sessions.begin(somebody("alice"), after(0), &random(1));
        for minutes in (0..720).step_by(59) {
            assert!(sessions.find(&id, after(minutes)).is_some(), "used again after {minutes} minutes");
        }
        assert!(sessions.find(&id, after(720)).is_none(), "too old");
        let (id, _) = sessions.begin(somebody("alice"), after(0), &random(2));
        assert!(sessions.find(&id, after(60)).is_none(), "idle");
        assert!(sessions.find(&id, after(1)).is_none(), "what has expired stays so");
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn only_the_id_finds_a_session_and_only_until_its_end() {
        let sessions = Sessions::new(SessionSettings::default());
        let (id, session) = sessions.begin(somebody("alice"), after(0), &random(1));
        assert_eq!((id.len(), session.csrf().len()), (43, 43));
        assert_ne!(*id, session.csrf());
        for wrong in ["", session.csrf(), id.get(1..).unwrap(), &id.to_lowercase()] {
            assert!(sessions.find(wrong, after(0)).is_none(), "{wrong}");
            assert!(sessions.end(wrong).is_none());
        }
        assert!(sessions.end(&id).is_some());
        assert!(sessions.find(&id, after(0)).is_none());
    }

    #[test]
    fn the_csrf_token_is_compared_whole() {
        let sessions = Sessions::new(SessionSettings::default());
        let (id, session) = sessions.begin(somebody("alice"), after(0), &random(1));
        let good = session.csrf().to_owned();
        assert!(session.is_vouched_by(&good));
        for wrong in ["", good.get(1..).unwrap(), good.get(..42).unwrap(), &format!("{good}A"), &id] {
            assert!(!session.is_vouched_by(wrong), "{wrong}");
        }
        assert!(!format!("{session:?}").contains(&good));
    }

    #[test]
    fn somebody_with_very_many_loses_their_oldest_and_nobody_elses() {
        let sessions = Sessions::new(SessionSettings::default());
        let (other, _) = sessions.begin(somebody("bob"), after(0), &random(1000));
        let ids: Vec<_> = (0..=MOST_OF_SUBJECT as u64)
            .map(|seed| sessions.begin(somebody("alice"), after(seed as i64), &random(seed)).0)
            .collect();
        assert!(sessions.find(&ids[0], after(20)).is_none());
        assert!(sessions.find(&ids[1], after(20)).is_some());
        assert!(sessions.find(&other, after(20)).is_some());
        assert_eq!(sessions.end_all_of("user:corp/alice"), MOST_OF_SUBJECT);
        assert_eq!(sessions.count(), 1);
    }

    #[test]
    fn the_number_is_bounded() {
        let sessions = Sessions::new(SessionSettings::default());
        let names = (0..MOST).map(|at| somebody(&at.to_string()));
        let ids: Vec<_> = (0..).zip(names).map(|(seed, who)| sessions.begin(who, after(0), &random(seed)).0).collect();
        sessions.find(&ids[0], after(1));
        let (id, _) = sessions.begin(somebody("more"), after(2), &random(u64::MAX));
        assert_eq!(sessions.count(), MOST);
        assert!(sessions.find(&id, after(2)).is_some() && sessions.find(&ids[0], after(2)).is_some());
    }
}
