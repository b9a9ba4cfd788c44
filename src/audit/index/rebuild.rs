//! Making the index anew from the journal, as fast as it goes.

use super::{
    super::{
        AuditError, Progress,
        segment::{name, numbers},
    },
    BATCH, Index, IndexError, Step,
};
use std::path::Path;

/// What was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rebuilt {
    /// Records indexed.
    pub records: u64,
    /// Bytes of the journal that they take.
    pub bytes: u64,
    /// Bytes of the index.
    pub size: u64,
    /// Whether a running server keeps the index and has fed it too.
    pub shared: bool,
}

/// Makes the index of the journal in `dir` anew, beside a running server too, and hands over how far it is.
///
/// # Errors
/// When the journal cannot be read or the index not be written. What was indexed until then stays.
pub fn rebuild(dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Rebuilt, IndexError> {
    let numbers = numbers(dir).map_err(AuditError::file("list", dir))?;
    let size = |number: &u64| std::fs::metadata(dir.join(name(*number))).map_or(0, |metadata| metadata.len());
    let total = numbers.iter().map(size).sum();
    let mut index = Index::anew(dir)?;
    loop {
        let step = index.step(BATCH)?;
        let (bytes, records) = index.extent()?;
        progress(Progress { done: bytes.min(total), total });
        if matches!(step, Step::Level | Step::Indexed { more: false, .. }) {
            let size = std::fs::metadata(super::database::path(dir)).map_or(0, |metadata| metadata.len());
            return Ok(Rebuilt { records, bytes, size, shared: !index.is_kept() });
        }
    }
}
