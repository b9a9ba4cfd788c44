//! The two ways of approval, against an authorization server of the tests' own.

use super::*;
use crate::cli::fake_gateway::FakeGateway;
use std::{sync::Mutex, time::Duration};

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

#[test]
fn a_long_lived_token_is_asked_for_by_bearer_and_the_short_ones_are_taken_back() {
    let gateway = FakeGateway::start();
    let granted =
        block_on(device::grant(&client(&gateway), None, &|_| {}, MILLISECOND)).unwrap_or_else(|e| panic!("{e}"));
    let long =
        block_on(deposit::long_lived(&client(&gateway), &granted.access, None)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((long.token.expose(), long.expires.unwrap().to_string().as_str()), ("mg_long", "2027-01-01T00:00:00Z"));
    block_on(async {
        deposit::discard(&client(&gateway), granted).await;
        Ok(())
    })
    .unwrap();
    assert_eq!(gateway.answers().revoked, ["mg_refresh1", "mg_access1"]);
}

#[test]
fn a_token_on_standard_input_is_one_word() {
    let read = |text: &str| read_token(text.as_bytes()).map(|token| token.expose().to_owned());
    assert_eq!(read(" mg_a\r\n").unwrap(), "mg_a");
    for wrong in ["", "\n", "two words", "mg_a\nmg_b", "a\u{7}"] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
}
