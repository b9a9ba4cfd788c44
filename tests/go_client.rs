//! The real `go` command as a developer has it on a fresh machine: a home and a module cache of its own, a netrc.

use crate::gateway::Gateway;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// A developer's machine.
pub(crate) struct GoClient {
    home: TempDir,
    environment: Vec<(String, String)>,
}

impl GoClient {
    /// Points GOPROXY at a gateway, with a token in the netrc where one is given. The checksum database is off.
    pub(crate) fn of(gateway: &Gateway, token: Option<&str>) -> Self {
        let home = TempDir::new().unwrap();
        let netrc = home.path().join("netrc");
        if let Some(token) = token {
            let line = format!("machine localhost:{} login modgate password {token}\n", gateway.port());
            fs::write(&netrc, line).unwrap();
        }
        let mut client = Self { home, environment: Vec::new() };
        client.set("GOPROXY", &gateway.url());
        client.set("NETRC", &netrc.display().to_string());
        client.set("SSL_CERT_FILE", &gateway.certificate().display().to_string());
        client.set("GOSUMDB", "off");
        client.set("GOFLAGS", "-mod=mod -modcacherw");
        client.set("GOTOOLCHAIN", "local");
        client.set("GOENV", "off");
        let module = client.directory();
        fs::create_dir(&module).unwrap();
        fs::write(module.join("go.mod"), "module example.test/main\n\ngo 1.22\n").unwrap();
        client
    }

    /// Sets an environment variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(set, _)| set != name);
        self.environment.push((name.into(), value.into()));
    }

    /// The main module's directory.
    pub(crate) fn directory(&self) -> PathBuf {
        self.home.path().join("main")
    }

    /// Runs `go` in the main module.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let home = |name: &str| self.home.path().join(name);
        let mut command = Command::new("go");
        command.args(arguments).current_dir(self.directory());
        command.env("HOME", self.home.path()).env("GOPATH", home("go")).env("GOCACHE", home("cache"));
        command.env("GOMODCACHE", self.module_cache()).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.output().expect("`go` is needed: https://go.dev/dl")
    }

    /// Runs `go`, which must succeed; its standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "go {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `go`, which must fail; what it prints on standard error.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "go {arguments:?} succeeded");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Empties the module cache.
    pub(crate) fn forget(&self) {
        let _ = fs::remove_dir_all(self.module_cache());
    }

    /// Where `go` keeps what it saw of checksum databases.
    pub(crate) fn sumdb_cache(&self) -> PathBuf {
        self.module_cache().join("cache/download/sumdb")
    }

    fn module_cache(&self) -> PathBuf {
        Path::new(self.home.path()).join("modcache")
    }
}
