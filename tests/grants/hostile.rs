//! Forms that no program of ours sends.

use super::{open, text};

const TOKEN: &str = "/-/oauth/token";
const DEVICE: &str = "/-/oauth/device_authorization";

#[test]
fn odd_forms_are_refused_as_json_and_change_nothing() {
    let (door, _issuer, upstream) = open("");
    let kind = ["-H", "Content-Type: application/x-www-form-urlencoded"];
    let large = format!("grant_type=refresh_token&refresh_token={}", "x".repeat(40_000));
    let many: String = (0..100).map(|number| format!("p{number}=1&")).collect();
    for (path, body, kind, error) in [
        (TOKEN, "", kind, "invalid_request"),
        (TOKEN, "grant_type=", kind, "invalid_request"),
        (TOKEN, "grant_type=password&username=a&password=b", kind, "unsupported_grant_type"),
        (TOKEN, "grant_type=client_credentials", kind, "unsupported_grant_type"),
        (TOKEN, "grant_type=refresh_token&grant_type=refresh_token", kind, "invalid_request"),
        (
            TOKEN,
            "grant_type=refresh_token&client_id=modgate-cli&refresh_token=a&refresh%5ftoken=b",
            kind,
            "invalid_request",
        ),
        (TOKEN, "grant_type=refresh_token&client_id=modgate-cli", kind, "invalid_request"),
        (TOKEN, "grant_type=refresh_token&client_id=modgate-cli&refresh_token=mg_x", kind, "invalid_grant"),
        (TOKEN, "grant_type=refresh_token&client_id=other&refresh_token=mg_x", kind, "invalid_client"),
        (TOKEN, "grant_type=authorization_code&client_id=modgate-cli&code=x", kind, "invalid_request"),
        (TOKEN, "{\"grant_type\":\"refresh_token\"}", ["-H", "Content-Type: application/json"], "invalid_request"),
        (TOKEN, "grant_type=refresh_token", ["-H", "Content-Type:"], "invalid_request"),
        (TOKEN, "\u{0}\u{1}=%00&%ff=%fe", kind, "invalid_request"),
        (TOKEN, &large, kind, "invalid_request"),
        (TOKEN, &many, kind, "invalid_request"),
        (DEVICE, "", kind, "invalid_request"),
        (DEVICE, "client_id=other", kind, "invalid_client"),
        (DEVICE, "client_id=modgate-cli&scope=everything", kind, "invalid_scope"),
        ("/-/oauth/revoke", "", kind, "invalid_request"),
    ] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, body.as_bytes()).unwrap();
        let data = format!("@{}", file.path().display());
        let answer = door.curl(path, &["-X", "POST", kind[0], kind[1], "--data-binary", &data]);
        assert_eq!(answer.error(), error, "{path} {body:.60}: {}", answer.body);
        assert!(answer.head.to_lowercase().contains("content-type: application/json"), "{}", answer.head);
    }
    assert!(upstream.asked().is_empty());
    assert!(door.acts("token.created").is_empty());
}

#[test]
fn only_post_is_taken_and_not_too_much_of_it() {
    let (door, _issuer, _upstream) = open("");
    for path in [TOKEN, DEVICE, "/-/oauth/revoke"] {
        assert_eq!(door.curl(&format!("{path}?grant_type=refresh_token"), &[]).status, 405, "{path}");
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, "x=".repeat(40_000).as_bytes()).unwrap();
    let data = format!("@{}", file.path().display());
    assert_eq!(door.curl(TOKEN, &["-X", "POST", "--data-binary", &data]).status, 413);
}

#[test]
fn whoever_fails_too_often_is_stopped_and_what_is_good_is_not() {
    let (door, issuer, _upstream) = open("[limits]\nfailures = \"1/h\"\nfailures_burst = 5\n");
    // Remembered from here on, so it is good for an address that is shut.
    let jwt = issuer.jwt("alice");
    let login = door.log_in(&jwt, None);
    let refusals: Vec<_> = (0..8).map(|_| door.refresh("mg_x").status).collect();
    assert_eq!(refusals, [400, 400, 400, 400, 400, 429, 429, 429]);
    let known = door.make(text(&login, "access_token"), &serde_json::json!({})).json();
    let revoked = door.form("/-/oauth/revoke", &[("token", text(&known, "token"))], &[]);
    assert_eq!(revoked.status, 200, "what is good stays good");
    assert_eq!(door.refresh(text(&login, "refresh_token")).status, 200, "also that");
    assert_eq!(door.get(super::LIB, text(&login, "access_token")).status, 200);
    // What can be guessed is not looked up at all.
    let guess = [("user_code", "BBBB-BBBB"), ("decision", "approve")];
    let alice = crate::curl::bearer(&jwt);
    assert_eq!(door.form("/-/device", &guess, &["-H", &alice]).status, 429);
}
