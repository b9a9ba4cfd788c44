//! The two ways of approval, and what becomes of what was granted, against an authorization server of the tests' own.

use super::*;
use crate::cli::{fake_gateway::FakeGateway, wallet::Wallet};
use crate::source::Platform;
use std::{sync::Mutex, time::Duration};
use tempfile::TempDir;

const MILLISECOND: Duration = Duration::from_millis(1);

fn client(gateway: &FakeGateway) -> GatewayClient {
    GatewayClient::new(gateway.base(), None).unwrap()
}

#[test]
fn a_device_waits_for_the_approval_and_slows_down_when_told() {
    let gateway = FakeGateway::start();
    gateway.answers().pending = 3;
    let opened = Mutex::new(Vec::new());
    let open = |page: &str| opened.lock().unwrap().push(page.to_owned());
    let granted =
        block_on(device::grant(&client(&gateway), None, &open, MILLISECOND)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(granted.access.expose(), "mg_access1");
    assert_eq!(gateway.asked(), ["device", "device_code", "device_code", "device_code", "device_code"]);
    assert!(opened.lock().unwrap()[0].ends_with("/-/device?user_code=BCDF-GHJK"));
}

#[test]
fn a_device_that_is_denied_or_forgotten_says_so() {
    for (denial, text) in [("access_denied", "denied in the browser"), ("expired_token", "in time"), ("odd", "odd")] {
        let gateway = FakeGateway::start();
        gateway.answers().denial = Some(denial);
        let failure = block_on(device::grant(&client(&gateway), None, &|_| {}, MILLISECOND)).err().unwrap();
        assert!(failure.to_string().contains(text), "{failure}");
    }
    let gateway = FakeGateway::start();
    gateway.answers().pending = u32::MAX;
    let failure = block_on(device::grant(&client(&gateway), None, &|_| {}, Duration::from_micros(50))).err().unwrap();
    assert!(failure.to_string().contains("in time"), "{failure}");
}

/// What a browser would do: come back with this query in the place of `?`, after one that is not for us.
fn come_back(page: &str, gateway: &FakeGateway, query: fn(&str) -> String) {
    let page = url::Url::parse(page).unwrap();
    let value = |name: &str| page.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert!(
        page.path() == "/-/oauth/authorize" && value("client_id") == "modgate-cli" && value("response_type") == "code"
    );
    assert_eq!(value("code_challenge_method"), "S256");
    gateway.answers().challenge = Some(value("code_challenge"));
    let (back, state) = (value("redirect_uri"), value("state"));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for (query, status) in [("code=stolen&state=other".to_owned(), 400), (query(&state), 200)] {
                let answer = reqwest::get(format!("{back}?{query}")).await.unwrap();
                assert_eq!(answer.status().as_u16(), status);
                assert_eq!(answer.headers()["cache-control"], "no-store");
            }
        });
    });
}

#[test]
fn a_browser_comes_back_with_the_code_of_this_login_only() {
    let gateway = FakeGateway::start();
    let open = |page: &str| come_back(page, &gateway, |state| format!("code=the-code&state={state}"));
    let granted = block_on(loopback::grant(&client(&gateway), None, &open)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(granted.refresh.unwrap().expose(), "mg_refresh1");
    assert_eq!(gateway.asked(), ["authorization_code"]);
}

#[test]
fn a_browser_that_is_sent_away_ends_the_login() {
    let gateway = FakeGateway::start();
    let open = |page: &str| come_back(page, &gateway, |state| format!("error=access_denied&state={state}"));
    let failure = block_on(loopback::grant(&client(&gateway), None, &open)).err().unwrap();
    assert!(failure.to_string().contains("denied in the browser"), "{failure}");
    assert_eq!(gateway.asked(), Vec::<String>::new());
}

/// What a gateway has granted is accepted into a place.
fn accepted(gateway: &FakeGateway, place: &Place) -> Result<Deposited, Failure> {
    let client = client(gateway);
    let environment = Environment::new(Platform::Unix, []);
    block_on(async {
        let granted = device::grant(&client, None, &|_| {}, MILLISECOND).await?;
        accept(&client, granted, place, None, &environment).await
    })
}

#[test]
fn a_long_lived_token_is_asked_for_by_bearer_and_the_short_ones_are_taken_back() {
    let (gateway, directory) = (FakeGateway::start(), TempDir::new().unwrap());
    let path = directory.path().join("netrc");
    let deposited = accepted(&gateway, &Place::Netrc { path: path.clone() }).unwrap_or_else(|e| panic!("{e}"));
    let report = serde_json::to_value(&deposited).unwrap();
    assert_eq!((&report["expires"], &report["way"]), (&"2027-01-01T00:00:00Z".into(), &"netrc".into()));
    let machine = gateway.base().machine();
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written, format!("machine {machine} login modgate password mg_long\n"));
    assert_eq!(gateway.answers().revoked, ["mg_refresh1", "mg_access1"]);
}

#[test]
fn a_login_that_fails_after_the_approval_leaves_nothing_that_counts() {
    let directory = TempDir::new().unwrap();
    let nowhere = Place::Netrc { path: directory.path().join("gone/netrc") };
    let gateway = FakeGateway::start();
    let failure = accepted(&gateway, &nowhere).unwrap_err().to_string();
    assert!(failure.contains("cannot write") && !failure.contains("mg_"), "{failure}");
    assert_eq!(gateway.answers().revoked, ["mg_refresh1", "mg_access1", "mg_long"]);

    std::fs::write(directory.path().join("file"), "").unwrap();
    let wallet = Wallet::at(directory.path().join("file/wallet"));
    let gateway = FakeGateway::start();
    assert!(accepted(&gateway, &Place::Goauth { wallet, command: "modgate goauth".into() }).is_err());
    assert_eq!(gateway.answers().revoked, ["mg_refresh1", "mg_access1"]);

    // What cannot be taken back is named.
    let gateway = FakeGateway::start();
    gateway.answers().kept = vec!["mg_access1".into()];
    let failure = accepted(&gateway, &nowhere).unwrap_err().to_string();
    assert!(failure.contains("cannot write") && failure.contains("it still counts there"), "{failure}");
    assert_eq!(gateway.answers().revoked, ["mg_refresh1", "mg_long"]);
}

#[test]
fn an_entry_of_something_else_at_the_host_is_not_replaced() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("netrc");
    let who = serde_json::from_value(serde_json::json!({"subject": "user:a", "method": "token"})).unwrap();
    let token = Secret::new("mg_new");
    let into = |url: &str| deposit::into_netrc(&path, &url.parse().unwrap(), LOGIN, &token, &who);
    let stranger = "machine gw.test login git password s3cret\n";
    std::fs::write(&path, stranger).unwrap();
    let failure = into("https://gw.test/go").unwrap_err().to_string();
    assert!(failure.contains("modgate login --goauth https://gw.test/go") && !failure.contains("s3cret"), "{failure}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), stranger);
    // The gateway's own, and one that somebody named with the path, are.
    std::fs::write(&path, "machine gw.test login modgate password mg_old\n").unwrap();
    into("https://gw.test/go").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "machine gw.test login modgate password mg_new\n");
    std::fs::write(&path, format!("{stranger}machine gw.test/go login x password y\n")).unwrap();
    into("https://gw.test/go").unwrap_or_else(|e| panic!("{e}"));
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, format!("{stranger}machine gw.test/go login modgate password mg_new\n"));
}

#[test]
fn a_token_on_standard_input_is_one_word() {
    let read = |text: &str| read_token(text.as_bytes()).map(|token| token.expose().to_owned());
    assert_eq!(read(" mg_a\r\n").unwrap(), "mg_a");
    for wrong in ["", "\n", "two words", "mg_a\nmg_b", "a\u{7}"] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
}
