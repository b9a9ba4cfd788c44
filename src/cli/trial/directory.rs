//! The throw-away directory: everything that a trial makes lies in it, and it goes when the trial does.
//!
//! ```text
//! DIR/data/       what a data directory of `modgate serve` has: journal, store, tokens, certificate
//! DIR/modcache/   the command's module cache
//! DIR/netrc       the token, 0600
//! DIR/try.csv     the trial's own policy
//! ```

use super::super::first_run;
use crate::cli::terminal::Failure;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory that only its owner can enter; removed when it is dropped, unless it is to be kept.
pub(super) struct Directory {
    held: Option<TempDir>,
    path: PathBuf,
}

impl Directory {
    /// Makes one where the system has such directories (TMPDIR).
    pub(super) fn create(keep: bool) -> Result<Self, Failure> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("modgate-try-").disable_cleanup(keep);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let held = builder.tempdir().map_err(|cause| {
            let failure = Failure::new(format!("cannot make a throw-away directory: {cause}"));
            failure.hint("TMPDIR (on Windows TMP) says where it is made".to_owned())
        })?;
        let path = held.path().to_owned();
        let directory = Self { held: (!keep).then_some(held), path };
        first_run::private_directory(&directory.data())?;
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn module_cache(&self) -> PathBuf {
        self.path.join("modcache")
    }

    pub(super) fn netrc(&self) -> PathBuf {
        self.path.join("netrc")
    }

    /// Where it is, if it stays.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.held.is_none().then_some(&*self.path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        if fs::remove_dir_all(held.path()).is_err() {
            unlock(held.path());
        }
        // Also when a process that the command left behind is still writing there.
        let _ = held.close();
    }
}

/// Makes everything below writable: the go command makes module caches read-only.
fn unlock(path: &Path) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    if metadata.is_symlink() || (cfg!(unix) && !metadata.is_dir()) {
        return;
    }
    let _ = writable(path, &metadata);
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        unlock(&entry.path());
    }
}

#[cfg(unix)]
fn writable(path: &Path, _: &fs::Metadata) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

#[cfg(not(unix))]
fn writable(path: &Path, metadata: &fs::Metadata) -> io::Result<()> {
    let mut permissions = metadata.permissions();
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_goes_with_what_the_go_command_made_read_only() {
        let directory = Directory::create(false).unwrap();
        let path = directory.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let module = directory.module_cache().join("example.test/lib@v1.0.0");
        fs::create_dir_all(&module).unwrap();
        fs::write(module.join("go.mod"), "").unwrap();
        for locked in [&module, &directory.module_cache()] {
            fs::set_permissions(locked, fs::Permissions::from_mode(0o555)).unwrap();
        }
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn it_stays_if_it_is_to_be_kept() {
        let directory = Directory::create(true).unwrap();
        let path = directory.kept().unwrap().to_owned();
        drop(directory);
        assert!(path.exists());
        fs::remove_dir_all(path).unwrap();
    }
}
