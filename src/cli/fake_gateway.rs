//! An authorization server for unit tests: plain HTTP on loopback, with the answers of a gateway, counting what it is asked.

use super::gateway_url::GatewayUrl;
use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use parking_lot::Mutex;
use serde_json::json;
use std::{collections::HashMap, sync::Arc};
use tokio::{net::TcpListener, runtime::Runtime};

/// A running one; ends when it is dropped.
pub(super) struct FakeGateway {
    base: GatewayUrl,
    state: Arc<Mutex<Answers>>,
    _runtime: Runtime,
}

#[derive(Default)]
pub(super) struct Answers {
    asked: Vec<String>,
    /// How many refresh tokens were given.
    given: u32,
    /// What is taken once more because the answer was lost.
    graced: Option<String>,
    ended: bool,
    failing: bool,
    /// How often the person is still waited for.
    pub(super) pending: u32,
    /// How a device grant ends, if not well.
    pub(super) denial: Option<&'static str>,
    /// What was revoked.
    pub(super) revoked: Vec<String>,
    /// What cannot be revoked.
    pub(super) kept: Vec<String>,
    /// How many answers to refreshes are still to be lost: the token is spent, and the connection closed.
    pub(super) lost: u32,
    /// Refreshes are never answered.
    pub(super) silent: bool,
    /// The PKCE challenge to be met.
    pub(super) challenge: Option<String>,
}

type Shared = State<Arc<Mutex<Answers>>>;

impl FakeGateway {
    pub(super) fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let state = Arc::<Mutex<Answers>>::default();
        let router = Router::new()
            .route("/-/oauth/device_authorization", post(device))
            .route("/-/oauth/token", post(token))
            .route("/-/oauth/revoke", post(revoke))
            .route("/-/api/v1/tokens", post(create))
            .route("/-/api/v1/whoami", get(whoami))
            .with_state(state.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { base, state, _runtime: runtime }
    }

    pub(super) fn base(&self) -> GatewayUrl {
        self.base.clone()
    }

    /// The grants and calls so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().asked.clone()
    }

    /// The refresh token that is good now.
    pub(super) fn refresh_token(&self) -> String {
        format!("mg_refresh{}", self.state.lock().given)
    }

    /// From here on no refresh token is good.
    pub(super) fn end_logins(&self) {
        self.state.lock().ended = true;
    }

    /// From here on nothing works.
    pub(super) fn fail(&self) {
        self.state.lock().failing = true;
    }

    /// What it is to answer.
    pub(super) fn answers(&self) -> parking_lot::MutexGuard<'_, Answers> {
        self.state.lock()
    }
}

fn denied(code: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": code}))).into_response()
}

async fn device(State(state): Shared, headers: HeaderMap) -> Response {
    state.lock().asked.push("device".into());
    let uri = format!("http://{}/-/device", headers["host"].to_str().unwrap());
    Json(json!({
        "device_code": "dev", "user_code": "BCDF-GHJK", "verification_uri": uri,
        "verification_uri_complete": format!("{uri}?user_code=BCDF-GHJK"), "expires_in": 600, "interval": 1
    }))
    .into_response()
}

async fn token(State(state): Shared, Form(form): Form<HashMap<String, String>>) -> Response {
    if state.lock().silent {
        state.lock().asked.push("refresh_token".into());
        return std::future::pending().await;
    }
    let mut state = state.lock();
    let grant = form["grant_type"].rsplit(':').next().unwrap().to_owned();
    state.asked.push(grant.clone());
    if state.failing {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let current = format!("mg_refresh{}", state.given);
    match grant.as_str() {
        // The one before is good once more, as within the grace.
        "refresh_token" if state.graced.take().is_some_and(|graced| graced == form["refresh_token"]) => {}
        "refresh_token" if state.ended || form["refresh_token"] != current => return denied("invalid_grant"),
        "device_code" if state.pending > 0 => {
            state.pending -= 1;
            return denied(if state.pending.is_multiple_of(2) { "authorization_pending" } else { "slow_down" });
        }
        "device_code" if state.denial.is_some() => return denied(state.denial.unwrap()),
        "authorization_code" => {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form["code_verifier"].as_bytes());
            let met = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, digest);
            if form["code"] != "the-code" || state.challenge != Some(met) {
                return denied("invalid_grant");
            }
        }
        _ => {}
    }
    state.given += 1;
    if grant == "refresh_token" && state.lost > 0 {
        state.lost -= 1;
        state.graced = Some(current);
        // Nothing else closes the connection without an answer.
        panic!("the answer is lost");
    }
    let number = state.given;
    Json(json!({
        "access_token": format!("mg_access{number}"), "token_type": "Bearer", "expires_in": 600,
        "refresh_token": format!("mg_refresh{number}")
    }))
    .into_response()
}

async fn revoke(State(state): Shared, Form(form): Form<HashMap<String, String>>) -> StatusCode {
    let mut state = state.lock();
    state.asked.push("revoke".into());
    if state.failing || state.kept.contains(&form["token"]) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    state.revoked.push(form["token"].clone());
    StatusCode::OK
}

async fn create(State(state): Shared, headers: HeaderMap) -> Response {
    let mut state = state.lock();
    state.asked.push("create".into());
    assert!(headers["authorization"].to_str().unwrap().starts_with("Bearer mg_access"));
    let made =
        json!({"id": "abc", "token": "mg_long", "subject": "user:corp/alice", "expires": "2027-01-01T00:00:00Z"});
    (StatusCode::CREATED, Json(made)).into_response()
}

async fn whoami(headers: HeaderMap) -> Response {
    if !headers.contains_key("authorization") {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"modgate\"")], "a credential is needed")
            .into_response();
    }
    Json(json!({"subject": "user:corp/alice", "groups": ["group:corp/dev"], "roles": [], "method": "token"}))
        .into_response()
}
