//! The path of a request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use modgate::goproxy::{DatabaseName, Target};

fuzz_target!(|raw: &str| {
    let databases = ["sum.golang.org", "a.b/c"].map(|name| DatabaseName(name.into()));
    let Ok(target) = Target::parse(raw, &databases) else {
        return;
    };
    assert_eq!(
        Target::from_path(&target.path(), &databases).as_ref(),
        Ok(&target)
    );
    assert_eq!(
        Target::parse(&target.url_path(), &databases).as_ref(),
        Ok(&target)
    );
    assert!(
        target
            .path()
            .split('/')
            .skip(1)
            .all(|element| !matches!(element, "." | ".."))
    );
});
