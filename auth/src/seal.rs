//! Sealing what an issuer entrusted us with: its refresh tokens, which would be logins in other hands.
//!
//! AES-256-GCM under a key of its own file beside the ledger (mode 0600), made at the first use. So a copy of the ledger alone
//! gives nothing away. The subject is sealed in with the text, so what was kept for one is not opened for another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

use crate::subject::Subject;

/// How many random bytes make a key.
pub const SEAL_BYTES: usize = 32;
/// How many random bytes each sealing takes. Random nonces of 96 bits are good for 2^32 sealings under one key.
pub const SEALING_BYTES: usize = NONCE_LEN;

/// The key. No `Debug`.
pub struct Seal(LessSafeKey);

/// Why something cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file of the key cannot be read or made.
    #[error("the key file `{path}`: {cause}", path = .path.display())]
    File {
        /// Which file.
        path: std::path::PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("the key file `{path}` has not {SEAL_BYTES} bytes", path = .path.display())]
    Key {
        /// Which file.
        path: std::path::PathBuf,
    },
    /// Sealed with another key, for somebody else, or damaged.
    #[error("what was kept cannot be opened: it was sealed with another key, or is damaged")]
    Damaged,
}

impl Seal {
    /// The key in a file; makes the file of these random bytes if there is none.
    ///
    /// # Errors
    /// When it can neither be read nor made. A file that holds something else is left alone.
    pub fn open_or_create(path: &Path, random: &[u8; SEAL_BYTES]) -> Result<Self, SealError> {
        let file = |cause| SealError::File { path: path.to_owned(), cause };
        let bytes = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut new) => {
                new.write_all(random).and_then(|()| new.sync_all()).map_err(file)?;
                Zeroizing::new(random.to_vec())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Zeroizing::new(fs::read(path).map_err(file)?),
            Err(error) => return Err(file(error)),
        };
        let bad = || SealError::Key { path: path.to_owned() };
        if bytes.len() != SEAL_BYTES {
            return Err(bad());
        }
        UnboundKey::new(&AES_256_GCM, &bytes).map(|key| Self(LessSafeKey::new(key))).map_err(|_| bad())
    }

    /// Seals a text for somebody: the nonce, the ciphertext, the tag.
    ///
    /// # Errors
    /// Never for texts of a size that occurs.
    pub fn seal(&self, owner: &Subject, text: &str, random: &[u8; SEALING_BYTES]) -> Result<Vec<u8>, SealError> {
        let mut inside = text.as_bytes().to_vec();
        let about = Aad::from(owner.as_str().as_bytes());
        let nonce = Nonce::assume_unique_for_key(*random);
        self.0.seal_in_place_append_tag(nonce, about, &mut inside).map_err(|_| SealError::Damaged)?;
        Ok([&random[..], &inside].concat())
    }

    /// Opens what was sealed for somebody.
    ///
    /// # Errors
    /// [`SealError::Damaged`].
    pub fn open(&self, owner: &Subject, sealed: &[u8]) -> Result<Zeroizing<String>, SealError> {
        let (nonce, inside) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Damaged)?;
        let mut inside = Zeroizing::new(inside.to_vec());
        let about = Aad::from(owner.as_str().as_bytes());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = self.0.open_in_place(nonce, about, &mut inside).map_err(|_| SealError::Damaged)?;
        std::str::from_utf8(text).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| SealError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::MetadataExt;

    fn alice() -> Subject {
        "user:corp/alice".parse().unwrap()
    }

    #[test]
    fn the_key_outlives_the_process_and_is_its_owners() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seal.key");
        let sealed = {
            let seal = Seal::open_or_create(&path, &[1; SEAL_BYTES]).ok().unwrap();
            seal.seal(&alice(), "secret", &[2; SEALING_BYTES]).unwrap()
        };
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        let again = Seal::open_or_create(&path, &[9; SEAL_BYTES]).ok().unwrap();
        assert_eq!(*again.open(&alice(), &sealed).unwrap(), "secret");
        assert!(again.open(&"user:corp/bob".parse().unwrap(), &sealed).is_err(), "sealed for alice");
        fs::write(&path, "short").unwrap();
        assert!(matches!(Seal::open_or_create(&path, &[1; SEAL_BYTES]), Err(SealError::Key { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"short", "left alone");
    }

    proptest! {
        #[test]
        fn whatever_is_changed_is_found_out(text in ".{0,60}", random: [u8; SEALING_BYTES], place: usize, bit in 0u8..8) {
            let directory = tempfile::tempdir().unwrap();
            let seal = Seal::open_or_create(&directory.path().join("seal.key"), &[1; SEAL_BYTES]).ok().unwrap();
            let mut sealed = seal.seal(&alice(), &text, &random).unwrap();
            prop_assert_eq!(&*seal.open(&alice(), &sealed).unwrap(), &text);
            let place = place % sealed.len();
            sealed[place] ^= 1 << bit;
            prop_assert!(seal.open(&alice(), &sealed).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(sealed: Vec<u8>) {
            let directory = tempfile::tempdir().unwrap();
            let seal = Seal::open_or_create(&directory.path().join("seal.key"), &[1; SEAL_BYTES]).ok().unwrap();
            prop_assert!(seal.open(&alice(), &sealed).is_err());
        }
    }
}
