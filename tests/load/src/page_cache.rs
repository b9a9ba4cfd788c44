//! Drops files from the system's page cache, so that they are read from disk the next time. Nobody else's files are touched,
//! and no privilege is needed. What is mapped or being read at that moment stays.

use crate::failure::Failure;
use std::{
    fs::{self, File},
    path::Path,
};

/// Files from this size on; smaller ones are kept in memory by those who serve them anyway.
const LEAST: u64 = 64 << 10;

/// Drops all files of 64 KiB and more below `folder`; returns their bytes.
pub(crate) fn drop_below(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(Failure::file(folder))? {
        let entry = entry.map_err(Failure::file(folder))?;
        let (path, meta) = (entry.path(), entry.metadata().map_err(Failure::file(entry.path()))?);
        if meta.is_dir() {
            bytes += drop_below(&path)?;
        } else if meta.is_file() && meta.len() >= LEAST {
            drop_file(&path).map_err(Failure::file(path))?;
            bytes += meta.len();
        }
    }
    Ok(bytes)
}

/// Only what is on disk can be dropped.
#[cfg(target_os = "linux")]
fn drop_file(path: &Path) -> std::io::Result<()> {
    let file = File::open(path)?;
    file.sync_data()?;
    Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn drop_file(path: &Path) -> std::io::Result<()> {
    File::open(path)?;
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn large_files_are_dropped_and_keep_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        let large = folder.path().join("deep/large");
        fs::write(&large, vec![7; 100_000]).unwrap();
        fs::write(folder.path().join("small"), "small").unwrap();
        assert_eq!(drop_below(folder.path()).unwrap(), 100_000);
        assert_eq!(fs::read(large).unwrap(), vec![7; 100_000]);
        assert!(drop_below(&folder.path().join("none")).is_err());
    }
}
