//! Reading keys: public keys as PEM or JWKS, or one secret, from a file; a JWKS that an issuer publishes.
//!
//! ```text
//! public    PEM    `PUBLIC KEY` and `RSA PUBLIC KEY` blocks; at most 4 keys, for they have no names and each is tried
//!           JWKS   `{"keys":[…]}` or one JWK alone
//! secret    the bytes of the file without the line end at its end, at least 32
//! ```
//!
//! INVARIANT: a file with a public key is never a secret, nor the other way round: which of them a file is says the
//! configuration, and a file that looks like the other is refused. Private keys are refused wherever they appear.

use super::algorithm::Algorithm;
use super::jwk::{self, Jwk};
use super::key::{Key, fingerprint};
use super::pem::{self, PemError};
use super::strict_json::{self, JsonError};
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// The most keys without a name.
const MOST_NAMELESS: usize = 4;
/// The most keys.
const MOST: usize = 64;

/// The file with an issuer's keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyFile {
    /// Public keys, PEM or JWKS.
    Public(PathBuf),
    /// A secret for HS256.
    Secret(PathBuf),
}

/// Why a key file cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{}`{}: {}", .path.display(), Line(&.fault.line), .fault.message)]
pub struct KeyFileError {
    path: PathBuf,
    fault: Fault,
}

/// What is wrong, and where in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Fault {
    line: Option<usize>,
    message: String,
    hint: Option<&'static str>,
}

struct Line<'l>(&'l Option<usize>);

impl fmt::Display for Line<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(out, ", line {line}"))
    }
}

/// Keys that can be used.
pub(super) struct Usable {
    pub(super) keys: Vec<Key>,
    /// SHA-256 of what they were read from.
    pub(super) digest: [u8; 32],
    /// What was left out, and algorithms without a key.
    pub(super) notes: Vec<String>,
}

impl KeyFileError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        self.fault.hint
    }
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into(), hint: None }
    }

    fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

impl KeyFile {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Public(path) | Self::Secret(path) => path,
        }
    }

    /// Reads it. Blocks.
    pub(super) fn read(&self, algorithms: &[Algorithm]) -> Result<Usable, KeyFileError> {
        let error = |fault| KeyFileError { path: self.path().to_owned(), fault };
        let bytes = content(self.path()).map_err(|cause| error(Fault::new(unreadable(&cause))))?;
        let (keys, notes) = match self {
            Self::Public(_) => public(&bytes, algorithms),
            Self::Secret(_) => secret(&bytes).map(|key| (vec![key], Vec::new())),
        }
        .map_err(error)?;
        Ok(Usable { keys, digest: fingerprint(&bytes), notes })
    }
}

/// Reads what an issuer publishes: a JWKS, nothing else.
///
/// # Errors
/// What is wrong with it, on one line.
pub(super) fn published(bytes: &[u8], algorithms: &[Algorithm]) -> Result<Usable, String> {
    let told = |fault: Fault| match fault.line {
        Some(line) => format!("line {line}: {}", fault.message),
        None => fault.message,
    };
    match bytes.trim_ascii_start().first() {
        Some(b'{') => {}
        _ => return Err("it is no JSON object, so no JWKS".to_owned()),
    }
    let (keys, notes) = public(bytes, algorithms).map_err(told)?;
    Ok(Usable { keys, digest: fingerprint(bytes), notes })
}

fn content(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(0..=LARGEST) => Ok(bytes),
        _ => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
    }
}

fn unreadable(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::FileTooLarge => format!("it has more than {} KiB", LARGEST / 1024),
        _ => cause.to_string(),
    }
}

fn secret(bytes: &[u8]) -> Result<Key, Fault> {
    if bytes.windows(11).any(|window| window == b"-----BEGIN ") || bytes.trim_ascii().starts_with(b"{") {
        let fault = Fault::new("it holds keys (PEM or JSON), not a secret");
        return Err(fault.hint("public keys belong into `keys`, and HS256 cannot be used with them"));
    }
    let secret = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    Key::secret(secret).map_err(|error| Fault::new(format!("it is {error}")))
}

/// Public keys that the algorithms can use, and notes about the others.
fn public(bytes: &[u8], algorithms: &[Algorithm]) -> Result<(Vec<Key>, Vec<String>), Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::new("it is not UTF-8, so neither PEM nor JWKS"))?;
    let (keys, mut notes) = if text.trim_start().starts_with('{') {
        set(text, algorithms)?
    } else if text.contains("-----BEGIN ") {
        (blocks(text, algorithms)?, Vec::new())
    } else {
        return Err(Fault::new("it is neither PEM nor JWKS"));
    };
    if keys.is_empty() {
        let wanted = algorithms.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
        let mut message = format!("it has no key for {wanted}");
        notes.iter().for_each(|note| message.extend(["; ", note.as_str()]));
        return Err(Fault::new(message));
    }
    bounds(&keys)?;
    let without = algorithms.iter().filter(|one| !keys.iter().any(|key| key.fits(**one)));
    notes.extend(without.map(|one| format!("it has no key for {one}")));
    Ok((keys, notes))
}

fn bounds(keys: &[Key]) -> Result<(), Fault> {
    if keys.len() > MOST {
        return Err(Fault::new(format!("it has {} keys where {MOST} are the most", keys.len())));
    }
    match keys.iter().filter(|key| key.id.is_none()).count() {
        0..=MOST_NAMELESS => Ok(()),
        many => {
            let message = format!("it has {many} keys without a `kid` where {MOST_NAMELESS} are the most");
            Err(Fault::new(message).hint("use a JWKS with a `kid` for each key"))
        }
    }
}

fn blocks(text: &str, algorithms: &[Algorithm]) -> Result<Vec<Key>, Fault> {
    let blocks = pem::blocks(text).map_err(|error| match error {
        PemError::Unended { line } => Fault::new("a PEM block without its end").at(line),
        PemError::Mismatch { line } => Fault::new("a PEM block ends as another than it began").at(line),
        PemError::Base64 { line } => Fault::new("a PEM block with something else in it than base64").at(line),
    })?;
    let mut keys = Vec::new();
    for block in &blocks {
        let key = block_key(block).map_err(|fault| fault.at(block.line))?;
        if !algorithms.iter().any(|algorithm| key.fits(*algorithm)) {
            let message = format!("a key of the kind {}, which none of the configured algorithms uses", key.kind());
            return Err(Fault::new(message).at(block.line));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn block_key(block: &pem::Block<'_>) -> Result<Key, Fault> {
    let key = match block.label {
        "PUBLIC KEY" => Key::public(&block.content),
        "RSA PUBLIC KEY" => Key::rsa(&block.content),
        "CERTIFICATE" => {
            return Err(Fault::new("a certificate, where a public key is needed")
                .hint("openssl x509 -pubkey -noout -in CERTIFICATE"));
        }
        label if label.contains("PRIVATE KEY") => {
            return Err(Fault::new("a private key: only the issuer may have that")
                .hint("openssl pkey -pubout -in PRIVATE-KEY, and put the result here"));
        }
        label => return Err(Fault::new(format!("a block of the kind `{}`", label.escape_debug()))),
    };
    key.map_err(|error| Fault::new(error.to_string()))
}

fn set(text: &str, algorithms: &[Algorithm]) -> Result<(Vec<Key>, Vec<String>), Fault> {
    let mut members = strict_json::object(text.as_bytes()).map_err(|error| match error {
        JsonError::Syntax { line, .. } => Fault::new(error.to_string()).at(line),
        other => Fault::new(other.to_string()),
    })?;
    let entries = match members.remove("keys") {
        Some(Value::Array(entries)) => entries,
        None if members.contains_key("kty") => vec![Value::Object(members)],
        Some(_) | None => return Err(Fault::new("it has no list `keys`, so it is no JWKS")),
    };
    let (mut keys, mut notes) = (Vec::<Key>::new(), Vec::new());
    for (entry, number) in entries.iter().zip(1..) {
        let fault = |what: &str| Fault::new(format!("key {number}: {what}"));
        let Value::Object(entry) = entry else { return Err(fault("it is no JSON object")) };
        let key = match jwk::read(entry).map_err(|what| fault(&what))? {
            Jwk::Key(key) => key,
            Jwk::Foreign(why) => {
                notes.push(format!("key {number} is left out: {why}"));
                continue;
            }
        };
        if !algorithms.iter().any(|algorithm| key.fits(*algorithm)) {
            notes.push(format!("key {number} is left out: none of the configured algorithms uses it ({})", key.kind()));
        } else if key.id.is_some() && keys.iter().any(|other| other.id == key.id) {
            return Err(fault("its `kid` is that of a key before it"));
        } else {
            keys.push(key);
        }
    }
    Ok((keys, notes))
}
