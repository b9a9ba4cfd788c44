//! The text of a refusal: the only part of an error answer that reaches a terminal.
//!
//! The `go` command shows the body of a non-200 answer if, and only if, it is `text/plain` in UTF-8, has at most 8
//! lines and 648 bytes, no blank line (it stops there) and no control character (one hides everything); see
//! `cmd/go/internal/web`. So whatever a part of modgate has to say passes through [`text`], and nothing that came from
//! a request or a source can break the frame.

/// Lines that the `go` command shows.
const LINES: usize = 8;
/// Bytes that are certain to be shown, the final newline included.
const BYTES: usize = 640;
/// The longest line; longer ones are cut, because `go` drops a line that would pass its limit whole.
const LINE: usize = 200;

/// Frames what is said so that the `go` command prints it, with the request id, where there is one, as the last line.
///
/// Control characters become blanks, odd ones `?`, blank lines vanish, and what does not fit is cut with `…`; the id always fits.
pub fn text(outside: &str, request_id: Option<&str>) -> String {
    let last = request_id.map(|id| format!("request: {id}\n")).unwrap_or_default();
    let mut body = String::with_capacity(BYTES);
    let lines = outside.lines().map(graphic).filter(|line| !line.is_empty());
    for line in lines.take(LINES - 1) {
        let room = BYTES.saturating_sub(body.len() + last.len() + 1);
        let line = cut(&line, room.min(LINE));
        if line.is_empty() {
            break;
        }
        body.push_str(line.as_ref());
        body.push('\n');
    }
    body.push_str(&last);
    body
}

/// One line with only graphic characters and single blanks.
fn graphic(line: &str) -> String {
    let visible = line.chars().map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { shown(c) });
    visible.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The character itself where every Go release since 1.13 calls it graphic (`unicode.IsGraphic`), else `?`.
///
/// Letters beyond the basic plane and everything younger than that are left out on purpose: one character that the
/// client's Unicode tables do not know hides the whole text.
fn shown(c: char) -> char {
    let graphic = match c {
        ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{ff}' | '\u{2010}'..='\u{2027}' => true,
        '\u{100}'..='\u{24f}' | '\u{370}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => c.is_alphanumeric(),
        _ => false,
    };
    if graphic { c } else { '?' }
}

/// The longest prefix of at most `room` bytes that ends at a character, marked when something is missing.
fn cut(line: &str, room: usize) -> std::borrow::Cow<'_, str> {
    const MARK: &str = "…";
    if line.len() <= room {
        return line.into();
    }
    let Some(room) = room.checked_sub(MARK.len()) else { return "".into() };
    let end = (0..=room).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
    format!("{}{MARK}", line.get(..end).unwrap_or_default().trim_end()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_refusal_reads_as_it_was_written() {
        let body = text("denied by policy\nreason: malware\n\ncontact: security@corp.example", Some("r1"));
        assert_eq!(body, "denied by policy\nreason: malware\ncontact: security@corp.example\nrequest: r1\n");
    }

    #[test]
    fn an_escape_sequence_cannot_hide_the_text() {
        assert_eq!(text("no \x1b[31mred\x1b[0m", Some("r1")), "no [31mred [0m\nrequest: r1\n");
    }

    #[test]
    fn the_request_id_survives_a_flood() {
        let body = text(&"é".repeat(5000), Some("r1"));
        assert!(body.ends_with("…\nrequest: r1\n"), "{body}");
    }

    proptest! {
        // INVARIANT: whatever is said, the `go` command shows it (web.go's rules, restated here).
        #[test]
        fn the_go_command_shows_every_refusal(outside in any::<String>()) {
            let body = text(&outside, Some("01jabcdefghjkmnp"));
            prop_assert!(body.len() <= BYTES);
            prop_assert!(body.lines().count() <= LINES);
            prop_assert!(body.lines().all(|line| !line.trim().is_empty()));
            prop_assert!(body.chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert!(body.ends_with("request: 01jabcdefghjkmnp\n"));
        }
    }
}
