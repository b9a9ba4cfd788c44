//! GOPRIVATE patterns.

use super::{ask_each, enough, texts};
use crate::dice::Dice;
use crate::oracle_process::ask;
use modgate::module::Glob;
use serde_json::json;

const PATTERNS: &[&str] = &[
    "",
    "/",
    "a",
    "a/",
    "a//",
    "/a",
    "a//b",
    "*",
    "*/",
    "*/*",
    "a*",
    "*a",
    "*a*",
    "**",
    "a**b",
    "?",
    "??",
    "a?b",
    "[a]",
    "[ab]",
    "[a-b]",
    "[b-a]",
    "[^a]",
    "[^a-b]",
    "[!a]",
    "[]",
    "[]a]",
    "[^]",
    "[^]a]",
    "[-]",
    "[-a]",
    "[a-]",
    "[a-b-c]",
    "[a",
    "[a-",
    "[^",
    "[",
    "]",
    "a]",
    "\\",
    "\\a",
    "\\*",
    "\\[",
    "a\\",
    "[\\]]",
    "[\\-]",
    "[\\\\]",
    "[a\\",
    "[a-\\]]",
    "[*]",
    "[*]*",
    "[?]",
    "[[]",
    "[[]*",
    "a[*]b*",
    "*.b/*",
    "a.b/*/c",
    "a.b/c*d/e",
    "a,b",
    "*[a-c]d*",
    "*a?c",
    "é",
    "[é-ü]",
    "?é",
    "a.B",
];

const PATTERN_PIECES: &[&str] =
    &["a", "b", "c", "B", ".", "*", "*", "?", "[", "]", "^", "-", "\\", "/", "[a-c]", "[^a]", "[\\]]", "é", "ab"];

const NAME_PIECES: &[&str] = &["a", "b", "c", "B", ".", "/", "*", "]", "-", "\\", "^", "é", "[", "ab", "ba"];

#[test]
fn globs() {
    let patterns = texts(PATTERNS, &["a", "*/", "[a-b]"], PATTERN_PIECES, 5, 18);
    let well_formed = ask_each("pattern", &patterns);
    let mut dice = Dice::new(19);
    let mut questions = Vec::new();
    for (pattern, answer) in patterns.iter().zip(&well_formed) {
        let Ok(glob) = Glob::parse(pattern) else {
            // What only we refuse: lists, empty elements, and a class or an escape that holds a slash.
            let ours = pattern.contains(',') || pattern.trim_end_matches('/').is_empty() || pattern.contains('/');
            assert!(!answer.ok || ours, "{pattern:?} is refused");
            continue;
        };
        assert!(answer.ok, "{pattern:?}: {answer:?}");
        let lower = Glob::parse(&pattern.to_ascii_lowercase()).expect("case does not make a pattern malformed");
        for _ in 0..4 {
            let name = dice.text(NAME_PIECES, 5);
            // A match must not be lost by ignoring case, and is all there is where there is one case only.
            let ignoring = glob.matches_ignoring_case(&name);
            assert!(!glob.matches(&name) || ignoring, "{pattern} {name}");
            assert_eq!(glob.matches_ignoring_case(&name.to_ascii_uppercase()), ignoring, "{pattern} {name}");
            if !pattern.contains('[') {
                assert_eq!(lower.matches(&name.to_ascii_lowercase()), ignoring, "{pattern} {name}");
            }
            questions.push((glob.clone(), name));
        }
    }
    let requests: Vec<_> =
        questions.iter().map(|(glob, name)| json!({"op": "matchprefix", "a": glob.as_str(), "b": name})).collect();
    let mut matched = 0;
    for ((glob, name), answer) in questions.iter().zip(ask(&requests)) {
        assert_eq!(glob.matches(name), answer.ok, "{:?} {name:?}", glob.as_str());
        matched += usize::from(answer.ok);
    }
    enough(matched, questions.len());
}
