//! Bad input of every kind: what people are told, where the mistake is, and that nothing else happens.
//!
//! * `configuration`: files that `check` and `serve` refuse alike, in tables of a mistake and what is said of it;
//! * `ground`: what the configuration names and the server stands on: certificates, directories, databases;
//! * `running`: what reaches a server that runs; the process stays up and the last good stays;
//! * `journal`: damaged lines, as `audit query` reports them.

use crate::gateway::modgate;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};
use tempfile::TempDir;

mod configuration;
mod ground;
mod journal;
mod running;

/// A directory with a configuration, and what it may name: a good policy, a secret, files that are no good.
struct Scene(TempDir);

/// How a command ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

const POLICY: &str = "p, authenticated, public, *, read, allow, -, -\n";

impl Scene {
    fn new() -> Self {
        let scene = Self(TempDir::new().unwrap());
        scene.write("policy.csv", POLICY);
        scene.write("nonsense", "nonsense\n");
        scene.write("empty", "");
        scene.write("two-lines", "a\nb\n");
        scene.write("password", "hunter2\n");
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Runs a command with `configuration` as its file. The name of the file in what is printed is `FILE`.
    fn run(&self, command: &[&str], configuration: &str) -> Ended {
        self.write("modgate.toml", configuration);
        let file = self.path("modgate.toml");
        let mut process = modgate();
        process.args(command).arg("--config").arg(&file).env("GOPROXY", "https://proxy.example").env_remove("GOSUMDB");
        Ended::of(process.output().unwrap(), &file)
    }

    /// What is there beside the files of the scene.
    fn made(&self) -> Vec<String> {
        let known = ["policy.csv", "nonsense", "empty", "two-lines", "password", "modgate.toml"];
        let names = fs::read_dir(self.0.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !known.contains(&name.as_str())).collect()
    }
}

impl Ended {
    fn of(Output { status, stdout, stderr }: Output, file: &Path) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(file.to_str().unwrap(), "FILE");
        let ended = Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended
    }

    /// It failed, with an error that has all of `parts` in it.
    fn refused(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{parts:?}\n{}{}", self.stdout, self.stderr);
        let errors = self.stderr.split("error: ").skip(1);
        assert!(errors.clone().next().is_some(), "no error: {}", self.stderr);
        let said = errors.clone().any(|error| parts.iter().all(|part| error.contains(part)));
        assert!(said, "not in one error: {parts:?}\n{}", self.stderr);
    }
}
