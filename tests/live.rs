//! The little that only reality shows: odd public modules through the machine's own upstream, the public checksum
//! database on, then once more with the upstream cut off.
//!
//! An upstream may refuse some modules (a mirror with rules of its own). One that fails is forgiven only if the upstream
//! refuses it to everybody, and enough must be left.

use crate::{
    gateway::{Gateway, free_port},
    go_client::GoClient,
    upstream::escape,
};
use serde_json::{Deserializer, Value};
use std::{collections::BTreeMap, fs, process::Command};
use tempfile::TempDir;

const MODULES: &str = include_str!("live/modules.txt");
/// So many have to come.
const ENOUGH: usize = 60;

#[test]
fn odd_public_modules_verify_and_again_with_the_upstream_cut_off() {
    let data = TempDir::new().unwrap();
    let modules = MODULES.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();

    let upstream = go_env("GOPROXY");
    let gateway = Gateway::tls().data(data.path()).upstream(&upstream).config(&checksum()).start();
    let token = gateway.token("developer", &[]);
    let mut first = download(&gateway, &token, &modules);
    drop(gateway);
    first.retain(|module, got| match got {
        Ok(_) => true,
        Err(error) => {
            assert!(is_refused(&upstream, module), "{module}: {error}");
            println!("{module}: the upstream refuses it");
            false
        }
    });
    assert!(first.len() >= ENOUGH, "{} of {} modules came", first.len(), modules.len());

    let nobody = format!("http://127.0.0.1:{}", free_port());
    let gateway = Gateway::tls().data(data.path()).upstream(&nobody).config(&checksum()).start();
    let modules = first.keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(download(&gateway, &token, &modules), first);
}

/// What came of each module: the sums that the client verified, of the zip and of the go.mod, or its error.
fn download(gateway: &Gateway, token: &str, modules: &[&str]) -> BTreeMap<String, Result<[String; 2], String>> {
    let mut client = GoClient::of(gateway, Some(token));
    client.set("GOSUMDB", &go_env("GOSUMDB"));
    let output = client.run(&[&["mod", "download", "-json"], modules].concat());
    let told = Deserializer::from_slice(&output.stdout).into_iter::<Value>().map(Result::unwrap);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_module = |told: Value| {
        let got = match &told["Error"] {
            Value::Null => Ok([text(&told["Sum"]), text(&told["GoModSum"])]),
            error => Err(text(error)),
        };
        (format!("{}@{}", text(&told["Path"]), text(&told["Version"])), got)
    };
    let got = told.map(of_module).collect::<BTreeMap<_, _>>();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(modules.iter().all(|module| got.contains_key(*module)), "go told nothing of a module\n{errors}");
    let database = fs::read_dir(client.sumdb_cache()).expect("the checksum database was not used");
    assert!(database.count() > 0);
    got
}

/// Whether the upstream itself, asked directly, refuses a file of the module.
fn is_refused(upstream: &str, module: &str) -> bool {
    let (path, version) = module.split_once('@').unwrap();
    let first = upstream.split([',', '|']).next().unwrap();
    let status = |kind| {
        let url = format!("{first}/{}/@v/{}.{kind}", escape(path), escape(version));
        let mut curl = Command::new("curl");
        let output = curl.args(["-sL", "-m", "60", "-o", "/dev/null", "-w", "%{http_code}", &url]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    ["info", "mod", "zip"].into_iter().any(|kind| ["401", "403", "451"].contains(&status(kind).as_str()))
}

fn checksum() -> String {
    format!("[[checksum]]\nname = \"{}\"\n", go_env("GOSUMDB"))
}

fn go_env(name: &str) -> String {
    let output = Command::new("go").args(["env", name]).output().expect("`go` is needed: https://go.dev/dl");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
