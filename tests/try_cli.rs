//! `modgate try`: the built command and the real `go`, on a developer's machine whose own things are to stay as they are.

use crate::{
    checksum_database::ChecksumDatabase,
    gateway::{await_that, modgate},
    process::Process,
    upstream::{Reply, Upstream},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

const GO_MOD: &str = "module example.test/main\n\ngo 1.22\n\nrequire (\n\texample.test/lib v1.1.0\n\texample.test/Upper/Case v0.1.0\n)\n";
const MAIN: &str = "package main\n\nimport (\n\t\"example.test/Upper/Case\"\n\t\"example.test/lib\"\n)\n\nfunc main() { println(Case.Version, lib.Version) }\n";
const NETRC: &str = "machine elsewhere.test login me password mine\n";
const DENIAL: &str = "p, authenticated, *, *, read, allow, -, -\n\
                      p, authenticated, example.test/lib, *, *, deny, -, \"id=MAL-7; reason=malware, see ticket 12\"\n";

/// A developer's machine: a home with a netrc, `go env` settings, a module cache and a module; and an upstream.
struct Developer {
    home: TempDir,
    upstream: Upstream,
    variables: BTreeMap<&'static str, String>,
}

impl Developer {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        for directory in ["main", "tmp", ".config/go", "go/pkg/mod"] {
            fs::create_dir_all(home.path().join(directory)).unwrap();
        }
        let upstream = Upstream::start();
        upstream.module("example.test/lib", "v1.0.0");
        upstream.module("example.test/lib", "v1.1.0");
        upstream.module("example.test/Upper/Case", "v0.1.0");
        let variables = [("GOPROXY", upstream.url()), ("GOSUMDB", "off".into()), ("GOTOOLCHAIN", "local".into())];
        let developer = Self { home, upstream, variables: variables.into() };
        developer.write("main/go.mod", GO_MOD);
        developer.write("main/main.go", MAIN);
        developer.write(".netrc", NETRC);
        developer.write(".config/go/env", "GOFLAGS=-mod=mod\n");
        developer.write("go/pkg/mod/mine", "");
        developer
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// `modgate try` with these arguments, at home.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = modgate();
        command.arg("try").args(arguments).current_dir(self.path("main"));
        for name in
            ["NETRC", "GOENV", "GOFLAGS", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOMODCACHE", "XDG_CONFIG_HOME"]
        {
            command.env_remove(name);
        }
        command.env("HOME", self.home.path()).env("TMPDIR", self.path("tmp")).env("GOPATH", self.path("go"));
        command.env("GOCACHE", self.path("cache")).envs(&self.variables);
        command
    }

    fn run(&self, arguments: &[&str]) -> Tried {
        let report = self.path("report.json");
        let arguments = [&["--json", report.to_str().unwrap()], arguments].concat();
        Tried::of(self.command(&arguments).output().unwrap(), &report)
    }

    /// Nothing of the developer's was touched, and nothing of the trial's is left.
    fn assert_untouched(&self) {
        assert_eq!(fs::read_to_string(self.path(".netrc")).unwrap(), NETRC);
        assert_eq!(fs::read_to_string(self.path(".config/go/env")).unwrap(), "GOFLAGS=-mod=mod\n");
        assert_eq!(names(&self.path("go/pkg/mod")), ["mine"]);
        assert_eq!(names(&self.path("tmp")), Vec::<String>::new());
    }
}

/// What came of a trial.
struct Tried {
    code: Option<i32>,
    stderr: String,
    report: Value,
}

impl Tried {
    fn of(output: Output, report: &Path) -> Self {
        let report = fs::read_to_string(report).unwrap_or_default();
        Self {
            code: output.status.code(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            report: serde_json::from_str(&report).unwrap_or_default(),
        }
    }

    /// Module, version, outcome and parts of each row, in order.
    fn rows(&self) -> Vec<String> {
        let rows = self.report["modules"].as_array().unwrap_or_else(|| panic!("{}", self.stderr)).iter();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let row = |row: &Value| {
            let parts: Vec<_> = row["parts"].as_array().unwrap().iter().map(|part| text(&part["name"])).collect();
            format!("{} {} {}: {}", text(&row["module"]), text(&row["version"]), text(&row["outcome"]), parts.join(" "))
        };
        rows.map(row).collect()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn a_download_is_listed_exactly_and_nothing_else_changes() {
    let developer = Developer::new();
    let tried = developer.run(&["--", "go", "mod", "download"]);
    assert_eq!(tried.code, Some(0), "{}", tried.stderr);
    let expected =
        ["example.test/Upper/Case v0.1.0 fetched: info mod zip", "example.test/lib v1.1.0 fetched: info mod zip"];
    assert_eq!(tried.rows(), expected);
    let mut asked = developer.upstream.asked();
    asked.sort();
    let files = ["/example.test/!upper/!case/@v/v0.1.0", "/example.test/lib/@v/v1.1.0"];
    let files = files.iter().flat_map(|file| ["info", "mod", "zip"].map(|kind| format!("{file}.{kind}")));
    assert_eq!(asked, files.clone().collect::<Vec<_>>());
    let bytes: usize = files.map(|file| developer.upstream.body(&file).len()).sum();
    assert_eq!(tried.report["totals"]["bytes"], bytes);
    assert_eq!(tried.report["subject"], "user:token/try");
    for shown in
        ["example.test/lib", "info mod zip", "(miss)", "allow", "try.csv:2", "unverified", "2 versions fetched"]
    {
        assert!(tried.stderr.contains(shown), "`{shown}` is missing in\n{}", tried.stderr);
    }
    developer.assert_untouched();

    let again = developer.run(&["--", "go", "mod", "download"]);
    assert_eq!(again.report["modules"], tried.report["modules"]);
    assert_eq!(again.report["totals"], tried.report["totals"]);
}

#[test]
fn a_build_works_and_its_output_is_its_own() {
    let developer = Developer::new();
    let built = developer.run(&["--", "go", "build", "-o", "built", "."]);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    assert!(built.rows().iter().all(|row| row.contains("fetched: ") && row.ends_with("mod zip")), "{:?}", built.rows());
    assert!(developer.path("main/built").exists());
    let printed = developer.command(&["--report", "table.txt", "--json", "-", "--", "echo", "mine"]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let json = printed.strip_prefix("mine\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(json).unwrap()["exit_code"], 0);
    assert!(fs::read_to_string(developer.path("main/table.txt")).unwrap().contains("asked for no module"));
    developer.assert_untouched();
}

#[test]
fn the_commands_end_is_ours() {
    let developer = Developer::new();
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
        let tried = developer.run(&["--", "sh", "-c", script]);
        assert_eq!(tried.code, Some(code), "{}", tried.stderr);
    }
    let missing = developer.run(&["--", "no-such-command"]);
    assert_eq!(missing.code, Some(127));
    assert!(missing.stderr.contains("there is no command `no-such-command`"), "{}", missing.stderr);
    assert_eq!(developer.run(&["--", developer.path("main/go.mod").to_str().unwrap()]).code, Some(126));
    assert_eq!(developer.run(&["--policy", "policy.csv"]).code, Some(2), "no command at all");
    developer.assert_untouched();
}

#[test]
fn what_a_policy_denies_is_shown_with_its_rule_and_never_asked_for() {
    let developer = Developer::new();
    developer.write("policy.csv", DENIAL);
    let policy = developer.path("policy.csv").to_str().unwrap().to_owned();
    let tried = developer.run(&["--policy", &policy, "--", "go", "mod", "download"]);
    assert_eq!(tried.code, Some(1));
    let line = "refused: example.test/lib@v1.1.0 by policy.csv:2 (MAL-7); reason: malware, see ticket 12";
    assert!(tried.stderr.contains(line), "{}", tried.stderr);
    assert!(tried.rows().iter().any(|row| row.starts_with("example.test/lib v1.1.0 refused: ")), "{:?}", tried.rows());
    assert!(!developer.upstream.asked().iter().any(|path| path.contains("/lib/")), "{:?}", developer.upstream.asked());
    developer.assert_untouched();
}

#[test]
fn a_policy_is_tried_in_anybodys_name() {
    let developer = Developer::new();
    developer.write(
        "policy.csv",
        "p, group:corp/dev, *, *, read, allow, -, -\np, user:corp/eve, *, *, *, deny, -, id=eve\n",
    );
    let policy = developer.path("policy.csv").to_str().unwrap().to_owned();
    for plain in [&[][..], &["--plain-http"]] {
        let as_whom = |who: &[&str]| {
            developer.run(&[plain, &["--policy", &policy], who, &["--", "go", "mod", "download"]].concat())
        };
        let allowed = as_whom(&["--as", "user:corp/alice", "--group", "group:corp/dev"]);
        assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);
        assert_eq!(allowed.report["subject"], "user:corp/alice");
        let nobody = as_whom(&[]);
        assert!(nobody.stderr.contains("as no rule allows it to user:token/try"), "{}", nobody.stderr);
        let denied = as_whom(&["--as", "user:corp/eve", "--group", "group:corp/dev"]);
        assert!(denied.stderr.contains("by policy.csv:2 (eve)"), "{}", denied.stderr);
        let anonymous = as_whom(&["--as", "anonymous"]);
        assert!(anonymous.stderr.contains("as a credential is needed"), "{}", anonymous.stderr);
    }
    let alone = developer.run(&["--as", "user:corp/alice", "--", "true"]);
    assert_eq!(alone.code, Some(125));
    assert!(alone.stderr.contains("need a policy"), "{}", alone.stderr);
    assert_eq!(developer.run(&["--as", "alice", "--", "true"]).code, Some(2));
    developer.assert_untouched();
}

#[test]
fn a_trial_that_cannot_start_runs_nothing() {
    let developer = Developer::new();
    developer.write("policy.csv", "p, authenticated, *, *, read, alow, -, -\n");
    let policy = developer.path("policy.csv").to_str().unwrap().to_owned();
    let bad = developer.run(&["--policy", &policy, "--", "touch", "ran"]);
    assert_eq!(bad.code, Some(125));
    assert!(bad.stderr.contains("policy.csv:1: "), "{}", bad.stderr);
    assert_eq!(developer.run(&["--report", "/no/such/place", "--", "touch", "ran"]).code, Some(125));
    assert!(!developer.path("main/ran").exists());
    developer.assert_untouched();
}

#[test]
fn an_interrupt_ends_both_and_leaves_nothing() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let developer = Developer::new();
        developer.upstream.reply("/example.test/lib/@v/v1.1.0.zip", Reply::Stalled);
        let script = "echo $$ > ../process; exec go mod download";
        let mut command = developer.command(&["--", "sh", "-c", script]);
        // In a group of its own, so that no terminal is supposed to have sent the signal to the command as well.
        let trial = Process::start(command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()));
        await_that("the zip to be asked for", || {
            developer.upstream.asked().iter().any(|path| path.ends_with("v1.1.0.zip"))
        });
        let process = fs::read_to_string(developer.path("process")).unwrap();
        let sent = Command::new("kill").args([&format!("-{signal}"), &trial.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let tried = Tried::of(trial.output(), &developer.path("report.json"));
        assert_eq!(tried.code, Some(code), "{}", tried.stderr);
        assert!(tried.stderr.contains("example.test/Upper/Case"), "what was fetched is told: {}", tried.stderr);
        let alive = Command::new("kill").args(["-0", process.trim()]).stderr(Stdio::null()).status().unwrap();
        assert!(!alive.success(), "the command is still there");
        developer.assert_untouched();
        developer.upstream.open_gate();
    }
}

#[test]
fn what_is_kept_can_be_asked() {
    let developer = Developer::new();
    let tried = developer.run(&["--keep", "--", "go", "mod", "download"]);
    let kept = tried.stderr.lines().find_map(|line| line.strip_prefix("kept: ")).unwrap();
    assert!(Path::new(kept).starts_with(developer.path("tmp")));
    assert!(Path::new(kept).join("modcache/example.test/lib@v1.1.0/lib.go").exists());
    let query = tried.stderr.lines().find_map(|line| line.strip_prefix("  modgate ")).unwrap();
    let answer = modgate().args(query.split(' ')).args(["--json"]).output().unwrap();
    let records = String::from_utf8(answer.stdout).unwrap();
    assert_eq!(records.lines().count(), tried.report["totals"]["records"]);
    assert!(records.lines().any(|line| line.contains("\"target\":\"zip\"")));
}

#[test]
fn what_goprivate_would_have_sent_around_is_told_and_asked_of_nobody() {
    let mut developer = Developer::new();
    developer.upstream.module("corp.test/pay", "v1.0.0");
    developer.variables.insert("GOPRIVATE", "corp.test".into());
    let go_mod = GO_MOD.replace("\texample.test/lib", "\tcorp.test/pay v1.0.0\n\texample.test/lib");
    developer.write("main/go.mod", &go_mod);
    let tried = developer.run(&["--", "go", "mod", "download"]);
    assert_eq!(tried.code, Some(1));
    let told = "GOPRIVATE of the environment (corp.test) would have sent around the gateway: corp.test/pay";
    assert!(tried.stderr.contains(told), "{}", tried.stderr);
    assert_eq!(tried.report["around"]["modules"], serde_json::json!(["corp.test/pay"]));
    assert!(
        !developer.upstream.asked().iter().any(|path| path.contains("corp.test")),
        "{:?}",
        developer.upstream.asked()
    );

    let url = developer.upstream.url();
    let config =
        format!("checksum = []\n[upstream]\nlist = \"{url}\"\n[[source]]\npattern = \"corp.test\"\nlist = \"{url}\"\n");
    developer.write("modgate.toml", &config);
    let config = developer.path("modgate.toml").to_str().unwrap().to_owned();
    let sourced = developer.run(&["--config", &config, "--", "go", "mod", "download"]);
    assert_eq!(sourced.code, Some(0), "{}", sourced.stderr);
    assert!(sourced.rows().contains(&"corp.test/pay v1.0.0 fetched: info mod zip".to_owned()), "{:?}", sourced.rows());
    assert!(sourced.stderr.contains(told), "{}", sourced.stderr);

    let around = developer.run(&["--bypass", "--config", &config, "--", "go", "env", "GOPRIVATE", "GONOPROXY"]);
    assert_eq!(around.code, Some(0));
    assert!(around.stderr.contains("sent what it matches around the gateway"), "{}", around.stderr);
    developer.assert_untouched();
}

#[test]
fn what_gonosumdb_keeps_from_the_checksum_database_is_kept_from_it_here() {
    let mut developer = Developer::new();
    let database = ChecksumDatabase::start();
    developer.variables.insert("GOSUMDB", format!("{} {}", database.key(), database.url()));
    developer.variables.insert("GONOSUMDB", "example.test".into());
    let tried = developer.run(&["--", "go", "mod", "download"]);
    assert_eq!(tried.code, Some(0), "{}", tried.stderr);
    assert_eq!(tried.report["totals"]["versions"], 2);
    let asked = database.asked();
    assert!(!asked.iter().any(|path| path.contains("example.test")), "{asked:?}");

    developer.variables.remove("GONOSUMDB");
    let tried = developer.run(&["--", "go", "mod", "download"]);
    assert_eq!(tried.code, Some(1), "the database has no such module, and the go command insists");
    assert!(database.asked().iter().any(|path| path.contains("example.test")), "{}", tried.stderr);
    developer.assert_untouched();
}

#[test]
fn the_developers_own_cache_is_used_if_it_is_shared() {
    let developer = Developer::new();
    let first = developer.run(&["--module-cache", "shared", "--", "go", "mod", "download", "-modcacherw"]);
    assert_eq!(first.report["totals"]["versions"], 2, "{}", first.stderr);
    let second = developer.run(&["--module-cache", "shared", "--", "go", "mod", "download"]);
    assert_eq!(second.report["totals"]["requests"], 0, "{}", second.stderr);
    assert!(second.stderr.contains("asked for no module"), "{}", second.stderr);
}
