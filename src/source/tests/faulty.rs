//! An HTTP/1.1 server on loopback that sends whatever bytes a test wants, and stalls, resets or hangs up where it wants.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

/// What the server does next with a connection.
#[derive(Clone)]
pub(super) enum Act {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends nothing more until the client hangs up.
    Stall,
    /// Hangs up in good order.
    Close,
    /// Hangs up with a TCP reset.
    Reset,
}

/// A whole answer with a Content-Length.
pub(super) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<Act> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    vec![Act::Send(bytes)]
}

/// An answer that says no, in words.
pub(super) fn refusal(status: u16, text: &str) -> Vec<Act> {
    answer(status, "Content-Type: text/plain; charset=utf-8\r\n", text)
}

/// Any bytes.
pub(super) fn raw(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

/// The server; it ends when dropped.
pub(super) struct Faulty {
    pub(super) address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    heads: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl Faulty {
    /// Answers the n-th request (from 0) with `script(n)`.
    pub(super) async fn start(script: impl Fn(usize) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start_noticing(script, Arc::new(Semaphore::new(0))).await
    }

    /// As `start`; `hangups` gets a permit for each client that hangs up while the server stalls.
    pub(super) async fn start_noticing(
        script: impl Fn(usize) -> Vec<Act> + Send + Sync + 'static,
        hangups: Arc<Semaphore>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let (script, shared) = (Arc::new(script), seen.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (script, shared, hangups) = (script.clone(), shared.clone(), hangups.clone());
                tokio::spawn(async move { serve(stream, &*script, &shared, &hangups).await });
            }
        });
        Self { address, seen, task }
    }

    /// The same answer to everything.
    pub(super) async fn always(acts: Vec<Act>) -> Self {
        Self::start(move |_| acts.clone()).await
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of all requests so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }

    /// How many connections were made so far.
    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &(dyn Fn(usize) -> Vec<Act> + Send + Sync),
    seen: &Seen,
    hangups: &Semaphore,
) {
    while let Some(head) = read_head(&mut stream).await {
        let number = {
            let mut heads = seen.heads.lock().unwrap();
            heads.push(head);
            heads.len() - 1
        };
        for act in script(number) {
            match act {
                Act::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        hangups.add_permits(1);
                        return;
                    }
                }
                Act::Stall => {
                    let _ = stream.read(&mut [0]).await;
                    hangups.add_permits(1);
                    return;
                }
                Act::Close => {
                    let _ = stream.shutdown().await;
                    return;
                }
                Act::Reset => {
                    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                    return;
                }
            }
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}
