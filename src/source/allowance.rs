//! How many bytes each thing may have, counted after decompression.

use crate::goproxy::{Asked, SumdbAsk, Target};

const MIB: u64 = 1 << 20;

/// The most that is taken of one answer, and how it is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// The limit in bytes.
    pub(super) bytes: u64,
    /// Whether the bytes are handed on as they come. All but zips are read to their end first, so that an answer that
    /// breaks off half-way still makes the next source of the list be asked.
    pub(super) streamed: bool,
}

impl Allowance {
    /// INVARIANT: list 16 MiB, `.info`, `@latest` and queries 1 MiB, `.mod` 16 MiB, zip 500 MiB; 1 MiB for whatever a
    /// checksum database says. None for what is asked of no source.
    pub(super) fn of(target: &Target) -> Option<Self> {
        let whole = |bytes| Some(Self { bytes, streamed: false });
        match target {
            Target::Root => None,
            Target::Module { asked, .. } => match asked {
                Asked::List | Asked::Mod(_) => whole(16 * MIB),
                Asked::Latest | Asked::Query(_) | Asked::Info(_) => whole(MIB),
                Asked::Zip(_) => Some(Self { bytes: 500 * MIB, streamed: true }),
            },
            Target::Sumdb { asked, .. } => match asked {
                SumdbAsk::Supported | SumdbAsk::Latest | SumdbAsk::Lookup(..) | SumdbAsk::Tile(_) => whole(MIB),
            },
        }
    }

    /// Something that is read whole.
    pub(super) fn whole(bytes: u64) -> Self {
        Self { bytes, streamed: false }
    }
}
