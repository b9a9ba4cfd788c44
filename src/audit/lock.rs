//! One journal has one writer: an advisory lock on `journal.lock`, held as long as the journal is open. The index beside
//! it has a lock of its own.
//!
//! The file holds the writer's process id, only so that the error of a second one can name it; the kernel's lock
//! decides, and dies with its holder. Readers take no lock.

use super::AuditError;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The held lock; dropping it releases.
#[derive(Debug)]
pub(super) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock of the journal in `dir`, or says who has it.
    pub(super) fn take(dir: &Path) -> Result<Self, AuditError> {
        Self::take_file(dir, "journal.lock")
    }

    /// Takes the lock that is the file `name` in `dir`.
    pub(super) fn take_file(dir: &Path, name: &str) -> Result<Self, AuditError> {
        let path = dir.join(name);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(AuditError::file("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(AuditError::Locked { dir: dir.into(), holder: holder(&mut file) });
            }
            Err(errno) => return Err(AuditError::file("lock", &path)(errno.into())),
        }
        sign(&mut file).map_err(AuditError::file("write", &path))?;
        Ok(Self { _file: file })
    }
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(id)) => format!("process {id}"),
        _ => "another process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_writer_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let first = WriterLock::take(dir.path()).unwrap();
        let error = WriterLock::take(dir.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        WriterLock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_lock_file_of_nonsense_still_locks() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("journal.lock"), b"\xff\xfe and so on, longer than any process id is").unwrap();
        let _first = WriterLock::take(dir.path()).unwrap();
        std::fs::write(dir.path().join("journal.lock"), b"\xff").unwrap();
        let error = WriterLock::take(dir.path()).unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
    }
}
