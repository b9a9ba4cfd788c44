//! An issuer's token endpoint on loopback that answers as it is told, and what is made of its answers.

use super::*;
use crate::ledger::Ledger;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn alice() -> Subject {
    "user:corp/alice".parse().unwrap()
}

/// What the endpoint answers next, and what it was asked.
#[derive(Default)]
struct Script {
    answer: Mutex<(u16, String)>,
    asked: Mutex<Vec<String>>,
}

struct Scene {
    renewal: Renewal,
    script: Arc<Script>,
    _directory: tempfile::TempDir,
}

/// Reads an ID token as if a signature was verified: `SUBJECT GROUP`.
struct Issuer(Url);

impl LoginIssuer for Issuer {
    fn token_endpoint(&self, _now: Timestamp) -> Told<'_, Url> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    fn read<'a>(&'a self, id_token: &'a str, _now: Timestamp) -> Told<'a, Arc<Principal>> {
        Box::pin(async move {
            let (subject, group) = id_token.split_once(' ').ok_or("no ID token")?;
            Ok(Arc::new(Principal { subject: subject.into(), groups: [group.into()].into(), ..Principal::anonymous() }))
        })
    }
}

impl Scene {
    async fn new(secret: Option<&str>) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let token_endpoint = format!("http://{}/token", listener.local_addr().unwrap()).parse().unwrap();
        let script = Arc::new(Script::default());
        tokio::spawn(serve(listener, Arc::clone(&script)));
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::over(Ledger::open_or_create(&directory.path().join("tokens.db")).unwrap()).unwrap();
        let seal = Seal::open_or_create(&directory.path().join("seal.key"), &[1; 32]).ok().unwrap();
        let count = AtomicU8::new(0);
        let renewal = Renewal {
            alias: "corp".to_owned(),
            issuer: Arc::new(Issuer(token_endpoint)),
            client_id: "modgate".to_owned(),
            client_secret: secret.map(ClientSecret::new),
            fetcher: Fetcher::new(&[]).unwrap(),
            tokens: Arc::new(tokens),
            seal: Arc::new(seal),
            random: Arc::new(move || Some([count.fetch_add(1, Ordering::Relaxed); SEALING_BYTES])),
        };
        renewal.keep(&alice(), "first", now()).unwrap();
        Self { renewal, script, _directory: directory }
    }

    async fn ask(&self, status: u16, answer: &str) -> Presence {
        *self.script.answer.lock() = (status, answer.to_owned());
        self.renewal.look_up(&alice(), now()).await
    }

    fn asked(&self) -> String {
        self.script.asked.lock().last().cloned().unwrap()
    }
}

async fn serve(listener: TcpListener, script: Arc<Script>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = Vec::new();
        let whole = |request: &[u8]| {
            let text = String::from_utf8_lossy(request).into_owned();
            let (head, body) = text.split_once("\r\n\r\n")?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse::<usize>().ok()?;
            (body.len() >= length).then_some(text.clone())
        };
        while whole(&request).is_none() {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).await.unwrap_or(0);
            if read == 0 {
                break;
            }
            request.extend_from_slice(&piece[..read]);
        }
        script.asked.lock().push(whole(&request).unwrap_or_default());
        let (status, body) = script.answer.lock().clone();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    }
}

#[tokio::test]
async fn the_groups_of_now_are_those_of_the_new_id_token() {
    let scene = Scene::new(None).await;
    let here =
        scene.ask(200, r#"{"access_token":"x","id_token":"user:corp/alice group:corp/ops","refresh_token":"second"}"#);
    assert_eq!(here.await, Presence::Here { groups: Some(["group:corp/ops".into()].into()) });
    assert!(scene.asked().contains("grant_type=refresh_token&refresh_token=first&client_id=modgate"));
    assert!(!scene.asked().to_lowercase().contains("authorization:"));
    // What was rotated is asked with next; what is not told is not known.
    assert_eq!(scene.ask(200, r#"{"access_token":"x"}"#).await, Presence::Here { groups: None });
    assert!(scene.asked().contains("refresh_token=second"));
}

#[tokio::test]
async fn a_secret_goes_into_the_header() {
    let scene = Scene::new(Some("a:b%")).await;
    scene.ask(200, "{}").await;
    let basic = STANDARD.encode("modgate:a%3Ab%25");
    assert!(scene.asked().contains(&format!("Basic {basic}")), "{}", scene.asked());
    assert!(!scene.asked().contains("client_id="));
}

#[tokio::test]
async fn only_invalid_grant_says_that_somebody_is_gone() {
    let scene = Scene::new(None).await;
    for (status, answer) in [
        (400, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error":"temporarily_unavailable"}"#),
        (500, r#"{"error":"invalid_grant"}"#),
        (200, r#"{"error":"invalid_grant"}"#),
        (302, ""),
        (404, "<html>"),
        (200, "[]"),
        (200, r#"{"id_token":"user:corp/mallory group:corp/admin"}"#),
        (200, r#"{"id_token":"forged"}"#),
    ] {
        let presence = scene.ask(status, answer).await;
        assert!(matches!(presence, Presence::Unknown(_)), "{status} {answer}: {presence:?}");
    }
    assert_eq!(scene.ask(400, r#"{"error":"invalid_grant","error_description":"revoked"}"#).await, Presence::Gone);
}

#[tokio::test]
async fn an_issuer_that_is_down_says_nothing() {
    let Scene { mut renewal, .. } = Scene::new(None).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    renewal.issuer = Arc::new(Issuer(format!("http://{}/", closed.local_addr().unwrap()).parse().unwrap()));
    drop(closed);
    assert!(matches!(renewal.look_up(&alice(), now()).await, Presence::Unknown(_)));
}

#[tokio::test]
async fn whoever_has_nothing_kept_is_not_asked_about() {
    let scene = Scene::new(None).await;
    let bob: Subject = "user:corp/bob".parse().unwrap();
    assert_eq!(scene.renewal.look_up(&bob, now()).await, Presence::Here { groups: None });
    assert!(scene.script.asked.lock().is_empty());
    assert!(!scene.renewal.knows(&"user:other/alice".parse().unwrap()));
    assert!(!scene.renewal.knows(&"ci:corp/alice".parse().unwrap()));
}
