//! Well-signed tokens that say what they must not, or do not say what they must.

use super::super::mint::{Mint, header};
use super::{Algorithm, Reason};
use super::{Row, es256, row};
use super::{claims, now, with, without};
use serde_json::{Value, json};

pub(super) fn issuers_and_audiences() -> Vec<Row> {
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

pub(super) fn times() -> Vec<Row> {
    let mut rows = vec![
        row("no exp", es256(&without("corp", "exp")), Reason::ExpiryMissing),
        row("no nbf", es256(&without("corp", "nbf")), Reason::NotBeforeMissing),
        row("expired a minute ago", es256(&with("corp", "exp", now() - 60)), Reason::Expired),
        row("expired in 1970", es256(&with("corp", "exp", 0)), Reason::Expired),
        row("not yet valid", es256(&with("corp", "nbf", now() + 3000)), Reason::NotYetValid),
        row("valid from the year 9000", es256(&with("corp", "nbf", 221_845_392_000_i64)), Reason::NotYetValid),
        row("issued tomorrow", es256(&with("corp", "iat", now() + 86_400)), Reason::IssuedInFuture),
    ];
    for (name, value) in [
        ("exp", json!("1900000000")),
        ("exp", json!(null)),
        ("exp", json!(true)),
        ("exp", json!([now() + 600])),
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

pub(super) fn names() -> Vec<Row> {
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
