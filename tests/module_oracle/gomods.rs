//! go.mod files: what they declare, and their hash.

use super::{enough, texts};
use crate::oracle_process::ask;
use base64::{Engine, engine::general_purpose::STANDARD};
use modgate::module::{H1, gomod};
use serde_json::json;

#[test]
fn gomods() {
    let pieces = [
        "module",
        "module ",
        "modules ",
        "example.com/a",
        "a",
        "\"a.b/c\"",
        "`a`",
        "\n",
        "\n",
        "\r\n",
        " ",
        "\t",
        "// x",
        "//",
        "(",
        ")",
        "(\n",
        ")\n",
        "go 1.20\n",
        "require a.b/c v1.0.0\n",
        "\"",
        "a\\b",
        "\u{feff}",
        "\0",
        "<html>",
        "{}",
        "é",
    ];
    let table = [
        "",
        "module a\n",
        "module a",
        "module \"a\"\n",
        "module (\na\n)\n",
        "module a b\n",
        "module a\nmodule b\n",
        "\u{feff}module a\n",
        "<html>",
        "// only\n",
        "go 1.20\n",
    ];
    let texts = texts(&table, &["module a", "module \"a\"", "// x\nmodule a.b/c"], &pieces, 4, 22);
    let requests =
        |op: &str| -> Vec<_> { texts.iter().map(|text| json!({"op": op, "bytes": STANDARD.encode(text)})).collect() };
    let (mut accepted, mut hashes) = (0, ask(&requests("gomodhash")).into_iter());
    for (text, answer) in texts.iter().zip(ask(&requests("gomodpath"))) {
        assert_eq!(Some(H1::of_gomod(text.as_bytes()).to_string()), hashes.next().map(|hash| hash.out));
        // Ours may let pass what go cannot read, and refuses nothing that go can, but web pages and
        // data, and a parenthesis for a path.
        let Some(path) = answer.accepted().filter(|path| !path.is_empty() && !path.contains(['(', ')'])) else {
            continue;
        };
        accepted += 1;
        let ours = gomod::declared_path(text.as_bytes());
        if ours == Err(gomod::GoModError::Foreign) {
            assert!(text.trim_start().starts_with(['<', '{']), "{text:?}");
            continue;
        }
        assert_eq!(ours.as_deref(), Ok(path), "{text:?}");
    }
    enough(accepted, texts.len());
}
