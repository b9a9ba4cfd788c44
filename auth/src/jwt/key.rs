//! One key, and whether it has signed something.
//!
//! INVARIANT: a key is of one kind and is used with the algorithms of that kind only, whatever a token says. A public key is
//! never bytes that an HMAC could be made with, so a token signed with the text of a public key as secret has no key at all.

use super::algorithm::Algorithm;
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use aws_lc_rs::{digest, encoding::AsDer, hmac};

/// The smallest RSA modulus, in bits.
const LEAST_BITS: usize = 2048;
/// The largest.
const MOST_BITS: usize = 8192;
/// The shortest secret, in bytes: as long as what SHA-256 makes of it (RFC 7518, 3.2).
pub(super) const LEAST_SECRET: usize = 32;

/// A key that verifies. No `Debug`: it may be a secret.
pub(super) struct Key {
    /// What tokens call it.
    pub(super) id: Option<String>,
    /// The one algorithm that its owner has limited it to.
    pub(super) only: Option<Algorithm>,
    material: Material,
    /// SHA-256 of what it was made of.
    print: [u8; 32],
}

enum Material {
    /// More than a kilobyte.
    Secret(Box<hmac::Key>),
    /// Parsed twice, because a parsed key knows its padding.
    Rsa {
        pkcs1: ParsedPublicKey,
        pss: ParsedPublicKey,
    },
    P256(ParsedPublicKey),
    Ed25519(ParsedPublicKey),
}

/// Why bytes are no key that is used here.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("an RSA key of {0} bits, where {LEAST_BITS} are the least")]
    Small(usize),
    #[error("an RSA key of {0} bits, where {MOST_BITS} are the most")]
    Large(usize),
    #[error("a secret of {0} bytes, where {LEAST_SECRET} are the least")]
    Short(usize),
    #[error("a key of a kind that no algorithm here uses (RSA, P-256 and Ed25519 are used)")]
    Kind,
    #[error("a damaged key")]
    Damaged,
}

impl From<KeyRejected> for KeyError {
    fn from(_: KeyRejected) -> Self {
        Self::Damaged
    }
}

impl Key {
    /// A secret for HMAC.
    pub(super) fn secret(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() < LEAST_SECRET {
            return Err(KeyError::Short(bytes.len()));
        }
        Ok(Self::of(Material::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, bytes))), bytes))
    }

    /// A public key as PEM has it: SubjectPublicKeyInfo.
    pub(super) fn public(der: &[u8]) -> Result<Self, KeyError> {
        match kind(der) {
            Some(Kind::Rsa) => Self::rsa(der),
            Some(Kind::P256) => Ok(Self::of(Material::P256(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der)?), der)),
            Some(Kind::Ed25519) => Ok(Self::of(Material::Ed25519(ParsedPublicKey::new(&ED25519, der)?), der)),
            None => Err(KeyError::Kind),
        }
    }

    /// An RSA key as SubjectPublicKeyInfo or as RSAPublicKey (PKCS #1).
    pub(super) fn rsa(der: &[u8]) -> Result<Self, KeyError> {
        // It also checks the exponent and that the modulus is odd.
        let checked = PublicKey::from_der(der)?;
        match modulus_bits(checked.as_ref()).ok_or(KeyError::Damaged)? {
            bits if bits < LEAST_BITS => return Err(KeyError::Small(bits)),
            bits if bits > MOST_BITS => return Err(KeyError::Large(bits)),
            _ => {}
        }
        let pkcs1 = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, checked.as_ref())?;
        let pss = ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, checked.as_ref())?;
        Ok(Self::of(Material::Rsa { pkcs1, pss }, checked.as_ref()))
    }

    /// An RSA key by its numbers, big-endian.
    pub(super) fn rsa_numbers(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)?;
        Self::rsa(parsed.as_der().map_err(|_| KeyError::Damaged)?.as_ref())
    }

    /// A point on P-256 by its coordinates, 32 bytes each.
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        if (x.len(), y.len()) != (32, 32) {
            return Err(KeyError::Damaged);
        }
        let point = [&[4], x, y].concat();
        Ok(Self::of(Material::P256(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)?), &point))
    }

    /// An Ed25519 key, 32 bytes.
    pub(super) fn ed25519(x: &[u8]) -> Result<Self, KeyError> {
        if x.len() != 32 {
            return Err(KeyError::Damaged);
        }
        Ok(Self::of(Material::Ed25519(ParsedPublicKey::new(&ED25519, x)?), x))
    }

    fn of(material: Material, made_of: &[u8]) -> Self {
        Self { id: None, only: None, material, print: fingerprint(made_of) }
    }

    /// Whether it is the very same key under the same name: what one has verified, the other would verify too.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.id == other.id && self.only == other.only && self.kind() == other.kind() && self.print == other.print
    }

    /// Whether it is a key for this algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        let of_kind = match algorithm {
            Algorithm::Hs256 => matches!(self.material, Material::Secret(_)),
            Algorithm::Rs256 | Algorithm::Ps256 => matches!(self.material, Material::Rsa { .. }),
            Algorithm::Es256 => matches!(self.material, Material::P256(_)),
            Algorithm::EdDsa => matches!(self.material, Material::Ed25519(_)),
        };
        of_kind && self.only.is_none_or(|only| only == algorithm)
    }

    /// What kind of key it is, for operators.
    pub(super) fn kind(&self) -> &'static str {
        match self.material {
            Material::Secret(_) => "secret",
            Material::Rsa { .. } => "RSA",
            Material::P256(_) => "P-256",
            Material::Ed25519(_) => "Ed25519",
        }
    }

    /// Whether this key has made the signature, by this algorithm. False also if it does not fit.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (&self.material, algorithm) {
            // In constant time.
            (Material::Secret(key), Algorithm::Hs256) => hmac::verify(key, message, signature).is_ok(),
            (Material::Rsa { pkcs1, .. }, Algorithm::Rs256) => pkcs1.verify_sig(message, signature).is_ok(),
            (Material::Rsa { pss, .. }, Algorithm::Ps256) => pss.verify_sig(message, signature).is_ok(),
            (Material::P256(key), Algorithm::Es256) => key.verify_sig(message, signature).is_ok(),
            (Material::Ed25519(key), Algorithm::EdDsa) => key.verify_sig(message, signature).is_ok(),
            _ => false,
        }
    }
}

/// SHA-256.
pub(super) fn fingerprint(bytes: &[u8]) -> [u8; 32] {
    let mut fingerprint = [0; 32];
    for (to, from) in fingerprint.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()) {
        *to = *from;
    }
    fingerprint
}

enum Kind {
    Rsa,
    P256,
    Ed25519,
}

/// Object identifiers as DER: rsaEncryption, id-ecPublicKey with prime256v1, id-Ed25519.
const KINDS: [(&[u8], Kind); 3] = [
    (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", Kind::Rsa),
    (b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", Kind::P256),
    (b"\x06\x03\x2b\x65\x70", Kind::Ed25519),
];

/// What a SubjectPublicKeyInfo says that it is: by the identifier after its two opening sequences, each with a length
/// of one to three bytes. Whether the rest is right is for the parser of that kind to say.
fn kind(der: &[u8]) -> Option<Kind> {
    let (_, content) = element(der, 0x30)?;
    let (_, algorithm) = element(content, 0x30)?;
    KINDS.into_iter().find(|(identifier, _)| algorithm.starts_with(identifier)).map(|(_, kind)| kind)
}

/// The bits of the modulus of an RSAPublicKey.
fn modulus_bits(der: &[u8]) -> Option<usize> {
    let (_, content) = element(der, 0x30)?;
    let (length, modulus) = element(content, 0x02)?;
    let modulus = modulus.get(..length)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros)?;
    Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
}

/// The length of a DER element of this type, and the bytes from its content on.
fn element(der: &[u8], tag: u8) -> Option<(usize, &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    match first {
        0..=0x7f => Some((usize::from(*first), rest)),
        0x81 | 0x82 => {
            let (length, content) = rest.split_at_checked(usize::from(first & 0x7f))?;
            Some((length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), content))
        }
        _ => None,
    }
}
