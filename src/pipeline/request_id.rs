//! The request id: joins an answer, a refusal, log lines and audit records.
//!
//! 16 characters of Crockford's base 32: eight say which run of the process it was (random), eight count its requests.
//! Unique within a fleet for all practical purposes, and cheap: one atomic addition. It is no secret and authorizes
//! nothing. An id that a caller sends along is not taken over, since a caller could then hide among another's records.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// One request's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestId([u8; 16]);

/// Hands out the ids of one process.
#[derive(Debug)]
pub struct RequestIds {
    run: u64,
    next: AtomicU64,
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RequestIds {
    /// `run` is random: its lower 40 bits tell this run of the process from all others.
    pub fn new(run: u64) -> Self {
        Self { run, next: AtomicU64::new(1) }
    }

    /// The next id.
    pub fn next(&self) -> RequestId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let mut text = [b'0'; 16];
        let (run, counter) = text.split_at_mut(8);
        spell(self.run, run);
        spell(count, counter);
        RequestId(text)
    }
}

/// Writes the lower bits of a number, five a character, the most significant first.
fn spell(number: u64, into: &mut [u8]) {
    let mut rest = number;
    for place in into.iter_mut().rev() {
        *place = ALPHABET.get((rest & 31) as usize).copied().unwrap_or(b'0');
        rest >>= 5;
    }
}

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_within_a_run() {
        let ids = RequestIds::new(0x1f);
        assert_eq!(ids.next().as_str(), "0000000z00000001");
        assert_eq!(ids.next().as_str(), "0000000z00000002");
    }
}
