//! A module path, plain and escaped.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modgate::module::ModulePath;

fuzz_target!(|text: &str| {
    if let Ok(path) = ModulePath::parse(text) {
        assert_eq!(path.as_str(), text);
        assert_eq!(ModulePath::unescape(&path.escaped()), Ok(path));
    }
    if let Ok(path) = ModulePath::unescape(text) {
        assert_eq!(path.escaped(), text);
    }
});
