//! Makes the tree that every server serves: modules in GOPROXY's layout, with zips that the `go` command accepts.
//!
//! Each module has twelve versions with `.info`, `.mod` and a zip of 100 KB, a `list` of them and `@latest`. The first
//! modules have one of 12 MB at v1.1.0. Zips hold `go.mod` and one file of bytes that cannot be compressed, stored
//! as they are: what is measured is moving bytes. One module in ten has capital letters in its path.

use crate::{failure::Failure, numbers::Numbers};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Versions of each module: v1.0.0 and so on.
const VERSIONS: usize = 12;

/// How much is made.
#[derive(Debug, clap::Args)]
pub(crate) struct Extent {
    /// Modules in all
    #[arg(long, default_value_t = 50)]
    pub(crate) modules: usize,
    /// Modules of which one version has a large zip
    #[arg(long, default_value_t = 16)]
    pub(crate) large: usize,
    /// Bytes in a small zip
    #[arg(long, default_value_t = 100_000)]
    pub(crate) small_bytes: usize,
    /// Bytes in a large zip
    #[arg(long, default_value_t = 12_000_000)]
    pub(crate) large_bytes: usize,
}

/// Writes the tree below `root`.
pub(crate) fn write_tree(root: &Path, extent: &Extent) -> Result<(), Failure> {
    (0..extent.modules).try_for_each(|number| write_module(root, extent, number))
}

fn write_module(root: &Path, extent: &Extent, number: usize) -> Result<(), Failure> {
    let path = module_path(number);
    let folder = root.join(escape(&path));
    let gomod = format!("module {path}\n\ngo 1.20\n");
    let versions: Vec<_> = (0..VERSIONS).map(|minor| format!("v1.{minor}.0")).collect();
    for (minor, version) in versions.iter().enumerate() {
        write(folder.join(format!("@v/{version}.info")), info(version).as_bytes())?;
        write(folder.join(format!("@v/{version}.mod")), gomod.as_bytes())?;
        let size = if minor == 1 && number < extent.large { extent.large_bytes } else { extent.small_bytes };
        let seed = (number * VERSIONS + minor) as u64;
        write(folder.join(format!("@v/{version}.zip")), &module_zip(&path, version, &gomod, size, seed))?;
    }
    write(folder.join("@v/list"), (versions.join("\n") + "\n").as_bytes())?;
    write(folder.join("@latest"), versions.last().map(|last| info(last)).unwrap_or_default().as_bytes())
}

/// The path of one of the modules; those whose number ends in 7 have capital letters.
pub(crate) fn module_path(number: usize) -> String {
    let owner = if number % 10 == 7 { "BurntOrg" } else { "org" };
    format!("github.com/{owner}{}/module{number}", number % 8)
}

fn info(version: &str) -> String {
    format!("{{\"Version\":\"{version}\",\"Time\":\"2024-05-06T07:08:09Z\"}}")
}

/// Capital letters as `!` and the small one, as in the paths of requests.
fn escape(path: &str) -> String {
    path.chars().fold(String::with_capacity(path.len()), |mut escaped, letter| {
        if letter.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(letter.to_ascii_lowercase());
        escaped
    })
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    }
    fs::write(&path, bytes).map_err(Failure::file(path))
}

/// A module zip of about `size` bytes.
fn module_zip(path: &str, version: &str, gomod: &str, size: usize, seed: u64) -> Vec<u8> {
    let root = format!("{path}@{version}/");
    let filler = Numbers::seeded(seed).bytes(size);
    stored([(root.clone() + "go.mod", gomod.as_bytes()), (root + "testdata/filler.bin", &filler)])
}

/// A zip of stored (uncompressed) files, each and all below 4 GiB.
fn stored<const N: usize>(files: [(String, &[u8]); N]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in &files {
        let offset = body.len() as u32;
        let fields = local_fields(name, bytes);
        body.extend(b"PK\x03\x04");
        body.extend(&fields);
        body.extend(name.as_bytes());
        body.extend(*bytes);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&fields);
        directory.extend([0; 10]); // comment, disk, attributes
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (size, offset) = (directory.len() as u32, body.len() as u32);
    body.extend(directory);
    body.extend(b"PK\x05\x06\0\0\0\0");
    body.extend((N as u16).to_le_bytes());
    body.extend((N as u16).to_le_bytes());
    body.extend(size.to_le_bytes());
    body.extend(offset.to_le_bytes());
    body.extend([0, 0]);
    body
}

/// What a local header and a directory entry have in common: version needed, flags, method, time, CRC-32, sizes, length
/// of the name and of the extra field.
fn local_fields(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut fields = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    fields.extend(crc32fast::hash(bytes).to_le_bytes());
    fields.extend((bytes.len() as u32).to_le_bytes());
    fields.extend((bytes.len() as u32).to_le_bytes());
    fields.extend((name.len() as u16).to_le_bytes());
    fields.extend([0, 0]);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_has_its_versions_and_zips() {
        let root = tempfile::tempdir().unwrap();
        let extent = Extent { modules: 8, large: 1, small_bytes: 1_000, large_bytes: 3_000 };
        write_tree(root.path(), &extent).unwrap();
        let first = root.path().join("github.com/org0/module0");
        let length = |name: &str| fs::metadata(first.join(name)).unwrap().len();
        assert!((1_000..2_000).contains(&length("@v/v1.0.0.zip")));
        assert!((3_000..4_000).contains(&length("@v/v1.1.0.zip")));
        assert_eq!(fs::read_to_string(first.join("@v/list")).unwrap().lines().count(), VERSIONS);
        assert!(fs::read_to_string(first.join("@latest")).unwrap().contains("v1.11.0"));
        let capital = root.path().join("github.com/!burnt!org7/module7/@v");
        assert!(fs::read_to_string(capital.join("v1.0.0.mod")).unwrap().starts_with("module github.com/BurntOrg7/"));
        assert!(fs::metadata(capital.join("v1.1.0.zip")).unwrap().len() < 2_000);
    }
}
