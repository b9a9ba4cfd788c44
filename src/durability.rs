//! Files that appear whole, and that are still there after a power cut.
//!
//! A file is written beside its name, brought to the disk, renamed, and its directory brought to the disk: whoever reads the
//! name finds the old content or the new one, and once a function here has returned, the new one. What keeps files by rules of
//! its own (the shelf, the cache of a checksum database) is not here.

use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    path::Path,
};

/// What the names of files begin with that are not finished yet.
const UNFINISHED: &str = ".modgate-";

/// Writes a file that only its owner can read, or replaces one by it.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, 0o600, sync_directory)
}

/// Writes a file that everybody can read, or replaces one by it.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, 0o644, sync_directory)
}

/// Whether a file of this name could be written now. Nothing is left behind.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory_of(path))?.close()
}

/// Makes names durable: a new file's data may be on the disk and its name not.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `mode` is the file's from the moment on that it exists, less what the umask takes.
fn write(path: &Path, content: &[u8], mode: u32, sync: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let directory = directory_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    let mut new = builder.tempfile_in(directory)?;
    new.write_all(content)?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    match sync(directory) {
        // Some network file systems know no such thing, and some systems open no directories.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        Err(_) if cfg!(windows) => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_directory_is_brought_to_the_disk_after_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut synced = Vec::new();
        write(&path, b"new", 0o600, |directory| {
            assert_eq!(fs::read(&path).unwrap(), b"new");
            synced.push(directory.to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(synced, [directory.path()]);
        let failed = write(&path, b"newer", 0o600, |_| Err(ErrorKind::StorageFull.into()));
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::StorageFull);
        write(&path, b"newest", 0o600, |_| Err(ErrorKind::InvalidInput.into())).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn files_have_their_mode_whatever_was_there_and_nothing_is_left_beside_them() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let (private, public) = (directory.path().join("a"), directory.path().join("b"));
        fs::write(&private, "old").unwrap();
        fs::set_permissions(&private, fs::Permissions::from_mode(0o666)).unwrap();
        write_private(&private, b"x").unwrap();
        write_public(&public, b"y").unwrap();
        check_writable(&public).unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&private), mode(&public)), (0o600, 0o644));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        assert!(check_writable(directory.path()).is_err());
        assert!(check_writable(&directory.path().join("no/where")).is_err());
        assert!(write_private(&directory.path().join("no/where"), b"x").is_err());
    }
}
