//! The built program: first start, later starts, signals, and what it says when something is wrong.

use crate::{listening::PATIENCE, process::Process};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

fn modgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modgate"));
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").env("MODGATE_ADMIN", "127.0.0.1:0");
    command.env("GOPROXY", "https://proxy.example");
    command
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A running `modgate serve` without a configuration, on a free port, and the lines that it printed.
struct Serving {
    child: Process,
    address: SocketAddr,
    printed: String,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = Process::start(modgate(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()));
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while !printed.contains("GOSUMDB stay as they are") && lines.read_line(&mut printed).unwrap() > 0 {}
        let mut words = printed.split_whitespace().skip_while(|word| *word != "on");
        let address = words.nth(1).and_then(|word| word.parse().ok());
        let address = address.unwrap_or_else(|| {
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("it does not listen: {printed}{errors}")
        });
        Self { child, address, printed }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code, and what it logged.
    fn ended(mut self) -> (Option<i32>, String) {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            std::thread::yield_now();
        };
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status.code(), log)
    }

    /// The version of HTTP and the status of `/` with the first token.
    fn curl(&self, bundle: &Path) -> String {
        let url = format!("https://localhost:{}/", self.address.port());
        let token = fs::read_to_string(bundle.with_file_name("../first-token")).unwrap();
        let login = format!("modgate:{}", token.trim());
        let bundle = bundle.to_str().unwrap();
        let arguments = [
            "-sS",
            "--noproxy",
            "*",
            "--cacert",
            bundle,
            "-w",
            "%{http_version} %{http_code}",
            "-o",
            "/dev/null",
            "-u",
            &login,
            &url,
        ];
        let Output { stdout, stderr, .. } =
            Command::new("curl").args(arguments).output().expect("apt-get install curl");
        format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr))
    }
}

#[test]
fn the_first_start_prints_what_to_paste_and_it_works() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("new/modgate");
    let argument = directory.to_str().unwrap();
    let serving = Serving::start(&["--data", argument]);
    let port = serving.address.port();
    let bundle = directory.join("tls/bundle.pem");
    assert!(serving.printed.contains(&format!("\nexport GOPROXY=https://localhost:{port}\n")), "{}", serving.printed);
    assert!(serving.printed.contains(&format!("\nexport SSL_CERT_FILE={}\n", bundle.display())), "{}", serving.printed);
    assert!(
        serving.printed.contains(&format!("machine localhost:{port} login modgate password ")),
        "{}",
        serving.printed
    );
    assert_eq!(serving.curl(&bundle), "2 200");
    serving.signal(Signal::TERM);
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.lines().all(|line| line.starts_with('{')), "JSON without a terminal: {log}");

    let before = fs::read(&bundle).unwrap();
    let serving = Serving::start(&["--data", argument]);
    assert_eq!(fs::read(&bundle).unwrap(), before);
    assert_eq!(serving.curl(&bundle), "2 200");
    serving.signal(Signal::INT);
    assert_eq!(serving.ended().0, Some(0));
}

#[test]
fn an_address_in_use_is_said_with_the_way_out() {
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(&["--data", data.path().join("a").to_str().unwrap()]);
    let address = serving.address.to_string();
    let other = data.path().join("b");
    let (code, stdout, stderr) =
        output(&mut modgate(&["serve", "--data", other.to_str().unwrap(), "--listen", &address]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains(&format!("error: cannot listen on `{address}`: another process does\n")), "{stderr}");
    assert!(stderr.contains("  hint: ") && stderr.contains("--listen 127.0.0.1:"), "{stderr}");
    serving.signal(Signal::TERM);
    serving.ended();
}

#[test]
fn a_hangup_reloads_and_the_process_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(&["--data", data.path().to_str().unwrap()]);
    fs::write(data.path().join("tls/localhost.pem"), "no certificate").unwrap();
    serving.signal(Signal::HUP);
    assert_eq!(serving.curl(&data.path().join("tls/bundle.pem")), "2 200", "the good one stays");
    serving.signal(Signal::TERM);
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("told to reload"), "{log}");
    assert!(log.contains("localhost.pem") && log.contains("the one in use stays"), "{log}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(&["--data", data.path().to_str().unwrap()]);
    // A connection that has not asked yet may still ask, which holds the end up for `header_timeout`.
    let _held = TcpStream::connect(serving.address).unwrap();
    serving.signal(Signal::TERM);
    let begin = Instant::now();
    while TcpStream::connect(serving.address).is_ok() {
        assert!(begin.elapsed() < PATIENCE, "it does not stop listening");
    }
    serving.signal(Signal::TERM);
    let (code, log) = serving.ended();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("told to end at once"), "{log}");
    assert!(log.contains("were cut"), "{log}");
    assert!(begin.elapsed().as_secs() < 8, "it waited for the connection");
}

#[test]
fn a_bad_configuration_is_told_with_places() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("modgate.toml");
    fs::write(
        &file,
        "data = \"d\"\n[listen]\nadress = \"127.0.0.1:1\"\nidle_timeout = \"never\"\n[tls]\nkey = \"k\"\n",
    )
    .unwrap();
    let path = file.to_str().unwrap();
    for command in ["check", "serve"] {
        let (code, stdout, stderr) = output(&mut modgate(&[command, "--config", path]));
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(
            stderr.contains(&format!(
                "error: {path}:3:1: unknown key `adress` in `listen`\n  hint: did you mean `address`?\n"
            )),
            "{stderr}"
        );
        assert_eq!(stderr.matches("error: ").count(), 3, "{stderr}");
        assert!(!stderr.contains('\x1b'), "{stderr}");
    }
    assert!(!directory.path().join("d").exists(), "nothing was made");
    let (code, stdout, _) = output(&mut modgate(&["check", "--json", "--config", path]));
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, Some(1));
    assert_eq!(json["problems"].as_array().unwrap().len(), 3);
    assert_eq!(json["problems"][0]["hint"], "did you mean `address`?");
}

#[test]
fn what_is_in_force_is_printed_with_its_origin_and_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("modgate.toml");
    fs::write(directory.path().join("secret"), "hunter2\n").unwrap();
    let text = "data = \"d\"\n[[upstream.credential]]\nurl = \"https://proxy.example\"\nlogin = \"modgate\"\npassword_file = \"secret\"\n[policy]\nfiles = [\"policy.csv\"]\n";
    fs::write(&file, text).unwrap();
    fs::write(directory.path().join("policy.csv"), "p, authenticated, public, *, read, allow, -, -\n").unwrap();
    let mut command = modgate(&["check", "--print", "--config", file.to_str().unwrap()]);
    let (code, stdout, stderr) = output(command.env("MODGATE_LISTEN", "127.0.0.1:7"));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("listen.address = \"127.0.0.1:7\"  # MODGATE_LISTEN\n"), "{stdout}");
    assert!(stdout.contains("listen.max_streams = 250  # default\n"), "{stdout}");
    assert!(stdout.contains("modgate.toml:5:17\n"), "{stdout}");
    assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"), "{stdout}{stderr}");
}

#[test]
fn a_certificate_that_does_not_fit_its_key_fails_the_check() {
    let (one, other) = (crate::listening::Authority::new(), crate::listening::Authority::new());
    one.write(2100);
    other.write(2100);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("modgate.toml");
    let (certificate, key) = (one.files().certificate, other.files().key);
    fs::write(&file, format!("data = \"d\"\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n")).unwrap();
    let (code, _, stderr) = output(&mut modgate(&["check", "--config", file.to_str().unwrap()]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("is not the key of the certificate in"), "{stderr}");
}

#[test]
fn usage_is_told_apart_from_failure() {
    assert_eq!(output(&mut modgate(&["serve", "--listen", "nonsense"])).0, Some(2));
    assert_eq!(output(&mut modgate(&["dance"])).0, Some(2));
    let (code, stdout, _) = output(&mut modgate(&["--version"]));
    assert_eq!((code, stdout.as_str()), (Some(0), concat!("modgate ", env!("CARGO_PKG_VERSION"), "\n")));
    let (code, stdout, _) = output(&mut modgate(&["completions", "bash"]));
    assert_eq!(code, Some(0));
    assert!(stdout.contains("_modgate()"));
    assert!(output(&mut modgate(&["serve", "--help"])).1.contains("Examples:"));
}
