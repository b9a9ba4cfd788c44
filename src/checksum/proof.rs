//! What tiles prove: that hashes belong to the tree with a given root.
//!
//! The tree is that of RFC 6962: a tree of n records is the row of complete subtrees whose sizes are the powers of two
//! in n, largest first ([`roots`]), and its hash folds theirs from the right. Tiles are proved from the top down:
//!
//! * The *edge* tiles hold the roots. Their hashes fold to the tree's hash, and every entry of a partial tile is covered
//!   by some root, so if the fold is right, so are all their entries.
//! * Any other tile of the tree is full, and the hash over its 256 entries is one entry of its parent tile.
//!
//! The caller plans ([`Plan::new`]), fetches the tiles by whatever means, and authenticates; only a [`Grove`] gives out
//! hashes, and there is no other way to one.
//!
//! INVARIANT: every tile of a plan is an edge tile or compared with its parent. (`TileHashReader` of the tlog_tiles
//! crate, 0.2.0, skips as many of the latter as the edge tiles hold roots beyond one each, so a forged leaf tile
//! passes; docs/adr/0007.)

use super::tile::{FULL, HASH, HEIGHT, HashTile};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use tlog_tiles::{EMPTY_HASH, Hash, node_hash};

/// A complete subtree: the `1 << level` records from number `index << level` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Node {
    level: u8,
    index: u64,
}

impl Node {
    /// The record of that number.
    pub(super) fn leaf(id: u64) -> Self {
        Self { level: 0, index: id }
    }

    /// The first entry of a tile.
    pub(super) fn in_tile(tile: &HashTile) -> Option<Self> {
        Some(Self { level: tile.level().checked_mul(HEIGHT)?, index: tile.index().checked_mul(u64::from(FULL))? })
    }

    /// The tile that it can be computed from, in a tree of `size` records, and which entries of that.
    fn place(self, size: u64) -> Option<(HashTile, std::ops::Range<usize>)> {
        let height = self.level % HEIGHT;
        let tile = HashTile::within(self.level / HEIGHT, self.index >> (HEIGHT - height), size)?;
        let entries = 1usize << height;
        let mask = usize::from(FULL) / entries - 1;
        let first = (usize::try_from(self.index % u64::from(FULL)).ok()? & mask) << height;
        let range = first * HASH..(first + entries) * HASH;
        (range.end <= tile.length()).then_some((tile, range))
    }
}

/// The complete subtrees that make up a tree of `size` records, from the left.
fn roots(size: u64) -> impl DoubleEndedIterator<Item = Node> {
    let set = move |level: &u8| size >> level & 1 == 1;
    (0..64).rev().filter(set).map(move |level| Node { level, index: (size >> level) - 1 })
}

/// Which tiles are needed to know some hashes of a tree.
#[derive(Debug)]
pub(super) struct Plan {
    size: u64,
    edge: BTreeSet<HashTile>,
    inner: BTreeSet<HashTile>,
}

/// Tiles contradict the root that they should lead to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tiles of the tree of {size} records do not lead to its hash")]
pub(super) struct Inconsistent {
    size: u64,
}

/// Tiles that were proved to belong to one tree.
#[derive(Debug)]
pub(super) struct Grove {
    size: u64,
    tiles: BTreeMap<HashTile, Bytes>,
}

impl Plan {
    /// Plans for `nodes` of a tree of `size` records; `None` if the tree has no such node.
    pub(super) fn new(size: u64, nodes: impl IntoIterator<Item = Node>) -> Option<Self> {
        let edge = roots(size).map(|root| root.place(size).map(|(tile, _)| tile)).collect::<Option<_>>()?;
        let mut plan = Self { size, edge, inner: BTreeSet::new() };
        for node in nodes {
            let (mut tile, _) = node.place(size)?;
            // Ends at the latest at the top, whose tile is an edge tile.
            while !plan.edge.contains(&tile) && plan.inner.insert(tile) {
                tile = parent(&tile, size)?.0;
            }
        }
        Some(plan)
    }

    /// Plans for everything that the hash of the tree's first `older` records is made of.
    pub(super) fn for_prefix(size: u64, older: u64) -> Option<Self> {
        Self::new(size, roots(older))
    }

    /// The tiles to fetch.
    pub(super) fn tiles(&self) -> Vec<HashTile> {
        self.edge.union(&self.inner).copied().collect()
    }

    /// Checks the tiles against the tree's hash.
    pub(super) fn authenticate(&self, hash: Hash, tiles: BTreeMap<HashTile, Bytes>) -> Result<Grove, Inconsistent> {
        let wrong = Inconsistent { size: self.size };
        let grove = Grove { size: self.size, tiles };
        let whole = |tile: &HashTile| grove.tiles.get(tile).is_some_and(|bytes| bytes.len() == tile.length());
        if !self.edge.union(&self.inner).all(whole) || grove.prefix(self.size) != Some(hash) {
            return Err(wrong);
        }
        let proved = |tile: &HashTile| {
            let (_, entry) = parent(tile, self.size)?;
            let bytes = grove.tiles.get(tile).filter(|_| tile.is_full())?;
            (grove.hash(entry)? == fold(bytes)?).then_some(())
        };
        if self.inner.iter().all(|tile| proved(tile).is_some()) { Ok(grove) } else { Err(wrong) }
    }
}

impl Grove {
    /// The hash of a subtree that was planned for.
    pub(super) fn hash(&self, node: Node) -> Option<Hash> {
        let (tile, range) = node.place(self.size)?;
        fold(self.tiles.get(&tile)?.get(range)?)
    }

    /// The hash of the tree as it was when it had `older` records.
    pub(super) fn prefix(&self, older: u64) -> Option<Hash> {
        let mut hashes = roots(older).rev().map(|root| self.hash(root));
        let Some(last) = hashes.next() else { return Some(EMPTY_HASH) };
        hashes.try_fold(last?, |right, left| Some(node_hash(left?, right)))
    }

    /// The content of a tile that was planned for.
    pub(super) fn tile(&self, tile: &HashTile) -> Option<&Bytes> {
        self.tiles.get(tile)
    }
}

/// The tile above a full one, and the node there that its hash must equal.
fn parent(tile: &HashTile, size: u64) -> Option<(HashTile, Node)> {
    let entry = Node { level: tile.level().checked_add(1)?.checked_mul(HEIGHT)?, index: tile.index() };
    Some((entry.place(size)?.0, entry))
}

/// The hash over a power of two of hashes; `None` for any other number.
fn fold(entries: &[u8]) -> Option<Hash> {
    let (hashes, rest) = entries.as_chunks::<HASH>();
    if !rest.is_empty() || !hashes.len().is_power_of_two() {
        return None;
    }
    let mut row: Vec<Hash> = hashes.iter().map(|hash| Hash(*hash)).collect();
    while row.len() > 1 {
        row = row.as_chunks().0.iter().map(|[left, right]| node_hash(*left, *right)).collect();
    }
    row.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::testlog::TestLog;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// Three levels of tiles, built by the tlog_tiles crate.
    static LOG: LazyLock<TestLog> = LazyLock::new(|| {
        let mut log = TestLog::default();
        for id in 0..66_000u32 {
            log.append(&id.to_be_bytes());
        }
        log
    });

    fn fetch(plan: &Plan) -> BTreeMap<HashTile, Bytes> {
        plan.tiles().into_iter().map(|tile| (tile, LOG.tile(&tile.path()).unwrap())).collect()
    }

    fn record(size: u64, id: u64) -> (Plan, BTreeMap<HashTile, Bytes>) {
        let plan = Plan::new(size, [Node::leaf(id)]).unwrap();
        let tiles = fetch(&plan);
        (plan, tiles)
    }

    #[test]
    fn every_record_of_small_trees_is_found() {
        for size in (1..20).chain([255, 256, 257, 511, 512, 513]) {
            for id in (0..size).filter(|id| size < 20 || id % 51 == 0 || id % 256 > 250) {
                let (plan, tiles) = record(size, id);
                let grove = plan.authenticate(LOG.root(size), tiles).unwrap();
                assert_eq!(grove.hash(Node::leaf(id)), Some(LOG.record_hash(id)), "{id} of {size}");
            }
        }
    }

    #[test]
    fn every_prefix_of_small_trees_is_found() {
        for (size, older) in (0..70).flat_map(|size| (0..=size).map(move |older| (size, older))) {
            let plan = Plan::for_prefix(size, older).unwrap();
            let tiles = fetch(&plan);
            assert_eq!(plan.authenticate(LOG.root(size), tiles).unwrap().prefix(older), Some(LOG.root(older)));
        }
    }

    #[test]
    fn a_node_beyond_the_tree_has_no_plan() {
        assert!(Plan::new(3, [Node::leaf(3)]).is_none());
        assert!(Plan::new(0, [Node::leaf(0)]).is_none());
        assert!(Plan::for_prefix(3, 4).is_none());
        assert!(Plan::for_prefix(u64::MAX, u64::MAX).is_some());
        assert!(Plan::new(u64::MAX, [Node::leaf(u64::MAX)]).is_none());
    }

    /// The edge tiles of 259 = 0b1_0000_0011 are two and hold three roots, so a count of roots is no count of tiles.
    #[test]
    fn a_forged_leaf_tile_is_refused() {
        let (plan, mut tiles) = record(259, 5);
        let leaves = HashTile::within(0, 0, 259).unwrap();
        let mut forged = tiles[&leaves].to_vec();
        forged[5 * HASH] ^= 1;
        tiles.insert(leaves, forged.into());
        assert_eq!(plan.authenticate(LOG.root(259), tiles).unwrap_err(), Inconsistent { size: 259 });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_record_and_prefix_of_any_tree_is_found(size in 1u64..66_000, id: u64, older: u64) {
            let (id, older) = (id % size, older % (size + 1));
            let nodes = roots(older).chain([Node::leaf(id)]);
            let plan = Plan::new(size, nodes).unwrap();
            let tiles = fetch(&plan);
            let grove = plan.authenticate(LOG.root(size), tiles).unwrap();
            prop_assert_eq!(grove.hash(Node::leaf(id)), Some(LOG.record_hash(id)));
            prop_assert_eq!(grove.prefix(older), Some(LOG.root(older)));
        }

        // INVARIANT: no byte of any tile of a plan can be changed, and no tile be left out or cut.
        #[test]
        fn no_changed_tile_passes(size in 1u64..66_000, id: u64, which: prop::sample::Index, at: prop::sample::Index, bit in 0u8..8) {
            let id = id % size;
            let (plan, good) = record(size, id);
            let tile = *which.get(&plan.tiles());
            let root = LOG.root(size);
            let tampered = |change: &dyn Fn(&mut Vec<u8>)| {
                let mut bytes = good[&tile].to_vec();
                change(&mut bytes);
                let mut tiles = good.clone();
                tiles.insert(tile, bytes.into());
                record(size, id).0.authenticate(root, tiles).is_err()
            };
            let flip = |bytes: &mut Vec<u8>| { let at = at.index(bytes.len()); bytes[at] ^= 1 << bit; };
            prop_assert!(tampered(&flip), "flipped");
            prop_assert!(tampered(&|bytes| bytes.truncate(at.index(bytes.len()))), "cut");
            prop_assert!(tampered(&|bytes| bytes.push(0)), "longer");
            let mut missing = good.clone();
            missing.remove(&tile);
            prop_assert!(plan.authenticate(root, missing).is_err(), "missing");
        }

        #[test]
        fn only_powers_of_two_fold(entries in prop::collection::vec(any::<u8>(), 0..300)) {
            let whole = entries.len() % HASH == 0 && (entries.len() / HASH).is_power_of_two();
            prop_assert_eq!(fold(&entries).is_some(), whole);
        }
    }
}
