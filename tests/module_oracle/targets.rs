//! Request paths and tiles.

use super::versions::VERSIONS;
use super::{ask_each, enough, texts};
use modgate::goproxy::{DatabaseName, Target, Tile};

#[test]
fn request_paths_are_encoded_as_go_encodes_them() {
    let texts = texts(
        VERSIONS,
        &["a", "v1", "v9.0.0"],
        &[
            "a", "!b", " ", "%", "#", "@", "&", "+", ",", "=", "$", "(", ")", "[", "]", "{", "}", "^", "_", "~", "-",
            ".",
        ],
        6,
        20,
    );
    let targets: Vec<Target> =
        texts.iter().filter_map(|text| Target::from_path(&format!("/a.b/!c/@v/{text}.info"), &[]).ok()).collect();
    enough(targets.len(), texts.len());
    let paths: Vec<String> = targets.iter().map(Target::path).collect();
    for (target, answer) in targets.iter().zip(ask_each("pathescape", &paths)) {
        assert_eq!(target.url_path(), answer.out);
        assert_eq!(Target::parse(&answer.out, &[]).as_ref(), Ok(target));
    }
}

#[test]
fn tiles() {
    let table = [
        "tile/8/0/000",
        "tile/8/0/001.p/255",
        "tile/8/0/001.p/256",
        "tile/8/0/001.p/0",
        "tile/8/0/001.p/01",
        "tile/8/0/x001/000",
        "tile/8/0/x000/001",
        "tile/8/0/x123/x456/789",
        "tile/8/data/000",
        "tile/8/data/x001/002.p/3",
        "tile/0/0/000",
        "tile/1/0/000.p/1",
        "tile/30/0/000.p/1073741823",
        "tile/30/0/000",
        "tile/31/0/000",
        "tile/08/0/000",
        "tile/8/-1/000",
        "tile/8/+1/000",
        "tile/8/64/000",
        "tile/8/9223372036854775807/000",
        "tile/8/9223372036854775808/000",
        "tile/8/0/x009/x223/x372/x036/x854/x775/807",
        "tile/8/0/x009/x223/x372/x036/x854/x775/808",
        "tile/8/0/x9/000",
        "tile/8/0/1000",
        "tile/8/0/-01",
        "tile/8/0/+01",
        "tile/8/0/0x1",
        "tile/8/0/x001",
        "tile/8/0",
        "tile/8/0/",
        "tile/8/0/000/",
        "tile/8/0/000.p",
        "tile/8/0/000.p/",
        "tile/8/0/000.p/1/2",
        "tile/8/0/x000.p/1",
        "tile/8/0/000.p/x",
        "tile//0/000",
        "tile/8//000",
        "til/8/0/000",
    ];
    let pieces = [
        "tile/8/0/",
        "tile/8/0/",
        "tile/8/1/",
        "tile/8/data/",
        "tile/2/0/",
        "000",
        "001",
        "x001/",
        "x000/",
        "x999/",
        "999",
        ".p/1",
        ".p/3",
        ".p/",
        "255",
        "0",
        "/",
        "x",
    ];
    let texts = texts(&table, &["tile/8/0/", "tile/8/data/x001/", "tile/8/1/000"], &pieces, 2, 21);
    let mut accepted = 0;
    for (text, answer) in texts.iter().zip(ask_each("tilepath", &texts)) {
        let ours = Tile::parse(text);
        assert_eq!(ours.as_ref().map(Tile::as_str), answer.accepted(), "{text:?}");
        let target = Target::parse(&format!("/sumdb/a.b/{text}"), &[DatabaseName("a.b".into())]);
        assert_eq!(target.is_ok(), answer.ok, "{text:?}");
        accepted += usize::from(answer.ok);
    }
    enough(accepted, texts.len());
}
