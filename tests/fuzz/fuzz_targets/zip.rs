//! A module zip. Start it with good ones: a module cache has them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modgate::module::{ModulePath, Version, zip};

fuzz_target!(|bytes: &[u8]| {
    let (Ok(path), Ok(version)) = (ModulePath::parse("a.b/c"), Version::parse("v1.0.0")) else {
        return;
    };
    if let Ok(checked) = zip::check(bytes, bytes.len() as u64, &path, &version) {
        assert!(checked.unpacked <= zip::MAX_ZIP && checked.files <= zip::MAX_NAMES);
    }
});
