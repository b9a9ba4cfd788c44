//! Zips that are good, if odd, and files that are no zips at all.

use super::{Case, at, case, directory, file, gomod, good_entries};
use crate::zip_forge::{Ending, Entry, archive};

pub(super) fn good() -> Vec<Case> {
    let large: Vec<u8> =
        (0..300_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> (n % 29)).to_le_bytes()).collect();
    vec![
        case("plain", true, &good_entries()),
        case("no entries", true, &[]),
        case("no go.mod", true, &[file("a.go")]),
        case("vendor", true, &[gomod(), file("vendor/modules.txt"), file("vendor/x.y/z/z.go")]),
        case(
            "a symbolic link is a file",
            true,
            &[gomod(), Entry::stored(at("l"), "a.go").with(|e| e.mode = 0o120_777)],
        ),
        case("a device is a file", true, &[gomod(), Entry::stored(at("d"), "").with(|e| e.mode = 0o060_644)]),
        case("directories", true, &[directory(""), directory("b/"), gomod(), file("b/c.go")]),
        case("a directory twice", true, &[directory("b/"), gomod(), directory("b/"), file("b/c.go")]),
        case("large", true, &[gomod(), Entry::file(at("large"), &large), Entry::stored(at("stored"), &large)]),
        case("zip64 entries", true, &[gomod(), file("a.go").with(|e| e.zip64 = true)]),
        case("odd characters", true, &[gomod(), file("a b!#$%&()+,-.=@[]^_{}~.go"), file(".x/..y"), file("a~1")]),
        case("local extra field", true, &[gomod(), file("a.go").with(|e| e.local_extra = vec![7; 900])]),
        case("entry comment", true, &[gomod().with(|e| e.comment = b"\xff PK\x01\x02".to_vec()), file("a.go")]),
        case("broken extra field", true, &[gomod().with(|e| e.extra = Some(vec![1, 0, 99, 0, 1])), file("a.go")]),
        case("short extra field", true, &[gomod().with(|e| e.extra = Some(vec![1, 0, 0, 0])), file("a.go")]),
    ]
}

pub(super) fn none() -> Vec<Case> {
    let whole = archive(&good_entries(), &Ending::default());
    let raw = |about, bytes: &[u8]| Case { about, good: false, bytes: bytes.to_vec() };
    vec![
        raw("empty file", b""),
        raw("HTML", b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"),
        raw("cut in half", &whole[..whole.len() / 2]),
        raw("cut by a byte", &whole[..whole.len() - 1]),
        raw("cut at the front", &whole[7..]),
        raw("end only, cut", &whole[whole.len() - 21..]),
        raw("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
    ]
}
