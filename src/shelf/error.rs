//! Why the shelf could not do what was asked.

use std::{io, path::PathBuf, sync::Arc};

/// Why an operation on the shelf failed. Cheap to clone, for all who waited on one operation.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ShelfError {
    /// No space or no quota is left (ENOSPC, EDQUOT). Nothing of the entry remains.
    #[error("no room on the disk of the store: {0}")]
    Full(Arc<io::Error>),
    /// Another process has the root open.
    #[error("the store `{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A key that cannot be a file name here: the entry can be served, not kept.
    #[error("`{key}` cannot be stored: {reason}")]
    NotStorable {
        /// The key.
        key: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The bytes on disk are not those that were put there.
    #[error("`{key}` has changed on disk: recorded SHA-256 {recorded}, found {found}")]
    Changed {
        /// The entry.
        key: String,
        /// Hex SHA-256 of what was stored.
        recorded: String,
        /// Hex SHA-256 of what is there, or its size when that alone tells.
        found: String,
    },
    /// Staged bytes and their side record do not belong together: a defect of the caller.
    #[error("`{key}`: {size} bytes were staged, the side record says {recorded}")]
    Unequal {
        /// The entry.
        key: String,
        /// Bytes in the staged file.
        size: u64,
        /// Bytes by the side record.
        recorded: u64,
    },
    /// Any other I/O error.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the key or path.
        doing: String,
        /// The error.
        source: Arc<io::Error>,
    },
}

impl ShelfError {
    /// Sorts an I/O error: a full disk is its own variant.
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(Arc::new(error)),
            _ => Self::Io { doing, source: Arc::new(error) },
        }
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_used_up_quota_are_told_apart_from_the_rest() {
        let sorted = |errno: rustix::io::Errno| ShelfError::io("write")(errno.into());
        assert!(sorted(rustix::io::Errno::NOSPC).is_full());
        assert!(sorted(rustix::io::Errno::DQUOT).is_full());
        assert!(!sorted(rustix::io::Errno::IO).is_full());
    }
}
