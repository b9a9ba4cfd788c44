//! Versions and queries.

use super::paths::{PATH_PIECES, PATHS};
use super::{GENERATED, ask_each, enough, texts};
use crate::dice::Dice;
use crate::oracle_process::ask;
use modgate::module::{ModulePath, Query, Version};
use serde_json::json;
use std::cmp::Ordering;

pub(super) const VERSIONS: &[&str] = &[
    "",
    "v",
    "v1",
    "v1.2",
    "v1.2.3",
    "1.2.3",
    "V1.2.3",
    "v01.2.3",
    "v1.02.3",
    "v1.2.03",
    "v0.0.0",
    "v1.2.3-",
    "v1.2.3+",
    "v1.2.3-a",
    "v1.2.3-A",
    "v1.2.3-0",
    "v1.2.3-01",
    "v1.2.3-0a",
    "v1.2.3-a.b",
    "v1.2.3-a..b",
    "v1.2.3-.a",
    "v1.2.3-a.",
    "v1.2.3--",
    "v1.2.3-a_b",
    "v1.2.3+a",
    "v1.2.3+01",
    "v1.2.3+a..b",
    "v1.2.3-a+b",
    "v1.2.3+a-b",
    "v1.2.3+incompatible",
    "v1.2.3-a+incompatible",
    "v1.2.3+incompatible.1",
    "v1.2-a",
    "v1-a",
    "v1.2.3.4",
    "v99999999999999999999999.0.0",
    "v1.2.3 ",
    "v0.0.1-go1.25.1.linux-amd64",
    "v0.0.0-20191109021931-daa7c04131f5",
    "v0.0.0-20191109021931-daa7c04131f5+incompatible",
    "v0.0.1-20191109021931-daa7c04131f5",
    "v1.0.0-20191109021931-daa7c04131f5",
    "v1.2.4-0.20191109021931-daa7c04131f5",
    "v1.2.3-pre.0.20191109021931-daa7c04131f5",
    "v1.2.3-pre-0.20191109021931-daa7c04131f5",
    "v1.2.3-0.0.20191109021931-daa7c04131f5",
    "v1.2.3-0.20191109021931-daa7-c04131f5",
    "v1.2.3-0.20191109021931-",
    "v1.2.3-0.2019110902193-daa7",
    "v1.2.3-0.201911090219311-daa7",
    "v1.2.3-0.99999999999999-daa7",
    "v1.2.3-0.20190229000000-a",
    "v1.2.3-0.20200229235959-a",
    "v1.2.3-0.20200229235960-a",
    "v1.2.3-0.20200229240000-a",
    "v1.2.3-0.00000000000000-a",
    "v1.2.3-0.00010101000000-000000000000",
    "v2.0.0-a.0.20200101000000-A1+incompatible",
    "main",
    "HEAD",
    "latest",
    "feature/x",
    "a!b",
    "!main",
    "!!main",
    "é",
    "a b",
    "a%b",
    "..",
    ".",
    "a.",
    ".a",
    "con",
    "nul.x",
    "a:b",
    "a<b",
    "a~1",
    "a\u{0}",
];

const VERSION_PIECES: &[&str] = &[
    "v",
    "v1",
    "v1.2.3",
    "v0.0.0",
    "v2.0.1",
    "0",
    "1",
    "10",
    "00",
    ".",
    ".",
    "-",
    "-",
    "+",
    "a",
    "rc",
    "RC",
    "!r",
    "!",
    "-0.",
    ".0.",
    "pre",
    "20200101000000",
    "20201301000000",
    "-20200101000000-abcdef",
    "+incompatible",
    "incompatible",
    "_",
    " ",
    "é",
    "/",
];

fn version_texts(seed: u64) -> Vec<String> {
    let beginnings = ["v1.2.3", "v1.2.3-", "v0.0.0-2020010100000", "v1.0.0-0.20200101000000-"];
    texts(VERSIONS, &beginnings, VERSION_PIECES, 3, seed)
}

/// Those of the texts that are versions.
fn some_versions(seed: u64) -> Vec<Version> {
    version_texts(seed).iter().filter_map(|text| Version::parse(text).ok()).collect()
}

#[test]
fn versions() {
    let texts = version_texts(11);
    let parsed: Vec<Option<Version>> = texts.iter().map(|text| Version::parse(text).ok()).collect();
    let answers = |op| ask_each(op, &texts);
    let (mut accepted, mut pseudo) = (0, 0);
    let facts = [
        answers("canonical"),
        answers("escapeversion"),
        answers("major"),
        answers("prerelease"),
        answers("ispseudo"),
        answers("pseudotime"),
    ];
    for (index, text) in texts.iter().enumerate() {
        let [canonical, escaped, major, prerelease, is_pseudo, time] = facts.each_ref().map(|answers| &answers[index]);
        let expected = !text.is_empty() && canonical.out == *text;
        assert_eq!(parsed[index].is_some(), expected, "{text:?}: {canonical:?}");
        let Some(version) = &parsed[index] else {
            continue;
        };
        accepted += 1;
        pseudo += usize::from(is_pseudo.ok);
        assert_eq!(version.escaped(), escaped.out, "{text}");
        assert_eq!(version.major(), major.out, "{text}");
        assert_eq!(version.is_prerelease(), !prerelease.out.is_empty(), "{text}");
        assert_eq!(version.is_pseudo(), is_pseudo.ok, "{text}");
        assert_eq!(version.pseudo_time().map(|time| time.to_string()).as_deref(), time.accepted(), "{text}");
    }
    enough(accepted, texts.len());
    assert!(pseudo > 50, "only {pseudo} pseudo-versions");
}

#[test]
fn order_of_versions() {
    let versions = some_versions(12);
    let mut dice = Dice::new(13);
    let pairs: Vec<_> = (0..GENERATED)
        .map(|_| (&versions[dice.below(versions.len())], &versions[dice.below(versions.len())]))
        .collect();
    let requests: Vec<_> =
        pairs.iter().map(|(a, b)| json!({"op": "compare", "a": a.as_str(), "b": b.as_str()})).collect();
    for ((a, b), answer) in pairs.into_iter().zip(ask(&requests)) {
        let expected = answer.n.cmp(&0).then_with(|| a.as_str().cmp(b.as_str()));
        assert_eq!(a.cmp(b), expected, "{a} {b}");
        assert_eq!(a == b, expected == Ordering::Equal, "{a} {b}");
    }
}

#[test]
fn queries() {
    let texts = version_texts(14);
    let mut accepted = 0;
    for (text, answer) in texts.iter().zip(ask_each("unescapeversion", &texts)) {
        let ours = Query::unescape(text);
        // These x/mod unescapes, and go never sends.
        let expected = answer.accepted().filter(|query| !["latest", "upgrade", "patch"].contains(query));
        assert_eq!(ours.as_ref().ok().map(Query::as_str), expected, "{text:?}: {ours:?}, {answer:?}");
        let version = Version::unescape(text).ok();
        assert!(version.is_none_or(|version| answer.accepted() == Some(version.as_str())), "{text}");
        accepted += usize::from(answer.ok);
    }
    enough(accepted, texts.len());
}

#[test]
fn versions_of_paths() {
    let paths: Vec<ModulePath> = texts(PATHS, &["a.b/", "a.b/c", "gopkg.in/a", "a.b/c/v"], PATH_PIECES, 4, 15)
        .iter()
        .filter_map(|text| ModulePath::parse(text).ok())
        .collect();
    let versions = some_versions(16);
    let mut dice = Dice::new(17);
    let pairs: Vec<_> =
        (0..GENERATED).map(|_| (&paths[dice.below(paths.len())], &versions[dice.below(versions.len())])).collect();
    let requests: Vec<_> =
        pairs.iter().map(|(path, version)| json!({"op": "check", "a": path.as_str(), "b": version.as_str()})).collect();
    for ((path, version), answer) in pairs.into_iter().zip(ask(&requests)) {
        assert_eq!(path.admits(version), answer.ok, "{path} {version}: {answer:?}");
    }
}
