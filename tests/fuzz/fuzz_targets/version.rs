//! A version and a query, plain and escaped; and a go.mod.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modgate::module::{Query, Version, gomod};

fuzz_target!(|text: &str| {
    if let Ok(version) = Version::parse(text) {
        assert_eq!(Version::unescape(&version.escaped()).as_ref(), Ok(&version));
        assert!(!version.is_pseudo() || version.is_prerelease());
        assert!(version.pseudo_time().is_none() || version.is_pseudo());
        assert!(Query::unescape(&version.escaped()).is_ok());
    }
    if let Ok(query) = Query::unescape(text) {
        assert_eq!(query.escaped(), text);
    }
    let _ = gomod::declared_path(text.as_bytes());
});
