//! The note column: what explains a rule and never decides.
//!
//! `-`, or `key=value` joined by `; `, the keys being `id`, `reason` and `contact`, each once. A note is printed on the
//! terminal of the person who is refused, so it is short: id 64 bytes, reason 240, contact 120.
use super::{fault::Fault, rule::Note};

const KEYS: [(&str, usize); 3] = [("id", 64), ("reason", 240), ("contact", 120)];

impl Note {
    /// Reads a note.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut note = Self::default();
        if text == "-" {
            return Ok(note);
        }
        for part in text.split(';') {
            let (key, value) = pair(part.trim(), text)?;
            let seat = match key {
                "id" => &mut note.id,
                "reason" => &mut note.reason,
                _ => &mut note.contact,
            };
            if seat.replace(value.into()).is_some() {
                return Err(Fault::new(format!("`{key}` twice in the note")).hint("no `;` inside a value"));
            }
        }
        Ok(note)
    }
}

/// One `key=value`, checked.
fn pair<'a>(part: &'a str, note: &str) -> Result<(&'a str, &'a str), Fault> {
    let Some((key, value)) = part.split_once('=') else {
        return Err(Fault::new(format!("`{part}` in the note is no `key=value`"))
            .hint(format!("write \"reason={}\"", note.trim_end_matches(';').replace(';', ","))));
    };
    let Some((_, limit)) = KEYS.iter().find(|(known, _)| *known == key) else {
        return Err(Fault::new(format!("unknown key `{key}` in the note"))
            .hint("known are id, reason and contact; no `;` inside a value"));
    };
    if value.trim() != value || value.is_empty() {
        return Err(Fault::new(format!("`{key}=` in the note is empty or begins or ends with a blank")));
    }
    if value.len() > *limit {
        return Err(
            Fault::new(format!("`{key}` in the note has {} bytes", value.len())).hint(format!("at most {limit}"))
        );
    }
    if key == "id" && !value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err(Fault::new(format!("malformed id `{value}`")).hint("letters, digits, `.`, `_` and `-`"));
    }
    Ok((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_keys() {
        let note = Note::parse("id=MAL-7; reason=malware, see 12; contact=security@corp.example").expect("a note");
        assert_eq!(note.id.as_deref(), Some("MAL-7"));
        assert_eq!(note.reason.as_deref(), Some("malware, see 12"));
        assert_eq!(note.contact.as_deref(), Some("security@corp.example"));
        assert_eq!(Note::parse("-"), Ok(Note::default()));
    }

    #[test]
    fn refuses_what_would_not_be_shown() {
        for note in ["because", "id=", "id=a b", "id=a; id=b", "why=x", "reason=a; b", "id=a;", "reason= a", "ID=a"] {
            assert!(Note::parse(note).is_err(), "{note}");
        }
        assert!(Note::parse(&format!("reason={}", "x".repeat(241))).is_err());
    }
}
