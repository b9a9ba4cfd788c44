//! Key files: what they may hold, and what is said about those that hold something else.

use super::mint::{Mint, pem};
use super::scene::{PUBLIC, settings};
use crate::jwt::{Algorithm, Issuer, IssuerError, KeyFile};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs;

/// What reading comes to: how many keys and the notes, or the error with its hint.
fn read(secret: bool, content: &[u8], algorithms: &[Algorithm]) -> Result<(usize, Vec<String>), String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    fs::write(&path, content).unwrap();
    let keys = if secret { KeyFile::Secret(path) } else { KeyFile::Public(path) };
    match Issuer::read(settings("corp", keys, algorithms.to_vec())) {
        Ok(issuer) => Ok((issuer.key_count(Timestamp::UNIX_EPOCH), issuer.notes().to_vec())),
        Err(IssuerError::Keys(error)) => {
            let text = error.to_string().replace(directory.path().to_str().unwrap(), "DIR");
            Err(format!("{text}; {}", error.hint().unwrap_or("no hint")))
        }
        Err(other) => panic!("{other}"),
    }
}

fn public(content: impl AsRef<[u8]>, algorithms: &[Algorithm]) -> Result<(usize, Vec<String>), String> {
    read(false, content.as_ref(), algorithms)
}

fn refused(content: impl AsRef<[u8]>, said: &str) {
    let error = public(&content, &PUBLIC).unwrap_err();
    assert!(error.starts_with("`DIR/keys`") && error.contains(said), "not {said:?} in {error}");
}

fn changed(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
    key[name] = value.into();
    key
}

#[test]
fn pem_and_jwks_and_one_jwk_are_read() {
    let ours = Mint::ours();
    for algorithm in PUBLIC {
        assert_eq!(public(ours.pem(algorithm), &[algorithm]), Ok((1, vec![])), "{algorithm}");
        assert_eq!(public(ours.jwk(algorithm).to_string(), &[algorithm]), Ok((1, vec![])), "{algorithm}");
    }
    assert_eq!(public(ours.pkcs1_pem(), &[Algorithm::Rs256]), Ok((1, vec![])));
    assert_eq!(public(ours.jwks().to_string(), &PUBLIC), Ok((3, vec![])));
    let both = format!("old\n{}new\r\n{}", ours.pem(Algorithm::Es256), Mint::theirs().pem(Algorithm::Es256));
    assert_eq!(public(both, &[Algorithm::Es256]), Ok((2, vec![])));
}

#[test]
fn what_is_left_out_is_said() {
    let (ours, foreign) = (Mint::ours(), json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}));
    let encrypts = changed(ours.jwk(Algorithm::Rs256), "use", "enc");
    let ps512 = changed(ours.jwk(Algorithm::Rs256), "alg", "PS512");
    let signs = changed(ours.jwk(Algorithm::EdDsa), "key_ops", json!(["sign"]));
    let set =
        json!({"keys": [ours.jwk(Algorithm::Es256), foreign, encrypts, ps512, signs, ours.jwk(Algorithm::Rs256)]});
    let (keys, notes) = public(set.to_string(), &[Algorithm::Es256, Algorithm::EdDsa]).unwrap();
    assert_eq!(keys, 1);
    for (note, said) in notes.iter().zip([
        "key 2 is left out: it is of the kind `EC` on the curve `secp256k1`",
        "key 3 is left out: its use is `enc`",
        "key 4 is left out: its algorithm is `PS512`",
        "key 5 is left out: its `key_ops` have no `verify`",
        "key 6 is left out: none of the configured algorithms uses it (RSA)",
        "it has no key for EdDSA",
    ]) {
        assert_eq!(note, said);
    }
    assert_eq!(notes.len(), 6);
}

#[test]
fn bad_pem_is_refused_with_its_line() {
    let ours = Mint::ours();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p384 = pem("PUBLIC KEY", p384.public_key().as_der().unwrap().as_ref());
    refused(format!("\n\n{p384}"), ", line 3: a key of a kind that no algorithm here uses");
    refused(format!("{}{}", ours.pem(Algorithm::EdDsa), pem("PRIVATE KEY", b"x")), ", line 4: a private key: only");
    refused(pem("EC PRIVATE KEY", b"x"), "openssl pkey -pubout");
    refused(pem("CERTIFICATE", b"x"), "openssl x509 -pubkey");
    refused(pem("PGP MESSAGE", b"x"), ", line 1: a block of the kind `PGP MESSAGE`");
    refused(pem("PUBLIC KEY", b"x"), ", line 1: a key of a kind");
    refused(pem("RSA PUBLIC KEY", b"x"), ", line 1: a damaged key");
    refused("-----BEGIN PUBLIC KEY-----\nAAAA\n", ", line 1: a PEM block without its end");
    refused("", "neither PEM nor JWKS");
    refused([0xff, 0xfe], "neither PEM nor JWKS");
    let error = public(ours.pem(Algorithm::Es256), &[Algorithm::Rs256]).unwrap_err();
    assert!(error.contains(", line 1: a key of the kind P-256, which none of the configured"), "{error}");
    refused(ours.pem(Algorithm::EdDsa).repeat(5), "5 keys without a `kid` where 4 are the most");
    let mut damaged = ours.pem(Algorithm::Es256);
    damaged.replace_range(80..84, "AAAA");
    refused(damaged, ", line 1: a damaged key");
}

#[test]
fn bad_jwks_are_refused_with_the_number_of_the_key() {
    let ours = Mint::ours();
    let set = |key: Value| json!({"keys": [ours.jwk(Algorithm::EdDsa), key]}).to_string();
    let (rsa, p256, ed) = (ours.jwk(Algorithm::Rs256), ours.jwk(Algorithm::Es256), ours.jwk(Algorithm::EdDsa));
    for (key, said) in [
        (json!({"kty": "oct", "k": "AAAA"}), "key 2: it is a secret"),
        (changed(rsa.clone(), "d", "AAAA"), "key 2: it is a private key"),
        (json!({"kid": "a"}), "key 2: it has no `kty`"),
        (json!(7), "key 2: it is no JSON object"),
        (changed(rsa.clone(), "n", "!"), "key 2: its `n` is not base64url"),
        (changed(rsa.clone(), "n", 7), "key 2: its `n` is no text"),
        (changed(rsa.clone(), "e", "Ag"), "key 2: it is a damaged key"),
        (changed(rsa.clone(), "e", "AQ"), "key 2: it is a damaged key"),
        (changed(p256.clone(), "x", URL_SAFE_NO_PAD.encode([1; 32])), "key 2: it is a damaged key"),
        (changed(p256.clone(), "y", ""), "key 2: it is a damaged key"),
        (changed(ed.clone(), "x", "AAAA"), "key 2: it is a damaged key"),
        (json!({"kty": "RSA", "e": "AQAB"}), "key 2: it has no `n`"),
        (changed(p256.clone(), "alg", "RS256"), "key 2: its `alg` is not one for a key of the kind `EC`"),
        (changed(p256.clone(), "kid", ""), "key 2: its `kid` has not between"),
        (changed(p256.clone(), "kid", 7), "key 2: its `kid` is no text"),
        (changed(p256.clone(), "key_ops", "verify"), "key 2: its `key_ops` are no list"),
    ] {
        refused(set(key), said);
    }
    let twice = json!({"keys": [changed(ed.clone(), "kid", "a"), changed(p256, "kid", "a")]});
    refused(twice.to_string(), "key 2: its `kid` is that of a key before it");
    refused("{\n\"keys\": [}", ", line 2: not JSON");
    refused("{\"keys\": 7}", "no list `keys`");
    refused("{}", "no list `keys`");
    refused("{\"keys\": [], \"keys\": []}", "a member is named twice");
    refused("{\"keys\": []}", "it has no key for RS256, PS256, ES256, EdDSA");
    refused(vec![b' '; (1 << 20) + 1], "it has more than 1024 KiB");
}

#[test]
fn small_rsa_keys_are_refused() {
    // 1024 bits: a modulus with the highest bit set, odd, which is all that a parser looks at.
    let mut modulus = [0x55; 128];
    (modulus[0], modulus[127]) = (0xc1, 0x01);
    let key = json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(modulus)});
    refused(key.to_string(), "it is an RSA key of 1024 bits, where 2048 are the least");
    let mut almost = [0x55; 256];
    (almost[0], almost[255]) = (0x7f, 0x01);
    let key = json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(almost)});
    refused(key.to_string(), "it is an RSA key of 2047 bits");
    let large = RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
    let large = pem("PUBLIC KEY", large.public_key().as_der().unwrap().as_ref());
    assert!(public(large, &[Algorithm::Rs256]).is_ok());
}

#[test]
fn a_secret_is_long_enough_and_nothing_public() {
    let secret = |content: &[u8]| read(true, content, &[Algorithm::Hs256]);
    for good in
        [&[b'x'; 32][..], &[0xff; 64], b"01234567890123456789012345678901\n", b"01234567890123456789012345678901\r\n"]
    {
        assert_eq!(secret(good), Ok((1, vec![])));
    }
    let error = secret(b"0123456789012345678901234567890\n").unwrap_err();
    assert!(error.contains("it is a secret of 31 bytes, where 32 are the least"), "{error}");
    assert!(!error.contains("0123456789"), "{error}");
    for public in
        [Mint::ours().pem(Algorithm::Rs256), Mint::ours().jwks().to_string(), format!("\n {}", Mint::ours().jwks())]
    {
        let error = secret(public.as_bytes()).unwrap_err();
        assert!(error.contains("not a secret; public keys belong into `keys`"), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let file = |path: &str| Issuer::read(settings("corp", KeyFile::Public(path.into()), PUBLIC.to_vec())).unwrap_err();
    assert_eq!(file("/nowhere/keys").to_string(), "`/nowhere/keys`: there is no such file");
    assert!(file("/").to_string().starts_with("`/`: "));
}
