//! Ranges and conditions on zips: written anew to the store behind, which is Go's own file server.

use super::{OPEN, ZIP, ask, before};
use crate::{gateway::Gateway, store_behind::StoreBehind, upstream::Upstream};
use tempfile::TempDir;

struct Scene {
    _tree: TempDir,
    store: StoreBehind,
    gateway: Gateway,
    zip: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let (upstream, tree) = (Upstream::start(), tempfile::tempdir().unwrap());
        upstream.module_of("example.test/lib", "v1.0.0", &[("lib.go", &[b'/'; 300_000])]);
        upstream.write_tree(tree.path());
        let store = StoreBehind::start(tree.path(), None);
        let gateway = before(Gateway::plain().policy(OPEN), store.url()).start();
        Self { zip: upstream.body(ZIP), _tree: tree, store, gateway }
    }

    /// A header of each request that the store has seen.
    fn seen(&self, name: &str) -> Vec<Option<String>> {
        let text = |one: serde_json::Value| one["header"][name][0].as_str().map(str::to_owned);
        self.store.seen().into_iter().map(text).collect()
    }
}

#[test]
fn a_range_is_asked_for_and_checked() {
    let scene = Scene::new();
    let length = scene.zip.len();
    for (range, sent, part) in [
        ("bytes=0-9", "bytes=0-9", 0..10),
        (" Bytes = 5 - 7", "bytes=5-7", 5..8),
        ("bytes=299000-", "bytes=299000-", 299_000..length),
        ("bytes=-5", "bytes=-5", length - 5..length),
        ("bytes=10-99999999", "bytes=10-99999999", 10..length),
    ] {
        let answer = ask(&scene.gateway, ZIP, &["-H", &format!("Range: {range}")]);
        assert_eq!(answer.status, 206, "{range}: {}", answer.head);
        let told = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        assert_eq!(answer.header("content-range"), told);
        assert_eq!(answer.header("content-length"), part.len().to_string());
        assert!(answer.whole && answer.body == scene.zip[part], "{range}");
        assert_eq!(scene.seen("Range").pop().unwrap().as_deref(), Some(sent));
    }
    let outside = ask(&scene.gateway, ZIP, &["-H", "Range: bytes=99999999-"]);
    assert_eq!((outside.status, outside.header("content-range")), (416, &*format!("bytes */{length}")));
    for range in ["bytes=0-1,5-6", "bytes=9-2", "items=0-1", "bytes=x-y"] {
        let answer = ask(&scene.gateway, ZIP, &["-H", &format!("Range: {range}")]);
        assert!(answer.status == 200 && answer.body == scene.zip, "{range}: {}", answer.head);
        assert_eq!(scene.seen("Range").pop(), Some(None), "{range}");
    }
    let head = ask(&scene.gateway, ZIP, &["-I", "-H", "Range: bytes=0-9"]);
    assert_eq!((head.status, head.header("content-length")), (200, &*length.to_string()));
    let other = ask(&scene.gateway, "/example.test/lib/@v/v1.0.0.mod", &["-H", "Range: bytes=0-3"]);
    assert_eq!((other.status, scene.seen("Range").pop()), (200, Some(None)), "only zips have ranges");
}

#[test]
fn conditions_are_written_anew() {
    let scene = Scene::new();
    let get = |headers: &[&str]| {
        let arguments = headers.iter().flat_map(|header| ["-H", header]).collect::<Vec<_>>();
        ask(&scene.gateway, ZIP, &arguments)
    };
    let first = get(&[]);
    let (tag, date) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
    assert!(first.status == 200 && tag.starts_with('"') && date.ends_with("gmt"), "{}", first.head);
    assert_eq!(scene.seen("Accept-Encoding").pop().unwrap().as_deref(), Some("identity"));

    let condition = format!("If-None-Match: {tag}");
    let unchanged = get(&[&condition]);
    assert_eq!((unchanged.status, unchanged.header("etag")), (304, &*tag));
    assert_eq!(scene.seen("If-None-Match").pop().unwrap().as_deref(), Some(&*tag));
    assert_eq!(ask(&scene.gateway, ZIP, &["-I", "-H", &condition]).status, 304);
    let weak = get(&[&format!("If-None-Match: \"x\", W/{tag}")]);
    assert_eq!((weak.status, scene.seen("If-None-Match").pop()), (304, Some(None)), "judged here");
    let other = get(&["If-None-Match: \"other\""]);
    assert!(other.status == 200 && other.body == scene.zip);

    let range = "Range: bytes=1-4";
    let same = get(&[range, &format!("If-Range: {tag}")]);
    assert!(same.status == 206 && same.body == scene.zip[1..5], "{}", same.head);
    for stale in ["If-Range: \"other\"".to_owned(), format!("If-Range: W/{tag}"), format!("If-Range: {date}")] {
        let whole = get(&[range, &stale]);
        assert!(whole.status == 200 && whole.body == scene.zip, "{stale}: {}", whole.head);
    }
    assert_eq!(get(&[range, &condition]).status, 304);
}
