//! Contents that do not fit what the headers say, or barely do.

use super::{Case, at, case, directory, file, gomod};
use crate::zip_forge::Entry;

pub(super) fn cases() -> Vec<Case> {
    let with = |about, good, change: fn(&mut Entry)| case(about, good, &[gomod(), file("a.go").with(change)]);
    let described = |about, good, words: fn(&Entry) -> Vec<u32>| {
        let entry = file("a.go");
        let words = words(&entry);
        case(about, good, &[gomod(), entry.described(&words)])
    };
    const SIGNATURE: u32 = 0x0807_4b50;
    vec![
        with("bad checksum", false, |e| e.crc ^= 1),
        with("checksum zero is none", true, |e| e.crc = 0),
        with("checksum zero with descriptor", false, |e| {
            e.crc = 0;
            e.flags |= 8;
            e.descriptor = vec![0; 16];
        }),
        described("descriptor", true, |e| vec![SIGNATURE, e.crc, e.claimed_packed as u32, e.claimed_unpacked as u32]),
        described("descriptor without signature", true, |e| {
            vec![e.crc, e.claimed_packed as u32, e.claimed_unpacked as u32]
        }),
        described("descriptor of another", false, |e| vec![SIGNATURE, e.crc ^ 1, 0, 0]),
        described("sizes in a descriptor do not matter", true, |e| vec![SIGNATURE, e.crc, 1, 2]),
        with("unpacked size too small", false, |e| e.claimed_unpacked -= 1),
        with("unpacked size too large", false, |e| e.claimed_unpacked += 1),
        with("packed size too small", false, |e| e.claimed_packed -= 1),
        with("packed size too large", true, |e| e.claimed_packed += 1),
        with("packed size beyond the file", true, |e| e.claimed_packed = 1 << 30),
        with("packed size negative", true, |e| {
            e.zip64 = true;
            e.claimed_packed = u64::MAX;
        }),
        with("garbage in the stream", false, |e| e.packed[0] ^= 0xff),
        with("reserved block type", false, |e| e.packed[0] |= 6),
        with("unknown method", false, |e| e.method = 12),
        with("deflate said, stored meant", false, |e| e.method = 0),
        with("no local header", false, |e| e.local_signature = *b"PK\x03\x05"),
        with("offset elsewhere", false, |e| e.offset = Some(3)),
        with("offset of another entry", false, |e| e.offset = Some(0)),
        with("offset beyond the file", false, |e| e.offset = Some(1 << 30)),
        with("offset negative", false, |e| {
            e.zip64 = true;
            e.offset = Some(u64::MAX - 5);
        }),
        with("zip64 without its field", false, |e| {
            e.zip64 = true;
            e.extra = Some(Vec::new());
        }),
        with("zip64 with half its field", false, |e| {
            e.zip64 = true;
            e.extra = Some(vec![1, 0, 4, 0, 0, 0, 0, 0]);
        }),
        with("encrypted flag is not looked at", true, |e| e.flags |= 1),
        case("stored size too large", false, &[gomod(), Entry::stored(at("a"), "abc").with(|e| e.claimed_packed = 4)]),
        case("stored size too small", false, &[gomod(), Entry::stored(at("a"), "abc").with(|e| e.claimed_packed = 2)]),
        case("last stored is cut", false, &[gomod(), Entry::stored(at("a"), "abc").with(|e| e.packed.clear())]),
        case("directory with contents", false, &[gomod(), directory("d/").with(|e| e.claimed_unpacked = 1)]),
        case("directory with packed bytes", true, &[gomod(), directory("d/").with(|e| e.claimed_packed = 2)]),
        case("directory with unknown method", true, &[gomod(), directory("d/").with(|e| e.method = 99)]),
        case(
            "first of two directories is broken",
            true,
            &[gomod(), directory("d/").with(|e| e.claimed_unpacked = 9), directory("d/")],
        ),
        case(
            "second of two directories is broken",
            false,
            &[gomod(), directory("d/"), directory("d/").with(|e| e.offset = Some(9))],
        ),
        case(
            "entries over one another",
            true,
            &[
                gomod(),
                gomod().with(|e| {
                    e.name = at("xx.mod").into_bytes();
                    e.offset = Some(0);
                }),
            ],
        ),
        case("too large in all", false, &[gomod(), file("a").with(|e| e.claimed_unpacked = 500 << 20), file("b")]),
        case(
            "too large by overflow",
            false,
            &[
                gomod(),
                file("a").with(|e| {
                    e.zip64 = true;
                    e.claimed_unpacked = u64::MAX;
                }),
            ],
        ),
        case("go.mod too large", false, &[gomod().with(|e| e.claimed_unpacked = (16 << 20) + 1)]),
        case("LICENSE too large", false, &[gomod(), file("LICENSE").with(|e| e.claimed_unpacked = (16 << 20) + 1)]),
        case("a bomb", false, &[gomod(), Entry::file(at("a"), vec![0; 1 << 20]).with(|e| e.claimed_unpacked = 100)]),
    ]
}
