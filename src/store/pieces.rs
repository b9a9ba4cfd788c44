//! Reading a file piece by piece on a runtime's thread without ever blocking it.
//!
//! On Linux a piece that lies in the page cache is copied by `preadv2(RWF_NOWAIT)` where we are; what would have to
//! wait for the disk goes to a blocking thread, in larger pieces. Elsewhere, and on file systems that do not know the
//! flag, everything goes there.

use bytes::Bytes;
use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

/// Bytes copied at once on the runtime's own thread.
const WARM: usize = 64 << 10;
/// Bytes read at once on a blocking thread.
const COLD: usize = 256 << 10;

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
        filled(buffer, read)
    });
    cold.await.map_err(io::Error::other)?
}

#[cfg(target_os = "linux")]
fn warm(file: &File, offset: u64, want: usize) -> io::Result<Option<Bytes>> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let mut buffer = vec![0; want];
    match preadv2(file, &mut [io::IoSliceMut::new(&mut buffer)], offset, ReadWriteFlags::NOWAIT) {
        Ok(read) => filled(buffer, read).map(Some),
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn warm(_: &File, _: u64, _: usize) -> io::Result<Option<Bytes>> {
    Ok(None)
}

fn filled(mut buffer: Vec<u8>, read: usize) -> io::Result<Bytes> {
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    buffer.truncate(read);
    Ok(buffer.into())
}
