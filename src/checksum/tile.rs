//! A hash tile: 256 consecutive hashes of one level of the tree, or as many of them as there are so far.
//!
//! The tile of level L and index N lists the hashes of the tree's level 8·L from number N·256 on, 32 bytes each. Its
//! file is `tile/8/L/N`, N in groups of three digits, all but the last with an `x` in front: `tile/8/0/x001/x234/067`;
//! a tile of fewer than 256 hashes adds its width: `tile/8/0/x001/x234/067.p/5`. See `golang.org/x/mod/sumdb/tlog`.
//!
//! A tile of a given width never changes. Data tiles (`tile/8/data/…`) are passed on, but are none of these.

use bytes::Bytes;

/// Hashes in a full tile; 8 is the height that all Go checksum databases use.
pub(super) const FULL: u16 = 256;
/// The height: a tile's hashes are that many levels above those of the tile below.
pub(super) const HEIGHT: u8 = 8;
/// Bytes of one hash.
pub(super) const HASH: usize = 32;

/// The coordinates of a hash tile. The width is 1 to 256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct HashTile {
    level: u8,
    index: u64,
    width: u16,
}

impl HashTile {
    /// The tile at a place in a tree of `size` records, as wide as it is there; none if the tree does not reach it.
    pub(super) fn within(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or(0);
        let width = hashes.checked_sub(index.checked_mul(u64::from(FULL))?)?.min(u64::from(FULL));
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { level, index, width })
    }

    /// Reads `tile/8/L/N[.p/W]` in its one canonical spelling; `None` for a data tile and for everything else.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (level, place) = path.strip_prefix("tile/8/")?.split_once('/')?;
        let (place, width) = match place.rsplit_once(".p/") {
            Some((place, width)) => (place, width.parse().ok().filter(|width| (1..FULL).contains(width))?),
            None => (place, FULL),
        };
        let index = place.split('/').try_fold(0u64, |index, group| {
            let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok().filter(|group| *group < 1000)?;
            index.checked_mul(1000)?.checked_add(group)
        })?;
        let tile = Self { level: level.parse().ok().filter(|level| *level < 64)?, index, width };
        (tile.path() == path).then_some(tile)
    }

    /// The inverse of [`HashTile::parse`].
    pub(super) fn path(&self) -> String {
        let mut place = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            place = format!("x{:03}/{place}", rest % 1000);
            rest /= 1000;
        }
        let path = format!("tile/{HEIGHT}/{}/{place}", self.level);
        if self.is_full() { path } else { format!("{path}.p/{}", self.width) }
    }

    /// Which tile level it is on: its hashes are at 8 times that level of the tree.
    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// Its number on that level.
    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// Whether it is complete, so that its own hash is an entry of a parent tile.
    pub(super) fn is_full(&self) -> bool {
        self.width == FULL
    }

    /// The tile when it is complete.
    pub(super) fn full(self) -> Self {
        Self { width: FULL, ..self }
    }

    /// The same place in a tree of `size` records, if the tile is at least as wide there.
    pub(super) fn widened(self, size: u64) -> Option<Self> {
        Self::within(self.level, self.index, size).filter(|wide| wide.width >= self.width)
    }

    /// The length of its file in bytes.
    pub(super) fn length(&self) -> usize {
        usize::from(self.width) * HASH
    }

    /// The content of this tile, given that of the same or of a wider tile at the same place. `wider` must have exactly
    /// the length of `of`.
    pub(super) fn narrowed(&self, of: &Self, wider: &Bytes) -> Option<Bytes> {
        let same_place = (self.level, self.index) == (of.level, of.index);
        let fits = same_place && wider.len() == of.length() && self.width <= of.width;
        fits.then(|| wider.slice(..self.length()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tlog_tiles::Tile;

    #[test]
    fn paths_are_the_ones_of_the_go_command() {
        let tile = HashTile::parse("tile/8/0/x001/x234/067.p/5").unwrap();
        assert_eq!((tile.level, tile.index, tile.width), (0, 1_234_067, 5));
        assert_eq!(tile.full().path(), "tile/8/0/x001/x234/067");
        assert_eq!(HashTile::parse("tile/8/63/000").unwrap().length(), 8192);
    }

    #[test]
    fn other_spellings_and_heights_are_refused() {
        for path in [
            "",
            "tile/8",
            "tile/8/0",
            "tile/8/0/",
            "tile/7/0/000",
            "tile/8/64/000",
            "tile/8/data/000",
            "tile/8/00/000",
            "tile/8/0/0",
            "tile/8/0/x000/001",
            "tile/8/0/001/x001",
            "tile/8/0/000.p/0",
            "tile/8/0/000.p/256",
            "tile/8/0/000.p/01",
            "tile/8/0/000.p/+1",
            "tile/8/0/+00",
            "tile/8/0/000/",
            "/tile/8/0/000",
            "tile/8/0/xx001/001",
            "tile/8/0/x018/x446/x744/x073/x709/x551/616",
            "tile/8/0/\u{661}00",
        ] {
            assert_eq!(HashTile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn widths_follow_the_size_of_the_tree() {
        let width = |level, index, size| HashTile::within(level, index, size).map(|tile| tile.width);
        assert_eq!(width(0, 0, 0), None);
        assert_eq!(width(0, 0, 3), Some(3));
        assert_eq!(width(0, 1, 256), None);
        assert_eq!(width(1, 0, 256), Some(1));
        assert_eq!(width(1, 0, 65536), Some(256));
        assert_eq!(width(8, 0, u64::MAX), None);
        assert_eq!(width(0, u64::MAX, u64::MAX), None);
        let narrow = HashTile::within(0, 1, 300).unwrap();
        assert_eq!(narrow.widened(299), None);
        assert_eq!(narrow.widened(1000), Some(narrow.full()));
    }

    proptest! {
        #[test]
        fn a_path_reads_back_and_agrees_with_tlog(level in 0u8..64, index: u64, width in 1u16..=256) {
            let tile = HashTile { level, index, width };
            prop_assert_eq!(HashTile::parse(&tile.path()), Some(tile));
            prop_assert_eq!(tile.path(), Tile::new(8, level, index, width.into(), false).path());
        }

        #[test]
        fn whatever_is_read_is_canonical(path in "(tile/8/[0-9]{1,3}/(x?[0-9]{1,4}/?){1,3}(\\.p/[0-9]{1,3})?|.*)") {
            if let Some(tile) = HashTile::parse(&path) {
                prop_assert_eq!(tile.path(), path);
                prop_assert!((1..=FULL).contains(&tile.width));
            }
        }

        #[test]
        fn a_narrower_tile_is_a_prefix(width in 1u16..=256, of in 1u16..=256, length in 0usize..9000) {
            let tile = HashTile { level: 0, index: 7, width };
            let wide = HashTile { width: of, ..tile };
            let bytes = Bytes::from(vec![1; length]);
            let expected = (width <= of && length == wide.length()).then(|| bytes.slice(..tile.length()));
            prop_assert_eq!(tile.narrowed(&wide, &bytes), expected);
            prop_assert_eq!(tile.narrowed(&HashTile { index: 8, ..wide }, &bytes), None);
        }
    }
}
