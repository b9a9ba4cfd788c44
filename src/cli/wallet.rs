//! The wallet: the short-lived and the refresh token of each gateway, for `modgate goauth`.
//!
//! ```text
//! Linux    $XDG_CONFIG_HOME/modgate/wallet, or ~/.config/modgate/wallet
//! macOS    ~/Library/Application Support/modgate/wallet
//! Windows  %LOCALAPPDATA%\modgate\wallet
//!   https%3A%2F%2Fgw.corp.example%3A8443        one file for each gateway, JSON, 0600
//!   https%3A%2F%2Fgw.corp.example%3A8443.lock   held by whoever is about to change it
//! ```
//!
//! Reading takes no lock: a file is replaced whole. Who writes holds the lock, and the type says so ([`Locked`]).
//!
//! INVARIANT: a new refresh token is on the disk before anything is done with what came along with it, for the old one is
//! worth nothing from then on.

use super::first_run::{FirstRunError, private_directory};
use super::gateway_url::GatewayUrl;
use super::oauth::Granted;
use crate::config::Secret;
use crate::durability;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io,
    path::PathBuf,
};
use zeroize::Zeroizing;

/// The longest name of a file, in bytes.
const LONGEST: usize = 200;

/// The directory of all of them.
#[derive(Clone, Debug)]
pub(super) struct Wallet {
    directory: PathBuf,
}

/// What is kept for one gateway. No `Debug`.
pub(super) struct Held {
    /// The short-lived token.
    pub(super) access: Secret,
    /// When it was obtained.
    pub(super) obtained: Timestamp,
    /// When it ends.
    pub(super) expires: Timestamp,
    /// What the next one is got with. None: the gateway took it back, and somebody has to log in.
    pub(super) refresh: Option<Secret>,
}

/// The wallet cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum WalletError {
    #[error("there is no home directory to keep credentials in")]
    Homeless,
    #[error("cannot read `{}`: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("cannot write `{}`: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("`{}` is damaged: `modgate login --goauth` makes it anew", .0.display())]
    Damaged(PathBuf),
    #[error(transparent)]
    Directory(#[from] FirstRunError),
    #[error("the gateway's URL is too long")]
    LongUrl,
}

/// A file's content.
#[derive(Serialize, Deserialize)]
struct Stored<'s> {
    gateway: &'s str,
    access: &'s str,
    obtained: Timestamp,
    expires: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'s str>,
}

impl Wallet {
    /// That of whoever runs this process.
    pub(super) fn of_process() -> Result<Self, WalletError> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory = if cfg!(windows) {
            set("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            set("HOME").map(|home| home.join("Library/Application Support"))
        } else {
            let config = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
            config.or_else(|| set("HOME").map(|home| home.join(".config")))
        };
        Ok(Self::at(directory.ok_or(WalletError::Homeless)?.join("modgate").join("wallet")))
    }

    /// One in this directory.
    pub(super) fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// What is kept for a gateway, if anything.
    pub(super) fn read(&self, base: &GatewayUrl) -> Result<Option<Held>, WalletError> {
        let path = self.path(base)?;
        let text = match fs::read(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(WalletError::Read { path, cause }),
        };
        let stored = serde_json::from_slice::<Stored<'_>>(&text).ok().filter(|stored| stored.gateway == base.as_str());
        let Some(stored) = stored else { return Err(WalletError::Damaged(path)) };
        Ok(Some(Held {
            access: Secret::new(stored.access),
            obtained: stored.obtained,
            expires: stored.expires,
            refresh: stored.refresh.map(Secret::new),
        }))
    }

    /// Waits until nobody else is changing what is kept for a gateway.
    pub(super) fn lock(&self, base: &GatewayUrl) -> Result<Locked<'_>, WalletError> {
        let path = self.path(base)?;
        let lock = path.with_file_name(format!("{}.lock", encoded(base.as_str())));
        let wrong = |cause| WalletError::Write { path: lock.clone(), cause };
        private_directory(&self.directory)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&lock).map_err(wrong)?;
        file.lock().map_err(wrong)?;
        Ok(Locked { wallet: self, base: base.clone(), path, _lock: file })
    }

    fn path(&self, base: &GatewayUrl) -> Result<PathBuf, WalletError> {
        let name = encoded(base.as_str());
        if name.len() > LONGEST { Err(WalletError::LongUrl) } else { Ok(self.directory.join(name)) }
    }
}

/// The right to change what is kept for one gateway; ends when it is dropped.
pub(super) struct Locked<'w> {
    wallet: &'w Wallet,
    base: GatewayUrl,
    path: PathBuf,
    _lock: File,
}

impl Locked<'_> {
    /// What is kept now.
    pub(super) fn read(&self) -> Result<Option<Held>, WalletError> {
        self.wallet.read(&self.base)
    }

    /// Keeps this from now on. When it returns, it is on the disk.
    pub(super) fn write(&self, held: &Held) -> Result<(), WalletError> {
        let stored = Stored {
            gateway: self.base.as_str(),
            access: held.access.expose(),
            obtained: held.obtained,
            expires: held.expires,
            refresh: held.refresh.as_ref().map(Secret::expose),
        };
        let wrong = |cause| WalletError::Write { path: self.path.clone(), cause };
        let text = Zeroizing::new(serde_json::to_vec(&stored).map_err(|error| wrong(error.into()))?);
        durability::write_private(&self.path, &text).map_err(wrong)
    }

    /// Whether [`Self::write`] would work now.
    pub(super) fn check_writable(&self) -> Result<(), WalletError> {
        durability::check_writable(&self.path).map_err(|cause| WalletError::Write { path: self.path.clone(), cause })
    }

    /// Keeps nothing any more.
    pub(super) fn remove(&self) -> Result<(), WalletError> {
        match fs::remove_file(&self.path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(WalletError::Write { path: self.path.clone(), cause })
            }
            _ => Ok(()),
        }
    }
}

impl Held {
    /// What a grant gave just now.
    pub(super) fn of(granted: Granted, now: Timestamp) -> Self {
        let lifetime = SignedDuration::try_from(granted.lifetime).unwrap_or(SignedDuration::ZERO);
        let expires = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
        Self { access: granted.access, obtained: now, expires, refresh: granted.refresh }
    }

    /// Whether the short-lived token is still good for a request that takes a while: until a fifth of its life is left, or
    /// a minute where that is less.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        let life = self.expires.duration_since(self.obtained);
        let margin = (life / 5).min(SignedDuration::from_mins(1));
        // A clock that was put back must not make it last for ever.
        now >= self.obtained.saturating_sub(SignedDuration::from_mins(5)).unwrap_or(self.obtained)
            && self.expires.duration_since(now) > margin
    }
}

/// A text as the name of a file on every system; no two texts have one name.
fn encoded(text: &str) -> String {
    let mut name = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(refresh: Option<&str>) -> Held {
        let obtained: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let expires = "2026-03-01T12:10:00Z".parse().unwrap();
        Held { access: Secret::new("mg_a"), obtained, expires, refresh: refresh.map(Secret::new) }
    }

    #[test]
    fn what_is_kept_is_its_owners_own_and_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let wallet = Wallet::at(directory.path().join("modgate/wallet"));
        let base: GatewayUrl = "https://gw.test:8443/go".parse().unwrap();
        assert!(wallet.read(&base).unwrap().is_none());
        wallet.lock(&base).unwrap().write(&held(Some("mg_r"))).unwrap();
        let found = wallet.read(&base).unwrap().unwrap();
        assert_eq!((found.access.expose(), found.refresh.unwrap().expose()), ("mg_a", "mg_r"));
        let other: GatewayUrl = "https://gw.test:8443/Go".parse().unwrap();
        assert!(wallet.read(&other).unwrap().is_none());
        #[cfg(unix)]
        for entry in fs::read_dir(directory.path().join("modgate/wallet")).unwrap() {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        wallet.lock(&base).unwrap().remove().unwrap();
        wallet.lock(&base).unwrap().remove().unwrap();
        assert!(wallet.read(&base).unwrap().is_none());
    }

    #[test]
    fn a_damaged_file_or_one_of_another_gateway_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let wallet = Wallet::at(directory.path().into());
        let (base, other): (GatewayUrl, GatewayUrl) =
            ("https://a.test".parse().unwrap(), "https://b.test".parse().unwrap());
        wallet.lock(&base).unwrap().write(&held(None)).unwrap();
        fs::copy(wallet.path(&base).unwrap(), wallet.path(&other).unwrap()).unwrap();
        assert!(matches!(wallet.read(&other), Err(WalletError::Damaged(_))));
        fs::write(wallet.path(&other).unwrap(), "{").unwrap();
        assert!(matches!(wallet.read(&other), Err(WalletError::Damaged(_))));
    }

    #[test]
    fn it_is_fresh_until_shortly_before_its_end() {
        let fresh = |at: &str| held(None).is_fresh(at.parse().unwrap());
        assert!(fresh("2026-03-01T12:00:00Z") && fresh("2026-03-01T12:08:59Z"));
        assert!(!fresh("2026-03-01T12:09:00Z") && !fresh("2026-03-01T12:10:00Z") && !fresh("2026-02-01T12:00:00Z"));
    }
}
