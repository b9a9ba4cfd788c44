//! The root directory: opening, locking, sweeping, and the paths below it.

use super::{ShelfError, fault::Point, key, sync::DirectorySyncs};
use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    hash::{BuildHasher, RandomState},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

pub(super) const META: &str = ".meta";
pub(super) const STAGING: &str = ".tmp";
pub(super) const ASIDE: &str = ".aside";
const LOCK: &str = ".lock";
const STRIPES: usize = 64;

/// A directory of entries, opened by this process alone. Cheap to clone.
#[derive(Clone)]
pub struct Shelf {
    pub(super) root: Arc<Root>,
}

/// What [`Shelf::open`] found in the staging directory and removed: what a crash had left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files removed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

pub(super) struct Root {
    path: PathBuf,
    pub(super) syncs: DirectorySyncs,
    /// One lock for a share of the keys each: commit, amend and set aside of one key exclude one another.
    stripes: [Mutex<()>; STRIPES],
    hasher: RandomState,
    next_staged: AtomicU64,
    pub(super) next_aside: AtomicU64,
    /// Held, not read: the lock lasts as long as the file is open.
    _lock: File,
    #[cfg(test)]
    pub(super) faults: super::fault::Faults,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Shelf").field(&self.path()).finish()
    }
}

impl Shelf {
    /// Opens the directory, creating it where it is missing, locks it and empties its staging directory.
    ///
    /// Fails with [`ShelfError::InUse`] while another process (or another `Shelf`) has it open.
    pub fn open(root: &Path) -> Result<(Self, Swept), ShelfError> {
        make_directories(root).map_err(ShelfError::io(format!("create `{}`", root.display())))?;
        let lock = lock(root)?;
        for name in [META, STAGING, ASIDE] {
            make_directories(&root.join(name)).map_err(ShelfError::io(format!("create `{name}`")))?;
        }
        let swept = sweep(&root.join(STAGING)).map_err(ShelfError::io("empty the staging directory"))?;
        let next_aside = highest_number(&root.join(ASIDE)).map_err(ShelfError::io("read what was set aside"))? + 1;
        let root = Root {
            path: root.to_owned(),
            syncs: DirectorySyncs::start()?,
            stripes: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            next_staged: AtomicU64::new(1),
            next_aside: AtomicU64::new(next_aside),
            _lock: lock,
            #[cfg(test)]
            faults: Default::default(),
        };
        Ok((Self { root: Arc::new(root) }, swept))
    }

    /// Whether the root is still there: one look at the directory that every commit goes through.
    ///
    /// # Errors
    /// What the system says of it.
    pub fn is_in_place(&self) -> Result<(), ShelfError> {
        let staging = self.root.directory(STAGING);
        match std::fs::metadata(&staging) {
            Ok(_) => Ok(()),
            Err(error) => Err(ShelfError::io(format!("find `{}`", staging.display()))(error)),
        }
    }

    /// The root directory: also a `file://` proxy.
    pub fn path(&self) -> &Path {
        &self.root.path
    }
}

impl Root {
    /// The body's file.
    pub(super) fn body(&self, key: &str) -> Result<PathBuf, ShelfError> {
        key::check(key)?;
        Ok(self.path.join(key))
    }

    /// The side record's file.
    pub(super) fn meta(&self, key: &str) -> Result<PathBuf, ShelfError> {
        key::check(key)?;
        Ok(self.directory(META).join(key))
    }

    /// One of the shelf's own directories.
    pub(super) fn directory(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A new file in the staging directory.
    pub(super) fn staging_file(&self) -> io::Result<(File, PathBuf)> {
        let number = self.next_staged.fetch_add(1, Ordering::Relaxed);
        let path = self.directory(STAGING).join(number.to_string());
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o640).open(&path)?;
        Ok((file, path))
    }

    /// A named step of a change, where tests make it fail.
    #[cfg(test)]
    pub(super) fn step(&self, point: Point) -> Result<(), ShelfError> {
        self.faults.hit(point).map_err(ShelfError::io(format!("{point:?}")))
    }

    /// A named step of a change, where tests make it fail.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the signature is the tests'")]
    pub(super) fn step(&self, _: Point) -> Result<(), ShelfError> {
        Ok(())
    }

    /// Whether a test stopped a change as a crash would: then nothing is tidied up.
    pub(super) fn crashed(&self) -> bool {
        #[cfg(test)]
        return self.faults.crashed();
        #[cfg(not(test))]
        false
    }

    /// Excludes every other change of that key.
    pub(super) fn lock_key(&self, key: &str) -> MutexGuard<'_, ()> {
        let [first, ..] = &self.stripes;
        let stripe = self.hasher.hash_one(key) as usize % STRIPES;
        let stripe = self.stripes.get(stripe).unwrap_or(first);
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(root: &Path) -> Result<File, ShelfError> {
    let path = root.join(LOCK);
    let doing = format!("lock `{}`", path.display());
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o640)
        .open(&path)
        .map_err(ShelfError::io(doing.clone()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ShelfError::InUse(root.to_owned())),
        Err(TryLockError::Error(error)) => Err(ShelfError::io(doing)(error)),
    }
}

/// Creates what is missing of `path` and answers the directories in which something was created.
pub(super) fn make_directories(path: &Path) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<&Path> = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.is_dir()).collect();
    let mut changed = Vec::new();
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o750).create(directory) {
            Ok(()) => changed.extend(directory.parent().map(Path::to_owned)),
            // Another thread's commit made it; its own sync may still be under way, so ours counts it too.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {
                changed.extend(directory.parent().map(Path::to_owned));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(changed)
}

fn sweep(staging: &Path) -> io::Result<Swept> {
    let mut swept = Swept::default();
    for entry in std::fs::read_dir(staging)? {
        let entry = entry?;
        swept.files += 1;
        swept.bytes += entry.metadata()?.len();
        std::fs::remove_file(entry.path())?;
    }
    Ok(swept)
}

fn highest_number(directory: &Path) -> io::Result<u64> {
    let mut highest = 0;
    for entry in std::fs::read_dir(directory)? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}
