//! A real browser: Chromium, driven by `playwright-core`, ended with the test.

use crate::issuer::install;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

/// Where Debian has it, and others may.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A running browser with one page.
pub(crate) struct Browser {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts one, with a profile of its own.
    pub(crate) fn start() -> Self {
        static ONCE: OnceLock<PathBuf> = OnceLock::new();
        let installed = ONCE.get_or_init(|| install("browser"));
        let found = CHROMIUM.iter().find_map(|name| {
            let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap();
            found.status.success().then(|| String::from_utf8(found.stdout).unwrap().trim().to_owned())
        });
        let chromium = found.expect("`chromium` is needed: apt-get install chromium");
        let mut node = Command::new("node");
        node.arg(installed.join("drive.mjs")).arg(chromium).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = node.spawn().expect("`node` is needed: apt-get install nodejs");
        let (commands, answers) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, commands, answers }
    }

    /// Does one thing and looks at the page; `browser/drive.mjs` lists what there is.
    pub(crate) fn does(&mut self, command: &Value) -> Value {
        writeln!(self.commands.as_mut().unwrap(), "{command}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{command}: the browser ended"));
        assert!(answer["failed"].is_null(), "{command}: {answer}");
        answer
    }

    /// Opens a URL.
    pub(crate) fn opens(&mut self, url: &str) -> Value {
        self.does(&json!({"goto": url}))
    }

    /// Presses a button or follows a link by its name.
    pub(crate) fn clicks(&mut self, name: &str) -> Value {
        self.does(&json!({"click": name}))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its end of input has the driver close the browser, with all its processes.
        drop(self.commands.take());
        let _ = self.process.wait();
    }
}
