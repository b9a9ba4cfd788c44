//! One file of the journal: its name, and appending whole lines to it.
//!
//! INVARIANT: after [`Segment::append`] returned, however it returned, the file ends with a newline or is empty; or the
//! error says that it is not clean, and then nothing is ever appended to this segment again. What is cut after a failed
//! write never had a newline: readers rely on it (`lines.rs`).

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The longest line in bytes, newline included. Longer records are refused, longer lines are read as damage.
pub const MAX_LINE: usize = 1 << 20;

/// What a segment needs of a file. Tests put a failing one in its place.
pub(super) trait Medium: Send + Sync {
    /// One write(2) at the end; may take fewer bytes than given.
    fn write(&self, lines: &[u8]) -> io::Result<usize>;
    /// Cuts to a length.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Brings data and length to the disk.
    fn sync(&self) -> io::Result<()>;
    /// The present length, and whether the file still has a name.
    fn standing(&self) -> io::Result<Standing>;
}

/// What the file system says about a segment.
pub(super) struct Standing {
    pub(super) length: u64,
    pub(super) named: bool,
}

impl Medium for File {
    fn write(&self, lines: &[u8]) -> io::Result<usize> {
        let mut file = self;
        Write::write(&mut file, lines)
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
    fn standing(&self) -> io::Result<Standing> {
        let metadata = self.metadata()?;
        Ok(Standing { length: metadata.len(), named: metadata.nlink() > 0 })
    }
}

/// The segment that is appended to.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) length: u64,
    pub(super) medium: Arc<dyn Medium>,
}

/// A failed append.
#[derive(Debug)]
pub(super) struct AppendFault {
    pub(super) cause: io::Error,
    /// How many bytes arrived as whole lines, and stay.
    pub(super) kept: usize,
    /// Whether the file is again as it was before; if not, why.
    pub(super) unclean: Option<String>,
}

impl Segment {
    /// Begins a new segment; an existing one is an error.
    pub(super) fn create(dir: &Path, number: u64) -> io::Result<Self> {
        Self::with(dir, number, OpenOptions::new().create_new(true))
    }

    /// Opens an existing segment at its end.
    pub(super) fn open(dir: &Path, number: u64) -> io::Result<Self> {
        Self::with(dir, number, &mut OpenOptions::new())
    }

    fn with(dir: &Path, number: u64, options: &mut OpenOptions) -> io::Result<Self> {
        let path = dir.join(name(number));
        let file = options.append(true).mode(0o600).open(&path)?;
        let length = file.metadata()?.len();
        Ok(Self { number, path, length, medium: Arc::new(file) })
    }

    /// Appends `lines`, which end with a newline, by one write(2). If only some of the bytes arrive, the lines that are whole
    /// stay and the rest is cut.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), AppendFault> {
        let cause = loop {
            match self.medium.write(lines) {
                Ok(written) if written == lines.len() => {
                    self.length += lines.len() as u64;
                    return Ok(());
                }
                // The kernel does this when the space ends within the lines.
                Ok(written) => {
                    break io::Error::new(ErrorKind::WriteZero, short(written, lines.len()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        match self.restore(lines) {
            Ok(kept) if kept == lines.len() => Ok(()),
            Ok(kept) => Err(AppendFault { cause, kept, unclean: None }),
            Err(error) => Err(AppendFault { cause, kept: 0, unclean: Some(error.to_string()) }),
        }
    }

    /// Cuts the half line that a failed write left, and gives the length of what stays of `lines`. The file is asked what
    /// arrived, whatever the write said. A crash before the cut leaves a torn tail, which the next start cuts.
    fn restore(&mut self, lines: &[u8]) -> io::Result<usize> {
        let standing = self.medium.standing()?;
        let Some(arrived) = standing.length.checked_sub(self.length) else {
            // Cutting would now extend the file with zeros.
            return Err(io::Error::other("somebody else has cut the file"));
        };
        let arrived = usize::try_from(arrived).ok().and_then(|arrived| lines.get(..arrived));
        let arrived = arrived.ok_or_else(|| io::Error::other("somebody else writes to the file"))?;
        let kept = arrived.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let length = self.length + kept as u64;
        if standing.length > length {
            self.medium.truncate(length)?;
        }
        self.length = length;
        Ok(kept)
    }
}

fn short(written: usize, wanted: usize) -> String {
    format!("only {written} of {wanted} bytes were taken, as on a full disk")
}

/// The file name of a segment.
pub(super) fn name(number: u64) -> String {
    format!("journal-{number:08}.jsonl")
}

/// The number in a segment's file name: only the one spelling that [`name`] gives.
pub(super) fn number(file_name: &str) -> Option<u64> {
    let digits = file_name.strip_prefix("journal-")?.strip_suffix(".jsonl")?;
    let number = digits.parse().ok().filter(|number| *number > 0)?;
    (name(number) == file_name).then_some(number)
}

/// The numbers of all segments in a directory, ascending.
pub(super) fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        numbers.extend(entry?.file_name().to_str().and_then(number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_names_a_segment() {
        for number in [1, 99_999_999, 100_000_000, u64::MAX] {
            assert_eq!(super::number(&name(number)), Some(number));
        }
        for wrong in
            ["journal-1.jsonl", "journal-00000000.jsonl", "journal-+0000001.jsonl", "journal-00000001.torn-5", "x"]
        {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_in_order_past_eight_digits() {
        let dir = tempfile::tempdir().unwrap();
        for number in [100_000_000, 2, 99_999_999] {
            Segment::create(dir.path(), number).unwrap();
        }
        std::fs::write(dir.path().join("journal.lock"), "").unwrap();
        assert_eq!(numbers(dir.path()).unwrap(), [2, 99_999_999, 100_000_000]);
        assert_eq!(Segment::create(dir.path(), 2).err().unwrap().kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_file_that_somebody_cut_is_not_extended_with_zeros() {
        struct Full(File);
        impl Medium for Full {
            fn write(&self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::StorageFull.into())
            }
            fn truncate(&self, length: u64) -> io::Result<()> {
                self.0.truncate(length)
            }
            fn sync(&self) -> io::Result<()> {
                Ok(())
            }
            fn standing(&self) -> io::Result<Standing> {
                self.0.standing()
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(dir.path(), 1).unwrap();
        segment.append(b"{}\n").unwrap();
        let file = OpenOptions::new().append(true).open(&segment.path).unwrap();
        segment.medium = Arc::new(Full(file));
        assert!(segment.append(b"{}\n").unwrap_err().unclean.is_none());
        std::fs::write(&segment.path, "").unwrap();
        assert!(segment.append(b"{}\n").unwrap_err().unclean.is_some());
        assert_eq!(std::fs::read(&segment.path).unwrap(), b"");
    }
}
