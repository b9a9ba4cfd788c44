//! The Go project's own module scripts (`GOROOT/src/cmd/go/testdata/script`), with modgate between the `go` command and
//! the module proxy that the Go project tests it with.
//!
//! GOROOT is copied, and its test proxy gets two switches from the environment: where to listen, and which GOPROXY the
//! scripts are given. Then the scripts run as they are. `without_gateway.txt` lists those that fail on a machine without
//! a network even when no gateway is involved; `behind_gateway.txt` those that ask the test proxy for something that no
//! gateway can answer, each with that request. Every other script has to pass.

use crate::{
    gateway::{Gateway, free_port},
    process::Process,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const SCRIPTS: &str = "TestScript/^(mod_|sumdb|proxy|get_|list_|download|work_|install_)";
const DATABASE: &str = "localhost.localdev/sumdb+00000c67+AcTrnkbUA+TU4heY3hkjiSES/DSQniBqIeQ/YppAUtK6";
const AT_LEAST: usize = 450;

#[test]
fn the_go_projects_module_scripts_pass_behind_modgate() {
    let suite = Suite::prepare();
    let proxy = suite.start_proxy();
    let upstream = format!("http://127.0.0.1:{}/mod", proxy.port);
    let gateway = Gateway::plain()
        .policy("p, anonymous, *, *, read, allow, -, -\n")
        .config(&format!("[upstream]\nlist = \"{upstream}\"\n[[checksum]]\nkey = \"{DATABASE}\"\nurl = \"{upstream}/sumdb/localhost.localdev/sumdb\"\n"))
        .base("/mod")
        .start();

    let results = suite.run(&gateway.url());
    drop(proxy);

    let listed = |name| listed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go_scripts").join(name));
    let without_gateway = listed("without_gateway.txt");
    let behind_gateway = listed("behind_gateway.txt");
    let unexpected =
        results.failed.iter().filter(|name| !without_gateway.contains(*name) && !behind_gateway.contains(*name));
    let unexpected = unexpected.cloned().collect::<Vec<_>>();
    println!("{} scripts passed behind modgate, {} failed", results.passed, results.failed.len());
    assert!(unexpected.is_empty(), "fail only behind modgate: {unexpected:?}; see {}", suite.log().display());
    assert!(results.passed >= AT_LEAST, "only {} scripts passed; see {}", results.passed, suite.log().display());
}

/// The names in a list: the first word of each line that is no comment.
fn listed(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// A copy of GOROOT whose `cmd/go` tests are built.
struct Suite {
    directory: PathBuf,
}

/// The Go project's test proxy, running.
struct TestProxy {
    _process: Process,
    port: u16,
}

#[derive(Default)]
struct Results {
    passed: usize,
    failed: BTreeSet<String>,
}

impl Suite {
    fn prepare() -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("go-scripts-{}", go_env("GOVERSION")));
        let suite = Self { directory };
        if !suite.binary().exists() {
            let _ = fs::remove_dir_all(&suite.directory);
            fs::create_dir_all(&suite.directory).unwrap();
            let copied = Command::new("cp").arg("-R").arg(go_env("GOROOT")).arg(suite.goroot()).status().unwrap();
            assert!(copied.success(), "GOROOT could not be copied");
            suite.add_switches();
            let built = suite.go(&["test", "-c", "-o"]).arg(suite.binary()).arg(".").status().unwrap();
            assert!(built.success(), "cmd/go's tests do not build");
        }
        suite
    }

    /// The two switches: MODSUITE_LISTEN and MODSUITE_GOPROXY.
    fn add_switches(&self) {
        let file = self.sources().join("proxy_test.go");
        let text = fs::read_to_string(&file).unwrap();
        let text = switch(&text, "addr = \"localhost:0\"", "addr", "MODSUITE_LISTEN");
        let text = switch(&text, "proxyURL = \"http://\" + *proxyAddr + \"/mod\"", "proxyURL", "MODSUITE_GOPROXY");
        fs::write(file, text).unwrap();
    }

    fn start_proxy(&self) -> TestProxy {
        let port = free_port();
        let mut command = Command::new(self.binary());
        command.arg(format!("-proxy=127.0.0.1:{port}")).current_dir(self.sources()).envs(self.environment());
        let process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
        crate::gateway::await_port(port);
        TestProxy { _process: process, port }
    }

    fn run(&self, goproxy: &str) -> Results {
        let log = fs::File::create(self.log()).unwrap();
        let mut command = Command::new(self.binary());
        command.args(["-test.run", SCRIPTS, "-test.parallel", "2", "-test.v", "-test.timeout", "30m"]);
        command.current_dir(self.sources()).envs(self.environment()).env("MODSUITE_GOPROXY", goproxy);
        command.stdout(log.try_clone().unwrap()).stderr(log).status().unwrap();
        let mut results = Results::default();
        for line in String::from_utf8_lossy(&fs::read(self.log()).unwrap()).lines() {
            if line.starts_with("    --- PASS: TestScript/") {
                results.passed += 1;
            } else if let Some(rest) = line.strip_prefix("    --- FAIL: TestScript/") {
                results.failed.extend(rest.split_whitespace().next().map(str::to_owned));
            }
        }
        results
    }

    fn go(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.goroot().join("bin/go"));
        command.args(arguments).current_dir(self.sources()).envs(self.environment());
        command
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let path = format!("{}:{}", self.goroot().join("bin").display(), std::env::var("PATH").unwrap());
        vec![("GOROOT", self.goroot().display().to_string()), ("GOTOOLCHAIN", "local".into()), ("PATH", path)]
    }

    fn goroot(&self) -> PathBuf {
        self.directory.join("goroot")
    }
    fn sources(&self) -> PathBuf {
        self.goroot().join("src/cmd/go")
    }
    fn binary(&self) -> PathBuf {
        self.directory.join("cmd-go.test")
    }
    fn log(&self) -> PathBuf {
        self.directory.join("scripts.log")
    }
}

/// After `assignment` (the only one of its kind), lets an environment variable override what was assigned.
fn switch(text: &str, assignment: &str, variable: &str, environment: &str) -> String {
    assert_eq!(text.matches(assignment).count(), 1, "this Go release's proxy_test.go has another form: {assignment}");
    let by_environment =
        format!("{assignment}\n\t\tif s := os.Getenv(\"{environment}\"); s != \"\" {{\n\t\t\t{variable} = s\n\t\t}}");
    text.replace(assignment, &by_environment)
}

fn go_env(name: &str) -> String {
    let output = Command::new("go").args(["env", name]).output().expect("`go` is needed: https://go.dev/dl");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
