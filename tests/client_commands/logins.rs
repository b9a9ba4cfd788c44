//! Logging in and out: a person approves, the go command is let in, and no longer after the logout.

use super::developer::{Developer, MODULE, Said};
use crate::{
    curl::{self, Answer, bearer},
    gateway::{Gateway, await_that},
    jwt_issuer::Issuer,
    process::Process,
    upstream::{Reply, Upstream},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{ChildStderr, Command},
};

/// A gateway with an issuer, and the person whom it vouches for.
struct Scene {
    gateway: Gateway,
    upstream: Upstream,
    person: String,
}

impl Scene {
    fn new(config: &str) -> Self {
        let (upstream, issuer) = (Upstream::start(), Issuer::new());
        upstream.module(MODULE, "v1.0.0");
        let gateway = Gateway::tls().upstream(&upstream.url()).config(&issuer.config()).config(config).start();
        let person = issuer.token(&json!({}));
        // The keys of a file are read at the start.
        Self { gateway, upstream, person }
    }

    /// Posts a form in the person's name.
    fn post(&self, page: &str, form: &[(&str, &str)]) -> Answer {
        curl::post(&self.gateway, &format!("/-/{page}"), form, &["-H", &bearer(&self.person)])
    }

    /// The status of a list that is asked for with a token.
    fn status(&self, token: &str) -> u16 {
        curl::ask(&self.gateway, &format!("/{MODULE}/@v/list"), &["-H", &bearer(token)]).status
    }

    /// Logs in by code, and approves it as the person would.
    fn log_in_by_device(&self, developer: &Developer, arguments: &[&str]) -> Said {
        let mut login = Login::start(developer, &[&["login", "--no-browser"], arguments].concat());
        let code = login.line(|line| line.len() == 9 && line.as_bytes()[4] == b'-');
        let approved = self.post("device", &[("user_code", &code), ("decision", "approve")]);
        assert_eq!(approved.status, 204, "{}", approved.body);
        login.end()
    }

    /// Logs in by the browser on this machine, whose part is curl's.
    fn log_in_by_browser(&self, developer: &Developer, arguments: &[&str]) -> Said {
        let mut login = Login::start(developer, &[&["login", "--browser", "--no-browser"], arguments].concat());
        let page = login.line(|line| line.starts_with("https://"));
        let query = url::Url::parse(&page).unwrap();
        let form: Vec<_> = query.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let consented = self.post("oauth/authorize", &form);
        let location = consented.head.lines().find_map(|line| line.strip_prefix("location: "));
        let location = location.unwrap_or_else(|| panic!("{} {}", consented.head, consented.body));
        let page = Command::new("curl").args(["-s", "-m", "20", location.trim()]).output().unwrap();
        assert!(String::from_utf8(page.stdout).unwrap().contains("you are logged in"));
        login.end()
    }
}

/// `modgate login` while it waits.
pub(super) struct Login {
    process: Process,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Login {
    pub(super) fn start(developer: &Developer, arguments: &[&str]) -> Self {
        let mut process = Process::start(&mut developer.command("modgate", arguments));
        let stderr = BufReader::new(process.stderr.take().unwrap());
        Self { process, stderr, said: String::new() }
    }

    /// The next line that is so.
    pub(super) fn line(&mut self, is_so: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "it ended: {}", self.said);
            self.said += &line;
            if is_so(line.trim()) {
                return line.trim().to_owned();
            }
        }
    }

    pub(super) fn end(mut self) -> Said {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let said = Said::of(self.process.output());
        Said { stderr: self.said, ..said }
    }
}

const SUBJECT: &str = "user:corp/alice@corp.example";
const NETRC: &str = "# mine\nmachine elsewhere.test login me password mine\n";

#[test]
fn an_approved_device_lets_go_in_until_the_logout() {
    let scene = Scene::new("");
    let developer = Developer::of(&scene.gateway);
    developer.write_netrc(NETRC);
    let login = scene.log_in_by_device(&developer, &["--json"]);
    let report: Value = serde_json::from_str(&login.ok().stdout).unwrap_or_else(|_| panic!("{}", login.stderr));
    assert_eq!((&report["subject"], &report["way"]), (&SUBJECT.into(), &"netrc".into()));
    let netrc = developer.netrc();
    let token = netrc.trim().rsplit(' ').next().unwrap();
    assert!(netrc.starts_with(NETRC) && token.starts_with("mg_"), "{}", login.stderr);
    login.without(token).without("mg_");
    developer.download().ok();
    let who: Value = serde_json::from_str(&developer.modgate(&["whoami", "--json"]).ok().stdout).unwrap();
    assert!(who["subject"] == SUBJECT && who["expires"].is_string(), "{who}");
    // The short-lived pair went when the long-lived one was there.
    let live: Vec<_> = scene.gateway.records().into_iter().filter(|record| record["act"] == "token.revoked").collect();
    assert!(live.len() >= 2, "{live:?}");

    developer.modgate(&["logout"]).ok().without(token);
    assert_eq!(developer.netrc(), NETRC);
    assert_eq!(scene.status(token), 401);
    let asked = scene.upstream.asked();
    developer.download().fails("401 Unauthorized");
    assert_eq!(scene.upstream.asked(), asked, "nothing is fetched for whoever has logged out");
    assert!(developer.modgate(&["logout", &scene.gateway.url()]).ok().stderr.contains("nobody was logged in"));
}

#[test]
fn a_denied_device_is_not_let_in() {
    let scene = Scene::new("");
    let developer = Developer::of(&scene.gateway);
    let mut login = Login::start(&developer, &["login", "--no-browser"]);
    let code = login.line(|line| line.len() == 9 && line.as_bytes()[4] == b'-');
    scene.post("device", &[("user_code", &code), ("decision", "deny")]);
    login.end().fails("denied in the browser");
    assert!(!developer.path(".netrc").exists());
}

#[test]
fn nobody_is_asked_to_approve_what_could_not_be_put_down() {
    let scene = Scene::new("");
    let mut developer = Developer::of(&scene.gateway);
    developer.set("GOENV", "off");
    developer.modgate(&["login", "--no-browser", "--goauth"]).fails("GOENV").without("enter the code");
    developer.unset("GOENV");
    fs::create_dir(developer.path("directory")).unwrap();
    developer.set("NETRC", developer.path("directory").to_str().unwrap());
    developer.modgate(&["login", "--no-browser"]).fails("cannot read").without("enter the code");
    developer.set("NETRC", developer.path("no/where/netrc").to_str().unwrap());
    developer.modgate(&["login", "--no-browser"]).fails("cannot write").without("enter the code");
    let acts: Vec<_> = scene.gateway.records().into_iter().filter(|record| record["act"] == "token.created").collect();
    assert!(acts.is_empty(), "{acts:?}");
}

#[test]
fn a_login_whose_goauth_cannot_be_set_is_undone_here_and_there() {
    let scene = Scene::new("");
    let mut developer = Developer::of(&scene.gateway);
    let path = std::env::var("PATH").unwrap();
    let real = std::env::split_paths(&path).map(|directory| directory.join("go")).find(|go| go.is_file()).unwrap();
    let bin = developer.path("bin");
    fs::create_dir(&bin).unwrap();
    // As where the disk fills up in between: what only looks works, what writes fails.
    let script =
        format!("#!/bin/sh\ncase $2 in -w) echo no space >&2; exit 1;; esac\nexec {} \"$@\"\n", real.display());
    fs::write(bin.join("go"), script).unwrap();
    fs::set_permissions(bin.join("go"), fs::Permissions::from_mode(0o755)).unwrap();
    developer.set("PATH", &format!("{}:{}", bin.display(), developer.variable("PATH")));
    scene.log_in_by_browser(&developer, &["--goauth"]).fails("no space").without("mg_").without("still count");
    let left: Vec<_> = fs::read_dir(developer.path(".config/modgate/wallet")).unwrap().collect();
    assert_eq!(left.len(), 1, "the lock alone: {left:?}");
    let revoked = scene.gateway.records().into_iter().filter(|record| record["act"] == "token.revoked").count();
    assert!(revoked >= 2, "{revoked}");
}

#[test]
fn a_long_download_goes_on_while_the_helper_refreshes() {
    let scene = Scene::new("[tokens]\naccess_lifetime = \"5s\"\n");
    let mut developer = Developer::of(&scene.gateway);
    let mut requires = String::new();
    for number in 0..8 {
        let path = format!("example.test/many{number}");
        scene.upstream.module(&path, "v1.0.0");
        let zip = format!("/{path}/@v/v1.0.0.zip");
        scene.upstream.reply(&zip, Reply::Gated(scene.upstream.body(&zip)));
        requires += &format!("require {path} v1.0.0\n");
    }
    fs::write(developer.path("main/go.mod"), format!("module example.test/main\n\ngo 1.22\n\n{requires}")).unwrap();
    let login = scene.log_in_by_browser(&developer, &["--goauth"]);
    login.ok().without("mg_");
    let set = developer.go(&["env", "GOAUTH"]).ok().stdout.trim().to_owned();
    assert_eq!(set, format!("modgate goauth {};netrc", scene.gateway.url()));
    let wallet = |developer: &Developer| {
        let mut files =
            fs::read_dir(developer.path(".config/modgate/wallet")).unwrap().map(|entry| entry.unwrap().path());
        let file = files.find(|file| file.extension().is_none_or(|end| end != "lock"));
        file.map(|file| serde_json::from_slice::<Value>(&fs::read(file).unwrap()).unwrap())
    };
    let first = wallet(&developer).unwrap()["access"].as_str().unwrap().to_owned();

    // One at a time, so that most of them are still to be asked for when the first token has ended.
    developer.set("GOMAXPROCS", "1");
    let download = Process::start(&mut developer.command("go", &["mod", "download", "-json"]));
    await_that("the first zip to be asked for", || scene.upstream.asked().iter().any(|path| path.ends_with(".zip")));
    await_that("the first token to end", || scene.status(&first) == 401);
    scene.upstream.open_gate();
    let downloaded = Said::of(download.output());
    assert_eq!(downloaded.ok().stdout.matches("\"Zip\"").count(), 8, "{}", downloaded.stdout);
    let second = wallet(&developer).unwrap()["access"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let expired = scene.gateway.records().into_iter().filter(|record| record["reason"] == "token_expired").count();
    println!("{expired} requests with the token that had ended");

    let who = developer.modgate(&["whoami"]);
    assert!(who.ok().stdout.contains(SUBJECT) && who.stdout.contains("modgate goauth"), "{}", who.stdout);
    assert_eq!(developer.modgate(&["doctor"]).ok().stderr, "");
    developer.modgate(&["logout"]).ok().without("mg_");
    assert!(wallet(&developer).is_none());
    assert_eq!(developer.go(&["env", "GOAUTH"]).ok().stdout.trim(), "netrc");
    let _ = fs::remove_dir_all(developer.path("go/pkg/mod"));
    developer.go(&["mod", "download"]).fails("401 Unauthorized");
}

#[test]
fn a_logout_cleans_up_although_the_gateway_is_down_and_says_what_is_left() {
    let scene = Scene::new("");
    let mut developer = Developer::of(&scene.gateway);
    scene.log_in_by_browser(&developer, &["--goauth"]).ok();
    // What the environment says is the person's own to change.
    developer.set("GOAUTH", &format!("modgate goauth {}", scene.gateway.url()));
    let token = scene.gateway.token("alice", &[]);
    developer.modgate_with(&token, &["login", "--token-stdin"]).ok();
    drop(scene.gateway);
    let said = developer.modgate(&["logout"]);
    said.fails("it still counts there").without("mg_");
    assert!(
        said.stderr.contains("unset GOAUTH") && said.stderr.contains("removed `machine localhost:"),
        "{}",
        said.stderr
    );
    assert_eq!(developer.netrc(), "");
    let left: Vec<_> = fs::read_dir(developer.path(".config/modgate/wallet")).unwrap().collect();
    assert_eq!(left.len(), 1, "the lock alone: {left:?}");
}
