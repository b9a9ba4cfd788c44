//! An upstream of the tests' own: a GOPROXY on a free loopback port that serves modules made here, writes down every
//! path it is asked for, and misbehaves on demand.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

/// What a path is answered with.
#[derive(Clone)]
pub(crate) enum Reply {
    /// 200 and these bytes.
    Body(Vec<u8>),
    /// Another status and a text.
    Status(u16, &'static str),
    /// 200 and a Content-Length that promises more than comes.
    Truncated(Vec<u8>, usize),
    /// The same, and then a reset.
    Torn(Vec<u8>, usize),
    /// Half of the bytes, then nothing until [`Upstream::open_gate`], then the rest.
    Gated(Vec<u8>),
    /// Any bytes at all, then nothing until the gate opens, then those.
    Parted(Vec<u8>, Vec<u8>),
    /// Nothing at all until the gate opens.
    Stalled,
    /// The connection is closed without an answer.
    Reset,
    /// Any bytes at all.
    Raw(Vec<u8>),
    /// 200, of no announced length: the same piece again and again, with a pause after each, until the client goes.
    Endless(&'static [u8], Duration),
    /// 200 and these bytes, which may be shared with other answers.
    Parts([Arc<Vec<u8>>; 3]),
}

/// A running upstream; cheap to clone.
#[derive(Clone)]
pub(crate) struct Upstream {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    replies: Mutex<BTreeMap<String, Reply>>,
    everything: Mutex<Option<Reply>>,
    asked: Mutex<Vec<String>>,
    heads: Mutex<Vec<String>>,
    gate: Mutex<bool>,
    opened: Condvar,
}

impl Upstream {
    /// Starts one that knows nothing yet: every path is 404.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = Arc::clone(&upstream.state);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(connection, &state));
            }
        });
        upstream
    }

    /// One with version v1.0.0 of these modules.
    pub(crate) fn of(modules: &[&str]) -> Self {
        let upstream = Self::start();
        modules.iter().for_each(|module| upstream.module(module, "v1.0.0"));
        upstream
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers a path (with its leading slash) so from now on.
    pub(crate) fn reply(&self, path: &str, reply: Reply) {
        self.state.replies.lock().unwrap().insert(path.into(), reply);
    }

    /// Answers everything so, whatever else was said; `None` ends that.
    pub(crate) fn reply_to_everything(&self, reply: Option<Reply>) {
        *self.state.everything.lock().unwrap() = reply;
    }

    /// The bytes that a path is answered with.
    pub(crate) fn body(&self, path: &str) -> Vec<u8> {
        match self.state.replies.lock().unwrap().get(path) {
            Some(Reply::Body(bytes)) => bytes.clone(),
            _ => panic!("{path} is answered with no body"),
        }
    }

    /// Adds a version of a module with one package, and to its list.
    pub(crate) fn module(&self, path: &str, version: &str) {
        let source = format!("package {}\n\n// Version tells itself.\nconst Version = {version:?}\n", package(path));
        self.module_of(path, version, &[("lib.go", source.as_bytes())]);
    }

    /// Adds a version of a module with these files beside its go.mod, and to its list.
    pub(crate) fn module_of(&self, path: &str, version: &str, files: &[(&str, &[u8])]) {
        let base = format!("/{}/@v", escape(path));
        let gomod = format!("module {path}\n\ngo 1.20\n");
        let root = format!("{path}@{version}/");
        let mut entries = vec![(format!("{root}go.mod"), gomod.as_bytes())];
        entries.extend(files.iter().map(|(name, bytes)| (format!("{root}{name}"), *bytes)));
        let info = format!("{{\"Version\":{version:?},\"Time\":\"2024-05-06T07:08:09Z\"}}");
        let version = escape(version);
        self.reply(&format!("{base}/{version}.info"), Reply::Body(info.into()));
        self.reply(&format!("{base}/{version}.mod"), Reply::Body(gomod.clone().into()));
        self.reply(&format!("{base}/{version}.zip"), Reply::Body(zip(&entries)));
        self.list(path, &version);
    }

    /// Adds version v1.0.0 of a module with one large file, whose bytes other modules may share; the path of its zip.
    pub(crate) fn large_module(&self, path: &str, filler: &Arc<Vec<u8>>) -> String {
        let whole = zip(&[(format!("{path}@v1.0.0/filler.go"), filler.as_slice())]);
        let tail = whole.len() - whole.windows(4).rev().position(|four| four == b"PK\x01\x02").unwrap() - 4;
        let head = tail - filler.len();
        let parts = [Arc::new(whole[..head].to_vec()), Arc::clone(filler), Arc::new(whole[tail..].to_vec())];
        let path = format!("/{}/@v/v1.0.0.zip", escape(path));
        self.reply(&path, Reply::Parts(parts));
        path
    }

    /// Adds one version to the list of a module.
    pub(crate) fn list(&self, path: &str, version: &str) {
        let mut replies = self.state.replies.lock().unwrap();
        let list = replies.entry(format!("/{}/@v/list", escape(path))).or_insert(Reply::Body(Vec::new()));
        let Reply::Body(lines) = list else { panic!("the list of {path} is no body") };
        lines.extend(format!("{version}\n").bytes());
    }

    /// The paths asked for so far, in order, `%21` read as `!`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }

    /// The heads of the requests so far, as they came.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }

    /// Forgets what was asked.
    pub(crate) fn forget(&self) {
        self.state.asked.lock().unwrap().clear();
        self.state.heads.lock().unwrap().clear();
    }

    /// Writes every body as a file below a directory: the same as a tree.
    pub(crate) fn write_tree(&self, directory: &Path) {
        for (path, reply) in &*self.state.replies.lock().unwrap() {
            let Reply::Body(bytes) = reply else { continue };
            let file = directory.join(path.trim_start_matches('/'));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
    }

    /// Lets gated and stalled answers go on, now and later.
    pub(crate) fn open_gate(&self) {
        *self.state.gate.lock().unwrap() = true;
        self.state.opened.notify_all();
    }
}

/// Upper-case letters as `!` and the lower-case one.
pub(crate) fn escape(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_uppercase() { format!("!{}", c.to_ascii_lowercase()) } else { c.to_string() })
        .collect()
}

fn package(path: &str) -> &str {
    let mut elements =
        path.rsplit('/').filter(|element| element.strip_prefix('v').is_none_or(|n| n.parse::<u32>().is_err()));
    elements.next().unwrap()
}

/// A zip of stored (uncompressed) files.
pub(crate) fn zip(entries: &[(String, &[u8])]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let offset = body.len() as u32;
        let mut fields = Vec::new();
        fields.extend([20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        fields.extend(crc32fast::hash(bytes).to_le_bytes());
        fields.extend((bytes.len() as u32).to_le_bytes());
        fields.extend((bytes.len() as u32).to_le_bytes());
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        body.extend(b"PK\x03\x04");
        body.extend(&fields);
        body.extend(name.as_bytes());
        body.extend(*bytes);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (count, size, offset) = (entries.len() as u16, directory.len() as u32, body.len() as u32);
    body.extend(directory);
    body.extend(b"PK\x05\x06\0\0\0\0");
    body.extend(count.to_le_bytes());
    body.extend(count.to_le_bytes());
    body.extend(size.to_le_bytes());
    body.extend(offset.to_le_bytes());
    body.extend([0, 0]);
    body
}

fn serve(mut connection: TcpStream, state: &State) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    while let Some((path, head)) = read_request(&mut reader) {
        let path = path.replace("%21", "!");
        state.heads.lock().unwrap().push(head);
        state.asked.lock().unwrap().push(path.clone());
        let everything = state.everything.lock().unwrap().clone();
        let reply = everything.or_else(|| state.replies.lock().unwrap().get(&path).cloned());
        let reply = reply.unwrap_or(Reply::Status(404, "not found: no such module here"));
        if answer(&mut connection, reply, state).is_none() {
            return;
        }
    }
}

/// The path of the next request, and its head.
fn read_request(reader: &mut impl BufRead) -> Option<(String, String)> {
    let mut head = String::new();
    reader.read_line(&mut head).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    while reader.read_line(&mut head).ok()? > 2 {}
    Some((path, head))
}

/// Writes an answer; `None` when the connection is over.
fn answer(connection: &mut TcpStream, reply: Reply, state: &State) -> Option<()> {
    let head = |status: u16, length: usize| {
        format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut write = |bytes: &[u8]| connection.write_all(bytes).ok();
    match reply {
        Reply::Body(bytes) => write(&[head(200, bytes.len()).into_bytes(), bytes].concat()),
        Reply::Status(status, text) => write(format!("{}{text}", head(status, text.len())).as_bytes()),
        Reply::Truncated(bytes, promised) => {
            write(&[head(200, promised).into_bytes(), bytes].concat())?;
            None
        }
        Reply::Torn(bytes, promised) => {
            write(&[head(200, promised).into_bytes(), bytes].concat())?;
            let _ = socket2::SockRef::from(&*connection).set_linger(Some(Duration::ZERO));
            None
        }
        Reply::Gated(bytes) => {
            let (first, rest) = bytes.split_at(bytes.len() / 2);
            write(head(200, bytes.len()).as_bytes())?;
            write(first)?;
            state.await_gate();
            write(rest)
        }
        Reply::Parted(first, rest) => {
            write(&first)?;
            state.await_gate();
            write(&rest)
        }
        Reply::Stalled => {
            state.await_gate();
            None
        }
        Reply::Reset => {
            let _ = socket2::SockRef::from(&*connection).set_linger(Some(Duration::ZERO));
            None
        }
        Reply::Endless(piece, pause) => {
            write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                write(piece)?;
                std::thread::park_timeout(pause);
            }
        }
        Reply::Parts(parts) => {
            write(head(200, parts.iter().map(|part| part.len()).sum()).as_bytes())?;
            parts.iter().try_for_each(|part| write(part))
        }
        Reply::Raw(bytes) => {
            write(&bytes)?;
            let _ = connection.shutdown(std::net::Shutdown::Write);
            let _ = connection.read(&mut [0; 1024]);
            None
        }
    }
}

impl State {
    fn await_gate(&self) {
        let open = self.gate.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }
}
