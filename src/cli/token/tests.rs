//! `modgate token` from its arguments to what it prints, on a real ledger.

use std::path::PathBuf;

use auth::{Rejection, Tokens};
use clap::Parser;

use super::*;

#[derive(Parser)]
#[command(no_binary_name = true)]
struct Program {
    #[command(flatten)]
    token: TokenArgs,
}

/// What a run left behind.
struct Run {
    output: String,
    hints: String,
    result: Result<(), TokenCommandError>,
}

/// A ledger in a directory of its own, and whether the streams lead to terminals.
struct Desk {
    directory: tempfile::TempDir,
    on_terminal: bool,
    hinting: bool,
    seed: std::cell::Cell<u8>,
}

impl Desk {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), on_terminal: false, hinting: false, seed: 0.into() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("tokens.db")
    }

    fn run(&self, line: &str) -> Run {
        let (mut output, mut hints) = (Vec::new(), Vec::new());
        let result = self.run_into(line, &mut output, &mut hints);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { output: text(output), hints: text(hints), result }
    }

    fn run_into(&self, line: &str, output: &mut dyn Write, hints: &mut dyn Write) -> Result<(), TokenCommandError> {
        let args = Program::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}")).token;
        self.seed.set(self.seed.get() + 1);
        let random = || Ok(Zeroizing::new([self.seed.get(); RANDOM_BYTES]));
        let mut streams = Streams { output, on_terminal: self.on_terminal, hints, hinting: self.hinting };
        execute(args, &self.path(), now(), random, &mut streams)
    }

    fn create(&self, line: &str) -> String {
        let run = self.run(&format!("create {line}"));
        run.result.unwrap();
        run.output.trim_end().to_owned()
    }

    fn verify(&self, token: &str) -> Result<String, Rejection> {
        let tokens = Tokens::open(&self.path()).unwrap();
        tokens.verify(token, now()).map(|principal| principal.identities().collect::<Vec<_>>().join(" "))
    }

    fn json(&self, line: &str) -> serde_json::Value {
        let run = self.run(line);
        run.result.unwrap();
        serde_json::from_str(&run.output).unwrap()
    }
}

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Clap's exit code and text for arguments that must not parse.
fn refusal(line: &str) -> (i32, String) {
    let error = Program::try_parse_from(line.split(' ')).err().unwrap();
    (error.exit_code(), error.to_string())
}

#[test]
fn create_prints_the_token_alone_and_it_is_good() {
    let desk = Desk::new();
    let run = desk.run("create alice --group dev --group ops");
    run.result.unwrap();
    assert_eq!(run.hints, "", "no terminal, no hints");
    assert_eq!(run.output.lines().count(), 1);
    let names = desk.verify(run.output.trim_end()).unwrap();
    assert_eq!(names, "user:token/alice authenticated group:token/dev group:token/ops");
}

#[test]
fn a_machine_has_a_subject_of_its_own() {
    let desk = Desk::new();
    let token = desk.create("build-7 --ci");
    assert_eq!(desk.verify(&token).unwrap(), "ci:token/build-7 authenticated");
}

#[test]
fn on_a_terminal_the_netrc_line_can_be_pasted() {
    let desk = Desk { on_terminal: true, hinting: true, ..Desk::new() };
    let run = desk.run("create alice");
    let token = run.output.trim_end();
    assert!(run.hints.contains(&format!("machine HOST:PORT login alice password {token}\n")), "{}", run.hints);
    assert!(run.hints.contains("good until 2026-05-30 12:00 UTC"), "90 days unless asked: {}", run.hints);
}

/// `modgate token create alice > file`, typed at a terminal.
#[test]
fn a_token_that_is_piped_away_is_not_on_the_screen() {
    let desk = Desk { hinting: true, ..Desk::new() };
    let run = desk.run("create alice --expires never");
    assert!(run.hints.contains("login alice password TOKEN\n") && run.hints.contains("good for ever"), "{}", run.hints);
    assert!(!run.hints.contains("mg_"), "{}", run.hints);
}

#[test]
fn json_has_all_of_it_and_the_secret_only_once() {
    let desk = Desk::new();
    let created = desk.json("create alice --group dev --scope read --note laptop --expires 2026-12-31 --json");
    let mut expected = serde_json::json!({
        "id": created["id"], "subject": "user:token/alice", "groups": ["group:token/dev"],
        "scope": "read", "note": "laptop", "purpose": "access", "state": "live",
        "created": "2026-03-01T12:00:00Z", "expires": "2027-01-01T00:00:00Z", "last_used": null, "revoked": null,
    });
    assert_eq!(desk.json("list --json"), serde_json::json!([expected]));
    expected["token"] = created["token"].clone();
    assert_eq!(created, expected);
    desk.verify(created["token"].as_str().unwrap()).unwrap();
}

#[test]
fn list_shows_what_is_good_and_all_shows_the_rest() {
    let desk = Desk::new();
    desk.create("alice --note x");
    let bob = desk.create("bob --group dev");
    desk.run(&format!("revoke {bob}")).result.unwrap();
    let short = desk.run("list").output;
    assert_eq!(short.lines().count(), 2, "{short}");
    assert!(short.starts_with("ID ") && short.contains(" user:token/alice ") && !short.contains("bob"), "{short}");
    let long = desk.run("list --all").output;
    assert!(long.contains("revoked 2026-03-01"), "{long}");
    assert_eq!(long.lines().count(), 3, "one line a token however wide: {long}");
    assert!(!long.contains("mg_") && !long.contains('\u{1b}'), "{long}");
}

#[test]
fn an_empty_list_is_a_header_and_on_a_terminal_a_hint() {
    let desk = Desk { hinting: true, ..Desk::new() };
    desk.create("alice");
    desk.run("revoke --name alice").result.unwrap();
    let run = desk.run("list");
    assert_eq!(run.output.lines().count(), 1);
    assert!(run.hints.contains("--all"), "{}", run.hints);
    assert_eq!(desk.json("list --json"), serde_json::json!([]));
}

#[test]
fn revoke_takes_an_id_a_token_or_a_name() {
    let desk = Desk::new();
    let (one, two, three) = (desk.create("alice"), desk.create("alice --ci"), desk.create("bob"));
    let id = one.get(3..15).unwrap();
    let run = desk.run(&format!("revoke {id}"));
    assert_eq!(run.output, format!("revoked {id} user:token/alice\n"));
    assert!(matches!(desk.verify(&one), Err(Rejection::Revoked { .. })));
    desk.verify(&two).unwrap();
    desk.run("revoke --name alice").result.unwrap();
    assert!(matches!(desk.verify(&two), Err(Rejection::Revoked { .. })));
    desk.verify(&three).unwrap();
    desk.run(&format!("revoke {}", three.get(..30).unwrap())).result.unwrap();
    assert!(matches!(desk.verify(&three), Err(Rejection::Revoked { .. })));
}

#[test]
fn revoking_what_is_not_there_fails() {
    let desk = Desk::new();
    desk.create("alice");
    for (line, text) in [("revoke 000000000000", "`000000000000`"), ("revoke --name bob", "`bob`")] {
        let error = desk.run(line).result.unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn only_create_makes_a_ledger() {
    let desk = Desk::new();
    for line in ["list", "revoke --name alice"] {
        let error = desk.run(line).result.unwrap_err();
        assert!(matches!(error, TokenCommandError::Ledger(LedgerError::Missing { .. })), "{error}");
        assert!(!desk.path().exists());
    }
}

#[test]
fn a_day_that_is_over_makes_no_token_and_exits_2() {
    let desk = Desk::new();
    let error = desk.run("create alice --expires 2026-02-28").result.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(!desk.path().exists());
}

#[test]
fn senseless_arguments_exit_2_and_say_why() {
    for (line, text) in [
        ("create", "<NAME>"),
        ("create a/b", "`/` at character 2"),
        ("create alice --group a,b", "`,` at character 2"),
        ("create alice --expires soon", "90d"),
        ("create alice --note \u{1b}", "\\u{1b}"),
        ("revoke", "<ID|--name <NAME>|--owner <SUBJECT>>"),
        ("list --owner alice", "user:ISSUER/NAME"),
        ("revoke x", "12 letters and digits"),
        ("revoke 000000000000 --name x", "cannot be used with"),
    ] {
        let (code, message) = refusal(line);
        assert_eq!(code, 2, "{line}");
        assert!(message.contains(text), "{line}: {message}");
    }
}

/// A disk that is full, or a reader that is gone.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_token_that_could_not_be_printed_is_revoked() {
    let desk = Desk::new();
    for line in ["create alice", "create bob --json"] {
        let error = desk.run_into(line, &mut Broken, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, TokenCommandError::Unprinted { .. }), "{error}");
    }
    assert_eq!(desk.json("list --json"), serde_json::json!([]));
    let states: Vec<_> =
        desk.json("list --all --json").as_array().unwrap().iter().map(|row| row["state"].clone()).collect();
    assert_eq!(states, ["revoked", "revoked"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let desk = Desk::new();
    desk.create("alice");
    for line in ["list", "list --json"] {
        desk.run_into(line, &mut Broken, &mut Vec::new()).unwrap();
    }
}
