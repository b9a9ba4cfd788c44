//! The admin listener: `/healthz` (the process answers), `/readyz` (requests should be sent here), `/metrics`.
//!
//! Plain HTTP/1.1, on loopback unless configured otherwise; it shows no module names, no subjects and no secrets. It
//! stays up while the server drains, so that the failing readiness is seen.

use super::ServerError;
use super::readiness::Readiness;
use crate::telemetry::Metrics;
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CONNECTIONS: usize = 64;

#[derive(Clone)]
struct Shown {
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

/// Opens the socket.
pub(super) fn open(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let (mut sockets, address) = super::listener::open(address, 1)?;
    let socket =
        sockets.pop().ok_or_else(|| ServerError::Listen { address, cause: std::io::Error::other("no socket") });
    Ok((socket?, address))
}

fn router(readiness: Readiness, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(expose))
        .with_state(Shown { readiness, metrics })
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_TIMEOUT))
        .layer(CatchPanicLayer::new())
}

async fn ready(State(shown): State<Shown>) -> impl IntoResponse {
    let reasons = shown.readiness.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let sources = shown.readiness.sources();
    let degraded = sources.iter().any(|source| !source.well);
    let ready = reasons.is_empty();
    let body = serde_json::json!({ "ready": ready, "degraded": degraded, "reasons": reasons, "sources": sources });
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], format!("{body}\n"))
}

async fn expose(State(shown): State<Shown>) -> impl IntoResponse {
    match shown.metrics.render() {
        Ok(text) => Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text)),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Serves until it is dropped.
pub(super) async fn serve(socket: TcpListener, readiness: Readiness, metrics: Arc<Metrics>) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let service = TowerToHyperService::new(router(readiness, metrics));
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return Ok(());
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin listener cannot accept a connection");
                tokio::time::sleep(super::worker::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let service = service.clone();
        tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            // What the peer did wrong, or that it went away, is of no interest here.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Dependency;
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn asked(readiness: &Readiness, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router(readiness.clone(), Metrics::new()).oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_says_why_not_and_health_does_not_care() {
        let readiness = Readiness::new();
        let well = "{\"degraded\":false,\"ready\":true,\"reasons\":[],\"sources\":[]}\n";
        assert_eq!(asked(&readiness, "/readyz").await, (200, well.to_owned()));
        readiness.check("journal", || Err("the disk is full".to_owned()));
        readiness.check("policy", || Ok(()));
        let (status, body) = asked(&readiness, "/readyz").await;
        assert_eq!(status, 503);
        assert!(body.contains(r#"{"check":"journal","problem":"the disk is full"}"#), "{body}");
        assert!(!body.contains("policy"), "{body}");
        readiness.drain();
        assert!(asked(&readiness, "/readyz").await.1.contains("draining"));
        assert_eq!(asked(&readiness, "/healthz").await, (200, "ok\n".to_owned()));
    }

    #[tokio::test]
    async fn a_source_that_is_down_degrades_and_does_not_unready() {
        let readiness = Readiness::new();
        readiness.show_sources(|| {
            let source = |source: &str, state, well| {
                let (list, source) = ("upstream".to_owned(), source.to_owned());
                Dependency { list, source, state, well }
            };
            vec![source("https://a.example", "open", false), source("https://b.example", "closed", true)]
        });
        let (status, body) = asked(&readiness, "/readyz").await;
        assert!(status == 200 && body.contains(r#""degraded":true,"ready":true"#), "{body}");
        assert!(body.contains(r#"{"list":"upstream","source":"https://a.example","state":"open"}"#), "{body}");
    }

    #[tokio::test]
    async fn a_check_that_panics_fails_its_question_only() {
        let readiness = Readiness::new();
        readiness.check("broken", || panic!("a bug"));
        assert_eq!(asked(&readiness, "/readyz").await.0, 500);
        assert_eq!(asked(&readiness, "/healthz").await.0, 200);
        assert_eq!(asked(&readiness, "/readyz").await.0, 500);
    }

    #[tokio::test]
    async fn metrics_are_openmetrics_and_nothing_else_is_there() {
        let readiness = Readiness::new();
        let (status, body) = asked(&readiness, "/metrics").await;
        assert_eq!(status, 200);
        assert!(body.contains("modgate_build_info{version="), "{body}");
        assert_eq!(asked(&readiness, "/").await.0, 404);
    }
}
