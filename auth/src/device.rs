//! Device grants (RFC 8628): a terminal shows a short code, a person approves it in a browser, the terminal gets tokens.
//!
//! ```text
//! begin ──► waiting ──approve──► approved ──poll──► gone
//!              └─────deny──────► denied ───poll──► gone
//! ```
//!
//! All of it is in memory: what is lost with the process is a login of the last ten minutes, which is begun anew. The
//! *device code* is the secret of the one who polls, 256 bits, kept as SHA-256 only. The *user code* is what a person
//! types; it is short, so it lives ten minutes, opens nothing by itself, and may be guessed wrongly only so often.
//!
//! INVARIANT: a grant is approved or denied once and consumed once. What is approved is what
//! [`Pending`] showed: the scope is fixed when the grant begins.
//!
//! INVARIANT: the number of grants is bounded, in all and for each client, so nobody fills the memory.
//!
//! What is deliberately elsewhere: who may approve, the pages, the tokens that are issued for an approved grant, and the
//! throttle of an address that guesses (the console charges one for each user code that is not known).

mod user_code;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use zeroize::Zeroizing;

pub use self::user_code::UserCode;
use crate::family::{FAMILY_BYTES, Family};
use crate::name::Line;
use crate::principal::Principal;

/// How many random bytes [`Devices::begin`] takes: 32 for the device code, 16 for the user code, 16 for the family.
pub const DEVICE_BYTES: usize = 32 + user_code::BYTES + FAMILY_BYTES;

/// How long a grant may wait to be approved and fetched.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How long an expired grant is still known as such.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(1);
/// How long the client waits between two polls, in seconds (RFC 8628 §3.2); each `slow_down` adds as much (§3.5).
const INTERVAL: u32 = 5;
/// Grants in all.
const MOST: usize = 2000;
/// Grants of one client address.
const MOST_OF_CLIENT: usize = 50;
/// Unknown user codes that may be tried at once; one flows back each second. With [`MOST`] grants waiting, a guesser who
/// never stops finds one in five months.
const GUESSES: u32 = 60;

/// The device grants. Shared by all threads; nothing here waits or does I/O.
#[derive(Default)]
pub struct Devices {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// By the digest of the device code.
    grants: HashMap<Digest, Grant>,
    by_user: HashMap<UserCode, Digest>,
    guesses: Guesses,
}

type Digest = [u8; 32];

struct Grant {
    user_code: UserCode,
    family: Family,
    scope: Option<Line>,
    client: Option<IpAddr>,
    began: Timestamp,
    expires: Timestamp,
    interval: u32,
    polled: Option<Timestamp>,
    state: State,
}

enum State {
    Waiting,
    Approved(Arc<Principal>),
    Denied,
}

/// What a device is told when it begins.
pub struct Begun {
    /// Its secret, for polling: 43 characters of base64url.
    pub device_code: Zeroizing<String>,
    /// What the person types.
    pub user_code: UserCode,
    /// How long to wait between two polls.
    pub interval: Duration,
    /// Until when.
    pub expires: Timestamp,
}

/// What the person who approves is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
    /// The code, as the device shows it.
    pub user_code: UserCode,
    /// What is asked for; `None`: whatever the person may do.
    pub scope: Option<Line>,
    /// Where the device is.
    pub client: Option<IpAddr>,
    /// When it asked.
    pub began: Timestamp,
    /// Until when it can be approved.
    pub expires: Timestamp,
}

/// What a person approved: in whose name tokens are to be issued.
#[derive(Clone, Debug)]
pub struct Approved {
    /// Who approved.
    pub principal: Arc<Principal>,
    /// What was asked for and approved; whatever the principal's own scope says narrows it further.
    pub scope: Option<Line>,
    /// The family of what is issued.
    pub family: Family,
}

/// Why a grant cannot be begun, approved or denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeviceError {
    /// Too many grants wait.
    #[error("too many logins wait to be approved; try again in a few minutes")]
    Full,
    /// Too many of this client.
    #[error("too many logins from this address wait to be approved; try again in a few minutes")]
    Crowded,
    /// No such code, or no longer.
    #[error("no login waits with this code: it may have expired; begin anew in the terminal")]
    Unknown,
    /// Somebody approved or denied it already.
    #[error("this login was approved or denied already")]
    Settled,
    /// Too many codes were guessed wrongly; nothing was looked up.
    #[error("too many wrong codes were typed of late; try again in a minute")]
    Guessing,
}

/// Why a poll gives nothing (RFC 8628 §3.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PollError {
    /// `authorization_pending`
    #[error("nobody has approved yet")]
    Pending,
    /// `slow_down`; how long to wait from now on.
    #[error("polled too fast")]
    SlowDown(Duration),
    /// `access_denied`
    #[error("the login was denied")]
    Denied,
    /// `expired_token`
    #[error("nobody approved in time")]
    Expired,
    /// `invalid_grant`: never given, or consumed.
    #[error("no such device code")]
    Unknown,
}

impl Devices {
    /// Begins a grant for a device at an address.
    ///
    /// # Errors
    /// [`DeviceError::Full`] or [`DeviceError::Crowded`].
    pub fn begin(
        &self,
        scope: Option<Line>,
        client: Option<IpAddr>,
        now: Timestamp,
        random: &[u8; DEVICE_BYTES],
    ) -> Result<Begun, DeviceError> {
        let (secret, rest) = random.split_first_chunk::<32>().ok_or(DeviceError::Full)?;
        let (letters, family) = rest.split_first_chunk::<{ user_code::BYTES }>().ok_or(DeviceError::Full)?;
        let family = Family::mint(family.first_chunk().ok_or(DeviceError::Full)?);
        let device_code = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret));
        let beside = client.map(neighbourhood);

        let mut book = self.book.lock();
        book.sweep(now);
        if book.grants.len() >= MOST {
            return Err(DeviceError::Full);
        }
        let theirs = book.grants.values().filter(|grant| grant.client.map(neighbourhood) == beside).count();
        if theirs >= MOST_OF_CLIENT {
            return Err(DeviceError::Crowded);
        }
        let mut user_code = UserCode::mint(letters);
        while book.by_user.contains_key(&user_code) {
            user_code = user_code.next();
        }
        let expires = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
        let grant = Grant {
            user_code,
            family,
            scope,
            client,
            began: now,
            expires,
            interval: INTERVAL,
            polled: None,
            state: State::Waiting,
        };
        let key = hashed(&device_code);
        book.by_user.insert(user_code, key);
        book.grants.insert(key, grant);
        Ok(Begun { device_code, user_code, interval: Duration::from_secs(INTERVAL.into()), expires })
    }

    /// What waits under a user code, as typed: letter case, dashes and blanks do not count. `None`: nothing, or too many
    /// wrong codes were tried of late.
    pub fn pending(&self, user_code: &str, now: Timestamp) -> Option<Pending> {
        let mut book = self.book.lock();
        let grant = book.waiting(user_code, now).ok()?;
        Some(Pending {
            user_code: grant.user_code,
            scope: grant.scope.clone(),
            client: grant.client,
            began: grant.began,
            expires: grant.expires,
        })
    }

    /// Approves a grant in the name of a principal.
    ///
    /// # Errors
    /// [`DeviceError::Unknown`], [`DeviceError::Settled`] or [`DeviceError::Guessing`].
    pub fn approve(&self, user_code: &str, principal: Arc<Principal>, now: Timestamp) -> Result<(), DeviceError> {
        self.book.lock().waiting(user_code, now)?.state = State::Approved(principal);
        Ok(())
    }

    /// Denies a grant.
    ///
    /// # Errors
    /// As [`Devices::approve`].
    pub fn deny(&self, user_code: &str, now: Timestamp) -> Result<(), DeviceError> {
        self.book.lock().waiting(user_code, now)?.state = State::Denied;
        Ok(())
    }

    /// What became of a grant. An approval is given out once.
    ///
    /// # Errors
    /// Why there is nothing, or nothing yet.
    pub fn poll(&self, device_code: &str, now: Timestamp) -> Result<Approved, PollError> {
        let key = hashed(device_code);
        let mut book = self.book.lock();
        let grant = book.grants.get_mut(&key).ok_or(PollError::Unknown)?;
        if now >= grant.expires {
            book.remove(&key);
            return Err(PollError::Expired);
        }
        match &grant.state {
            State::Waiting => Err(grant.waited(now)),
            State::Denied => {
                book.remove(&key);
                Err(PollError::Denied)
            }
            State::Approved(principal) => {
                let principal = Arc::clone(principal);
                let grant = book.remove(&key).ok_or(PollError::Unknown)?;
                Ok(Approved { principal, scope: grant.scope, family: grant.family })
            }
        }
    }

    /// How many grants there are.
    pub fn count(&self) -> usize {
        self.book.lock().grants.len()
    }
}

impl Book {
    /// The grant that waits under a user code.
    fn waiting(&mut self, typed: &str, now: Timestamp) -> Result<&mut Grant, DeviceError> {
        if !self.guesses.may(now) {
            return Err(DeviceError::Guessing);
        }
        let key = UserCode::read(typed).and_then(|code| self.by_user.get(&code)).copied();
        let live = key.filter(|key| self.grants.get(key).is_some_and(|grant| now < grant.expires));
        let Some(key) = live else {
            self.guesses.missed();
            return Err(DeviceError::Unknown);
        };
        match self.grants.get_mut(&key) {
            Some(grant) if matches!(grant.state, State::Waiting) => Ok(grant),
            Some(_) => Err(DeviceError::Settled),
            None => Err(DeviceError::Unknown),
        }
    }

    fn remove(&mut self, key: &Digest) -> Option<Grant> {
        let grant = self.grants.remove(key)?;
        self.by_user.remove(&grant.user_code);
        Some(grant)
    }

    fn sweep(&mut self, now: Timestamp) {
        let by_user = &mut self.by_user;
        self.grants.retain(|_, grant| {
            let known = now < grant.expires.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX);
            if !known {
                by_user.remove(&grant.user_code);
            }
            known
        });
    }
}

impl Grant {
    /// What a poll is told while nobody has approved.
    fn waited(&mut self, now: Timestamp) -> PollError {
        let interval = SignedDuration::from_secs(self.interval.into());
        let early = self.polled.is_some_and(|polled| now.duration_since(polled) < interval);
        self.polled = Some(now);
        if !early {
            return PollError::Pending;
        }
        self.interval = self.interval.saturating_add(INTERVAL);
        PollError::SlowDown(Duration::from_secs(self.interval.into()))
    }
}

/// Wrong user codes of late.
struct Guesses {
    left: u32,
    at: Timestamp,
}

impl Default for Guesses {
    fn default() -> Self {
        Self { left: GUESSES, at: Timestamp::MIN }
    }
}

impl Guesses {
    fn may(&mut self, now: Timestamp) -> bool {
        let seconds = now.duration_since(self.at).as_secs();
        if seconds > 0 {
            let back = u32::try_from(seconds).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(back).min(GUESSES);
            self.at = now;
        }
        self.left > 0
    }

    fn missed(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}

/// Whoever has an IPv6 address has the 2^64 beside it too.
fn neighbourhood(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
        address @ IpAddr::V4(_) => address,
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
