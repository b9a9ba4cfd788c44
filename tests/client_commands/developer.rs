//! A developer's machine on which nothing but the tests' own is set.

use crate::{
    gateway::{Gateway, Plan},
    process::Process,
    upstream::Upstream,
};
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// The module that is fetched.
pub(super) const MODULE: &str = "example.test/lib";

/// A gateway over TLS before an upstream with one module.
pub(super) fn gateway() -> (Plan, Upstream) {
    let upstream = Upstream::start();
    upstream.module(MODULE, "v1.0.0");
    (Gateway::tls().upstream(&upstream.url()), upstream)
}

/// A home, and the environment of whoever is at home there.
pub(super) struct Developer {
    home: TempDir,
    variables: BTreeMap<String, String>,
}

/// What a command said.
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Developer {
    /// With GOPROXY and SSL_CERT_FILE for a gateway.
    pub(super) fn of(gateway: &Gateway) -> Self {
        let home = TempDir::new().unwrap();
        fs::create_dir(home.path().join("main")).unwrap();
        fs::write(home.path().join("main/go.mod"), "module example.test/main\n\ngo 1.22\n").unwrap();
        let mut developer = Self { home, variables: BTreeMap::new() };
        let bin = Path::new(env!("CARGO_BIN_EXE_modgate")).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        for (name, value) in [
            ("PATH", path),
            ("HOME", developer.home.path().display().to_string()),
            ("GOPROXY", gateway.url()),
            ("GONOSUMDB", "example.test".into()),
            ("GOTOOLCHAIN", "local".into()),
            ("GOFLAGS", "-modcacherw".into()),
            ("SSL_CERT_FILE", gateway.certificate().display().to_string()),
        ] {
            developer.set(name, &value);
        }
        developer
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.into(), value.into());
    }

    pub(super) fn variable(&self, name: &str) -> &str {
        &self.variables[name]
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    pub(super) fn write_netrc(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::write(self.path(".netrc"), text).unwrap();
        fs::set_permissions(self.path(".netrc"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(super) fn netrc(&self) -> String {
        fs::read_to_string(self.path(".netrc")).unwrap()
    }

    /// A command at home, in the main module.
    pub(super) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(&self.variables).current_dir(self.path("main"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `modgate` with these arguments.
    pub(super) fn modgate(&self, arguments: &[&str]) -> Said {
        Said::of(self.command("modgate", arguments).output().unwrap())
    }

    /// `modgate` with something on standard input.
    pub(super) fn modgate_with(&self, input: &str, arguments: &[&str]) -> Said {
        let mut child = Process::start(self.command("modgate", arguments).stdin(Stdio::piped()));
        // It may have ended without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Said::of(child.output())
    }

    /// `go` with these arguments.
    pub(super) fn go(&self, arguments: &[&str]) -> Said {
        Said::of(self.command("go", arguments).output().expect("`go` is needed: https://go.dev/dl"))
    }

    /// Downloads the module into an empty cache.
    pub(super) fn download(&self) -> Said {
        let _ = fs::remove_dir_all(self.path("go/pkg/mod"));
        self.go(&["mod", "download", &format!("{MODULE}@v1.0.0")])
    }
}

impl Said {
    pub(super) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// It worked.
    #[track_caller]
    pub(super) fn ok(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// It failed and said this.
    #[track_caller]
    pub(super) fn fails(&self, text: &str) -> &Self {
        assert!(self.code == Some(1) && self.stderr.contains(text), "{:?} {}\n{}", self.code, self.stdout, self.stderr);
        self
    }

    /// Nothing of what it said is this.
    #[track_caller]
    pub(super) fn without(&self, secret: &str) -> &Self {
        assert!(!self.stdout.contains(secret) && !self.stderr.contains(secret), "{}\n{}", self.stdout, self.stderr);
        self
    }
}
