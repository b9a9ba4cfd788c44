//! The named steps of a change to the shelf, at which tests make it fail or stop as a crash would.

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A staging file is created.
    Stage,
    /// Bytes are written to one.
    Write,
    /// The body is synced.
    SyncBody,
    /// The side record is synced.
    SyncRecord,
    /// The side record is renamed into place.
    RenameRecord,
    /// The body is renamed into place.
    RenameBody,
    /// After that.
    Renamed,
}

#[cfg(test)]
pub(crate) use injected::Fault;
#[cfg(test)]
pub(super) use injected::Faults;

#[cfg(test)]
mod injected {
    use super::Point;
    use std::{
        io,
        sync::{
            Mutex,
            atomic::{AtomicBool, Ordering},
        },
    };

    /// How a step fails.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Fault {
        /// ENOSPC, every time, until the fault is taken away.
        Full,
        /// The change stops there and nothing is tidied up.
        Crash,
    }

    #[derive(Default)]
    pub(in crate::shelf) struct Faults {
        armed: Mutex<Option<(Point, Fault)>>,
        crashed: AtomicBool,
    }

    impl Faults {
        pub(in crate::shelf) fn hit(&self, point: Point) -> io::Result<()> {
            match *self.armed.lock().unwrap() {
                Some((at, Fault::Full)) if at == point => Err(io::ErrorKind::StorageFull.into()),
                Some((at, Fault::Crash)) if at == point => {
                    self.crashed.store(true, Ordering::Relaxed);
                    Err(io::Error::other("crash"))
                }
                _ => Ok(()),
            }
        }
        pub(in crate::shelf) fn crashed(&self) -> bool {
            self.crashed.load(Ordering::Relaxed)
        }
    }

    impl crate::shelf::Shelf {
        /// Arms or takes away a fault.
        pub(crate) fn inject(&self, fault: Option<(Point, Fault)>) {
            *self.root.faults.armed.lock().unwrap() = fault;
        }
    }
}
