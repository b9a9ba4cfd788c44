//! Walking over all entries, for the background scrub.

use super::{Shelf, read::is_file, root::META};
use std::{fs::ReadDir, path::PathBuf};

/// The keys that have a side record, in no order, read from the disk as the walk goes. What cannot be read is passed
/// over; what is added meanwhile may or may not be seen.
pub struct Keys {
    base: PathBuf,
    open: Vec<ReadDir>,
}

impl Shelf {
    /// All keys with a side record.
    pub fn keys(&self) -> Keys {
        let base = self.root.directory(META);
        Keys { open: std::fs::read_dir(&base).into_iter().collect(), base }
    }
}

impl Iterator for Keys {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        while let Some(directory) = self.open.last_mut() {
            let Some(entry) = directory.next() else {
                self.open.pop();
                continue;
            };
            let Ok(path) = entry.map(|entry| entry.path()) else {
                continue;
            };
            if path.is_dir() {
                self.open.extend(std::fs::read_dir(&path));
            } else if is_file(&path)
                && let Some(key) = path.strip_prefix(&self.base).ok().and_then(|key| key.to_str())
            {
                return Some(key.to_owned());
            }
        }
        None
    }
}
