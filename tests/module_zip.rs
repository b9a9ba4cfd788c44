//! Module zips, good and bad, judged by modgate and by `golang.org/x/mod`: the same verdict and the same h1.

mod contents;
mod damage;
mod ends;
mod names;
mod whole;

use crate::oracle_process::ask;
use crate::zip_forge::{Ending, Entry, archive};
use modgate::module::{ModulePath, Version, zip};
use serde_json::json;

const PATH: &str = "example.com/a";
const VERSION: &str = "v1.0.0";

/// A zip, what it is about, and whether it must be accepted.
struct Case {
    about: &'static str,
    good: bool,
    bytes: Vec<u8>,
}

fn case(about: &'static str, good: bool, entries: &[Entry]) -> Case {
    ended(about, good, entries, &Ending::default())
}

fn ended(about: &'static str, good: bool, entries: &[Entry], ending: &Ending) -> Case {
    Case { about, good, bytes: archive(entries, ending) }
}

/// A name in the module.
fn at(name: &str) -> String {
    format!("{PATH}@{VERSION}/{name}")
}

fn gomod() -> Entry {
    Entry::file(at("go.mod"), "module example.com/a\n")
}

fn file(name: &str) -> Entry {
    Entry::file(at(name), format!("// {name}\n").repeat(40))
}

/// Entries for directories are no files, but `go` hashes them.
fn directory(name: &str) -> Entry {
    Entry::stored(at(name), "")
}

fn good_entries() -> Vec<Entry> {
    vec![gomod(), file("b/c.go"), Entry::stored(at("LICENSE"), "free"), file("a.go"), file("größe/世.go")]
}

#[test]
fn verdicts_and_hashes_are_those_of_x_mod() {
    let cases: Vec<Case> = [whole::good(), whole::none(), ends::cases(), names::cases(), contents::cases()]
        .into_iter()
        .flatten()
        .collect();
    let zips: Vec<&[u8]> = cases.iter().map(|case| case.bytes.as_slice()).collect();
    let verdicts = compare(&zips, |index| cases[index].about.to_owned());
    for (case, accepted) in cases.iter().zip(verdicts) {
        assert_eq!(accepted, case.good, "{}", case.about);
    }
}

#[test]
fn versions_must_belong_to_the_path() {
    let dir = tempfile::tempdir().unwrap();
    for (path, version) in
        [("example.com/a", "v2.0.0"), ("example.com/a", "v2.0.0+incompatible"), ("example.com/a/v2", "v2.1.0")]
    {
        let zip = archive(&[Entry::file(format!("{path}@{version}/a.go"), "package a\n")], &Ending::default());
        let file = dir.path().join("zip");
        std::fs::write(&file, &zip).unwrap();
        let judged = &ask(&[json!({"op": "checkzip", "file": file, "a": path, "b": version})])[0];
        assert_eq!(h1(&zip, path, version).ok().as_deref(), judged.accepted(), "{path}@{version}: {judged:?}");
    }
}

/// Compares both verdicts and hashes on every zip, and returns which ones were accepted.
fn compare(zips: &[&[u8]], about: impl Fn(usize) -> String) -> Vec<bool> {
    let dir = tempfile::tempdir().unwrap();
    let mut requests = Vec::new();
    for (index, bytes) in zips.iter().enumerate() {
        let file = dir.path().join(index.to_string());
        std::fs::write(&file, bytes).unwrap();
        requests.push(json!({"op": "checkzip", "file": file, "a": PATH, "b": VERSION}));
    }
    let answers = ask(&requests);
    let mut verdicts = Vec::new();
    for (index, (bytes, answer)) in zips.iter().zip(&answers).enumerate() {
        let ours = judge(bytes);
        assert_eq!(ours.as_deref().ok(), answer.accepted(), "{}: {ours:?}, but x/mod says {answer:?}", about(index));
        verdicts.push(answer.ok);
    }
    verdicts
}

fn h1(bytes: &[u8], path: &str, version: &str) -> Result<String, zip::ZipError> {
    let (path, version) = (ModulePath::parse(path).unwrap(), Version::parse(version).unwrap());
    zip::check(bytes, bytes.len() as u64, &path, &version).map(|checked| checked.h1.to_string())
}

fn judge(bytes: &[u8]) -> Result<String, zip::ZipError> {
    h1(bytes, PATH, VERSION)
}

#[test]
fn what_is_found_in_a_good_zip() {
    let bytes = archive(&good_entries(), &Ending::default());
    let (path, version) = (ModulePath::parse(PATH).unwrap(), Version::parse(VERSION).unwrap());
    let mut temporary = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut temporary, &bytes).unwrap();
    let checked = zip::check(&temporary, bytes.len() as u64, &path, &version).unwrap();
    assert_eq!(checked.gomod, Some(modgate::module::H1::of_gomod(b"module example.com/a\n")));
    assert_eq!((checked.files, checked.unpacked > 500), (5, true));
    let without = archive(&[file("a.go")], &Ending::default());
    assert_eq!(zip::check(without.as_slice(), without.len() as u64, &path, &version).unwrap().gomod, None);
}
