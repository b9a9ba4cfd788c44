//! Tests of the request path's parser: tables of what is accepted and refused, and its inverse.

use super::{Asked, DatabaseName, SumdbAsk, Target, TargetError};
use proptest::prelude::*;

fn databases() -> Vec<DatabaseName> {
    ["sum.golang.org", "sum.corp.example/a", "sum.corp.example/a/b"].map(|name| DatabaseName(name.into())).to_vec()
}

fn parse(raw: &str) -> Result<Target, TargetError> {
    Target::parse(raw, &databases())
}

#[test]
fn accepted() {
    for (raw, path, kind) in [
        ("", "/", "root"),
        ("/", "/", "root"),
        ("/example.com/@v/list", "/example.com/@v/list", "list"),
        ("/github.com/%21burnt%21sushi/toml/@latest", "/github.com/!burnt!sushi/toml/@latest", "latest"),
        ("/a.b/c/@v/v1.0.0.info", "/a.b/c/@v/v1.0.0.info", "info"),
        ("/a.b/c/@v/v1.2.info", "/a.b/c/@v/v1.2.info", "query"),
        ("/a.b/c/@v/v2.0.0.info", "/a.b/c/@v/v2.0.0.info", "query"),
        ("/a.b/c/@v/v2.0.0+incompatible.info", "/a.b/c/@v/v2.0.0+incompatible.info", "info"),
        ("/a.b/c/@v/v2.0.0%2Bincompatible.zip", "/a.b/c/@v/v2.0.0+incompatible.zip", "zip"),
        ("/a.b/c/@v/%21h%21e%21a%21d.info", "/a.b/c/@v/!h!e!a!d.info", "query"),
        ("/a.b/c/@v/!main.info", "/a.b/c/@v/!main.info", "query"),
        ("/a.b/c/@v/a%25b%20c@v.info", "/a.b/c/@v/a%b c@v.info", "query"),
        ("/a.b/c/v2/@v/v2.0.0.mod", "/a.b/c/v2/@v/v2.0.0.mod", "mod"),
        (
            "/golang.org/toolchain/@v/v0.0.1-go1.25.1.linux-amd64.zip",
            "/golang.org/toolchain/@v/v0.0.1-go1.25.1.linux-amd64.zip",
            "zip",
        ),
        ("/sumdb/sum.golang.org/supported", "/sumdb/sum.golang.org/supported", "sumdb"),
        ("/sumdb/sum.corp.example/a/b/latest", "/sumdb/sum.corp.example/a/b/latest", "sumdb"),
        ("/sumdb/sum.golang.org/lookup/a.b/!c@v1.0.0", "/sumdb/sum.golang.org/lookup/a.b/!c@v1.0.0", "sumdb"),
        ("/sumdb/sum.golang.org/lookup/a.b/%21c@v1.0.0", "/sumdb/sum.golang.org/lookup/a.b/!c@v1.0.0", "sumdb"),
        ("/sumdb/sum.golang.org/tile/8/0/x001/000.p/7", "/sumdb/sum.golang.org/tile/8/0/x001/000.p/7", "sumdb"),
        ("/sumdb/sum.golang.org/tile/8/data/000", "/sumdb/sum.golang.org/tile/8/data/000", "sumdb"),
    ] {
        let target = parse(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        assert_eq!((target.path().as_str(), target.kind()), (path, kind), "{raw}");
        assert_eq!(parse(&target.url_path()).unwrap(), target, "{raw}");
    }
}

#[test]
fn the_longest_database_name_wins() {
    let Ok(Target::Sumdb { name, asked: SumdbAsk::Supported }) = parse("/sumdb/sum.corp.example/a/b/supported") else {
        panic!("not parsed");
    };
    assert_eq!(&*name.0, "sum.corp.example/a/b");
}

#[test]
fn refused_as_unknown() {
    let long = format!("/a.b/{}/@v/list", "x".repeat(2048));
    let wide = format!("/a.b/{}/@v/list", "x".repeat(241));
    for raw in [
        "a.b/@v/list",
        "//",
        "/a.b//c/@v/list",
        "/a.b/./c/@v/list",
        "/a.b/../c/@v/list",
        "/a.b/%2e%2e/c/@v/list",
        "/a.b/c/@v/list/",
        "/a.b/c/@latest/",
        "/a.b%2Fc/@v/list",
        "/a.b/c%5C/@v/list",
        "/a.b/c%00/@v/list",
        "/a.b/C/@v/list",
        "/a.b/%43/@v/list",
        "/a.b/%2521c/@v/list",
        "/a.b/c!/@v/list",
        "/a.b/!!c/@v/list",
        "/a.b/!1/@v/list",
        "/example/@v/list",
        "/a.b/c/v1/@v/list",
        "/a.b/é/@v/list",
        "/a.b/%C3%A9/@v/list",
        "/a.b/c/@v/",
        "/a.b/c/@v",
        "/a.b/c",
        "/a.b/c/@v/latest.info",
        "/a.b/c/@v/upgrade.info",
        "/a.b/c/@v/patch.info",
        "/a.b/c/@v/v1.mod",
        "/a.b/c/@v/main.zip",
        "/a.b/c/@v/v1.0.0+meta.mod",
        "/a.b/c/@v/HEAD.info",
        "/a.b/c/@v/v1.0.0.ziphash",
        "/a.b/c/@v/.info",
        "/a.b/c/@v/v1.0.0",
        "/a.b/c/@v/x/y.info",
        "/a.b/c/@v/v1.0.0 .mod",
        "/a.b/c/@v/v1.0.0%2500.mod",
        "/@v/list",
        "/@latest",
        "/sumdb",
        "/a.b/c/@v/@latest",
        "/a.b/@v/list?x=1",
        "/a.b/c/@v/nul.info",
        "/a.b/c/@v/..info",
        &long,
        &wide,
    ] {
        assert!(matches!(parse(raw), Err(TargetError::Unknown(_))), "{raw}: {:?}", parse(raw));
    }
}

#[test]
fn refused_as_bad_or_unknown_database() {
    for raw in [
        "/sumdb/sum.golang.org",
        "/sumdb/sum.golang.org/",
        "/sumdb/sum.golang.org/x",
        "/sumdb/sum.golang.org/lookup/",
        "/sumdb/sum.golang.org/lookup/a.b/c",
        "/sumdb/sum.golang.org/lookup/a.b/c@main",
        "/sumdb/sum.golang.org/lookup/a.b/C@v1.0.0",
        "/sumdb/sum.golang.org/lookup/a.b/c@v1.0.0/go.mod",
        "/sumdb/sum.golang.org/lookup/a.b/c@v1.0.0@v1.0.0",
        "/sumdb/sum.golang.org/lookup/a.b/../c@v1.0.0",
        "/sumdb/sum.golang.org/tile/8/0/0",
        "/sumdb/sum.golang.org/tile/8/0/000/",
        "/sumdb/sum.golang.org/supported/",
        "/sumdb/sum.golang.org//supported",
        "/sumdb/sum.golang.org/lookup/a.b%2Fc@v1.0.0",
        "/sumdb/%zz",
    ] {
        assert!(matches!(parse(raw), Err(TargetError::BadSumdb(_))), "{raw}: {:?}", parse(raw));
    }
    for (raw, name) in [
        ("/sumdb/evil.example/supported", "evil.example"),
        ("/sumdb/evil.example/x/lookup/a.b/c@v1.0.0", "evil.example/x"),
        ("/sumdb/sum.golang.org.evil.example/latest", "sum.golang.org.evil.example"),
        ("/sumdb/sum.corp.example/supported", "sum.corp.example"),
        ("/sumdb/127.0.0.1:80/tile/8/0/000", "127.0.0.1:80"),
    ] {
        assert_eq!(parse(raw), Err(TargetError::UnknownDatabase(name.into())), "{raw}");
    }
}

#[test]
fn what_is_asked_of_whom() {
    let zip = parse("/a.b/%21c/@v/v1.0.0.zip").unwrap();
    assert_eq!((zip.module().unwrap().as_str(), zip.version().unwrap().as_str()), ("a.b/C", "v1.0.0"));
    let lookup = parse("/sumdb/sum.golang.org/lookup/a.b/!c@v1.0.0").unwrap();
    assert_eq!((lookup.module(), lookup.version()), (zip.module(), zip.version()));
    let query = parse("/a.b/c/@v/main.info").unwrap();
    assert!(query.module().is_some() && query.version().is_none());
    assert!(parse("/sumdb/sum.golang.org/latest").unwrap().module().is_none());
    for (raw, immutable) in [
        ("/a.b/@v/v1.0.0.info", true),
        ("/a.b/@v/v1.0.0.mod", true),
        ("/a.b/@v/v1.0.0.zip", true),
        ("/a.b/@v/list", false),
        ("/a.b/@latest", false),
        ("/a.b/@v/v1.info", false),
        ("/", false),
        ("/sumdb/sum.golang.org/tile/8/0/000", true),
        ("/sumdb/sum.golang.org/lookup/a.b@v1.0.0", false),
    ] {
        assert_eq!(parse(raw).unwrap().is_immutable(), immutable, "{raw}");
    }
}

#[test]
fn an_info_always_belongs_to_its_path() {
    for raw in ["/a.b/c/@v/v3.0.0.info", "/a.b/c/v2/@v/v1.0.0.info", "/gopkg.in/c.v1/@v/v2.0.0.info"] {
        assert!(matches!(parse(raw), Ok(Target::Module { asked: Asked::Query(_), .. })), "{raw}");
    }
}

proptest! {
    /// Whatever is accepted is accepted again from its own spellings, as the same value.
    #[test]
    fn spellings_are_inverses(raw in r"/([a-z]{1,2}\.[a-z]|sumdb/sum.golang.org)(/[a-zA-Z0-9.!%~_-]{1,3}){0,3}/(@v/[ -~]{0,12}(\.info|\.mod|\.zip)?|@latest|lookup/[ -~]{1,10}@v1.[0-9].0|tile/[0-9]/[0-9]/[0-9x./p]{3,9})") {
        if let Ok(target) = parse(&raw) {
            prop_assert_eq!(&Target::from_path(&target.path(), &databases()).unwrap(), &target);
            prop_assert_eq!(&parse(&target.url_path()).unwrap(), &target);
        }
    }

    /// Nothing makes the parser panic, and nothing accepted holds what a file system or a log would trip over.
    #[test]
    fn any_text(raw in r"[/@v.!%0-9a-fA-F\PC]{0,40}") {
        if let Ok(target) = parse(&raw) {
            let path = target.path();
            prop_assert!(path.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'\\' && !byte.is_ascii_uppercase()));
            prop_assert!(path == "/" || path.split('/').skip(1).all(|element| !matches!(element, "" | "." | "..")));
        }
    }
}
