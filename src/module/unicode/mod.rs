//! Letters and case folding exactly as the `go` command knows them.
//!
//! File names in a module zip may hold any Unicode letter, and two names may not differ by case alone. Which
//! characters those rules mean depends on the version of Unicode: Rust's own tables are newer and draw "alphabetic"
//! wider than Go's `unicode.IsLetter`. Both tables here are printed by the oracle program from Go's.

mod folds;
mod letters;

use folds::FOLDS;
use letters::LETTERS;

/// Whether a character is a letter (`unicode.IsLetter`).
pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    let code = u32::from(c);
    let next = LETTERS.partition_point(|&(first, _)| first <= code);
    next.checked_sub(1).and_then(|at| LETTERS.get(at)).is_some_and(|&(_, last)| code <= last)
}

/// The character that stands for all those that differ from `c` by case only (one step of `strToFold` in `x/mod/zip`).
pub(crate) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let code = u32::from(c);
    let next = FOLDS.partition_point(|&(first, ..)| first <= code);
    let run = next.checked_sub(1).and_then(|at| FOLDS.get(at));
    let Some(&(first, last, step, distance)) = run else {
        return c;
    };
    if code > last || !(code - first).is_multiple_of(step) {
        return c;
    }
    // The two that fold into ASCII (long s and the Kelvin sign) meet the lower-case letter there.
    let folded = code.checked_add_signed(distance).and_then(char::from_u32).unwrap_or(c);
    folded.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{fold, is_letter};

    #[test]
    fn letters_are_not_what_rust_calls_alphabetic() {
        assert!(is_letter('é') && is_letter('世') && is_letter('ǅ') && is_letter('Z'));
        assert!(!is_letter('Ⅷ') && 'Ⅷ'.is_alphabetic());
        assert!(!is_letter('\u{301}') && !is_letter('1') && !is_letter('_'));
    }

    #[test]
    fn folding_joins_whole_orbits() {
        assert!("kKK".chars().all(|c| fold(c) == 'k'));
        assert!("sSſ".chars().all(|c| fold(c) == 's'));
        assert_eq!(fold('Å'), fold('Å'));
        assert_eq!(fold('ß'), fold('ẞ'));
        assert_ne!(fold('i'), fold('ı'));
    }
}
