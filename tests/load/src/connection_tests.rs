//! What is taken for a right answer, against a server over TLS that says anything it is told to.

use super::*;
use crate::{
    answers::{Kind, read_tree},
    certificate,
    server::Servers,
};
use clap::Parser;
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use std::{ffi::OsStr, fs, path::PathBuf};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

const RIGHT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nv1.0.0\n";

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    servers: Servers,
}

struct Scene {
    folder: TempDir,
    answer: Arc<Answer>,
}

impl Scene {
    /// A certificate, and a tree with one list.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificate::write_pair(folder.path()).unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("m/@v")).unwrap();
        fs::write(tree.join("m/@v/list"), "v1.0.0\n").unwrap();
        let answer = Arc::new(read_tree(&tree).unwrap().remove(0));
        assert_eq!(answer.kind, Kind::List);
        Self { folder, answer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server that says this to each request on one connection, and ends it.
    async fn serve(&self, said: &'static [u8], more: &[&str]) -> Arc<Server> {
        let chain = CertificateDer::pem_file_iter(self.file("certificate.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(self.file("key.pem")).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(Arc::new(config)).accept(socket).await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(said).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let url = format!("one=https://127.0.0.1:{port}");
        let (tree, roots) = (self.file("tree"), self.file("certificate.pem"));
        let line = ["test".as_ref(), "--server".as_ref(), url.as_ref(), "--tree".as_ref(), tree.as_os_str()];
        let line = line.into_iter().chain(["--roots".as_ref(), roots.as_os_str()]);
        CommandLine::parse_from(line.chain(more.iter().map(OsStr::new))).servers.resolve().unwrap().remove(0)
    }

    async fn ask(&self, said: &'static [u8]) -> Result<(), Failure> {
        let server = self.serve(said, &[]).await;
        let connector = Connector::new(Protocol::H1, &self.file("certificate.pem"))?;
        let (mut connection, _) = connector.open(&server).await?;
        connection.ask(&server, &connector.prepare(&server, &self.answer)?).await
    }

    /// The length of what is expected after the first look.
    async fn verify(&self, said: &'static [u8], more: &[&str]) -> Result<u64, Failure> {
        let server = self.serve(said, more).await;
        let connector = Connector::new(Protocol::H1, &self.file("certificate.pem"))?;
        let (mut connection, _) = connector.open(&server).await?;
        let mut prepared = connector.prepare(&server, &self.answer)?;
        connection.verify(&server, &mut prepared).await?;
        Ok(prepared.answer.length)
    }
}

#[tokio::test]
async fn only_the_right_bytes_are_right() {
    let scene = Scene::new();
    scene.ask(RIGHT).await.unwrap();
    for (said, problem) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nv1.0.1\n"[..], "other bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nv1.0.0", "6 bytes instead of 7"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nv1.0.0\n\n", "other bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nv1.", "/m/@v/list"),
        (b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 7\r\n\r\nv1.0.0\n", "status 429"),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 7\r\n\r\nv1.0.0\n", "status 206"),
    ] {
        let failure = scene.ask(said).await.unwrap_err().to_string();
        assert!(failure.starts_with("one: /m/@v/list: ") && failure.contains(problem), "{failure}");
    }
}

#[tokio::test]
async fn a_server_uses_its_own_words_only_where_it_may() {
    let scene = Scene::new();
    let reworded = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nv1.0.0";
    assert!(scene.verify(reworded, &[]).await.is_err());
    assert_eq!(scene.verify(reworded, &["--rewords", "one"]).await.unwrap(), 6);
    assert_eq!(scene.verify(RIGHT, &["--rewords", "one"]).await.unwrap(), 7);
    let other = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nv1.0.1";
    assert!(scene.verify(other, &["--rewords", "one"]).await.is_err());
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused() {
    let (scene, other) = (Scene::new(), Scene::new());
    let server = scene.serve(RIGHT, &[]).await;
    let connector = Connector::new(Protocol::H1, &other.file("certificate.pem")).unwrap();
    assert!(connector.open(&server).await.is_err());
}
