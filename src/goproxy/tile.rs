//! A tile of a checksum database's tree, by its path.
//!
//! ```text
//! tile/H/L/K         K the tile's number in groups of three digits, all but the last with an x: x001/x234/067
//! tile/H/L/K.p/W     the first W of its hashes
//! tile/H/data/K…     the records themselves
//! ```

use std::{fmt, sync::Arc};

/// A tile's coordinates, checked to be in the one canonical spelling (`tlog.ParseTilePath`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tile {
    path: Arc<str>,
    height: u8,
    level: Option<u64>,
    number: u64,
    width: u32,
}

impl Tile {
    /// Reads a path that begins with `tile/`; `None` for any other spelling than the canonical one.
    pub fn parse(path: &str) -> Option<Self> {
        let mut elements = path.strip_prefix("tile/")?.split('/');
        let height = u8::try_from(decimal(elements.next()?)?).ok().filter(|height| (1..=30).contains(height))?;
        let level = match elements.next()? {
            "data" => None,
            level => Some(decimal(level)?),
        };
        let full = 1_u32.checked_shl(height.into())?;
        let mut number = 0_u64;
        let mut width = full;
        let mut first = true;
        loop {
            let group = elements.next()?;
            let (digits, more) = match group.strip_prefix('x') {
                Some(digits) => (digits, true),
                None => (group, false),
            };
            let (digits, partial) = match digits.strip_suffix(".p") {
                Some(digits) if !more => (digits, true),
                _ => (digits, false),
            };
            number = number.checked_mul(1000)?.checked_add(three_digits(digits)?)?;
            if more {
                // The spelling without leading groups of zeros is the canonical one.
                if first && number == 0 {
                    return None;
                }
                first = false;
                continue;
            }
            if partial {
                width = u32::try_from(decimal(elements.next()?)?).ok().filter(|&width| 0 < width && width < full)?;
            }
            break;
        }
        let whole = elements.next().is_none() && i64::try_from(number).is_ok();
        whole.then(|| Self { path: path.into(), height, level, number, width })
    }

    /// The path, from `tile/` on.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// The height of the tile, 1 to 30; the public checksum database has 8.
    pub fn height(&self) -> u8 {
        self.height
    }

    /// The level in the tree of tiles; `None` for a data tile.
    pub fn level(&self) -> Option<u64> {
        self.level
    }

    /// The tile's number within its level.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many hashes (or records) it has, 1 to 2^height.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Whether it is a partial tile (`.p/W`).
    pub fn is_partial(&self) -> bool {
        self.width != 1 << self.height
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// A decimal number as Go prints it, within an `int64`.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !canonical {
        return None;
    }
    text.parse::<i64>().ok().and_then(|number| number.try_into().ok())
}

fn three_digits(text: &str) -> Option<u64> {
    let well_formed = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    if well_formed { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::Tile;

    #[test]
    fn coordinates() {
        let tile = Tile::parse("tile/8/1/x001/x234/067.p/3").unwrap();
        assert_eq!((tile.height(), tile.level(), tile.number(), tile.width()), (8, Some(1), 1_234_067, 3));
        assert!(tile.is_partial());
        let data = Tile::parse("tile/8/data/000").unwrap();
        assert_eq!((data.level(), data.number(), data.width(), data.is_partial()), (None, 0, 256, false));
    }

    #[test]
    fn one_spelling_only() {
        for bad in [
            "",
            "tile",
            "tile/8/0",
            "tile/8/0/",
            "tile/8/0/0",
            "tile/8/0/0000",
            "tile/8/0/x000/001",
            "tile/08/0/001",
            "tile/8/00/001",
            "tile/0/0/001",
            "tile/31/0/001",
            "tile/8/-1/001",
            "tile/8/+1/001",
            "tile/8/0/001/002",
            "tile/8/0/x001",
            "tile/8/0/001.p",
            "tile/8/0/001.p/0",
            "tile/8/0/001.p/256",
            "tile/8/0/001.p/01",
            "tile/8/0/x001.p/1",
            "tile/8/0/001/",
            "tile/8/0/001.p/1/2",
            "tile/8/0/ 01",
            "tile/8/0/x123/x456/x789/x123/x456/x789/123",
        ] {
            assert_eq!(Tile::parse(bad), None, "{bad}");
        }
    }
}
