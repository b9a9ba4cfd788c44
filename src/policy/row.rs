//! One line of a policy file, taken apart into cells.
//!
//! The form is what Casbin for Rust and Casbin for Go read alike, which is less than CSV:
//!
//! ```text
//! line  = blank | "#" comment | cell { "," cell }
//! cell  = { " " } ( text | '"' quoted '"' )
//! ```
//!
//! Blanks may stand before a cell and never after it; text holds no quote and no `#`, quoted text no quote; none is
//! empty (`-` stands for none). Everything outside this form is an error here, because Casbin takes it for something
//! else without a word: `deny # why` and `"deny "` are to it two unknown effects, that is, no deny at all.
use super::fault::Fault;

/// The cells of a row: the section first.
pub(super) type Cells<'a> = Vec<&'a str>;

/// Takes a line apart; none for a blank line or a comment. The line end is not part of `line`.
pub(super) fn split(line: &str) -> Result<Option<Cells<'_>>, Fault> {
    let row = line.trim_start_matches(' ');
    if row.is_empty() || row.starts_with('#') {
        return Ok(None);
    }
    refuse_invisible(line)?;
    let mut cells = Vec::with_capacity(8);
    let mut rest = Some(row);
    while let Some(text) = rest {
        let (cell, after) = first_cell(text.trim_start_matches(' '))?;
        cells.push(cell);
        rest = after;
    }
    Ok(Some(cells))
}

/// The cell at the start of `text`, and what follows the comma after it.
fn first_cell(text: &str) -> Result<(&str, Option<&str>), Fault> {
    match text.strip_prefix('"') {
        Some(opened) => quoted_cell(opened),
        None => plain_cell(text),
    }
}

fn quoted_cell(opened: &str) -> Result<(&str, Option<&str>), Fault> {
    let Some((cell, after)) = opened.split_once('"') else {
        return Err(Fault::new("a quote is opened and never closed"));
    };
    if cell.trim() != cell {
        return Err(
            Fault::new(format!("blank inside the quotes of `\"{cell}\"`")).hint(format!("write \"{}\"", cell.trim()))
        );
    }
    if cell.is_empty() {
        return Err(empty_cell());
    }
    match after.strip_prefix(',') {
        Some(next) => Ok((cell, Some(next))),
        None if after.is_empty() => Ok((cell, None)),
        None if after.starts_with('"') => {
            Err(Fault::new("a doubled quote inside a quoted cell").hint("a cell cannot hold a double quote: write '"))
        }
        None => Err(Fault::new(format!("`{}` after a closing quote", after.trim_end()))
            .hint("nothing may follow a closing quote but a comma; comments stand on lines of their own")),
    }
}

fn plain_cell(text: &str) -> Result<(&str, Option<&str>), Fault> {
    let (cell, next) = match text.split_once(',') {
        Some((cell, next)) => (cell, Some(next)),
        None => (text, None),
    };
    if cell.contains('#') {
        return Err(Fault::new(format!("`#` inside the cell `{}`", cell.trim_end()))
            .hint("a comment stands on a line of its own, an explanation in the note as \"reason=…\" in quotes"));
    }
    if cell.contains('"') {
        return Err(Fault::new(format!("a quote inside the cell `{}`", cell.trim_end()))
            .hint("quote the whole cell or nothing of it"));
    }
    if cell.trim_end() != cell {
        return Err(
            Fault::new(format!("blank after `{}`", cell.trim_end())).hint("remove it: it would be part of the value")
        );
    }
    if cell.is_empty() {
        return Err(empty_cell());
    }
    Ok((cell, next))
}

fn empty_cell() -> Fault {
    Fault::new("an empty cell").hint("write `-` for none, `*` for any")
}

/// Refuses characters that a reviewer cannot see or that turn the text around.
fn refuse_invisible(line: &str) -> Result<(), Fault> {
    match line.chars().find(|&c| is_invisible(c)) {
        None => Ok(()),
        Some('\t') => Err(Fault::new("a tab").hint("use blanks")),
        Some(c) => Err(Fault::new(format!("the invisible character U+{:04X}", u32::from(c))).hint("remove it")),
    }
}

fn is_invisible(c: char) -> bool {
    let turns_or_hides = matches!(u32::from(c), 0xAD | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF);
    c.is_control() || turns_or_hides || (c.is_whitespace() && c != ' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells(line: &str) -> Vec<&str> {
        split(line).expect(line).expect(line)
    }

    #[test]
    fn reads_plain_and_quoted_cells() {
        assert_eq!(cells("p, a, \"b, c\",d"), ["p", "a", "b, c", "d"]);
        assert_eq!(cells("p, a b, -"), ["p", "a b", "-"]);
        assert_eq!(cells("p, \"#1\""), ["p", "#1"]);
    }

    #[test]
    fn passes_over_blank_lines_and_comments() {
        for line in ["", "   ", "# p, a", "  # x"] {
            assert_eq!(split(line), Ok(None), "{line}");
        }
    }

    #[test]
    fn refuses_what_casbin_misreads() {
        let lines = [
            "p, deny # why",
            "p, \"deny \"",
            "p, \" deny\"",
            "p, deny ,x",
            "p, deny ",
            "p, \"deny\" ",
            "p, \"deny\" # why",
            "p, \"a\"\"b\"",
            "p, a\"b\"",
            "p, \"open",
            "p, ,x",
            "p, \"\"",
            "p, a,",
            ",",
            "p,\ta",
            "p, a\u{a0}",
            "p, a\u{202e}b",
            "\u{feff}p, a",
            "p, a\rb",
        ];
        for line in lines {
            assert!(split(line).is_err(), "{line:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn cells_come_back_as_written(cells in prop::collection::vec("[a-z*<>=./:-]{1,9}( [a-z]{1,3})?|[a-z]{1,3}, [a-z#]{1,3}", 1..9)) {
            let row: Vec<String> = cells
                .iter()
                .map(|c| if c.contains([',', '#']) { format!("\"{c}\"") } else { c.clone() })
                .collect();
            let row = row.join(", ");
            prop_assert_eq!(split(&row).expect("well-formed").expect("not blank"), cells);
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(line in "\\PC*") {
            let _ = split(&line);
        }
    }
}
