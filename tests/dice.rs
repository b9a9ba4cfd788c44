//! Random choices that can be repeated: the seed is fixed, or that of `MODGATE_TEST_SEED`.

/// A SplitMix64 generator.
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice for one test, told apart from others' by its number.
    pub(crate) fn new(test: u64) -> Self {
        let seed =
            std::env::var("MODGATE_TEST_SEED").map_or(1, |seed| seed.parse().expect("MODGATE_TEST_SEED is a number"));
        Self(seed ^ test.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// One of several.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// Up to `most` pieces, joined.
    pub(crate) fn text(&mut self, pieces: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| self.pick(pieces)).collect()
    }
}
