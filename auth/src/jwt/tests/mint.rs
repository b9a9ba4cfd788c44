//! Keys made for a test run, and tokens signed with them.

use super::Algorithm;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use aws_lc_rs::{hmac, signature::RsaEncoding};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// One key of each kind.
pub(super) struct Mint {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    pub(super) secret: [u8; 32],
}

impl Mint {
    /// The issuers' own.
    pub(super) fn ours() -> &'static Self {
        static OURS: OnceLock<Mint> = OnceLock::new();
        OURS.get_or_init(|| Self::new(1))
    }

    /// Somebody else's.
    pub(super) fn theirs() -> &'static Self {
        static THEIRS: OnceLock<Mint> = OnceLock::new();
        THEIRS.get_or_init(|| Self::new(2))
    }

    fn new(seed: u8) -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed25519: Ed25519KeyPair::generate().unwrap(),
            secret: [seed; 32],
        }
    }

    /// A signature over any bytes.
    pub(super) fn signature(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let rsa = |padding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        };
        match algorithm {
            Algorithm::Hs256 => hmac_sha256(&self.secret, message),
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
            Algorithm::Es256 => self.p256.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Algorithm::EdDsa => self.ed25519.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of these very texts.
    pub(super) fn sign(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let signed = signed_part(header, claims);
        let signature = self.signature(algorithm, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token whose header has the algorithm and the kid that [`Mint::jwks`] gives its key.
    pub(super) fn token(&self, algorithm: Algorithm, claims: &Value) -> String {
        self.sign(algorithm, &header(algorithm).to_string(), &claims.to_string())
    }

    fn der(&self, algorithm: Algorithm) -> Vec<u8> {
        match algorithm {
            Algorithm::Hs256 => self.secret.to_vec(),
            Algorithm::Rs256 | Algorithm::Ps256 => self.rsa.public_key().as_der().unwrap().as_ref().to_vec(),
            Algorithm::Es256 => self.p256.public_key().as_der().unwrap().as_ref().to_vec(),
            Algorithm::EdDsa => self.ed25519.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }

    /// The public key for an algorithm as PEM.
    pub(super) fn pem(&self, algorithm: Algorithm) -> String {
        pem("PUBLIC KEY", &self.der(algorithm))
    }

    /// The RSA key as PKCS #1 has it.
    pub(super) fn pkcs1_pem(&self) -> String {
        pem("RSA PUBLIC KEY", self.rsa.public_key().as_ref())
    }

    /// The public key for an algorithm as JWK, without `kid`.
    pub(super) fn jwk(&self, algorithm: Algorithm) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match algorithm {
            Algorithm::Hs256 => json!({"kty": "oct", "k": encode(&self.secret)}),
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let der = self.rsa.public_key().as_ref();
                // 30 82 LL LL, 02 82 01 01 00, 256 bytes of modulus, 02 03 01 00 01.
                json!({"kty": "RSA", "n": encode(&der[9..265]), "e": encode(&der[267..])})
            }
            Algorithm::Es256 => {
                let point = self.p256.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Algorithm::EdDsa => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(self.ed25519.public_key().as_ref())})
            }
        }
    }

    /// All public keys, each with a kid.
    pub(super) fn jwks(&self) -> Value {
        let keys = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa].map(|algorithm| {
            let mut key = self.jwk(algorithm);
            key["kid"] = kid(algorithm).into();
            key
        });
        json!({"keys": keys})
    }
}

/// What [`Mint::jwks`] calls the key for an algorithm.
pub(super) fn kid(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Hs256 => "secret",
        Algorithm::Rs256 | Algorithm::Ps256 => "rsa",
        Algorithm::Es256 => "p256",
        Algorithm::EdDsa => "ed25519",
    }
}

pub(super) fn header(algorithm: Algorithm) -> Value {
    json!({"alg": algorithm.as_str(), "typ": "JWT", "kid": kid(algorithm)})
}

pub(super) fn signed_part(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
