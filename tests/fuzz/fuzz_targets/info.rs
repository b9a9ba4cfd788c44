//! The body of an .info.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modgate::goproxy::{Asked, Info};

fuzz_target!(|body: &[u8]| {
    let Ok(info) = Info::parse(body) else { return };
    let asked = Asked::Info(info.version.clone());
    assert_eq!(Info::parse_answer(body, &asked), Ok(info));
});
