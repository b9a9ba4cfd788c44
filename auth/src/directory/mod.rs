//! The directory: who a login and a password belong to (LDAP, Active Directory).
//!
//! The walk of a credential, one file a step:
//!
//! 1. [`Directory::recall`]: was it right a moment ago? By a keyed hash, on the hit path: no I/O, no waiting, no allocation.
//! 2. [`Directory::verify`]: one look for all who send the same at once, throttled by account before anything is asked.
//! 3. [`pool`]: which server is asked, upon which connection ([`link`]); the next one if that fails.
//! 4. [`login`]: the entry is found, the password tried, the name taken from the entry, the groups ([`groups`]) walked.
//!
//! INVARIANT: that no server answers is [`Outcome::Unavailable`], never a rejection and never an acceptance of something new.
//! What was proved before stays good for an hour then. The name is the directory's spelling, not what was typed.
//!
//! The time is an argument; only how long a server is left alone and a connection kept is measured by the runtime's clock.

mod groups;
mod link;
mod login;
mod look_up;
mod pool;
mod refusal;
mod roots;
mod server;
mod settings;
mod template;

pub use look_up::{LookUpError, LookedUp};
pub use refusal::LdapRefusal;
pub use roots::{Roots, RootsError};
pub use server::{ServerUrl, ServerUrlError, Way};
pub use settings::{Account, DirectorySettings, Finding, GroupSettings, GroupsBy};
pub use template::{DnTemplate, FilterTemplate, TemplateError, is_attribute};

use icu_normalizer::ComposingNormalizerBorrowed;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};

use crate::authenticator::Outcome;
use crate::memory::{Digest, MEMORY_KEY_BYTES, Memory, Remembered};
use crate::name::check_claimed;
use crate::principal::Principal;
use crate::rejection::Rejection;
use crate::throttle::Throttle;
use login::Login;
use look_up::LookUp;
use pool::Pool;

/// The longest login that is looked at, in bytes.
const LONGEST_LOGIN: usize = 256;
/// The longest password that is looked at, in bytes.
const LONGEST_PASSWORD: usize = 1024;
/// How long judging one credential may take, waiting for others included.
const WHOLE: Duration = Duration::from_secs(15);
/// After no server answered, remembered credentials are good without asking for so long; in seconds.
const LEFT_ALONE: i64 = 5;
/// By how much the clock may be set back without what was proved being forgotten, in seconds.
const SET_BACK: i64 = 60;

/// The company's directory. Shared by all threads.
pub struct Directory {
    settings: DirectorySettings,
    pool: Pool,
    memory: Memory,
    throttle: Throttle,
    /// One look for all who send the same.
    flights: Mutex<HashMap<Digest, Arc<OnceCell<Outcome>>>>,
    logins: Semaphore,
    /// Until then no server needs to be asked about what is remembered: none answered. Unix time.
    down_until: AtomicI64,
}

impl Directory {
    /// A directory of which nothing was asked yet. `random` keys what is remembered.
    pub fn new(settings: DirectorySettings, roots: Roots, random: &[u8; MEMORY_KEY_BYTES]) -> Self {
        Self {
            pool: Pool::new(&settings, roots),
            memory: Memory::new(random),
            throttle: Throttle::new(random),
            flights: Mutex::default(),
            logins: Semaphore::new(settings.logins.max(1)),
            down_until: AtomicI64::new(i64::MIN),
            settings,
        }
    }

    /// Whether a file with an account's password is good. Blocks.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn check_password_file(path: &Path) -> Result<(), String> {
        pool::read_password(path).map(drop)
    }

    /// What it was made with.
    pub fn settings(&self) -> &DirectorySettings {
        &self.settings
    }

    /// Who this is, if that was found out a while ago. While no server answers, that may be an hour.
    pub fn recall(&self, login: &str, password: &str, now: Timestamp) -> Option<Arc<Principal>> {
        let remembered = self.memory.look(&self.digest(login, password)?)?;
        let now = now.as_second();
        let down = now < self.down_until.load(Relaxed);
        let good = if down { self.is_held(&remembered, now) } else { self.is_fresh(&remembered, now) };
        good.then_some(remembered.principal)
    }

    /// Asks the directory. To be awaited on a runtime that outlives the request: connections are kept.
    pub async fn verify(&self, login: &str, password: &str, client: IpAddr, now: Timestamp) -> Outcome {
        let Some(digest) = self.digest(login, password) else {
            return refused(LdapRefusal::Login("it is too long, or empty"));
        };
        if check_claimed(login).is_err() || password.contains(char::is_control) {
            return refused(LdapRefusal::Login("it has characters that none can have"));
        }
        let account = fold(login);
        let flight_key = self.flight_key(&account, &digest, client, now);
        let flight = Arc::clone(self.flights.lock().entry(flight_key).or_default());
        let outcome = flight.get_or_init(|| self.judge(&account, login, password, digest, client, now)).await.clone();
        let mut flights = self.flights.lock();
        if flights.get(&flight_key).is_some_and(|current| Arc::ptr_eq(current, &flight)) {
            flights.remove(&flight_key);
        }
        outcome
    }

    /// Whether the same credential is being asked about, so that one more request with it costs nothing.
    pub fn is_asking(&self, login: &str, password: &str, client: IpAddr, now: Timestamp) -> bool {
        let Some(digest) = self.digest(login, password) else { return false };
        self.flights.lock().contains_key(&self.flight_key(&fold(login), &digest, client, now))
    }

    /// The groups that a subject (`user:ldap/NAME`) has by now, or that it is gone. For refreshing what was handed out to
    /// somebody who logged in once. Runs on the runtime on which logins are judged.
    ///
    /// # Errors
    /// When it is not known: nobody may be taken for gone upon an error.
    pub async fn look_up(&self, subject: &str) -> Result<LookedUp, LookUpError> {
        let name = subject.strip_prefix("user:ldap/").filter(|name| check_claimed(name).is_ok());
        let name = name.ok_or_else(|| LookUpError::Foreign(subject.to_owned()))?;
        if self.settings.account.is_none() {
            return Err(LookUpError::NoAccount);
        }
        let errand = LookUp { settings: &self.settings, name };
        match tokio::time::timeout(WHOLE, self.pool.run(&errand)).await {
            Ok(Ok(looked_up)) => Ok(looked_up?),
            Ok(Err(troubles)) => Err(LookUpError::Unavailable(troubles)),
            Err(_) => Err(LookUpError::Unavailable("it took too long".to_owned())),
        }
    }

    /// A short keyed hash of a login: the same for the same login until the process ends, and nobody without the key can tell
    /// even whether a guess is right.
    pub fn login_hash(&self, login: &str) -> String {
        let hash = self.memory.digest_of(&[b"login", fold(login).as_bytes()]);
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whom failures elsewhere slow down must not slow down the owner at a known address, so these look by themselves.
    fn flight_key(&self, account: &str, digest: &Digest, client: IpAddr, now: Timestamp) -> Digest {
        let known = self.throttle.is_known(account, client, now);
        self.memory.digest_of(&[digest, &[u8::from(known)]])
    }

    async fn judge(
        &self,
        account: &str,
        login: &str,
        password: &str,
        digest: Digest,
        client: IpAddr,
        now: Timestamp,
    ) -> Outcome {
        let attempt = match self.throttle.attempt(account, client, now) {
            Ok(attempt) => attempt,
            Err(wait) => return refused(LdapRefusal::Throttled(wait)),
        };
        let errand = Login { settings: &self.settings, throttle: &self.throttle, login, password, client, now };
        let asking = async {
            let _place = self.logins.acquire().await.map_err(|error| error.to_string())?;
            self.pool.run(&errand).await
        };
        let asked = tokio::time::timeout(WHOLE, asking).await.map_err(|_| "it took too long".to_owned());
        let second = now.as_second();
        match asked.and_then(|asked| asked) {
            Ok(Ok(principal)) => {
                attempt.good(now);
                self.down_until.store(i64::MIN, Relaxed);
                let principal = Arc::new(principal);
                self.remember(digest, &principal, second);
                Outcome::Authenticated(principal)
            }
            Ok(Err(refusal)) => {
                self.down_until.store(i64::MIN, Relaxed);
                match &refusal {
                    // It was counted, or it was not looked at; or the password was right.
                    LdapRefusal::ThrottledEntry(_) | LdapRefusal::Name(_) | LdapRefusal::Groups(_) => drop(attempt),
                    _ => attempt.failed(),
                }
                // Good it was perhaps, and is no longer.
                if !matches!(refusal, LdapRefusal::ThrottledEntry(_)) {
                    self.memory.forget_one(&digest);
                }
                refused(refusal)
            }
            Err(troubles) => {
                self.down_until.store(second.saturating_add(LEFT_ALONE), Relaxed);
                let remembered = self.memory.look(&digest).filter(|remembered| self.is_held(remembered, second));
                match remembered {
                    Some(remembered) => Outcome::Authenticated(remembered.principal),
                    None => Outcome::Unavailable(format!("no directory server can be asked: {troubles}")),
                }
            }
        }
    }

    /// What a credential is remembered under; `None`: it is too long to be looked at, or empty.
    fn digest(&self, login: &str, password: &str) -> Option<Digest> {
        let lengths = (1..=LONGEST_LOGIN).contains(&login.len()) && (1..=LONGEST_PASSWORD).contains(&password.len());
        lengths.then(|| self.memory.digest_of(&[b"ldap", login.as_bytes(), password.as_bytes()]))
    }

    fn remember(&self, digest: Digest, principal: &Arc<Principal>, now: i64) {
        let principal = Arc::clone(principal);
        let until = now.saturating_add(seconds(self.settings.remember_down.max(self.settings.remember)));
        self.memory.remember(digest, Remembered { principal, by: 0, edition: 0, from: now, until });
    }

    fn is_fresh(&self, remembered: &Remembered, now: i64) -> bool {
        let until = remembered.from.saturating_add(seconds(self.settings.remember));
        (remembered.from.saturating_sub(SET_BACK)..until).contains(&now)
    }

    fn is_held(&self, remembered: &Remembered, now: i64) -> bool {
        (remembered.from.saturating_sub(SET_BACK)..remembered.until).contains(&now)
    }
}

fn refused(refusal: LdapRefusal) -> Outcome {
    Outcome::Rejected(Rejection::Ldap(refusal))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// One spelling for those that directories take for the same (RFC 4518): letter case, compatibility forms such as full-width
/// letters, and repeated blanks make no difference to them.
fn fold(login: &str) -> String {
    let folded = ComposingNormalizerBorrowed::new_nfkc().normalize(login).to_lowercase();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
