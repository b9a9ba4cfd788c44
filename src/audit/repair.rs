//! What a start does about the segment that was written last.
//!
//! A crash of the machine may leave the last segment with half a line, or with zeros where lines were. What follows the
//! last whole JSON object is such a torn tail: it is copied to `journal-00000001.torn-OFFSET`, then cut. Damage with
//! good records behind it is no torn tail; it is evidence, and stays where it is: the segment is left alone and a new one
//! begun. A whole object of a newer or foreign schema is a good line here, so an older modgate never cuts a newer one's
//! records.

use super::{
    AuditError,
    entry::is_object,
    lines::Forward,
    segment::{Segment, name},
};
use crate::durability::sync_directory;
use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What was found and done at a start. Each is also recorded as an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// The end of the last segment was no whole record and was cut.
    TailCut {
        /// The segment's file name.
        segment: String,
        /// Where it now ends.
        offset: u64,
        /// How many bytes were cut.
        bytes: u64,
        /// Where they are kept.
        kept: PathBuf,
    },
    /// Lines within the last segment are damaged; nothing was changed, a new segment is begun.
    Damaged {
        /// The segment's file name.
        segment: String,
        /// The first damaged line, from 1.
        line: u64,
        /// How many there are.
        lines: u64,
    },
}

impl Repair {
    /// The name of the act that is recorded.
    pub fn act(&self) -> &'static str {
        match self {
            Self::TailCut { .. } => "journal.tail_cut",
            Self::Damaged { .. } => "journal.damaged",
        }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TailCut { segment, offset, bytes, kept } => {
                let kept = kept.file_name().unwrap_or_default().display();
                write!(
                    f,
                    "{segment} ended at byte {offset} with {bytes} bytes that are no record; they are kept in {kept}"
                )
            }
            Self::Damaged { segment, line, lines } => {
                write!(f, "{segment} has {lines} damaged lines, the first at line {line}; it is left as it is")
            }
        }
    }
}

/// What a segment consists of.
#[derive(Debug, PartialEq, Eq, Default)]
struct Inspection {
    /// The end of the last whole JSON object.
    good_end: u64,
    length: u64,
    /// Lines before `good_end` that are no JSON objects, and the first of them.
    damaged: u64,
    first_damaged: u64,
}

/// Inspects the last segment, cuts a torn tail, and says what it found.
///
/// The caller holds the writer's lock. A crash anywhere in here is met by running it again.
pub(super) fn mend(dir: &Path, segment: &mut Segment) -> Result<Vec<Repair>, AuditError> {
    let found = inspect(&segment.path).map_err(AuditError::file("read", &segment.path))?;
    let mut repairs = Vec::new();
    if found.damaged > 0 {
        repairs.push(Repair::Damaged {
            segment: name(segment.number),
            line: found.first_damaged,
            lines: found.damaged,
        });
    }
    if found.good_end < found.length {
        let kept = keep_tail(dir, segment, found.good_end)?;
        // A crash before this line leaves the kept copy and the tail: the next start finds the copy equal and cuts.
        let cut = segment.medium.truncate(found.good_end).and_then(|()| segment.medium.sync());
        cut.map_err(AuditError::file("cut", &segment.path))?;
        segment.length = found.good_end;
        repairs.push(Repair::TailCut {
            segment: name(segment.number),
            offset: found.good_end,
            bytes: found.length - found.good_end,
            kept,
        });
    }
    Ok(repairs)
}

fn inspect(path: &Path) -> io::Result<Inspection> {
    // Nobody writes: the caller holds the lock.
    let mut lines = Forward::new(File::open(path)?, u64::MAX);
    let mut found = Inspection::default();
    // Bad lines since the last good one: damage if a good one follows, else the torn tail.
    let (mut bad, mut first_bad) = (0, 0);
    let mut number = 0;
    while let Some(line) = lines.next()? {
        number += 1;
        found.length = line.offset + line.length;
        if line.whole && !line.oversized() && is_object(line.bytes) {
            if found.damaged == 0 {
                found.first_damaged = first_bad;
            }
            found.damaged += std::mem::take(&mut bad);
            found.good_end = found.length;
        } else {
            if bad == 0 {
                first_bad = number;
            }
            bad += 1;
        }
    }
    if found.damaged == 0 {
        found.first_damaged = 0;
    }
    Ok(found)
}

/// Copies what follows `offset` beside the segment, durably, and never over a different copy.
fn keep_tail(dir: &Path, segment: &Segment, offset: u64) -> Result<PathBuf, AuditError> {
    let stem = segment.path.with_extension(format!("torn-{offset}"));
    let mut attempt = 1;
    loop {
        let kept = match attempt {
            1 => stem.clone(),
            n => segment.path.with_extension(format!("torn-{offset}-{n}")),
        };
        if copy_tail(segment, offset, &kept).map_err(AuditError::file("create", &kept))? {
            sync_directory(dir).map_err(AuditError::file("sync", dir))?;
            return Ok(kept);
        }
        attempt += 1;
    }
}

/// False if `kept` exists already with other bytes.
fn copy_tail(segment: &Segment, offset: u64, kept: &Path) -> io::Result<bool> {
    let mut source = File::open(&segment.path)?;
    source.seek(SeekFrom::Start(offset))?;
    let mut copy = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(kept) {
        Ok(copy) => copy,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return same_bytes(source, File::open(kept)?);
        }
        Err(error) => return Err(error),
    };
    let copied = io::copy(&mut source, &mut copy).and_then(|_| copy.sync_all());
    if copied.is_err() {
        // As on a full disk: leave no half copy that would look like evidence.
        drop(std::fs::remove_file(kept));
    }
    copied.map(|()| true)
}

fn same_bytes(a: File, b: File) -> io::Result<bool> {
    let (mut a, mut b) = (io::BufReader::new(a).bytes(), io::BufReader::new(b).bytes());
    loop {
        match (a.next().transpose()?, b.next().transpose()?) {
            (None, None) => return Ok(true),
            (x, y) if x == y => {}
            _ => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(content: &[u8]) -> (tempfile::TempDir, Vec<Repair>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name(1)), content).unwrap();
        let mut segment = Segment::open(dir.path(), 1).unwrap();
        let repairs = mend(dir.path(), &mut segment).unwrap();
        assert_eq!(segment.length, std::fs::metadata(&segment.path).unwrap().len());
        (dir, repairs)
    }

    fn content(dir: &tempfile::TempDir, name: &str) -> Vec<u8> {
        std::fs::read(dir.path().join(name)).unwrap()
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_cut_and_kept() {
        let good = b"{\"v\":1,\"a\":\"first\"}\n";
        let last = "{\"v\":1,\"a\":\"l\u{e4}st \\\" } \"}\n".as_bytes();
        for cut in 1..last.len() {
            let torn = &last[..cut];
            let (dir, repairs) = mended(&[good, torn].concat());
            let kept = format!("journal-00000001.torn-{}", good.len());
            assert_eq!(content(&dir, &name(1)), good, "cut at {cut}");
            assert_eq!(content(&dir, &kept), torn, "cut at {cut}");
            let tail = Repair::TailCut {
                segment: name(1),
                offset: good.len() as u64,
                bytes: cut as u64,
                kept: dir.path().join(kept),
            };
            assert_eq!(repairs, [tail], "cut at {cut}");
        }
        let (_dir, repairs) = mended(&[good, last].concat());
        assert_eq!(repairs, []);
    }

    #[test]
    fn zeros_and_rubbish_at_the_end_are_a_torn_tail() {
        for tail in [&b"\0\0\0\0"[..], b"\0\0\0\n", b"rubbish\n\n[1]\n", b"\n"] {
            let (dir, repairs) = mended(&[b"{}\n", tail].concat());
            assert_eq!(content(&dir, &name(1)), b"{}\n");
            assert!(matches!(repairs[..], [Repair::TailCut { offset: 3, .. }]), "{repairs:?}");
        }
    }

    #[test]
    fn damage_before_a_good_record_is_left_alone() {
        let damaged = b"{}\n\0\0\0\nrub\n{}\n{\"v\":1,\n{}\n";
        let (dir, repairs) = mended(&[&damaged[..], b"{\"to"].concat());
        assert_eq!(content(&dir, &name(1)), damaged);
        assert_eq!(repairs[0], Repair::Damaged { segment: name(1), line: 2, lines: 3 });
        assert!(matches!(repairs[1], Repair::TailCut { bytes: 4, .. }));
    }

    #[test]
    fn a_newer_schemas_records_are_never_cut() {
        let (_dir, repairs) = mended(b"{\"v\":9,\"strange\":true}\n");
        assert_eq!(repairs, []);
    }

    #[test]
    fn a_crash_between_keeping_and_cutting_is_met_and_another_tail_is_kept_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, kept) = (dir.path().join(name(1)), dir.path().join("journal-00000001.torn-3"));
        for (tail, expected) in [("{\"a", vec!["{\"a"]), ("{\"a", vec!["{\"a"]), ("{\"b", vec!["{\"a", "{\"b"])] {
            std::fs::write(&path, format!("{{}}\n{tail}")).unwrap();
            mend(dir.path(), &mut Segment::open(dir.path(), 1).unwrap()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
            let second = std::fs::read_to_string(kept.with_extension("torn-3-2")).ok();
            let all: Vec<String> = [std::fs::read_to_string(&kept).ok(), second].into_iter().flatten().collect();
            assert_eq!(all, expected);
        }
    }
}
