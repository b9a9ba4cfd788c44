//! Reading a file piece by piece on a runtime's thread without ever blocking it.
//!
//! On Linux a piece that lies in the page cache is copied by `preadv2(RWF_NOWAIT)` where we are; what would have to
//! wait for the disk goes to a blocking thread, in larger pieces. Elsewhere, and on file systems that do not know the
//! flag, everything goes there.
//!
//! The buffers of warm pieces are used again: each thread keeps a few. Without that, every piece would be zeroed and,
//! as the allocator gives back what is freed, faulted in page by page (docs/adr/0015).

use bytes::Bytes;
use std::{cell::RefCell, fs::File, io, os::unix::fs::FileExt, sync::Arc};

/// Bytes copied at once on the runtime's own thread.
const WARM: usize = 64 << 10;
/// Bytes read at once on a blocking thread.
const COLD: usize = 256 << 10;
/// Buffers of [`WARM`] bytes that a thread keeps: as many as it has transfers under way, up to 2 MiB.
const KEPT: usize = 32;

thread_local! {
    static BUFFERS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Reads at least one and at most `want` bytes at `offset`; `want` must not be 0. A file that ends there is an error.
pub(super) async fn read_at(file: &Arc<File>, offset: u64, want: u64) -> io::Result<Bytes> {
    let want = usize::try_from(want).unwrap_or(usize::MAX);
    if let Some(bytes) = warm(file, offset, want.min(WARM))? {
        return Ok(bytes);
    }
    let file = file.clone();
    let cold = tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; want.min(COLD)];
        let read = file.read_at(&mut buffer, offset)?;
        nonempty(read)?;
        buffer.truncate(read);
        Ok(buffer.into())
    });
    cold.await.map_err(io::Error::other)?
}

#[cfg(target_os = "linux")]
fn warm(file: &File, offset: u64, want: usize) -> io::Result<Option<Bytes>> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let mut piece = Piece::empty();
    let Some(room) = piece.buffer.get_mut(..want) else { return Ok(None) };
    match preadv2(file, &mut [io::IoSliceMut::new(room)], offset, ReadWriteFlags::NOWAIT) {
        Ok(read) => {
            piece.length = nonempty(read)?;
            Ok(Some(Bytes::from_owner(piece)))
        }
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn warm(_: &File, _: u64, _: usize) -> io::Result<Option<Bytes>> {
    Ok(None)
}

fn nonempty(read: usize) -> io::Result<usize> {
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
}

/// A piece in a buffer that goes back to the thread that drops it.
struct Piece {
    buffer: Box<[u8]>,
    /// INVARIANT: no more than what was read into the buffer; behind it lies what an earlier piece left.
    length: usize,
}

impl Piece {
    fn empty() -> Self {
        let kept = BUFFERS.with_borrow_mut(Vec::pop);
        Self { buffer: kept.unwrap_or_else(|| vec![0; WARM].into()), length: 0 }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // Not kept where the thread is ending.
        let _ = BUFFERS.try_with(|buffers| {
            let mut buffers = buffers.borrow_mut();
            if buffers.len() < KEPT {
                buffers.push(std::mem::take(&mut self.buffer));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn a_buffer_that_is_used_again_shows_nothing_of_its_past() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[vec![1; WARM], vec![2; 10]].concat()).unwrap();
        let file = Arc::new(file);
        let first = read_at(&file, 0, u64::MAX).await.unwrap();
        assert!(first.iter().all(|byte| *byte == 1));
        let both = (first.clone(), first.slice(5..));
        drop(first);
        let second = read_at(&file, WARM as u64, u64::MAX).await.unwrap();
        assert_eq!(second, vec![2; 10], "of a buffer of its own, the first is still held");
        assert!(both.1.iter().all(|byte| *byte == 1));
        drop((both, second));
        assert_eq!(read_at(&file, WARM as u64, 3).await.unwrap(), [2; 3].as_slice());
        assert_eq!(read_at(&file, WARM as u64 + 9, u64::MAX).await.unwrap(), [2].as_slice());
        let end = read_at(&file, WARM as u64 + 10, 1).await.unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
        assert!(BUFFERS.with_borrow(Vec::len) <= KEPT);
    }
}
