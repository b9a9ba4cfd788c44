//! What is on disk in forward mode, what readiness and metrics say, and what the configuration has to.

use super::{OPEN, ZIP, ask, before, open};
use crate::{
    curl::admin,
    gateway::{Gateway, modgate},
    upstream::Upstream,
};
use std::{collections::BTreeSet, fs};

#[test]
fn nothing_is_kept_but_records_tokens_and_what_checksum_databases_said() {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    let gateway = open(&upstream);
    gateway.token("alice", &[]);
    for _ in 0..2 {
        for path in [ZIP, "/example.test/lib/@v/list", "/example.test/lib/@v/v1.0.0.mod"] {
            assert_eq!(ask(&gateway, path, &[]).status, 200);
        }
    }
    let names = fs::read_dir(gateway.data()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let other = names.filter(|name| name != "audit" && name != "sumdb" && !name.starts_with("tokens.sqlite"));
    assert_eq!(other.collect::<BTreeSet<_>>(), BTreeSet::new());
    assert_eq!(upstream.asked().len(), 6);

    let ready = admin(&gateway, "/readyz");
    assert!(ready.contains("\"ready\":true,\"reasons\":[]") && !ready.contains("store"), "{ready}");
    let metrics = admin(&gateway, "/metrics");
    assert!(!metrics.contains("modgate_store_"), "there is no store: {metrics}");
    assert!(metrics.contains("kind=\"zip\",status=\"2xx\",decision=\"allow\",cache=\"forwarded\"} 2\n"), "{metrics}");
}

#[test]
fn a_check_says_what_is_behind_and_what_has_no_effect() {
    let upstream = Upstream::start();
    let more = "[store]\ndir = \"/dev/null/nowhere\"\nmemory = \"1MiB\"\n";
    let gateway = before(Gateway::plain().policy(OPEN), &upstream.url()).config(more).start();
    let checked = gateway.run(&["check"]);
    let (out, err) = (String::from_utf8(checked.stdout).unwrap(), String::from_utf8(checked.stderr).unwrap());
    assert!(checked.status.success(), "{err}");
    let behind = format!("forward mode: nothing is kept, the store behind is {} (by ", upstream.url());
    assert!(out.contains(&behind) && out.contains("is not told who asks"), "{out}");
    for key in ["store.dir", "store.memory"] {
        assert!(err.contains(&format!("`{key}` is without effect in forward mode")), "{err}");
    }
    let json: serde_json::Value = serde_json::from_slice(&gateway.run(&["check", "--json"]).stdout).unwrap();
    assert_eq!(json["in_force"]["mode"], "forward", "{json:#}");
}

#[test]
fn the_environment_can_say_it_all() {
    let data = tempfile::tempdir().unwrap();
    let check = |variables: &[(&str, &str)]| {
        let mut command = modgate();
        command.arg("check").env("MODGATE_DATA", data.path()).env("GOPROXY", "https://proxy.example");
        let output = command.env("GOSUMDB", "off").envs(variables.iter().copied()).output().unwrap();
        (
            output.status.success(),
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        )
    };
    let (good, said) = check(&[("MODGATE_MODE", "forward"), ("MODGATE_UPSTREAM", "https://athens.corp.example")]);
    assert!(good && said.contains("the store behind is https://athens.corp.example (by MODGATE_UPSTREAM)"), "{said}");
    let (good, said) = check(&[("MODGATE_MODE", "forward")]);
    assert!(!good && said.contains("MODGATE_MODE: `mode` is \"forward\", and `upstream.list` does not say"), "{said}");
    assert!(said.contains("what GOPROXY says is not taken for it"), "{said}");
}
