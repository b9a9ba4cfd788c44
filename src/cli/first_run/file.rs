//! The files and directories of a first start, with errors that name them. How they are written is in `durability`.

use super::FirstRunError;
use crate::durability;
use std::fs::{self, DirBuilder};
use std::io;
use std::path::Path;

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
    durability::write_private(path, content).map_err(|cause| FirstRunError::Write { path: path.to_owned(), cause })
}

/// Writes a file that everybody can read.
pub(super) fn write_public(path: &Path, content: &[u8]) -> Result<(), FirstRunError> {
    durability::write_public(path, content).map_err(|cause| FirstRunError::Write { path: path.to_owned(), cause })
}

/// The content of a file, `None` if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, FirstRunError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(FirstRunError::Read { path: path.to_owned(), cause }),
    }
}
