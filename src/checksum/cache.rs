//! The files of the databases on disk, in the layout of their own URLs.
//!
//! ```text
//! ROOT/sum.golang.org/latest                                        the newest head that was proved consistent
//! ROOT/sum.golang.org/lookup/github.com/!burnt!sushi/toml@v1.3.2    a lookup's answer, as it came
//! ROOT/sum.golang.org/tile/8/0/x046/123.p/45                        a proved tile
//! ROOT/.tmp/…                                                       files being written, swept at open
//! ```
//!
//! A `go` module cache keeps the same files under `cache/download/sumdb`. All of them can be fetched again, except
//! `latest`: who loses it, or puts an old one back, can be shown a forked log.
//!
//! A file appears whole, by a rename after its content reached the disk. After a crash there is the file, or the one
//! before, or none, and what is left in `.tmp` is swept. A directory's entry need not have reached the disk, but that
//! of `latest` must: a fork seen after the crash must be known as one.

use bytes::Bytes;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Component, Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// Keeps files by keys like `sum.golang.org/tile/8/0/000.p/3`. Blocking.
pub trait Cache: Send + Sync + 'static {
    /// The file, whole; `None` if there is none.
    fn read(&self, key: &str) -> io::Result<Option<Bytes>>;

    /// Puts a file in place, whole or not at all; what was there before is replaced.
    fn write(&self, key: &str, bytes: &[u8]) -> io::Result<()>;

    /// As [`Cache::write`], and returns only when not even a power cut can undo it.
    fn write_durably(&self, key: &str, bytes: &[u8]) -> io::Result<()>;
}

/// A [`Cache`] that is a directory.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    staged: AtomicU64,
}

impl Directory {
    /// To read only: creates and sweeps nothing.
    pub(super) fn look(root: &Path) -> Self {
        Self { root: root.to_owned(), staged: AtomicU64::new(0) }
    }

    /// Opens the directory, creates it if need be, and sweeps what a crash left behind. One process at a time.
    pub fn open(root: &Path) -> io::Result<Self> {
        let directory = Self::look(root);
        match fs::remove_dir_all(directory.staging()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(directory.staging())?,
        }
        Ok(directory)
    }

    fn staging(&self) -> PathBuf {
        self.root.join(".tmp")
    }

    /// INVARIANT: no key leads out of the root or into `.tmp`.
    fn place(&self, key: &str) -> io::Result<PathBuf> {
        let plain =
            |part: Component<'_>| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
        if key.is_empty() || key.contains(['\\', '\0']) || key.contains("//") || !Path::new(key).components().all(plain)
        {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("malformed key `{key}`")));
        }
        Ok(self.root.join(key))
    }

    fn put(&self, key: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let place = self.place(key)?;
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        let staged = self.staging().join(format!("{}-{number}", process::id()));
        let written = self.stage(&staged, bytes).and_then(|()| {
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::rename(&staged, &place)
        });
        if written.is_err() {
            // A full disk must not fill up with what did not fit.
            let _ = fs::remove_file(&staged);
        }
        written.map(|()| place)
    }

    fn stage(&self, staged: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create_new(staged)?;
        file.write_all(bytes)?;
        // Without this a power cut can leave the name of the file without its content.
        file.sync_data()
    }
}

impl Cache for Directory {
    fn read(&self, key: &str) -> io::Result<Option<Bytes>> {
        match fs::read(self.place(key)?) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(key, bytes).map(drop)
    }

    fn write_durably(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let place = self.put(key, bytes)?;
        // The entry, and those of the directories that may have been created for it, up to the root.
        for directory in place.ancestors().skip(1) {
            File::open(directory)?.sync_all()?;
            if directory == self.root {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(root: &Path) -> usize {
        fs::read_dir(root.join(".tmp")).unwrap().count()
    }

    #[test]
    fn files_come_back_and_are_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        let cache = Directory::open(root.path()).unwrap();
        assert_eq!(cache.read("a/lookup/x@v1").unwrap(), None);
        cache.write("a/lookup/x@v1", b"one").unwrap();
        cache.write_durably("a/lookup/x@v1", b"two").unwrap();
        assert_eq!(cache.read("a/lookup/x@v1").unwrap().unwrap(), "two");
        assert_eq!(cache.read("a/lookup/x@v1/beyond").unwrap(), None);
        assert_eq!(files(root.path()), 0, "nothing is left behind");
        let again = Directory::open(root.path()).unwrap();
        assert_eq!(again.read("a/lookup/x@v1").unwrap().unwrap(), "two");
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_a_crash_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let cache = Directory::open(root.path()).unwrap();
        cache.write("a/b", b"file").unwrap();
        assert!(cache.write("a/b/c", b"below a file").is_err());
        assert!(cache.write(&format!("a/{}", "n".repeat(300)), b"too long").is_err());
        assert_eq!(files(root.path()), 0);
        fs::write(root.path().join(".tmp/1-1"), b"half").unwrap();
        Directory::open(root.path()).unwrap();
        assert_eq!(files(root.path()), 0);
    }

    #[test]
    fn no_key_leads_out() {
        let root = tempfile::tempdir().unwrap();
        let cache = Directory::open(&root.path().join("in")).unwrap();
        for key in
            ["", "/", "/etc/passwd", "..", "../out", "a/../../out", ".tmp/x", "a/.hidden", "a//b", "a\\b", "a\0b"]
        {
            assert!(cache.write(key, b"x").is_err(), "{key:?}");
            assert!(cache.read(key).is_err(), "{key:?}");
        }
        assert!(!root.path().join("out").exists());
    }
}
