//! What entries are called.

use super::{Case, at, case, compare, directory, file, gomod, judge};
use crate::dice::Dice;
use crate::zip_forge::{Ending, Entry, archive};
use modgate::module::zip::ZipError;

pub(super) fn cases() -> Vec<Case> {
    let pair = |about, good, one: &str, other: &str| case(about, good, &[gomod(), file(one), file(other)]);
    let one = |about, name: &str| case(about, false, &[gomod(), file(name)]);
    vec![
        case("wrong version", false, &[Entry::file("example.com/a@v1.0.1/a.go", "")]),
        case("wrong path", false, &[gomod(), Entry::file("example.com/b@v1.0.0/a.go", "")]),
        case("escaped path", false, &[Entry::file("example.com/!a@v1.0.0/a.go", "")]),
        case("no prefix", false, &[gomod(), Entry::file("a.go", "")]),
        case("prefix without slash", false, &[gomod(), Entry::file("example.com/a@v1.0.0", "")]),
        case("traversal", false, &[gomod(), Entry::file("../../etc/passwd", "")]),
        case("absolute", false, &[gomod(), Entry::file("/etc/passwd", "")]),
        case("empty name", false, &[gomod(), Entry::file("", "")]),
        one("traversal below the prefix", "../x"),
        one("traversal within", "a/../b"),
        one("dot", "a/./b"),
        one("double slash", "a//b"),
        one("absolute below the prefix", "/a"),
        one("backslash", "a\\b"),
        one("newline", "a\nb"),
        one("NUL", "a\0b"),
        one("colon", "C:x"),
        one("trailing dot", "a./b"),
        one("device", "sub/aux.go"),
        one("combining mark", "a\u{301}"),
        one("roman numeral", "Ⅷ"),
        one("wide quote", "a\"b"),
        case("not UTF-8", false, &[gomod(), Entry::file([at("a").as_bytes(), b"\xff"].concat(), "")]),
        case("slash only", false, &[gomod(), directory("/")]),
        case("bad directory", false, &[gomod(), directory("a//")]),
        case("dot directory", false, &[gomod(), directory("./")]),
        pair("same file twice", false, "x.go", "x.go"),
        pair("case", false, "x.go", "X.go"),
        pair("case of a directory", false, "d/x.go", "D/y.go"),
        pair("case beyond ASCII", false, "größe", "GRÖßE"),
        pair("long s", false, "\u{17f}.go", "s.go"),
        pair("sharp s folds to capital sharp s", false, "ß", "ẞ"),
        pair("dotless i does not fold", true, "ı", "i"),
        pair("file and directory", false, "d", "d/x.go"),
        pair("directory and file", false, "d/x.go", "d"),
        case("file and directory entry", false, &[gomod(), file("d"), directory("d/")]),
        case("directory entry and case", false, &[gomod(), directory("d/"), directory("D/")]),
        case("nested go.mod", false, &[gomod(), file("sub/go.mod")]),
        case("nested GO.MOD", false, &[gomod(), file("sub/GO.MOD")]),
        case("GO.MOD", false, &[file("GO.MOD")]),
        case("directory go.mod", true, &[directory("sub/go.mod/"), file("sub/go.mod/x")]),
        case("deep", true, &[gomod(), file(&"d/".repeat(400).replace("d/", "dd/")[..1199])]),
    ]
}

/// Names put together from what matters to the rules.
#[test]
fn names_are_judged_alike() {
    let pieces = [
        "a",
        "b",
        "A",
        "B",
        "/",
        "/",
        ".",
        "go.mod",
        "GO.MOD",
        "vendor/",
        "é",
        "É",
        "ſ",
        "s",
        "K",
        "k",
        " ",
        "aux",
        "con.",
        "~1",
        "-",
        ":",
        "\u{301}",
        "Ⅷ",
        "ß",
        "ẞ",
        "世",
        "\n",
        "!",
        "'",
        "ａ",
        "Ａ",
        "\u{1e921}",
        "\u{1e943}",
    ];
    let mut dice = Dice::new(2);
    let zips: Vec<Vec<u8>> = (0..3000)
        .map(|_| {
            let entries: Vec<Entry> =
                (0..=dice.below(3)).map(|_| Entry::stored(at(&dice.text(&pieces, 4)), "")).collect();
            archive(&entries, &Ending::default())
        })
        .collect();
    let zips: Vec<&[u8]> = zips.iter().map(Vec::as_slice).collect();
    let verdicts = compare(&zips, |index| format!("{}", zips[index].escape_ascii()));
    let accepted = verdicts.iter().filter(|&&accepted| accepted).count();
    assert!(accepted > 300, "only {accepted} of 3000 accepted");
}

/// A million directories in 32 names: refused before they cost much, and no slower than others.
#[test]
fn names_are_limited() {
    let deep = |index: usize| Entry::stored(at(&format!("{index}/{}x", "a/".repeat(32_000))), "");
    let zip = |count: usize| archive(&(0..count).map(deep).collect::<Vec<_>>(), &Ending::default());
    assert!(judge(&zip(2)).is_ok());
    let refused = judge(&zip(32)).unwrap_err();
    assert!(matches!(refused, ZipError::TooLarge(_)), "{refused}");
}
