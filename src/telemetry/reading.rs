//! Values that other parts keep anyway and that are read when the metrics are scraped.

/// One such value. Each is registered once, with a closure that must neither block nor fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Bytes of small answers held in memory.
    StoreMemoryBytes,
    /// Fetches under way.
    StoreFlights,
    /// Entries set aside because their bytes had changed on disk.
    StoreSetAside,
    /// Writes to the store that failed (a full disk, mostly).
    StoreWriteFailures,
    /// Records written to the audit journal.
    JournalRecords,
    /// Bytes written to the audit journal.
    JournalBytes,
    /// Records that could not be kept; each was a request that was not served.
    JournalFailures,
    /// Times that records could not be brought to the disk; they are tried again.
    JournalSyncFailures,
    /// Records that the audit index has taken in since the start.
    IndexRecords,
    /// Times that the audit index could not be fed; it is tried again.
    IndexFailures,
    /// Bytes of the journal that are not indexed yet.
    IndexLagBytes,
    /// Seconds since all that was recorded until then was indexed.
    IndexLagSeconds,
    /// Issued tokens that are neither expired nor revoked.
    ValidTokens,
    /// Accounts of limits: principals and addresses that used some of theirs lately.
    LimitKeys,
    /// Requests that wait for their turn.
    LimitWaiting,
    /// When the certificate in use expires, in seconds since the epoch.
    CertificateExpiry,
}

/// How a reading is exposed.
pub(super) struct Exposed {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// It only ever grows.
    pub(super) counter: bool,
}

impl Reading {
    pub(super) fn exposed(self) -> Exposed {
        let (name, counter, help) = match self {
            Self::StoreMemoryBytes => ("store_memory_bytes", false, "Bytes of small answers held in memory"),
            Self::StoreFlights => ("store_flights", false, "Fetches under way"),
            Self::StoreSetAside => ("store_set_aside", true, "Entries set aside because their bytes had changed"),
            Self::StoreWriteFailures => ("store_write_failures", true, "Writes to the store that failed"),
            Self::JournalRecords => ("journal_records", true, "Records written to the audit journal"),
            Self::JournalBytes => ("journal_bytes", true, "Bytes written to the audit journal"),
            Self::JournalFailures => ("journal_failures", true, "Records that could not be kept"),
            Self::JournalSyncFailures => {
                ("journal_sync_failures", true, "Times that records could not be brought to the disk")
            }
            Self::IndexRecords => ("audit_index_records", true, "Records that the audit index has taken in"),
            Self::IndexFailures => ("audit_index_failures", true, "Times that the audit index could not be fed"),
            Self::IndexLagBytes => ("audit_index_lag_bytes", false, "Bytes of the journal that are not indexed yet"),
            Self::IndexLagSeconds => {
                ("audit_index_lag_seconds", false, "Time since which records may not be indexed yet")
            }
            Self::ValidTokens => ("valid_tokens", false, "Issued tokens neither expired nor revoked"),
            Self::LimitKeys => ("limit_keys", false, "Principals and addresses that used some of their limits lately"),
            Self::LimitWaiting => ("limit_waiting", false, "Requests over a limit that wait for their turn"),
            Self::CertificateExpiry => {
                ("certificate_expiry_timestamp_seconds", false, "When the certificate in use expires")
            }
        };
        Exposed { name, help, counter }
    }
}
