//! The browser on this machine: authorization code and PKCE (RFC 7636), with a redirect to loopback (RFC 8252, section 7.3).
//!
//! INVARIANT: a code counts only with the state of this login, and is worth nothing without the verifier, which stays here.

use super::device::refused;
use crate::cli::audit::printable;
use crate::cli::gateway_client::GatewayClient;
use crate::cli::oauth::{self, CLIENT_ID, Granted};
use crate::cli::terminal::Failure;
use crate::config::Secret;
use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::mpsc};
use zeroize::Zeroizing;

/// How long the person has.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long the browser may take to fetch the last page.
const FAREWELL: Duration = Duration::from_secs(1);

/// How the browser comes back.
#[derive(Deserialize)]
struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

struct Waiting {
    state: String,
    /// The code, or the error that the gateway names.
    came: mpsc::Sender<Result<String, String>>,
}

/// Sends the person to the gateway's page and waits for the browser to come back.
pub(super) async fn grant(
    gateway: &GatewayClient,
    scope: Option<&str>,
    open: &dyn Fn(&str),
) -> Result<Granted, Failure> {
    let (state, verifier) = (random()?, Secret::of(random()?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let redirect_uri = format!("http://127.0.0.1:{}/callback", listener.local_addr()?.port());
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.expose().as_bytes()));
    let mut page = gateway.base().console("oauth/authorize").map_err(Failure::new)?;
    page.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", CLIENT_ID)
        .append_pair("redirect_uri", &redirect_uri)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("state", &state)
        .extend_pairs(scope.map(|scope| ("scope", scope)));
    // If stderr is gone, nobody is there to be told.
    let _ = writeln!(io::stderr(), "Log in on this page:\n\n    {page}\n");
    open(page.as_str());
    let code = come_back(listener, state).await?;
    oauth::redeem(gateway, &code, &verifier, &redirect_uri).await.map_err(refused)
}

/// The code with which the browser comes back.
async fn come_back(listener: TcpListener, state: String) -> Result<Zeroizing<String>, Failure> {
    let (came, mut coming) = mpsc::channel(1);
    let router = Router::new().route("/callback", get(callback)).with_state(Arc::new(Waiting { state, came }));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = ended.await;
    });
    let mut serving = tokio::spawn(async move { serving.await });
    let answer = tokio::time::timeout(PATIENCE, coming.recv()).await;
    let _ = end.send(());
    if tokio::time::timeout(FAREWELL, &mut serving).await.is_err() {
        serving.abort();
    }
    match answer {
        Ok(Some(Ok(code))) => Ok(Zeroizing::new(code)),
        Ok(Some(Err(error))) if error == "access_denied" => Err(Failure::new("the login was denied in the browser")),
        Ok(Some(Err(error))) => Err(Failure::new(format!("the gateway refused the login: {}", printable(&error)))),
        Ok(None) | Err(_) => Err(Failure::new("nobody logged in within 10 minutes")),
    }
}

async fn callback(State(waiting): State<Arc<Waiting>>, Query(callback): Query<Callback>) -> Response {
    let mine = callback.state.as_deref() == Some(waiting.state.as_str());
    let (status, text) = match (mine, callback.code, callback.error) {
        (true, Some(code), None) => {
            // The first counts; whoever comes later is told the same.
            let _ = waiting.came.try_send(Ok(code));
            (StatusCode::OK, "modgate: you are logged in. Close this page and go back to the terminal.")
        }
        (true, _, Some(error)) => {
            let _ = waiting.came.try_send(Err(error));
            (StatusCode::OK, "modgate: the login was refused. Close this page and go back to the terminal.")
        }
        _ => (StatusCode::BAD_REQUEST, "modgate: this is not the login that the terminal waits for."),
    };
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, text).into_response()
}

/// 256 random bits, as text.
fn random() -> Result<String, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    crate::randomness::fill(&mut *bytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(*bytes))
}
