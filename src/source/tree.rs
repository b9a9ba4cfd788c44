//! A directory in GOPROXY's layout: `file:///srv/modules`, a module cache's `cache/download`, the store of another
//! gateway.
//!
//! A file that is not there is absent for certain, as long as the directory itself is: an unmounted disk is an outage.
//! Paths come from a parsed [`crate::goproxy::Target`], which has no `..`, no empty element and no backslash, so
//! nothing outside can be named. Symbolic links are followed; the operator made them.

use super::{
    allowance::Allowance,
    body::{Body, Told},
    error::SourceError,
};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use std::{
    io::{Error, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    fs::{self, File},
    io::AsyncReadExt,
};

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// One tree.
pub(super) struct Tree {
    name: Arc<str>,
    root: PathBuf,
}

impl Tree {
    pub(super) fn new(name: Arc<str>, root: PathBuf) -> Self {
        Self { name, root }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The file at `path` below the root; `path` begins with a slash and is not percent-encoded.
    pub(super) async fn get(&self, path: &str, allowance: Allowance) -> Result<Body, SourceError> {
        let file = self.root.join(path.trim_start_matches('/'));
        // Asked before opening: to open a pipe would wait for its writer.
        let meta = match fs::metadata(&file).await {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => return Err(self.failed(&file, "not a regular file")),
            Err(error) => return Err(self.missing(&file, &error).await),
        };
        let length = meta.len();
        if length > allowance.bytes {
            return Err(SourceError::TooLarge { at: self.name.clone(), limit: allowance.bytes });
        }
        let open = File::open(&file).await.map_err(|error| self.failed(&file, &error.to_string()))?;
        let reading = Reading { at: self.name.clone(), file: open, left: length };
        let bytes = stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|piece| (piece, reading)))
        });
        Ok(Body { length: Some(length), bytes: bytes.boxed(), told: Told::default() })
    }

    async fn missing(&self, file: &Path, error: &Error) -> SourceError {
        let no_such_name =
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename);
        if !no_such_name {
            return self.failed(file, &error.to_string());
        }
        match fs::metadata(&self.root).await {
            Ok(root) if root.is_dir() => SourceError::Absent { at: self.name.clone(), text: "not found".into() },
            Ok(_) => self.failed(&self.root, "not a directory"),
            Err(error) => self.failed(&self.root, &error.to_string()),
        }
    }

    fn failed(&self, file: &Path, cause: &str) -> SourceError {
        SourceError::failed(&self.name, format!("{}: {cause}", file.display()))
    }
}

struct Reading {
    at: Arc<str>,
    file: File,
    left: u64,
}

impl Reading {
    /// The next piece. What a file grows by after it was opened is not looked at; one that shrank is an error.
    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        if self.left == 0 {
            return Ok(None);
        }
        let wanted = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        let mut piece = BytesMut::with_capacity(wanted);
        let read = (&mut self.file).take(wanted as u64).read_buf(&mut piece).await;
        match read.map_err(|error| SourceError::failed(&self.at, error.to_string()))? {
            0 => Err(SourceError::failed(&self.at, format!("the file ended {} bytes early", self.left))),
            read => {
                self.left = self.left.saturating_sub(read as u64);
                Ok(Some(piece.freeze()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn tree(directory: &Path) -> Tree {
        Tree::new("file:///tree".into(), directory.to_owned())
    }

    async fn read(directory: &Path, path: &str, limit: u64) -> Result<Bytes, SourceError> {
        let tree = tree(directory);
        tree.get(path, Allowance::whole(limit)).await?.whole(tree.name(), Duration::from_secs(9)).await
    }

    #[tokio::test]
    async fn files_come_whole_and_within_their_limit() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("example.com/!a/@v")).unwrap();
        let bytes: Vec<u8> = (0..PIECE * 2 + 17).map(|n| n as u8).collect();
        std::fs::write(directory.path().join("example.com/!a/@v/v1.0.0.zip"), &bytes).unwrap();
        let path = "/example.com/!a/@v/v1.0.0.zip";
        assert_eq!(read(directory.path(), path, bytes.len() as u64).await.unwrap(), bytes);
        let error = read(directory.path(), path, bytes.len() as u64 - 1).await.unwrap_err();
        assert!(matches!(error, SourceError::TooLarge { .. }), "{error}");
    }

    #[tokio::test]
    async fn absence_is_certain_only_below_a_directory_that_is_there() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("example.com/a/@v/list")).unwrap();
        std::fs::write(directory.path().join("file"), "").unwrap();
        let long = format!("/example.com/a/@v/{}.info", "x".repeat(300));
        for path in ["/example.com/b/@v/list", "/example.com/a/@v/v1.0.0.mod", "/file/@v/list", &long] {
            let error = read(directory.path(), path, 99).await.unwrap_err();
            assert!(error.is_absent(), "{path}: {error}");
        }
        let error = read(directory.path(), "/example.com/a/@v/list", 99).await.unwrap_err();
        assert!(matches!(error, SourceError::Failed { .. }), "a directory: {error}");
        for root in ["gone", "file"] {
            let error = read(&directory.path().join(root), "/example.com/a/@v/list", 99).await.unwrap_err();
            assert!(matches!(error, SourceError::Failed { .. }), "{root}: {error}");
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("zip");
        std::fs::write(&file, vec![0; PIECE * 3]).unwrap();
        let mut body = tree(directory.path()).get("/zip", Allowance::whole(u64::MAX)).await.unwrap();
        body.bytes.next().await.unwrap().unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_len(PIECE as u64).unwrap();
        let mut last = body.bytes.next().await;
        while let Some(Ok(_)) = last {
            last = body.bytes.next().await;
        }
        assert!(matches!(last, Some(Err(SourceError::Failed { .. }))));
    }
}
