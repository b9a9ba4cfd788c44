//! Which texts may name an entry.

use super::ShelfError;

/// Longest element that the usual file systems take, in bytes.
const ELEMENT_LIMIT: usize = 255;
/// Longest key: leaves room for the root and `.meta/` below PATH_MAX (4096).
const KEY_LIMIT: usize = 3500;

/// Checks that `key` can name an entry: relative, no empty, dot-only or over-long element, no NUL, no element of the
/// shelf's own in front.
///
/// Every store path of a valid target passes but for the over-long ones; that is why this is an error to live with
/// ([`ShelfError::NotStorable`]) and not a defect.
pub fn check(key: &str) -> Result<(), ShelfError> {
    match fault_of(key) {
        None => Ok(()),
        Some(reason) => Err(ShelfError::NotStorable { key: key.into(), reason }),
    }
}

fn fault_of(key: &str) -> Option<&'static str> {
    if key.len() > KEY_LIMIT {
        return Some("the path is too long");
    }
    if key.starts_with('.') {
        return Some("it begins with a dot");
    }
    if key.bytes().any(|b| b == 0 || b == b'\\') {
        return Some("it contains NUL or a backslash");
    }
    key.split('/').find_map(|element| match element {
        "" => Some("it has an empty element"),
        "." | ".." => Some("it has a relative element"),
        _ if element.len() > ELEMENT_LIMIT => Some("an element is longer than 255 bytes"),
        _ => None,
    })
}

/// Whether the entry's bytes stand for ever: the `.mod` and the `.zip` of a version. An `.info` may be replaced (it is
/// not authenticated, and sources add to it), a list and `@latest` must be.
pub(super) fn is_immutable(key: &str) -> bool {
    key.rsplit_once('/')
        .is_some_and(|(parent, name)| parent.ends_with("/@v") && (name.ends_with(".zip") || name.ends_with(".mod")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_inside() {
        for good in ["github.com/!a/b/@v/v1.0.0.zip", "x.y/@latest", "sumdb/sum.golang.org/latest"] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = format!("x.y/{}/@v/list", "a".repeat(256));
        let deep = "a/".repeat(1800) + "b";
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", ".meta/a", ".lock", "a\0b", "a\\b", &long, &deep] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn zips_and_mods_of_versions_stand() {
        assert!(is_immutable("a.b/@v/v1.0.0.zip"));
        assert!(is_immutable("a.b/@v/v1.0.0.mod"));
        for not in ["a.b/@v/v1.0.0.info", "a.b/@v/list", "a.b/@latest", "sumdb/x/tile.mod", "v1.zip"] {
            assert!(!is_immutable(not), "{not}");
        }
    }
}
