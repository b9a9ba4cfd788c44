//! What of the store can be set.

use jiff::SignedDuration;
use std::time::Duration;

/// How long after its refresh began an old answer is held back for it. Long enough for a source that is well, short
/// enough not to be felt when it is not.
pub(super) const OLD_WAITS: Duration = Duration::from_secs(1);

/// The store's settings; the defaults are those of the shipped configuration.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// How long lists are fresh. Default 60 s.
    pub list_fresh: SignedDuration,
    /// How long `@latest` and the answer to a branch or commit query are fresh. Default 60 s.
    pub query_fresh: SignedDuration,
    /// From which age on such an answer is not served before its refresh had a moment to come ([`OLD_WAITS`]). Default
    /// 1 h.
    pub stale_wait: SignedDuration,
    /// How long an absence is remembered. Default 30 s.
    pub absent_for: SignedDuration,
    /// How long the failure of one fetch answers further asks for the same. Default 1 s.
    pub down_for: SignedDuration,
    /// How soon a provisional entry may be held against the checksum database again. Default 10 min.
    pub provisional_for: SignedDuration,
    /// Longest wait for the checksum database during a fetch; then the entry is provisional. Default 60 s.
    pub vouch_wait: Duration,
    /// Bytes of small answers kept in memory. Default 64 MiB.
    pub memory_bytes: u64,
    /// Zips kept open. Default 256.
    pub open_zips: usize,
    /// Largest small answer in bytes; a backstop behind the sources' own caps. Default 16 MiB.
    pub small_limit: u64,
    /// Largest zip in bytes; likewise. Default 500 MiB.
    pub zip_limit: u64,
    /// Largest zip, in bytes, that is received into memory when the store's disk is full; all such together may take
    /// four times as much. What is larger goes to the system's temporary directory. Default 64 MiB.
    pub spool_memory: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            list_fresh: SignedDuration::from_secs(60),
            query_fresh: SignedDuration::from_secs(60),
            stale_wait: SignedDuration::from_hours(1),
            absent_for: SignedDuration::from_secs(30),
            down_for: SignedDuration::from_secs(1),
            provisional_for: SignedDuration::from_mins(10),
            vouch_wait: Duration::from_secs(60),
            memory_bytes: 64 << 20,
            open_zips: 256,
            small_limit: 16 << 20,
            zip_limit: 500 << 20,
            spool_memory: 64 << 20,
        }
    }
}
