//! An issuer on loopback that publishes its keys, counts its requests and has whatever fault a test gives it.

use super::mint::Mint;
use crate::jwt::Algorithm;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

pub(super) const METADATA: &str = "/.well-known/openid-configuration";
pub(super) const KEYS: &str = "/keys";

/// What is answered: everything after `HTTP/1.1 `, without the length.
#[derive(Clone)]
pub(super) struct Answer(pub(super) String, pub(super) Vec<u8>);

pub(super) fn ok(body: impl ToString) -> Answer {
    Answer("200 OK".into(), body.to_string().into_bytes())
}

/// An issuer on a port of its own.
pub(super) struct Host {
    pub(super) url: String,
    pub(super) answers: Mutex<HashMap<&'static str, Answer>>,
    pub(super) asked: Mutex<Vec<String>>,
    /// One for each request that may be answered.
    pub(super) gate: Semaphore,
}

impl Host {
    pub(super) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let metadata = json!({"issuer": url, "jwks_uri": format!("{url}{KEYS}")});
        let answers = HashMap::from([(METADATA, ok(metadata)), (KEYS, ok(jwks(&["k1"])))]);
        let gate = Semaphore::new(100_000);
        let host = Arc::new(Self { url, answers: Mutex::new(answers), asked: Mutex::default(), gate });
        let serving = Arc::clone(&host);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(stream));
            }
        });
        host
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let path = String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().to_owned();
        self.asked.lock().push(path.clone());
        self.gate.acquire().await.unwrap().forget();
        let Answer(head, body) = self.answers.lock()[path.as_str()].clone();
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
    }

    pub(super) fn answer(&self, path: &'static str, answer: Answer) {
        self.answers.lock().insert(path, answer);
    }

    pub(super) fn count(&self, path: &str) -> usize {
        self.asked.lock().iter().filter(|asked| *asked == path).count()
    }
}

/// A JWKS of these keys: `k1` is ours, `k2` theirs.
pub(super) fn jwks(kids: &[&str]) -> Value {
    let keys = kids.iter().map(|kid| {
        let mut key = mint(kid).jwk(Algorithm::EdDsa);
        key["kid"] = (*kid).into();
        key
    });
    json!({"keys": keys.collect::<Vec<_>>()})
}

pub(super) fn mint(kid: &str) -> &'static Mint {
    if kid == "k1" { Mint::ours() } else { Mint::theirs() }
}
