//! The corpus of hostile tokens: each is refused for its own reason, and told the same outside.

use super::mint::{Mint, header, hmac_sha256, kid, signed_part};
use super::scene::{NOW, Scene, claims, with, without};
use crate::Rejection;
use crate::jwt::{Algorithm, Reason};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;

/// What it is, the token, and why it is refused.
type Row = (String, String, Reason);

fn row(what: impl Into<String>, token: impl Into<String>, reason: Reason) -> Row {
    (what.into(), token.into(), reason)
}

fn es256(claims: &Value) -> String {
    Mint::ours().token(Algorithm::Es256, claims)
}

/// A well-signed token of `corp` with another header.
fn headed(header: &Value) -> String {
    headed_by(&header.to_string())
}

fn headed_by(header: &str) -> String {
    Mint::ours().sign(Algorithm::Es256, header, &claims("corp").to_string())
}

/// The header of a good token with one member changed.
fn member(name: &str, value: impl Into<Value>) -> Value {
    let mut header = header(Algorithm::Es256);
    header[name] = value.into();
    header
}

fn algorithms() -> Vec<Row> {
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
    for alg in ["HS384", "HS512", "RS512", "PS512", "ES384", "ES256K", "Ed448", "es256", "ES256\0", "RSA1_5", "dir"] {
        rows.push(row(format!("alg {alg:?}"), headed(&member("alg", alg)), Reason::AlgorithmUnknown));
    }
    rows.push(row("no alg", headed(&json!({"typ": "JWT"})), Reason::AlgorithmMissing));
    rows.push(row("alg as a list", headed(&member("alg", json!(["ES256"]))), Reason::Header));
    rows.push(row("alg null", headed(&member("alg", Value::Null)), Reason::Header));
    rows
}

/// HS256 with something public as the secret, and other mixtures of keys.
fn confusions() -> Vec<Row> {
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

fn kids() -> Vec<Row> {
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

fn headers() -> Vec<Row> {
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

fn issuers_and_audiences() -> Vec<Row> {
    let long = format!("https://corp.example/{}", "x".repeat(2000));
    let mut rows = vec![
        row("no iss", es256(&without("corp", "iss")), Reason::IssuerMissing),
        row("iss as a list", es256(&with("corp", "iss", json!(["https://corp.example"]))), Reason::IssuerMalformed),
        row("iss null", es256(&with("corp", "iss", Value::Null)), Reason::IssuerMalformed),
        row("no aud", es256(&without("corp", "aud")), Reason::AudienceMissing),
        row("another issuer's key", Mint::theirs().token(Algorithm::Es256, &claims("corp")), Reason::Signature),
        row("our key for another issuer", es256(&claims("other")), Reason::Signature),
        row("another secret", Mint::theirs().token(Algorithm::Hs256, &claims("hook")), Reason::Signature),
    ];
    for iss in [
        "https://evil.example",
        "https://corp.example/",
        "HTTPS://corp.example",
        "corp",
        "",
        " https://corp.example",
        &long,
    ] {
        rows.push(row(format!("iss {iss:.30}"), es256(&with("corp", "iss", iss)), Reason::IssuerUnknown));
    }
    for aud in
        [json!("other"), json!(["a", "b"]), json!([]), json!("modgate "), json!("MODGATE"), json!("modgat"), json!("")]
    {
        rows.push(row(format!("aud {aud}"), es256(&with("corp", "aud", aud)), Reason::AudienceWrong));
    }
    for aud in [json!(7), json!({"modgate": true}), json!(["modgate", 7]), json!([["modgate"]]), json!(null)] {
        rows.push(row(format!("aud {aud}"), es256(&with("corp", "aud", aud)), Reason::AudienceMalformed));
    }
    rows
}

fn times() -> Vec<Row> {
    let mut rows = vec![
        row("no exp", es256(&without("corp", "exp")), Reason::ExpiryMissing),
        row("no nbf", es256(&without("corp", "nbf")), Reason::NotBeforeMissing),
        row("expired a minute ago", es256(&with("corp", "exp", NOW - 60)), Reason::Expired),
        row("expired in 1970", es256(&with("corp", "exp", 0)), Reason::Expired),
        row("not yet valid", es256(&with("corp", "nbf", NOW + 61)), Reason::NotYetValid),
        row("valid from the year 9000", es256(&with("corp", "nbf", 221_845_392_000_i64)), Reason::NotYetValid),
        row("issued tomorrow", es256(&with("corp", "iat", NOW + 86_400)), Reason::IssuedInFuture),
    ];
    for (name, value) in [
        ("exp", json!("1900000000")),
        ("exp", json!(null)),
        ("exp", json!(true)),
        ("exp", json!([NOW + 600])),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("exp", json!(1_900_000_000_000_i64)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(i64::MIN)),
        ("nbf", json!("0")),
        ("nbf", json!(-0.5)),
        ("iat", json!({})),
    ] {
        rows.push(row(format!("{name} {value}"), es256(&with("corp", name, value)), Reason::TimeMalformed));
    }
    rows
}

fn names() -> Vec<Row> {
    let mut rows = vec![
        row("no sub", es256(&without("corp", "sub")), Reason::SubjectMissing),
        row("empty sub", es256(&with("corp", "sub", "")), Reason::SubjectMissing),
        row("sub as a number", es256(&with("corp", "sub", 7)), Reason::SubjectMalformed),
        row("sub as a list", es256(&with("corp", "sub", json!(["alice"]))), Reason::SubjectMalformed),
        row("too many groups", es256(&with("corp", "groups", vec!["g"; 513])), Reason::GroupsMany),
        row(
            "groups kept elsewhere",
            es256(&with("corp", "_claim_names", json!({"groups": "src1"}))),
            Reason::GroupsElsewhere,
        ),
    ];
    for sub in ["*", " alice", "alice ", "a\nb", "a\u{0}", "a\u{202e}b", "a\"b", "\u{200b}", &"a".repeat(257)] {
        rows.push(row(format!("sub {sub:.12?}"), es256(&with("corp", "sub", sub)), Reason::SubjectName));
    }
    for group in ["", "/", "*", "a\tb", " a", "\"a\"", "a\u{feff}", &"g".repeat(300)] {
        rows.push(row(
            format!("group {group:.12?}"),
            es256(&with("corp", "groups", json!(["dev", group]))),
            Reason::GroupName,
        ));
    }
    for groups in [json!(7), json!({"a": 1}), json!(["a", null]), json!([["a"]]), json!(["a", 7])] {
        rows.push(row(format!("groups {groups}"), es256(&with("corp", "groups", groups)), Reason::GroupsMalformed));
    }
    let text = claims("corp").to_string();
    for more in [r#""sub":"root""#, r#""aud":"x""#, r#""exp":9999999999"#, r#""s\u0075b":"root""#] {
        let text = text.replacen('{', &format!("{{{more},"), 1);
        let token = Mint::ours().sign(Algorithm::Es256, &header(Algorithm::Es256).to_string(), &text);
        rows.push(row(format!("twice {more}"), token, Reason::Duplicate));
    }
    for text in ["", "null", "[]", "7", "{", "{}x", "\u{feff}{}"] {
        let token = Mint::ours().sign(Algorithm::Es256, &header(Algorithm::Es256).to_string(), text);
        rows.push(row(format!("claims {text:?}"), token, Reason::Claims));
    }
    let nested = es256(&claims("corp"));
    let token = Mint::ours().sign(Algorithm::Es256, &header(Algorithm::Es256).to_string(), &nested);
    rows.push(row("a token as claims", token, Reason::Claims));
    rows
}

/// Texts that are not quite the token that was signed.
fn texts() -> Vec<Row> {
    let good = es256(&claims("corp"));
    let [header, claims_part, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let signed = |bytes: &[u8]| format!("{header}.{claims_part}.{}", URL_SAFE_NO_PAD.encode(bytes));
    let last = signature.chars().last().unwrap();
    // The last of 86 characters carries two bits of signature and four that must be zero.
    let loose: char = char::from_u32(last as u32 + 1).unwrap();
    let der = [&[0x30, 0x44, 0x02, 0x20][..], &bytes[..32], &[0x02, 0x20], &bytes[32..]].concat();
    let swapped = es256(&with("corp", "sub", "root"));
    let swapped = swapped.split('.').nth(1).unwrap();
    let huge = Mint::ours().token(Algorithm::Es256, &with("corp", "pad", "x".repeat(13_000)));
    let mut flipped = bytes.clone();
    flipped[0] ^= 1;
    vec![
        row("no signature", format!("{header}.{claims_part}."), Reason::Signature),
        row("a signature cut by a byte", signed(&bytes[..63]), Reason::Signature),
        row("a signature longer by a byte", signed(&[&bytes[..], &[0]].concat()), Reason::Signature),
        row("a signature twice", signed(&[&bytes[..], &bytes].concat()), Reason::Signature),
        row("a signature of zeros", signed(&[0; 64]), Reason::Signature),
        row("a signature of ones", signed(&[0xff; 64]), Reason::Signature),
        row("a signature as DER", signed(&der), Reason::Signature),
        row("a bit of the signature", signed(&flipped), Reason::Signature),
        row("a signature of RSA's length", signed(&[7; 256]), Reason::Signature),
        row("a huge signature", signed(&[7; 1100]), Reason::Oversize),
        row("other claims under the signature", format!("{header}.{swapped}.{signature}"), Reason::Signature),
        row("padded", format!("{header}.{claims_part}.{signature}=="), Reason::Base64),
        row("bits left over in the signature", format!("{}{loose}", good.strip_suffix(last).unwrap()), Reason::Base64),
        row("standard base64", format!("{header}.{claims_part}.+/{signature}"), Reason::Base64),
        row("a blank in the claims", format!("{header}. {claims_part}.{signature}"), Reason::Base64),
        row("a line end at the end", format!("{good}\n"), Reason::Base64),
        row("no claims", format!("{header}..{signature}"), Reason::Claims),
        row("no header", format!(".{claims_part}.{signature}"), Reason::Header),
        row("five parts", format!("{header}.{claims_part}.{signature}.{signature}.{signature}"), Reason::Encrypted),
        row("two parts", format!("{header}.{claims_part}"), Reason::Header),
        row("huge", huge, Reason::Oversize),
        row("hugest", format!("{header}.{}.{signature}", "A".repeat(1 << 20)), Reason::Oversize),
    ]
}

fn corpus() -> Vec<Row> {
    [algorithms(), confusions(), kids(), headers(), issuers_and_audiences(), times(), names(), texts()].concat()
}

/// INVARIANT: each hostile token is refused, for its own reason inside and with one text outside.
#[test]
fn the_corpus_is_refused_each_for_its_reason_and_with_one_text() {
    let scene = Scene::new();
    let corpus = corpus();
    assert!(corpus.len() >= 120, "{}", corpus.len());
    let (mut wrong, mut outside, mut reasons) = (Vec::new(), HashSet::new(), HashSet::new());
    for (what, token, expected) in &corpus {
        match scene.verify(token) {
            Ok(principal) => wrong.push(format!("{what}: accepted as {}", principal.subject)),
            Err(refusal) if refusal.reason() != *expected => wrong.push(format!("{what}: {refusal}, not {expected:?}")),
            Err(refusal) => {
                let inside = refusal.to_string();
                let signature = token.rsplit('.').next().unwrap();
                assert!(signature.len() < 8 || !inside.contains(signature), "{what}: {inside}");
                assert!(inside.len() < 1200 && !inside.contains(char::is_control), "{what}: {inside}");
                reasons.insert(refusal.reason());
                outside.insert(Rejection::Jwt(refusal).outside());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(outside.len(), 1, "{outside:?}");
    assert!(reasons.len() >= 34, "{}", reasons.len());
    assert_eq!(scene.issuers.remembered(), 0, "nothing of them is kept");
}

/// The corpus would prove nothing if what its rows are made of were refused anyway.
#[test]
fn what_the_corpus_is_made_of_is_good() {
    let scene = Scene::new();
    assert!(scene.verify(&es256(&claims("corp"))).is_ok());
    assert!(scene.verify(&headed(&header(Algorithm::Es256))).is_ok());
    assert!(scene.verify(&Mint::theirs().token(Algorithm::Es256, &claims("other"))).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any change of any character makes it another token, which nobody has signed.
    #[test]
    fn a_changed_character_is_never_accepted(place: prop::sample::Index, with in "[ -~]", which in 0usize..4) {
        let token = Mint::ours().token(super::scene::PUBLIC[which], &claims("corp"));
        let at = place.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &with);
        prop_assume!(changed != token);
        prop_assert!(Scene::new().verify(&changed).is_err(), "{changed}");
    }

    #[test]
    fn any_text_is_judged(text in "[A-Za-z0-9_.=-]{0,80}", claims in ".{0,80}", header in ".{0,60}") {
        let scene = Scene::new();
        prop_assert!(scene.verify(&text).is_err());
        prop_assert!(scene.verify(&Mint::theirs().sign(Algorithm::Hs256, &header, &claims)).is_err());
    }
}
