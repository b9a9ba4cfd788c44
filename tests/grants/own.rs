//! The interface for programs: one's own tokens, others', and tokens for pipelines; never wider than their maker.

use super::{LIB, open, text};
use crate::curl::{await_revocation, bearer};
use crate::go_client::GoClient;
use serde_json::json;

#[test]
fn a_person_makes_lists_and_revokes_tokens() {
    let (door, issuer, _upstream) = open("");
    let alice = issuer.jwt("alice");
    let made = door.make(&alice, &json!({"note": "laptop", "scope": "read:example.test/lib", "expires_in": 3600}));
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(made.head.to_lowercase().contains("cache-control: no-store"));
    let made = made.json();
    let token = text(&made, "token");
    assert_eq!((text(&made, "subject"), text(&made, "scope")), ("user:corp/alice", "read:example.test/lib"));
    assert_eq!(door.get(LIB, token).status, 200);
    assert_eq!(door.get("/example.test/other/@v/list", token).status, 403);

    let listed = door.get("/-/api/v1/tokens", &alice);
    assert!(!listed.body.contains(token.rsplit('_').next().unwrap()), "no secret in a list");
    let row = &listed.json()[0];
    assert_eq!(text(row, "id"), text(&made, "id"));
    assert_eq!((text(row, "note"), text(row, "standing"), text(row, "purpose")), ("laptop", "live", "access"));

    assert_eq!(door.revoke(text(&made, "id"), &alice), 204);
    await_revocation(&door.gateway, LIB, token);
    assert_eq!(text(&door.get("/-/api/v1/tokens", &alice).json()[0], "standing"), "revoked");
    let acts = door.acts("token.revoked");
    assert_eq!((acts.len(), &acts[0]["subject"]), (1, &json!("user:corp/alice")));
}

#[test]
fn another_process_revokes_within_a_second_too() {
    let (door, issuer, _upstream) = open("");
    let made = door.make(&issuer.jwt("alice"), &json!({})).json();
    let token = text(&made, "token");
    assert_eq!(door.get(LIB, token).status, 200);
    let listed = door.gateway.run(&["token", "list", "--owner", "user:corp/alice", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["subject"]), (&made["id"], &json!("user:corp/alice")));
    assert!(door.gateway.run(&["token", "revoke", "--owner", "user:corp/alice"]).status.success());
    await_revocation(&door.gateway, LIB, token);
}

#[test]
fn what_changes_something_takes_bearer() {
    let (door, issuer, _upstream) = open("");
    let alice = issuer.jwt("alice");
    let user = format!("alice:{alice}");
    let json = ["-X", "POST", "-H", "Content-Type: application/json", "-d", "{}"];
    assert_eq!(door.curl("/-/api/v1/tokens", &[&json[..], &["-u", &user]].concat()).status, 403);
    assert_eq!(door.curl("/-/api/v1/tokens", &json).status, 401);
    let made = door.make(&alice, &json!({})).json();
    let path = format!("/-/api/v1/tokens/{}", text(&made, "id"));
    assert_eq!(door.curl(&path, &["-X", "DELETE", "-u", &user]).status, 403);
    assert_eq!(door.get(LIB, text(&made, "token")).status, 200, "it stands");
    assert_eq!(door.curl("/-/api/v1/tokens", &["-u", &user]).status, 200, "reading takes Basic");
    // No page may make a browser send it either.
    let preflight =
        ["-X", "OPTIONS", "-H", "Origin: https://evil.example", "-H", "Access-Control-Request-Method: POST"];
    let answer = door.curl("/-/api/v1/tokens", &preflight);
    assert!(!answer.head.to_lowercase().contains("access-control-allow"), "{}", answer.head);
    let form = ["-X", "POST", "-H", &bearer(&alice), "-d", "note=x"];
    assert_eq!(door.curl("/-/api/v1/tokens", &form).status, 400, "a form is no JSON");
}

#[test]
fn others_tokens_take_the_right_to_manage() {
    let (door, issuer, _upstream) = open("");
    let (alice, bob, carol) = (issuer.jwt("alice"), issuer.jwt("bob"), issuer.jwt("carol"));
    let made = door.make(&alice, &json!({})).json();
    let id = text(&made, "id");
    assert_eq!(door.get("/-/api/v1/tokens", &bob).json(), json!([]));
    assert_eq!(door.get("/-/api/v1/tokens?owner=user:corp/alice", &bob).status, 403);
    assert_eq!(door.get("/-/api/v1/tokens?owner=*", &bob).status, 403);
    assert_eq!(door.revoke(id, &bob), 404, "as if it were not there");
    assert_eq!(door.revoke("0123456789aB", &bob), 404);
    assert_eq!(door.make(&bob, &json!({"subject": "user:token/x"})).status, 403);
    assert_eq!(door.make(&bob, &json!({"subject": "user:corp/alice"})).status, 403);
    assert_eq!(door.get(LIB, text(&made, "token")).status, 200);

    assert_eq!(door.get("/-/api/v1/tokens?owner=user:corp/alice", &carol).json()[0]["id"], made["id"]);
    assert_eq!(door.get("/-/api/v1/tokens?owner=*", &carol).json().as_array().unwrap().len(), 1);
    assert_eq!(door.make(&carol, &json!({"subject": "user:corp/alice"})).status, 400, "nobody is impersonated");
    let robot = door.make(&carol, &json!({"subject": "ci:token/robot"})).json();
    assert_eq!(text(&door.get("/-/api/v1/whoami", text(&robot, "token")).json(), "subject"), "ci:token/robot");
    // A token of hers that may only read manages nothing.
    let reader = door.make(&carol, &json!({"scope": "read"})).json();
    assert_eq!(door.get("/-/api/v1/tokens?owner=*", text(&reader, "token")).status, 403);
    assert_eq!(door.revoke(id, text(&reader, "token")), 404);
    assert_eq!(door.revoke(id, &carol), 204);
    assert_eq!(door.get(LIB, text(&made, "token")).status, 401);
}

/// A maker's scope, what is asked for, and what the new token reads of `lib` and `other`; none: it is not made.
type Narrowing = (&'static str, &'static str, Option<(bool, bool)>);

const NARROWED: [Narrowing; 16] = [
    ("read", "read", Some((true, true))),
    ("read", "", Some((true, true))),
    ("read", "read:example.test/lib", Some((true, false))),
    ("read:example.test/lib", "", Some((true, false))),
    ("read:example.test/lib", "read", Some((true, false))),
    ("read:example.test/lib", "read:*", Some((true, false))),
    ("read:example.test/lib", "read,write,manage,audit", Some((true, false))),
    ("read:example.test/lib", "read:example.test/other", Some((false, false))),
    ("read:example.test/*", "read:example.test/other", Some((false, true))),
    ("read:private", "read:public", Some((false, false))),
    ("read:public", "read:example.test/lib", Some((true, false))),
    ("read,from:127.0.0.0/8", "read:example.test/lib", Some((true, false))),
    ("read", "read:example.test/lib,from:10.0.0.0/8", Some((false, false))),
    ("read,from:127.0.0.0/8", "read,from:10.0.0.0/8", Some((false, false))),
    ("read", "write", None),
    ("read:example.test/lib", "manage", None),
];

#[test]
fn no_token_is_wider_than_its_maker() {
    let (door, _issuer, upstream) = open("");
    for (own, asked, reads) in NARROWED {
        let maker = door.gateway.token("alice", &["--scope", own]);
        let wanted = if asked.is_empty() { json!({}) } else { json!({"scope": asked}) };
        let made = door.make(&maker, &wanted);
        let Some((lib, other)) = reads else {
            assert_eq!(made.status, 403, "{own} + {asked}: {}", made.body);
            continue;
        };
        assert_eq!(made.status, 201, "{own} + {asked}: {}", made.body);
        let made = made.json();
        let status = |reads: bool| if reads { 200 } else { 403 };
        assert_eq!(door.get(LIB, text(&made, "token")).status, status(lib), "{own} + {asked} reads lib");
        let before = upstream.asked().len();
        let answer = door.get("/example.test/other/@v/list", text(&made, "token"));
        assert_eq!(answer.status, status(other), "{own} + {asked} reads other");
        assert!(other || upstream.asked().len() == before, "nothing is fetched for what is denied");
    }
}

#[test]
fn no_token_outlives_its_maker_unless_that_is_a_login() {
    let (door, issuer, _upstream) = open("[tokens]\nmax_lifetime = \"30d\"\n");
    let short = door.gateway.token("alice", &["--expires", "1h"]);
    let made = door.make(&short, &json!({"expires_in": 86_400})).json();
    let maker = door.get("/-/api/v1/whoami", &short).json();
    assert_eq!(made["expires"], maker["expires"], "no later than its maker");
    let login = door.log_in(&issuer.jwt("alice"), None);
    let long = door.make(text(&login, "access_token"), &json!({})).json();
    let ends: jiff::Timestamp = text(&long, "expires").parse().unwrap();
    let days = ends.duration_since(jiff::Timestamp::now()).as_hours() / 24;
    assert!((29..=30).contains(&days), "{days}");
    let again = door.make(text(&long, "token"), &json!({})).json();
    assert_eq!(again["expires"], long["expires"]);
    for seconds in [0, 59, 31 * 86_400] {
        assert_eq!(door.make(&short, &json!({"expires_in": seconds})).status, 400, "{seconds}");
    }
}

#[test]
fn an_owner_has_so_many_tokens() {
    let (door, issuer, _upstream) = open("[tokens]\nmax_per_owner = 3\n");
    let alice = issuer.jwt("alice");
    let made: Vec<_> = (0..3).map(|_| door.make(&alice, &json!({})).json()).collect();
    let refused = door.make(&alice, &json!({}));
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("3 live tokens are the most"), "{}", refused.body);
    assert_eq!(door.make(&issuer.jwt("bob"), &json!({})).status, 201, "others are not concerned");
    door.revoke(text(&made[0], "id"), &alice);
    assert_eq!(door.make(&alice, &json!({})).status, 201);
}

#[test]
fn a_token_is_good_from_its_addresses_only() {
    let (door, issuer, upstream) = open("");
    let alice = issuer.jwt("alice");
    let away = door.make(&alice, &json!({"scope": "read,from:10.0.0.0/8"})).json();
    let refused = door.get(LIB, text(&away, "token"));
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("does not allow its use from 127.0.0.1"), "{}", refused.body);
    assert_eq!(door.get("/-/api/v1/whoami", text(&away, "token")).status, 403);
    assert_eq!(door.make(text(&away, "token"), &json!({})).status, 403);
    assert!(upstream.asked().is_empty(), "nothing was fetched");
    let here = door.make(&alice, &json!({"scope": "read,from:127.0.0.1"})).json();
    assert_eq!(door.get(LIB, text(&here, "token")).status, 200);
    for scope in ["from:10.0.0.1/8", "from:everywhere", "read;", ""] {
        assert_eq!(door.make(&alice, &json!({"scope": scope})).status, 400, "{scope:?}");
    }
}

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

#[test]
fn a_jwt_is_exchanged_for_a_short_token() {
    let (door, issuer, upstream) = open("[tokens]\nexchange_people = true\nexchange_lifetime = \"10m\"\n");
    let exchange = |token: &str, more: &[(&str, &str)]| {
        let fields = [("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", JWT)];
        door.token(&[&fields[..], more].concat())
    };
    let jwt = issuer.jwt("build-7");
    let answer = exchange(&jwt, &[("scope", "read:example.test/lib")]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let given = answer.json();
    assert_eq!(text(&given, "issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!((given["expires_in"].as_i64(), given.get("refresh_token")), (Some(600), None));
    let token = text(&given, "access_token");
    assert_eq!(text(&door.get("/-/api/v1/whoami", token).json(), "subject"), "user:corp/build-7");
    assert_eq!(door.get(LIB, token).status, 200);
    assert_eq!(door.get("/example.test/other/@v/list", token).status, 403);
    // What it makes ends with it.
    let made = door.make(token, &json!({})).json();
    assert_eq!(made["expires"], door.get("/-/api/v1/whoami", token).json()["expires"]);
    let acts = door.acts("token.exchanged");
    assert_eq!((acts.len(), &acts[0]["subject"], &acts[0]["method"]), (1, &json!("user:corp/build-7"), &json!("jwt")));
    assert!(!upstream.asked().iter().any(|path| path.contains("other")));

    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    let old = issuer.token(&json!({"sub": "build-7", "exp": jiff::Timestamp::now().as_second() - 3600}));
    for bad in [old.as_str(), forged.as_str(), token, "x", "alice:secret"] {
        assert_eq!(exchange(bad, &[]).error(), "invalid_request");
    }
    assert_eq!(exchange(&jwt, &[("scope", "all")]).error(), "invalid_scope");
    assert_eq!(exchange(&jwt, &[("actor_token", "x")]).error(), "invalid_request");
    assert_eq!(exchange(&jwt, &[("requested_token_type", "urn:x")]).error(), "invalid_request");
    assert_eq!(door.token(&[("grant_type", EXCHANGE), ("subject_token", &jwt)]).error(), "invalid_request");
    assert_eq!(door.acts("token.exchanged").len(), 1, "none of these gave anything");
}

#[test]
fn a_pipeline_s_token_is_of_its_rule_and_its_records_tell_the_run() {
    let trust = "[[issuer.trust]]\nname = \"deploy\"\nclaims = { groups = \"platform\" }\nsubject = \"{sub}\"\n";
    let trust = trust.replace("groups = \"platform\"", "sub = \"build-*\"")
        + "groups = [\"deploy\"]\nrecord = [\"sub\"]\nlifetime = \"5m\"\n";
    let (door, issuer, upstream) = open(&trust);
    let exchange =
        |token: &str| door.token(&[("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", JWT)]);
    let given = exchange(&issuer.jwt("build-7"));
    assert_eq!(given.status, 200, "{}", given.body);
    assert_eq!(given.json()["expires_in"], 300, "the rule's lifetime");
    let token = text(&given.json(), "access_token").to_owned();
    let who = door.get("/-/api/v1/whoami", &token).json();
    assert_eq!((&who["subject"], &who["groups"]), (&json!("ci:corp/build-7"), &json!(["group:corp/deploy"])));
    // The pipeline's own JWT, and what it got for it, in a netrc of the real command.
    for credential in [&issuer.jwt("build-7"), &token] {
        let go = GoClient::of(&door.gateway, Some(credential));
        go.ok(&["mod", "download", "example.test/lib@v1.0.0"]);
    }
    let record = door.gateway.records().into_iter().rfind(|record| record["module"] == "example.test/lib").unwrap();
    assert_eq!((&record["subject"], &record["method"]), (&json!("ci:corp/build-7"), &json!("token")));
    assert_eq!(record["claims"], json!({"rule": "deploy", "sub": "build-7"}));
    let asked = upstream.asked().len();
    let refused = exchange(&issuer.jwt("other-7"));
    assert_eq!(refused.error(), "invalid_request", "no rule is for it");
    assert_eq!((door.acts("token.exchanged").len(), upstream.asked().len()), (1, asked));
}

#[test]
fn people_log_in_instead_of_exchanging() {
    let (door, issuer, _upstream) = open("");
    let fields = [("grant_type", EXCHANGE), ("subject_token", &issuer.jwt("alice")), ("subject_token_type", JWT)];
    assert_eq!(door.token(&fields).error(), "access_denied");
}
