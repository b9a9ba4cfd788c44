//! The body of a version list.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modgate::goproxy::list;

fuzz_target!(|body: &[u8]| {
    let _ = list::is_list(body);
    let versions = list::versions(body);
    // What is filtered holds the versions that were kept and no others.
    let kept = list::filter(body, |version| !version.is_prerelease());
    let expected: Vec<_> = versions
        .iter()
        .filter(|version| !version.is_prerelease())
        .cloned()
        .collect();
    assert_eq!(list::versions(&kept), expected);
    assert_eq!(list::highest(&versions).is_some(), !versions.is_empty());
});
