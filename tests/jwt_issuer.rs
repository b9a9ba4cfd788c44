//! An issuer whose public key is in a file, and the JWTs that it gives. One that publishes its keys is in `issuer`.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// An issuer: its key, and the file in which the gateway finds its public part.
pub(crate) struct Issuer {
    directory: TempDir,
    pair: Ed25519KeyPair,
}

impl Issuer {
    /// One with a key of its own.
    pub(crate) fn new() -> Self {
        let issuer = Self { directory: TempDir::new().unwrap(), pair: Ed25519KeyPair::generate().unwrap() };
        issuer.publish();
        issuer
    }

    /// The file.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("keys.json")
    }

    /// Signs with another key from now on, which is not in the file yet.
    pub(crate) fn change_key(&mut self) {
        self.pair = Ed25519KeyPair::generate().unwrap();
    }

    /// Puts its key in the place of whatever is in the file.
    pub(crate) fn publish(&self) {
        self.put(&json!({"keys": [self.jwk()]}).to_string());
    }

    /// Puts this in its place.
    pub(crate) fn put(&self, content: &str) {
        let new = self.directory.path().join("new");
        fs::write(&new, content).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    /// The public key.
    pub(crate) fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "1", "x": x})
    }

    /// The table of the configuration; more lines of it may follow.
    pub(crate) fn config(&self) -> String {
        format!(
            "[[issuer]]\nname = \"corp\"\nissuer = \"https://corp.example\"\naudience = [\"modgate\"]\n\
             algorithms = [\"EdDSA\"]\nkeys = {:?}\n",
            self.file()
        )
    }

    /// Whatever is signed by it.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()).as_ref()))
    }

    /// A good token with these claims changed.
    pub(crate) fn token(&self, changes: &Value) -> String {
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.sign(&header(), &claims)
    }

    /// A good token of somebody.
    pub(crate) fn jwt(&self, subject: &str) -> String {
        self.token(&json!({"sub": subject}))
    }
}

/// The header of a good token.
pub(crate) fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "JWT", "kid": "1"})
}

/// The claims of a good token, which lasts an hour.
pub(crate) fn claims() -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "iss": "https://corp.example", "aud": ["modgate"], "sub": "alice@corp.example", "jti": "run-7",
        "exp": now + 3600, "nbf": now - 10, "iat": now - 10, "groups": ["/eng/platform", "staff"]
    })
}
