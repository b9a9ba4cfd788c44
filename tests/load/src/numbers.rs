//! Numbers that look random and are the same in every run (xorshift64), so that two runs compare the same tree and policy.

/// The generator.
pub(crate) struct Numbers(u64);

impl Numbers {
    /// One for each `seed`.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to `limit` − 1; 0 if `limit` is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    /// So many bytes that no compression makes smaller.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_seed_others() {
        assert_eq!(Numbers::seeded(7).bytes(100), Numbers::seeded(7).bytes(100));
        assert_ne!(Numbers::seeded(7).bytes(100), Numbers::seeded(8).bytes(100));
        assert_eq!(Numbers::seeded(0).bytes(3).len(), 3);
    }

    #[test]
    fn numbers_stay_below_their_limit() {
        let mut numbers = Numbers::seeded(1);
        assert!((0..1_000).all(|_| numbers.below(10) < 10));
        assert_eq!(numbers.below(0), 0);
    }
}
