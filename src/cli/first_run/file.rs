//! Files that appear whole, and that only their owner can read.

use super::FirstRunError;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Makes a directory (and those above it) that only its owner can enter; one that is there is left as it is.
pub(in crate::cli) fn private_directory(path: &Path) -> Result<(), FirstRunError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|cause| FirstRunError::Write { path: path.to_owned(), cause })
}

/// Writes a file that only its owner can read.
pub(in crate::cli) fn write_private(path: &Path, content: &[u8]) -> Result<(), FirstRunError> {
    write(path, content, 0o600)
}

/// Writes a file that everybody can read.
pub(super) fn write_public(path: &Path, content: &[u8]) -> Result<(), FirstRunError> {
    write(path, content, 0o644)
}

/// The content of a file, `None` if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, FirstRunError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(FirstRunError::Read { path: path.to_owned(), cause }),
    }
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), FirstRunError> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let written = || -> io::Result<()> {
        // A left-over may have another mode.
        if new.exists() {
            fs::remove_file(&new)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = options.open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().map_err(|cause| FirstRunError::Write { path: path.to_owned(), cause })
}
