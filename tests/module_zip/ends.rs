//! How a zip ends: comments, garbage, zip64, and numbers that are wrong.

use super::{Case, ended, gomod, good_entries};
use crate::zip_forge::{Ending, archive};

pub(super) fn cases() -> Vec<Case> {
    let good = good_entries();
    let end = |change: fn(&mut Ending)| {
        let mut ending = Ending::default();
        change(&mut ending);
        ending
    };
    vec![
        ended("comment", true, &good, &end(|e| e.comment = b"made by hand".to_vec())),
        ended("long comment", true, &good, &end(|e| e.comment = vec![b' '; 60_000])),
        ended(
            "comment with an end in it",
            false,
            &good,
            &end(|e| e.comment = b"PK\x05\x06 and more than twenty-two bytes".to_vec()),
        ),
        ended(
            "comment cut by an end in it",
            false,
            &good,
            &end(|e| e.comment = [&b"PK\x05\x06"[..], &[0xff; 18]].concat()),
        ),
        ended("trailing garbage", true, &good, &end(|e| e.after = vec![b'x'; 500])),
        ended("much trailing garbage", true, &good, &end(|e| e.after = vec![b'x'; 65_000])),
        ended("too much trailing garbage", false, &good, &end(|e| e.after = vec![b'x'; 66_600])),
        ended("leading script", true, &good, &end(|e| e.before = b"#!/bin/sh\n".to_vec())),
        ended(
            "leading script, counted",
            true,
            &good,
            &end(|e| {
                e.before = b"#!/bin/sh\n".to_vec();
                e.count_before = true;
            }),
        ),
        ended("gap before the directory", true, &good, &end(|e| e.gap = vec![0; 40])),
        ended("size too small", true, &good, &end(|e| e.size = Some(10))),
        ended("size too large", false, &good, &end(|e| e.size = Some(1 << 30))),
        ended("offset too large", false, &good, &end(|e| e.offset = Some(1 << 30))),
        ended("offset zero", false, &good, &end(|e| e.offset = Some(0))),
        ended("one entry too few", false, &good, &end(|e| e.entries = Some(4))),
        ended("one entry too many", false, &good, &end(|e| e.entries = Some(6))),
        ended(
            "entries modulo 65536",
            true,
            &good,
            &end(|e| {
                e.zip64 = true;
                e.entries = Some(65_536 + 5);
            }),
        ),
        ended("zip64 end", true, &good, &end(|e| e.zip64 = true)),
        ended(
            "zip64 end, size over 2^63",
            false,
            &good,
            &end(|e| {
                e.zip64 = true;
                e.size = Some(u64::MAX);
            }),
        ),
        ended(
            "zip64 end, sums overflow",
            false,
            &good,
            &end(|e| {
                e.zip64 = true;
                e.size = Some(i64::MAX as u64);
                e.offset = Some(i64::MAX as u64);
            }),
        ),
        ended(
            "zip64 end after a script",
            true,
            &good,
            &end(|e| {
                e.zip64 = true;
                e.count_before = true;
                e.before = vec![b'#'; 100];
            }),
        ),
        ended("65535 entries said, no zip64", false, &good, &end(|e| e.entries = Some(0xffff))),
        ended(
            "a size of 0xffff stands for zip64",
            true,
            &good,
            &end(|e| {
                e.zip64 = true;
                e.narrow = Some((5, 0xffff, 7));
            }),
        ),
        ended(
            "a size of 0xffffffff does not",
            false,
            &good,
            &end(|e| {
                e.zip64 = true;
                e.narrow = Some((5, u32::MAX, 7));
            }),
        ),
        Case { about: "last header up to the end of the file", good: false, bytes: stretched(22) },
        Case { about: "last header short of the end of the file", good: true, bytes: stretched(21) },
    ]
}

/// The comment of the only header is said to go on, into the end record or up to the end of the file.
fn stretched(by: u8) -> Vec<u8> {
    let mut bytes = archive(&[gomod()], &Ending::default());
    let header = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[header + 32] = by;
    bytes
}
