//! What a server stands on: certificates, directories, databases, and what another process has already.

use super::{Ended, Scene};
use crate::gateway::{Gateway, free_port, modgate};
use std::{fs, path::Path};

const HEAD: &str = "data = \"data\"\npolicy.files = [\"policy.csv\"]\n";

/// Both commands refuse, and leave everything as it was.
fn refuse_both(scene: &Scene, text: &str, parts: &[&str]) {
    let before = files(scene.0.path());
    scene.run(&["check"], text).refused(parts);
    assert_eq!(files(scene.0.path()), before, "check leaves no trace");
    scene.run(&["serve"], text).refused(parts.get(1..).unwrap());
}

/// All files below a directory, with what is in them; the configuration left out.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .filter(|path| !path.ends_with("modgate.toml"))
        .flat_map(|path| match path.is_dir() {
            true => files(&path).into_iter().chain([(path.display().to_string(), Vec::new())]).collect(),
            false => vec![(path.display().to_string(), fs::read(&path).unwrap())],
        })
        .collect();
    found.sort();
    found
}

#[test]
fn certificates() {
    let scene = Scene::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    scene.write("good.pem", &made.cert.pem());
    scene.write("good-key.pem", &made.signing_key.serialize_pem());
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    scene.write("other-key.pem", &other.signing_key.serialize_pem());
    for (certificate, key, parts) in [
        ("none.pem", "good-key.pem", ["FILE:4:15: ", "cannot read `", "none.pem`: No such file"]),
        ("nonsense", "good-key.pem", ["FILE:4:15: ", "nonsense`", "certificate"]),
        ("good.pem", "none.pem", ["FILE:5:7: ", "cannot read `", "none.pem`: No such file"]),
        ("good.pem", "empty", ["FILE:5:7: ", "empty`", "private key"]),
        ("good.pem", "other-key.pem", ["FILE:5:7: ", "other-key.pem`", "is not the key of the certificate"]),
    ] {
        let text = format!("{HEAD}[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n");
        refuse_both(&scene, &text, &parts);
    }
    let good = scene.run(&["check"], &format!("{HEAD}[tls]\ncertificate = \"good.pem\"\nkey = \"good-key.pem\"\n"));
    assert_eq!(good.code, Some(0), "{}", good.stderr);
}

#[test]
fn directories_that_cannot_be() {
    let scene = Scene::new();
    let text = "data = \"nonsense/data\"\npolicy.files = [\"policy.csv\"]\n";
    refuse_both(&scene, text, &["FILE:1:8: ", "nonsense/data`"]);
    assert_eq!(scene.run(&["check"], text).stderr.matches("error: ").count(), 1, "what is below it is not told");
    refuse_both(&scene, &format!("{HEAD}[store]\ndir = \"empty\"\n"), &["FILE:4:7: ", "empty`"]);
    let scene = Scene::new();
    refuse_both(&scene, &format!("{HEAD}[audit]\ndir = \"empty/deep/er\"\n"), &["FILE:4:7: ", "empty/deep/er`"]);
}

#[test]
fn a_token_database_that_is_none() {
    for content in ["", "x", "SQLite format 3\0"] {
        let scene = Scene::new();
        fs::create_dir(scene.path("data")).unwrap();
        let bytes = content.repeat(if content.len() == 1 { 4096 } else { 1 });
        scene.write("data/tokens.sqlite", &bytes);
        // An empty file is what a first start that was cut short leaves, which the next one fills.
        let checked = scene.run(&["check"], HEAD);
        if content.is_empty() {
            assert_eq!(checked.code, Some(0), "{}", checked.stderr);
            continue;
        }
        refuse_both(&scene, HEAD, &["FILE:1:8: ", "tokens.sqlite` is damaged", "restore it from a backup"]);
        let listed = scene.run(&["token", "list"], HEAD);
        listed.refused(&["tokens.sqlite` is damaged"]);
        assert_eq!(fs::read(scene.path("data/tokens.sqlite")).unwrap(), bytes.as_bytes(), "it is left alone");
    }
}

#[test]
fn a_head_of_a_checksum_database_that_nobody_signed() {
    let scene = Scene::new();
    fs::create_dir_all(scene.path("data/sumdb/sum.golang.org")).unwrap();
    scene.write("data/sumdb/sum.golang.org/latest", "go.sum database tree\n1\nAAAA\n");
    refuse_both(
        &scene,
        &format!("{HEAD}[[checksum]]\nname = \"sum.golang.org\"\n"),
        &["FILE:1:8: ", "sum.golang.org/latest`"],
    );
}

#[test]
fn beside_a_running_server_a_check_is_good_and_a_second_server_is_not() {
    // The index makes its files when it gets to it.
    let gateway = Gateway::plain().upstream("off").config("[audit]\nindex = false\n").start();
    let token = gateway.token("alice", &[]);
    let before = files(gateway.data());
    let checked = gateway.run(&["check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(files(gateway.data()).len(), before.len());
    assert!(!String::from_utf8_lossy(&checked.stdout).contains(&token));

    let scene = Scene::new();
    let second = |data: &Path, port: u16, store: &Path| {
        let text = format!(
            "data = {data:?}\npolicy.files = [\"policy.csv\"]\n[listen]\naddress = \"127.0.0.1:{port}\"\n\
             [admin]\naddress = \"off\"\n[store]\ndir = {store:?}\n"
        );
        scene.run(&["serve"], &text)
    };
    let (own, theirs) = (scene.path("data"), gateway.data());
    let holder = format!("process {}", gateway.id());
    second(theirs, free_port(), &theirs.join("store")).refused(&["journal", &holder, "hint: ", "`--data DIR`"]);
    second(&own, free_port(), &theirs.join("store")).refused(&["the store `", "in use by another process", "hint: "]);
    second(&own, gateway.port(), &own.join("store")).refused(&["cannot listen on `127.0.0.1:", "another process does"]);
    // What was refused changed nothing for the one that runs.
    assert_eq!(crate::outages::get(&gateway, "/").0, 401);
}

#[test]
fn a_start_that_failed_left_no_record_of_a_server() {
    let scene = Scene::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!("{HEAD}[listen]\naddress = \"{address}\"\n[admin]\naddress = \"off\"\n");
    scene.run(&["serve"], &text).refused(&[&format!("cannot listen on `{address}`"), "hint: "]);
    let queried = scene.run(&["audit", "query", "--json"], &text);
    assert_eq!(queried.stdout, "", "{}", queried.stderr);
}

#[test]
fn a_configuration_that_cannot_be_read() {
    for (path, said) in [("none.toml", "No such file"), (".", "directory")] {
        let scene = Scene::new();
        let mut command = modgate();
        command.args(["check", "--config"]).arg(scene.path(path));
        Ended::of(command.output().unwrap(), Path::new("none"))
            .refused(&["cannot read the configuration file `", said]);
    }
    let scene = Scene::new();
    fs::write(scene.path("latin1.toml"), b"contact = \"\xe9\"\n").unwrap();
    let mut command = modgate();
    command.args(["check", "--config"]).arg(scene.path("latin1.toml"));
    Ended::of(command.output().unwrap(), Path::new("none")).refused(&["latin1.toml`", "UTF-8"]);
}
