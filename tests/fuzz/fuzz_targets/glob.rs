//! A GOPRIVATE pattern, and a path after the first newline.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modgate::module::Glob;

fuzz_target!(|text: &str| {
    let (pattern, path) = text.split_once('\n').unwrap_or((text, "example.com/a"));
    let Ok(glob) = Glob::parse(pattern) else {
        return;
    };
    assert_eq!(glob.as_str(), pattern);
    // Ignoring case loses no match, and no path is both below a pattern and above it.
    assert!(!glob.matches(path) || glob.matches_ignoring_case(path));
    assert!(!(glob.matches_ignoring_case(path) && glob.matches_parent(path)));
});
