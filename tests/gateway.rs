//! A running modgate: the real binary on free loopback ports with a data directory of its own, ended with the test.

use crate::process::Process;
use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a server may take to come up before the test says so.
const PATIENCE: Duration = Duration::from_secs(30);

/// The shipped policy: whoever is authenticated reads what is public.
pub(crate) const SHIPPED_POLICY: &str = include_str!("../policies/policy.csv");

/// What a gateway is started with.
pub(crate) struct Plan {
    policy: String,
    top: String,
    config: String,
    listen: String,
    base: String,
    tls: bool,
    data: Option<PathBuf>,
}

/// A running gateway.
pub(crate) struct Gateway {
    process: Process,
    directory: TempDir,
    data: PathBuf,
    port: u16,
    admin: u16,
    base: String,
    tls: bool,
    log: Arc<Mutex<String>>,
}

impl Gateway {
    /// Plain HTTP on loopback.
    pub(crate) fn plain() -> Plan {
        let (top, config, listen, base) = Default::default();
        Plan { policy: SHIPPED_POLICY.into(), top, config, listen, base, tls: false, data: None }
    }

    /// HTTPS with the development certificate for localhost.
    pub(crate) fn tls() -> Plan {
        Plan { tls: true, ..Self::plain() }
    }
}

impl Plan {
    /// The policy file.
    pub(crate) fn policy(self, policy: &str) -> Self {
        Self { policy: policy.into(), ..self }
    }
    /// More lines at the top of the configuration file.
    pub(crate) fn top(self, lines: &str) -> Self {
        Self { top: self.top + lines, ..self }
    }
    /// More of the configuration file: whole tables.
    pub(crate) fn config(self, config: &str) -> Self {
        Self { config: self.config + config, ..self }
    }
    /// More lines of the table of the listener.
    pub(crate) fn listen(self, listen: &str) -> Self {
        Self { listen: listen.into(), ..self }
    }
    /// The upstream list.
    pub(crate) fn upstream(self, list: &str) -> Self {
        self.config(&format!("[upstream]\nlist = \"{list}\"\n"))
    }
    /// The path of the public URL.
    pub(crate) fn base(self, base: &str) -> Self {
        Self { base: base.into(), ..self }
    }
    /// An existing data directory, which outlives the gateway.
    pub(crate) fn data(self, data: &Path) -> Self {
        Self { data: Some(data.into()), ..self }
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(self) -> Gateway {
        let directory = TempDir::new().unwrap();
        let data = self.data.unwrap_or_else(|| directory.path().join("data"));
        let (port, admin) = (free_port(), free_port());
        let scheme = if self.tls { "https" } else { "http" };
        let policy = directory.path().join("policy.csv");
        fs::write(&policy, &self.policy).unwrap();
        let tls = if self.tls { tls_table(directory.path()) } else { String::new() };
        let checksum = if self.config.contains("[[checksum]]") { "" } else { "checksum = []\n" };
        let config = format!(
            "data = {data:?}\npublic_url = \"{scheme}://localhost:{port}{base}\"\ncontact = \"security@corp.example\"\n{checksum}{top}\
             [listen]\naddress = \"127.0.0.1:{port}\"\n{listen}[admin]\naddress = \"127.0.0.1:{admin}\"\n[policy]\nfiles = [{policy:?}]\n{tls}{more}",
            top = self.top,
            base = self.base,
            listen = self.listen,
            more = self.config,
        );
        fs::write(directory.path().join("modgate.toml"), config).unwrap();
        let mut command = modgate();
        command.arg("serve").arg("--config").arg(directory.path().join("modgate.toml"));
        let mut process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
        let log = gather(process.stderr.take().unwrap());
        await_start(&mut process, port, &log);
        Gateway { process, directory, data, port, admin, base: self.base, tls: self.tls, log }
    }
}

impl Gateway {
    /// The base URL for GOPROXY.
    pub(crate) fn url(&self) -> String {
        let host = if self.tls { "https://localhost" } else { "http://127.0.0.1" };
        format!("{host}:{}{}", self.port, self.base)
    }
    /// Its port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
    /// The admin listener's base URL.
    pub(crate) fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
    }
    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
    /// The data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }
    /// The policy file in force.
    pub(crate) fn policy_file(&self) -> PathBuf {
        self.directory.path().join("policy.csv")
    }
    /// The bundle that a client trusts it by.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("tls/certificate.pem")
    }
    /// What it has written to its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
    /// Runs another command of modgate with the same configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let config = self.directory.path().join("modgate.toml");
        modgate().args(arguments).arg("--config").arg(config).output().unwrap()
    }
    /// Creates a token.
    pub(crate) fn token(&self, name: &str, more: &[&str]) -> String {
        let output = self.run(&[&["token", "create", name], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
    /// The audit records so far, one JSON object each.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        let output = self.run(&["audit", "query", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
    /// The most memory that it has held so far, in bytes, less the pages of its executable: those of a debug build are several
    /// times those of what is shipped.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
        };
        bytes("VmHWM:") - bytes("RssFile:")
    }
    /// Ends it at once, as a power cut of the process would.
    pub(crate) fn kill(mut self) -> TempDir {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::mem::replace(&mut self.directory, TempDir::new().unwrap())
    }
    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut ended = None;
        await_that("modgate to end", || {
            ended = self.process.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }
    /// Waits until its log has a line that contains `text`.
    pub(crate) fn await_log(&self, text: &str) {
        await_that(&format!("`{text}` in the log"), || self.log().contains(text));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- log of the gateway\n{}", self.log());
        }
    }
}

/// The built command in an environment without Go or modgate settings of the machine.
pub(crate) fn modgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modgate"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MODGATE_") || name == "GOPROXY") {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// A loopback port that nobody listens on: below those that the system gives to outgoing connections, one of which
/// could take it before it is used, and another one each time.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(7919);
    loop {
        let port = 10_000 + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port as u16)).is_ok() {
            return port as u16;
        }
    }
}

/// Waits until somebody listens on a loopback port.
pub(crate) fn await_port(port: u16) {
    await_that(&format!("a listener on port {port}"), || TcpStream::connect(("127.0.0.1", port)).is_ok());
}

/// Waits until a condition holds; fails after [`PATIENCE`].
pub(crate) fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn await_start(process: &mut Process, port: u16, log: &Mutex<String>) {
    await_that("modgate to listen", || {
        if let Some(status) = process.try_wait().unwrap() {
            panic!("modgate ended with {status}\n{}", log.lock().unwrap());
        }
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
}

/// A certificate for localhost that is its own authority.
fn tls_table(directory: &Path) -> String {
    let folder = directory.join("tls");
    fs::create_dir(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n")
}

/// Reads a child's output to its end so that it never blocks.
fn gather(output: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&log);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            into.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    log
}
