//! An issuer as it is configured, and what its tokens must say.

use super::algorithm::Algorithm;
use super::claim_path::ClaimPath;
use super::compact::plain_type;
use super::key_file::{KeyFile, KeyFileError, Usable};
use super::key_set::KeySet;
use arc_swap::ArcSwap;
use std::fmt;
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
    /// Its keys.
    pub keys: KeyFile,
    /// The values of `typ` that are accepted, by [`IssuerSettings::types_of`]; a token without one is a `jwt`.
    pub types: Vec<String>,
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
}

impl IssuerSettings {
    /// Types as they are compared: letter case and `application/` make no difference.
    pub fn types_of<'t>(types: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        types.into_iter().map(plain_type).collect()
    }
}

/// An issuer with its keys in force.
pub struct Issuer {
    settings: IssuerSettings,
    keys: ArcSwap<KeySet>,
    notes: Vec<String>,
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
    /// Reads the keys of an issuer. Blocks.
    ///
    /// # Errors
    /// When its key file cannot be used.
    pub fn read(settings: IssuerSettings) -> Result<Self, KeyFileError> {
        let Usable { keys, notes } = settings.keys.read(&settings.algorithms)?;
        Ok(Self { settings, keys: ArcSwap::from_pointee(keys), notes })
    }

    /// What is configured.
    pub fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// What was left out of the key file when it was first read, and algorithms without a key.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many keys are in force.
    pub fn key_count(&self) -> usize {
        self.keys.load().keys().len()
    }

    pub(super) fn keys(&self) -> arc_swap::Guard<Arc<KeySet>> {
        self.keys.load()
    }

    /// INVARIANT: the last good keys stay; a file that is gone or bad takes nothing away.
    pub(super) fn reread(&self) -> Reread {
        match self.settings.keys.read(&self.settings.algorithms) {
            Ok(read) if self.keys.load().has_digest_of(&read.keys) => Reread::Unchanged,
            Ok(Usable { keys, notes }) => {
                let count = keys.keys().len();
                self.keys.store(Arc::new(keys));
                Reread::Replaced { keys: count, notes }
            }
            Err(error) => Reread::Refused(error),
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
