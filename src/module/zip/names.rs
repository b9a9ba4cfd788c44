//! The names of a module zip's entries, and their declared sizes (`checkZip` in `golang.org/x/mod/zip`).
//!
//! No two files may meet on a file system that ignores letter case, and none may be a file for one name and a
//! directory for another. Names are kept as a tree, one node an element: a table of whole paths, as `x/mod` has it, grows with
//! the square of a path's depth, which a stranger's zip chooses.

use super::directory::Directory;
use super::{MAX_NAMES, MAX_ROOT_FILE, MAX_ZIP, ZipError};
use crate::module::element::{Kind, check_path};
use crate::module::unicode::fold;
use std::collections::HashMap;

/// What was found in a directory whose names and sizes are allowed.
pub(super) struct Names {
    /// The number of files.
    pub(super) files: usize,
    /// The sum of their declared sizes.
    pub(super) unpacked: u64,
    /// The position of the go.mod among the entries.
    pub(super) gomod: Option<usize>,
}

/// Checks every entry; `prefix` is `PATH@VERSION/`.
pub(super) fn check(directory: &Directory, prefix: &str) -> Result<Names, ZipError> {
    let mut names = Names { files: 0, unpacked: 0, gomod: None };
    let mut tree = Tree::default();
    for (position, entry) in directory.entries.iter().enumerate() {
        let whole = directory.name(entry);
        let refuse = |reason: String| ZipError::entry(whole, reason);
        let Some(name) = whole.strip_prefix(prefix.as_bytes()) else {
            return Err(refuse(format!("path does not have prefix `{prefix}`")));
        };
        if name.is_empty() {
            continue;
        }
        let name = std::str::from_utf8(name).map_err(|_| refuse("invalid UTF-8".into()))?;
        let (name, is_directory) = match name.strip_suffix('/') {
            Some(name) => (name, true),
            None => (name, false),
        };
        // Also refuses whatever `path.Clean` would change: empty, `.` and `..` elements.
        check_path(name, Kind::File).map_err(refuse)?;
        tree.add(name, is_directory).map_err(|fault| fault.at(whole))?;
        if is_directory {
            continue;
        }
        check_gomod_name(name).map_err(|reason| refuse(reason.into()))?;
        names.files += 1;
        names.unpacked = names.unpacked.saturating_add(entry.unpacked);
        if names.unpacked > MAX_ZIP {
            return Err(ZipError::TooLarge("contents of more than 500 MiB"));
        }
        if matches!(name, "go.mod" | "LICENSE") && entry.unpacked > MAX_ROOT_FILE {
            return Err(refuse(format!("file too large (max size is {MAX_ROOT_FILE} bytes)")));
        }
        if name == "go.mod" {
            names.gomod = Some(position);
        }
    }
    Ok(names)
}

/// A go.mod below the root would begin another module.
fn check_gomod_name(name: &str) -> Result<(), &'static str> {
    let base = name.rsplit('/').next().unwrap_or_default();
    if !base.eq_ignore_ascii_case("go.mod") || name == "go.mod" {
        Ok(())
    } else if base == name {
        Err("go.mod files must have lowercase names")
    } else {
        Err("go.mod file not in module root directory")
    }
}

/// All files and directories so far.
#[derive(Default)]
struct Tree<'a> {
    /// By the directory's number (0 the root) and the folded name in it.
    nodes: HashMap<(u32, Box<str>), Node<'a>>,
}

struct Node<'a> {
    number: u32,
    /// As it was first spelled.
    name: &'a str,
    is_directory: bool,
}

enum Fault<'a> {
    Collision(&'a str, &'a str),
    FileAndDirectory,
    Twice,
    TooMany,
}

impl Fault<'_> {
    fn at(self, name: &[u8]) -> ZipError {
        match self {
            Self::Collision(one, other) => {
                ZipError::entry(name, format!("case-insensitive file name collision: `{one}` and `{other}`"))
            }
            Self::FileAndDirectory => ZipError::entry(name, "both a file and a directory"),
            Self::Twice => ZipError::entry(name, "multiple entries for one file"),
            Self::TooMany => ZipError::TooLarge("more than 1,000,000 files and directories"),
        }
    }
}

impl<'a> Tree<'a> {
    /// Adds a path with all directories above it. A directory may come again, a file not.
    fn add(&mut self, path: &'a str, is_directory: bool) -> Result<(), Fault<'a>> {
        let mut parent = 0;
        let mut elements = path.split('/').peekable();
        while let Some(name) = elements.next() {
            let is_last = elements.peek().is_none();
            parent = self.add_element(parent, name, !is_last || is_directory)?;
        }
        Ok(())
    }

    fn add_element(&mut self, parent: u32, name: &'a str, is_directory: bool) -> Result<u32, Fault<'a>> {
        let key = (parent, name.chars().map(fold).collect());
        if let Some(node) = self.nodes.get(&key) {
            return match () {
                () if node.name != name => Err(Fault::Collision(node.name, name)),
                () if node.is_directory != is_directory => Err(Fault::FileAndDirectory),
                () if !is_directory => Err(Fault::Twice),
                () => Ok(node.number),
            };
        }
        if self.nodes.len() == MAX_NAMES {
            return Err(Fault::TooMany);
        }
        // INVARIANT: at most MAX_NAMES nodes, so numbers fit; 0 is the root's.
        let number = self.nodes.len() as u32 + 1;
        self.nodes.insert(key, Node { number, name, is_directory });
        Ok(number)
    }
}
