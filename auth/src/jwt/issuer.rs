//! An issuer as it is configured, and what its tokens must say.

use super::algorithm::Algorithm;
use super::claim_path::ClaimPath;
use super::compact::plain_type;
use super::key_file::{KeyFile, KeyFileError};
use super::key_set::KeySet;
use super::key_source::KeySource;
use super::keyring::{Keyring, Taken};
use super::publication::{Harvest, Publication, Trouble};
use super::trust::TrustRule;
use crate::fetch::{FetchError, Fetcher};
use crate::login::LoginSettings;
use jiff::Timestamp;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// What the configuration calls an issuer: the ISSUER in `user:ISSUER/SUBJECT`. 1 to 32 letters, digits, `.`, `-` and `_`.
///
/// INVARIANT: it has no `/`, so nothing that a claim says can reach over it into the names of another issuer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Alias(Arc<str>);

/// Why a text is no [`Alias`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AliasError {
    /// Empty, long, or with other characters.
    #[error("1 to {} letters, digits, `.`, `-` and `_`", Alias::MOST)]
    Form,
    /// A name that is built in.
    #[error("`token`, `ldap` and `certificate` are built in")]
    Reserved,
}

impl Alias {
    /// The most characters.
    pub const MOST: usize = 32;

    /// The alias as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Alias {
    type Err = AliasError;

    fn from_str(text: &str) -> Result<Self, AliasError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=Self::MOST).contains(&text.len()) || !text.bytes().all(plain) {
            return Err(AliasError::Form);
        }
        if ["token", "ldap", "certificate"].iter().any(|reserved| text.eq_ignore_ascii_case(reserved)) {
            return Err(AliasError::Reserved);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// What is configured about an issuer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuerSettings {
    /// What it is called here.
    pub alias: Alias,
    /// What it calls itself: `iss`, compared byte by byte.
    pub issuer: String,
    /// Whom its tokens must be for: one of these must be in `aud`.
    pub audiences: Vec<String>,
    /// The algorithms of its tokens, whatever their headers say.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// Certificates (PEM) to trust besides the system's where the issuer is asked for anything.
    pub roots: Option<PathBuf>,
    /// The values of `typ` that are accepted, by [`IssuerSettings::types_of`]; a token without one is a `jwt`.
    pub types: Vec<String>,
    /// The parties for which its tokens may have been made (`azp`); empty: any.
    pub authorized_parties: Vec<String>,
    /// Whether ID tokens are accepted: they say who logged in to a page, not who may use something.
    pub id_tokens: bool,
    /// How far its clock and ours may be apart.
    pub leeway: Duration,
    /// How long a token may live.
    pub max_lifetime: Option<Duration>,
    /// Whether a token must say from when on it is good. One that does is held to it in any case.
    pub require_nbf: bool,
    /// Where the subject's name is. `sub` must be there all the same.
    pub subject_claim: ClaimPath,
    /// Where the names of the groups are.
    pub groups_claim: ClaimPath,
    /// By which workloads are trusted. Where there are any, they say who somebody is, in place of the two claims.
    pub trust: Vec<TrustRule>,
    /// How people log in there with a browser; `None`: they do not.
    pub login: Option<Box<LoginSettings>>,
}

impl IssuerSettings {
    /// What the issuer is asked with, trusting its certificates besides the system's. Blocks.
    ///
    /// # Errors
    /// When its certificates cannot be used.
    pub fn fetcher(&self) -> Result<Fetcher, IssuerError> {
        let read =
            |path: &PathBuf| std::fs::read(path).map_err(|cause| IssuerError::Roots { path: path.clone(), cause });
        let pem = self.roots.as_ref().map(read).transpose()?;
        Ok(Fetcher::new(pem.as_slice())?)
    }

    /// Types as they are compared: letter case and `application/` make no difference.
    pub fn types_of<'t>(types: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        types.into_iter().map(plain_type).collect()
    }
}

/// An issuer with its keys in force.
pub struct Issuer {
    settings: IssuerSettings,
    keyring: Keyring,
    notes: Vec<String>,
    publication: Option<Publication>,
}

/// Why an issuer cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Its key file.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The file with certificates cannot be read.
    #[error("cannot read `{}`: {cause}", path.display())]
    Roots {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// They are none.
    #[error(transparent)]
    Fetcher(#[from] FetchError),
}

/// What became of an issuer's published keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyNews {
    /// Other keys are in force.
    Replaced {
        /// How many.
        keys: usize,
        /// What was left out, and algorithms without a key.
        notes: Vec<String>,
    },
    /// An outage is over; the keys are what they were.
    Back,
    /// An outage begins: what the issuer publishes cannot be used. The last good keys stay for now.
    Refused(String),
    /// An outage begins: the issuer does not answer. The last good keys stay for now.
    Unreachable(String),
    /// No others could be had for so long that the last good keys are not used any more.
    Dropped,
}

/// What reading an issuer's key file again came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reread {
    /// The file is what it was.
    Unchanged,
    /// Other keys are in force.
    Replaced {
        /// How many.
        keys: usize,
        /// What was left out, and algorithms without a key.
        notes: Vec<String>,
    },
    /// The file cannot be used; the keys that were in force stay.
    Refused(KeyFileError),
}

impl Issuer {
    /// An issuer with the keys of its file; one that publishes its keys has none yet. Blocks.
    ///
    /// # Errors
    /// When a file that it needs cannot be used.
    pub fn read(settings: IssuerSettings) -> Result<Self, IssuerError> {
        let keyring = Keyring::empty();
        let (publication, notes) = match &settings.keys {
            KeySource::Published(source) => (Some(Publication::new(source.clone(), settings.fetcher()?)), Vec::new()),
            KeySource::File(file) => match keyring.take(file.read(&settings.algorithms)?, i64::MAX) {
                Taken::Others(_, notes) => (None, notes),
                Taken::Same => (None, Vec::new()),
            },
        };
        Ok(Self { settings, keyring, notes, publication })
    }

    /// What is configured.
    pub fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// What was left out of the key file when it was first read, and algorithms without a key.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many keys are in force at this moment.
    pub fn key_count(&self, now: Timestamp) -> usize {
        self.keyring.in_force(now).map_or(0, |keys| keys.keys().len())
    }

    /// The keys in force, if there are any.
    pub(super) fn keys(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        self.keyring.in_force(now)
    }

    /// Whether the key of this edition is in force. On the hit path.
    pub(super) fn has(&self, edition: u64, now: Timestamp) -> bool {
        self.keyring.has(edition, now)
    }

    /// How its keys are fetched, if they are.
    pub(super) fn publication(&self) -> Option<&Publication> {
        self.publication.as_ref()
    }

    /// INVARIANT: the last good keys stay; a file that is gone or bad takes nothing away.
    pub(super) fn reread(&self, file: &KeyFile) -> Reread {
        match file.read(&self.settings.algorithms).map(|read| self.keyring.take(read, i64::MAX)) {
            Ok(Taken::Same) => Reread::Unchanged,
            Ok(Taken::Others(keys, notes)) => Reread::Replaced { keys, notes },
            Err(error) => Reread::Refused(error),
        }
    }

    /// Takes what a round of fetching brought, and says when the next is due and what is worth telling.
    ///
    /// INVARIANT: as for files, and only until the grace is over.
    pub(super) fn renew(
        &self,
        publication: &Publication,
        went: Result<Harvest, Trouble>,
        now: Timestamp,
        chance: f64,
    ) -> (Duration, Vec<KeyNews>) {
        match went {
            Ok(harvest) => {
                let max_age = harvest.max_age();
                let taken = self.keyring.take(harvest.keys, publication.good_until(now));
                let (due, ended) = publication.note(Ok(max_age), now, chance);
                match taken {
                    Taken::Others(keys, notes) => {
                        publication.forget_absent();
                        (due, vec![KeyNews::Replaced { keys, notes }])
                    }
                    Taken::Same => (due, ended.then_some(KeyNews::Back).into_iter().collect()),
                }
            }
            Err(trouble) => {
                let (due, begins) = publication.note(Err(&trouble), now, chance);
                let told = match trouble {
                    Trouble::Unreachable(text) => KeyNews::Unreachable(text),
                    Trouble::Unusable(text) => KeyNews::Refused(text),
                };
                let dropped = self.keyring.drop_outdated(now).then_some(KeyNews::Dropped);
                (due, begins.then_some(told).into_iter().chain(dropped).collect())
            }
        }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Issuer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_plain_and_not_built_in() {
        for good in ["corp", "corp-2.eu_west", "A"] {
            assert_eq!(good.parse::<Alias>().unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "a:b", "a b", "é", "a\n", &"a".repeat(33)] {
            assert_eq!(bad.parse::<Alias>(), Err(AliasError::Form), "{bad}");
        }
        for reserved in ["token", "ldap", "Token", "LDAP", "certificate"] {
            assert_eq!(reserved.parse::<Alias>(), Err(AliasError::Reserved));
        }
    }
}
