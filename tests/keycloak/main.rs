//! Keycloak as the issuer: tokens of people and of a pipeline, by discovery. Run by `tests/keycloak/run`, which starts it; its realm
//! is `realm.json`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails; the lints know test functions, not what these share"
)]
#![expect(dead_code, reason = "what is shared with the suite has more than is needed here")]

#[path = "../gateway.rs"]
mod gateway;
#[path = "../go_client.rs"]
mod go_client;
#[path = "../process.rs"]
mod process;
#[path = "../upstream.rs"]
mod upstream;

use gateway::Gateway;
use go_client::GoClient;
use serde_json::Value;
use std::process::Command;
use upstream::Upstream;

/// The platform team reads `example.test/lib`, the pipeline `example.test/tool`, and nobody anything else.
const POLICY: &str = "p, group:corp/eng/platform, example.test/lib, *, read, allow, -, -\n\
                      p, user:corp/service-account-pipeline, example.test/tool, *, read, allow, -, -\n";
const LIB: &str = "/example.test/lib/@v/list";
const TOOL: &str = "/example.test/tool/@v/list";

fn realm() -> String {
    std::env::var("MODGATE_KEYCLOAK").expect("tests/keycloak/run starts Keycloak and says where it is")
}

/// Posts a form, and gives the member of the JSON answer.
fn posted(url: &str, form: &[(&str, &str)], member: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-fsS", "-m", "60", url]);
    for (name, value) in form {
        curl.arg("--data-urlencode").arg(format!("{name}={value}"));
    }
    let output = curl.output().unwrap();
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer[member].as_str().unwrap().to_owned()
}

/// An access token of a person, through a client.
fn token(client: &str, person: &str) -> String {
    let password = format!("{person}'s password");
    let form = [("grant_type", "password"), ("client_id", client), ("username", person), ("password", &password)];
    posted(&format!("{}/protocol/openid-connect/token", realm()), &form, "access_token")
}

fn pipeline() -> String {
    let form =
        [("grant_type", "client_credentials"), ("client_id", "pipeline"), ("client_secret", "pipeline's secret")];
    posted(&format!("{}/protocol/openid-connect/token", realm()), &form, "access_token")
}

/// A new signing key, which is preferred from now on.
fn rotate() {
    let base = realm().replace("/realms/corp", "");
    let form = [("grant_type", "password"), ("client_id", "admin-cli"), ("username", "admin"), ("password", "admin")];
    let admin = posted(&format!("{base}/realms/master/protocol/openid-connect/token"), &form, "access_token");
    let key = r#"{"name":"newer","providerId":"rsa-generated","providerType":"org.keycloak.keys.KeyProvider","config":{"priority":["500"],"keySize":["2048"],"algorithm":["RS256"]}}"#;
    let status = Command::new("curl")
        .args(["-fsS", "-m", "60", "-H", "content-type: application/json", "-d", key, "-H"])
        .arg(format!("Authorization: Bearer {admin}"))
        .arg(format!("{base}/admin/realms/corp/components"))
        .status();
    assert!(status.unwrap().success());
}

/// Cuts out the `kid` of a token's header.
fn kid(token: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn scene() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    for module in ["example.test/lib", "example.test/tool"] {
        upstream.module(module, "v1.0.0");
    }
    let issuer = format!(
        "[[issuer]]\nname = \"corp\"\nissuer = {:?}\naudience = [\"modgate\"]\nalgorithms = [\"RS256\"]\ndiscovery = true\n\
         require_nbf = false\nsubject_claim = \"preferred_username\"\n",
        realm()
    );
    let gateway = Gateway::tls().policy(POLICY).config(&issuer).upstream(&upstream.url()).start();
    (upstream, gateway)
}

fn status(gateway: &Gateway, token: &str, path: &str) -> u16 {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]).arg(gateway.certificate());
    let output =
        curl.arg("-H").arg(format!("Authorization: Bearer {token}")).arg(format!("{}{path}", gateway.url())).output();
    String::from_utf8(output.unwrap().stdout).unwrap().parse().unwrap()
}

#[test]
fn a_person_of_a_nested_group_builds_with_a_token_in_netrc() {
    let (_upstream, gateway) = scene();
    let alice = token("terminal", "alice");
    let go = GoClient::of(&gateway, Some(&alice));
    go.ok(&["get", "example.test/lib@v1.0.0"]);
    let record = gateway.records().into_iter().rfind(|record| record["module"] == "example.test/lib").unwrap();
    assert_eq!((&record["subject"], &record["method"]), (&"user:corp/alice".into(), &"jwt".into()));
    assert_eq!(record["groups"], serde_json::json!(["group:corp/eng/platform"]));
}

#[test]
fn others_are_refused_and_nothing_is_fetched() {
    let (upstream, gateway) = scene();
    assert_eq!(status(&gateway, &token("terminal", "mallory"), LIB), 403);
    // Keycloak puts no audience of ours into the tokens of a client without a mapper.
    assert_eq!(status(&gateway, &token("elsewhere", "alice"), LIB), 401);
    let record = gateway.records().into_iter().next_back().unwrap();
    assert!(record["reason"].as_str().unwrap().starts_with("jwt_aud_"), "{record}");
    assert_eq!(upstream.asked(), Vec::<String>::new());
}

#[test]
fn a_pipeline_has_a_name_of_its_own() {
    let (_upstream, gateway) = scene();
    let pipeline = pipeline();
    assert_eq!((status(&gateway, &pipeline, TOOL), status(&gateway, &pipeline, LIB)), (200, 403));
}

#[test]
fn a_new_key_is_known_at_once() {
    let (_upstream, gateway) = scene();
    let before = token("terminal", "alice");
    assert_eq!(status(&gateway, &before, LIB), 200);
    rotate();
    let after = token("terminal", "alice");
    assert_ne!(kid(&before), kid(&after), "the key was not rotated");
    assert_eq!((status(&gateway, &after, LIB), status(&gateway, &before, LIB)), (200, 200));
}
