//! What every server must answer, read from the tree that all of them serve.
//!
//! Small answers are kept whole and compared byte for byte every time; of zips the digest is kept for the first answer
//! and the length for all others.

use crate::failure::Failure;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use bytes::Bytes;
use serde_json::{Value, from_slice};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// From this size on a zip is a large one.
const LARGE: u64 = 1_000_000;

/// What kind of answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// `.info` of a version
    Info,
    /// `.mod` of a version
    Mod,
    /// The list of versions
    List,
    /// `@latest`
    Latest,
    /// Module zips of 100 KB
    SmallZip,
    /// Module zips of 12 MB
    LargeZip,
}

impl Kind {
    /// As it is called in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Info => ".info",
            Self::Mod => ".mod",
            Self::List => "list",
            Self::Latest => "@latest",
            Self::SmallZip => "small zip",
            Self::LargeZip => "large zip",
        }
    }

    fn of(path: &str, length: u64) -> Option<Self> {
        let (_, name) = path.rsplit_once('/')?;
        match name.rsplit_once('.') {
            _ if name == "list" => Some(Self::List),
            _ if name == "@latest" => Some(Self::Latest),
            Some((_, "info")) => Some(Self::Info),
            Some((_, "mod")) => Some(Self::Mod),
            Some((_, "zip")) if length < LARGE => Some(Self::SmallZip),
            Some((_, "zip")) => Some(Self::LargeZip),
            _ => None,
        }
    }
}

/// One answer.
pub(crate) struct Answer {
    /// Which kind it is.
    pub(crate) kind: Kind,
    /// The path of the request, with its leading slash.
    pub(crate) path: String,
    /// How many bytes it has.
    pub(crate) length: u64,
    /// All of its bytes, unless it is a zip.
    pub(crate) whole: Option<Bytes>,
    digest: Digest,
}

impl Answer {
    /// Whether these are its bytes.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        digest(&SHA256, bytes).as_ref() == self.digest.as_ref()
    }

    /// The same answer in a server's own words, if these bytes are that: a list in another order or without its last line
    /// end, `.info` with other blanks or more fields.
    pub(crate) fn reworded(&self, bytes: &Bytes) -> Option<Self> {
        let ours = self.whole.as_ref()?;
        let same = match self.kind {
            Kind::List => versions(ours)? == versions(bytes)?,
            Kind::Info | Kind::Latest => {
                let (ours, theirs): (Value, Value) = (from_slice(ours).ok()?, from_slice(bytes).ok()?);
                ["Version", "Time"].iter().all(|key| ours.get(key) == theirs.get(key))
            }
            Kind::Mod | Kind::SmallZip | Kind::LargeZip => false,
        };
        same.then(|| Self {
            kind: self.kind,
            path: self.path.clone(),
            length: bytes.len() as u64,
            whole: Some(bytes.clone()),
            digest: digest(&SHA256, bytes),
        })
    }
}

fn versions(list: &[u8]) -> Option<BTreeSet<&str>> {
    Some(std::str::from_utf8(list).ok()?.lines().collect())
}

/// Reads all answers of the tree at `root`, in the order of their paths.
pub(crate) fn read_tree(root: &Path) -> Result<Vec<Answer>, Failure> {
    let mut answers = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Failure::file(&folder))? {
            let path = entry.map_err(Failure::file(&folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                answers.extend(read_answer(root, path)?);
            }
        }
    }
    answers.sort_by(|one, other| one.path.cmp(&other.path));
    if answers.is_empty() {
        return Err(Failure::Content { path: root.into(), reason: "no modules; `load tree` makes some".into() });
    }
    Ok(answers)
}

fn read_answer(root: &Path, file: PathBuf) -> Result<Option<Answer>, Failure> {
    let Some(path) = file.strip_prefix(root).ok().and_then(Path::to_str).map(|path| format!("/{path}")) else {
        return Ok(None);
    };
    let bytes = Bytes::from(fs::read(&file).map_err(Failure::file(file))?);
    let length = bytes.len() as u64;
    Ok(Kind::of(&path, length).map(|kind| Answer {
        kind,
        path,
        length,
        digest: digest(&SHA256, &bytes),
        whole: (!matches!(kind, Kind::SmallZip | Kind::LargeZip)).then_some(bytes),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_name_and_size() {
        for (path, length, kind) in [
            ("/a/@v/list", 10, Some(Kind::List)),
            ("/a/@latest", 10, Some(Kind::Latest)),
            ("/a/@v/v1.0.0.info", 10, Some(Kind::Info)),
            ("/a/@v/v1.0.0.mod", 10, Some(Kind::Mod)),
            ("/a/@v/v1.0.0.zip", 999_999, Some(Kind::SmallZip)),
            ("/a/@v/v1.0.0.zip", 1_000_000, Some(Kind::LargeZip)),
            ("/a/@v/v1.0.0.ziphash", 10, None),
            ("/a/@v/v1.0.0.lock", 10, None),
        ] {
            assert_eq!(Kind::of(path, length), kind, "{path}");
        }
    }

    #[test]
    fn an_answer_is_known_in_other_words() {
        let answer = |kind, text: &'static str| Answer {
            kind,
            path: "/m/@v/x".into(),
            length: text.len() as u64,
            digest: digest(&SHA256, text.as_bytes()),
            whole: Some(Bytes::from_static(text.as_bytes())),
        };
        let list = answer(Kind::List, "v1.0.0\nv1.1.0\n");
        let other = list.reworded(&Bytes::from_static(b"v1.1.0\nv1.0.0")).unwrap();
        assert!(other.length == 13 && other.is(b"v1.1.0\nv1.0.0"));
        assert!(list.reworded(&Bytes::from_static(b"v1.1.0\n")).is_none());
        let info = answer(Kind::Info, r#"{"Version":"v1.0.0","Time":"2024-05-06T07:08:09Z"}"#);
        let more = br#"{"Time": "2024-05-06T07:08:09Z", "Version": "v1.0.0", "Origin": {}}"#;
        assert!(info.reworded(&Bytes::from_static(more)).is_some());
        assert!(info.reworded(&Bytes::from_static(br#"{"Version":"v1.0.0"}"#)).is_none());
        assert!(answer(Kind::Mod, "module m\n").reworded(&Bytes::from_static(b"module m")).is_none());
    }

    #[test]
    fn an_answer_knows_its_bytes() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("m/@v")).unwrap();
        fs::write(root.path().join("m/@v/list"), "v1.0.0\n").unwrap();
        let answers = read_tree(root.path()).unwrap();
        assert_eq!(answers[0].path, "/m/@v/list");
        assert!(answers[0].is(b"v1.0.0\n") && !answers[0].is(b"v1.0.1\n"));
        assert!(read_tree(&root.path().join("none")).is_err());
    }
}
