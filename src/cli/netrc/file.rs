//! The netrc file on disk: where the go command looks for it, and how it is replaced whole.

use super::Netrc;
use crate::durability;
use std::{fs, io, path::PathBuf};

/// A netrc file and its content.
pub(in crate::cli) struct NetrcFile {
    /// Where it is, or would be.
    pub(in crate::cli) path: PathBuf,
    /// What is in it; empty if there is none.
    pub(in crate::cli) netrc: Netrc,
    /// Whether there is one.
    pub(in crate::cli) exists: bool,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum NetrcError {
    #[error("there is no home directory to look for a netrc file in; NETRC can name one")]
    Homeless,
    #[error("cannot read `{}`: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("cannot write `{}`: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("`{}` is no text (UTF-16?), so the go command cannot read it", .0.display())]
    NoText(PathBuf),
}

/// Where the go command of this process's environment looks.
pub(in crate::cli) fn path_of_process() -> Option<PathBuf> {
    locate(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from), cfg!(windows))
}

/// `NETRC`, else `.netrc` at home. On Windows `_netrc` goes first, and is what is made where there is neither: older go
/// commands know no other.
fn locate(variable: impl Fn(&str) -> Option<PathBuf>, windows: bool) -> Option<PathBuf> {
    if let Some(file) = variable("NETRC") {
        return Some(file);
    }
    if !windows {
        return Some(variable("HOME")?.join(".netrc"));
    }
    let home = variable("USERPROFILE")?;
    let (legacy, dotted) = (home.join("_netrc"), home.join(".netrc"));
    Some(if !legacy.exists() && dotted.exists() { dotted } else { legacy })
}

impl NetrcFile {
    /// Reads the one that the go command would read.
    pub(in crate::cli) fn of_process() -> Result<Self, NetrcError> {
        Self::read(path_of_process().ok_or(NetrcError::Homeless)?)
    }

    /// Reads a file, which need not be there.
    pub(in crate::cli) fn read(path: PathBuf) -> Result<Self, NetrcError> {
        match fs::read(&path) {
            Ok(text) => Ok(Self { path, netrc: Netrc::new(text), exists: true }),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                Ok(Self { path, netrc: Netrc::default(), exists: false })
            }
            Err(cause) => Err(NetrcError::Read { path, cause }),
        }
    }

    /// Puts the content in the place of the file: whole or not at all, and for its owner's eyes only. Where the name is a
    /// link, what it leads to is replaced.
    pub(in crate::cli) fn write(&self) -> Result<(), NetrcError> {
        let target = self.target()?;
        durability::write_private(&target, self.netrc.text()).map_err(|cause| NetrcError::Write { path: target, cause })
    }

    /// Whether [`Self::write`] would work now.
    pub(in crate::cli) fn check_writable(&self) -> Result<(), NetrcError> {
        let target = self.target()?;
        durability::check_writable(&target).map_err(|cause| NetrcError::Write { path: target, cause })
    }

    fn target(&self) -> Result<PathBuf, NetrcError> {
        if !self.netrc.is_text() {
            return Err(NetrcError::NoText(self.path.clone()));
        }
        Ok(fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::OsString, path::Path};

    #[test]
    fn it_is_where_the_go_command_looks() {
        let home = tempfile::tempdir().unwrap();
        let path = |set: &[(&str, &Path)], windows| {
            let found = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_path_buf());
            locate(found, windows)
        };
        let at = home.path();
        assert_eq!(path(&[("HOME", at)], false), Some(at.join(".netrc")));
        assert_eq!(path(&[("HOME", at), ("NETRC", Path::new("x"))], false), Some("x".into()));
        assert_eq!(path(&[], false), None);
        let windows = [("USERPROFILE", at)];
        assert_eq!(path(&windows, true), Some(at.join("_netrc")));
        fs::write(at.join(".netrc"), "").unwrap();
        assert_eq!(path(&windows, true), Some(at.join(".netrc")));
        fs::write(at.join("_netrc"), "").unwrap();
        assert_eq!(path(&windows, true), Some(at.join("_netrc")));
    }

    #[test]
    fn it_is_replaced_whole_and_nothing_is_left_behind() {
        let home = tempfile::tempdir().unwrap();
        let mut file = NetrcFile::read(home.path().join("netrc")).unwrap();
        assert!(!file.exists);
        file.netrc.set("gw.test:8443", "modgate", "p1").unwrap();
        file.write().unwrap();
        let again = NetrcFile::read(file.path.clone()).unwrap();
        assert!(again.exists && again.netrc == file.netrc);
        let names: Vec<OsString> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["netrc"]);
    }

    #[cfg(unix)]
    #[test]
    fn it_becomes_its_owners_own_and_a_link_stays_a_link() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("dotfiles"), home.path().join(".netrc"));
        fs::write(&real, "machine a.test login x password y\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut file = NetrcFile::read(link.clone()).unwrap();
        file.netrc.set("gw.test", "modgate", "p1").unwrap();
        file.write().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(&real).unwrap().ends_with("machine gw.test login modgate password p1\n"));
    }

    #[test]
    fn what_is_no_text_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("netrc");
        let wide: Vec<u8> = "machine a".encode_utf16().flat_map(u16::to_le_bytes).collect();
        fs::write(&path, &wide).unwrap();
        let mut file = NetrcFile::read(path.clone()).unwrap();
        file.netrc.set("gw.test", "modgate", "p1").unwrap();
        assert!(matches!(file.write(), Err(NetrcError::NoText(_))));
        assert_eq!(fs::read(path).unwrap(), wide);
    }
}
