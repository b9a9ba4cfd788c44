//! A netrc file, read as the go command reads it and edited without touching anything else.
//!
//! The rules are those of `cmd/go/internal/auth/netrc.go`, which differ from what other programs do: each line for itself in
//! pairs of words, `default` without effect, a macro until an empty line, the port a part of the name. What was read
//! keeps every byte of it: comments, macros, line ends, what is no UTF-8. An entry is changed by putting other words in
//! the place of its login and password.
//!
//! | file | what |
//! |---|---|
//! | `entry` | the go command's reading |
//! | `file` | where it is |
//! | `ownership` | which entries are a gateway's |
//!
//! INVARIANT: an edit changes the bytes of one entry. All that the go command read before, it reads after.

mod entry;
mod file;
pub(super) mod ownership;

pub(super) use entry::Entry;
pub(super) use file::{NetrcError, NetrcFile};

use entry::{Reading, Span};
use std::ops::Range;

/// The login of entries that we write: the go command wants one, the gateway looks at the password only.
pub(super) const LOGIN: &str = "modgate";

/// A netrc file's text. No `Debug`: there are passwords in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Netrc {
    text: zeroize::Zeroizing<Vec<u8>>,
}

/// A word that cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a {0} for a netrc file has no blanks and is not empty")]
pub(super) struct WordError(&'static str);

/// Words outside of all entries would become a part of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the netrc file has unfinished entries around this one; edit it by hand")]
pub(super) struct TangledError;

impl Netrc {
    /// Takes a file's content, whatever it is.
    pub(super) fn new(text: Vec<u8>) -> Self {
        Self { text: text.into() }
    }

    /// One entry and nothing else.
    pub(super) fn of_one(machine: &str, login: &str, password: &str) -> Result<Self, WordError> {
        let mut netrc = Self::default();
        netrc.set(machine, login, password)?;
        Ok(netrc)
    }

    /// The content.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether it is a text as the go command expects it: not, for example, UTF-16.
    pub(super) fn is_text(&self) -> bool {
        !self.text.contains(&0) && !self.text.starts_with(&[0xff, 0xfe]) && !self.text.starts_with(&[0xfe, 0xff])
    }

    /// The entries that the go command sees, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        Reading::of(&self.text).spans.into_iter().map(|span| Entry::new(&self.text, span))
    }

    /// The entries whose name is exactly this; the go command uses the first.
    pub(super) fn named<'n>(&'n self, machine: &'n str) -> impl Iterator<Item = Entry<'n>> {
        self.entries().filter(move |entry| entry.is_named(machine.as_bytes()))
    }

    /// The entry that the go command uses for `HOST[:PORT][/PATH]`: the longest name that is whole elements of it.
    pub(super) fn best(&self, place: &str) -> Option<Entry<'_>> {
        let entries: Vec<_> = self.entries().collect();
        let mut place = place.strip_suffix('/').unwrap_or(place);
        loop {
            if let Some(found) = entries.iter().find(|entry| entry.is_named(place.as_bytes())) {
                return Some(found.clone());
            }
            place = place.rsplit_once('/')?.0;
        }
    }

    /// The line of a `machine` of this name, whether or not the rest of an entry follows.
    pub(super) fn mentions(&self, machine: &str) -> Option<usize> {
        let lines = self.text.split(|byte| *byte == b'\n').zip(1..);
        let names = |line: &[u8]| {
            let line = String::from_utf8_lossy(line);
            let words: Vec<_> = line.split_whitespace().collect();
            words.windows(2).any(|pair| pair == ["machine", machine])
        };
        lines.into_iter().find(|(line, _)| names(line)).map(|(_, number)| number)
    }

    /// Whether there is a line `default`, which the go command does not use.
    pub(super) fn has_default(&self) -> bool {
        Reading::of(&self.text).default
    }

    /// Writes a login and a password for a machine: into the first entry of that name, or into a new one.
    pub(super) fn set(&mut self, machine: &str, login: &str, password: &str) -> Result<(), WordError> {
        for (word, what) in [(machine, "machine"), (login, "login"), (password, "password")] {
            if word.is_empty() || word.contains(|char: char| char.is_whitespace() || char.is_control()) {
                return Err(WordError(what));
            }
        }
        let reading = Reading::of(&self.text);
        let found =
            reading.spans.iter().find(|span| Entry::new(&self.text, (*span).clone()).is_named(machine.as_bytes()));
        match found {
            Some(span) => {
                let mut words = [(span.login.clone(), login), (span.password.clone(), password)];
                words.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
                for (range, word) in words {
                    self.replace(range, word.as_bytes());
                }
            }
            None => self.add(&reading, machine, login, password),
        }
        Ok(())
    }

    /// Removes the entries that are to go; how many there were.
    pub(super) fn remove(&mut self, goes: impl Fn(&Entry<'_>) -> bool) -> Result<usize, TangledError> {
        let mut edited = self.clone();
        let count = edited.take_out_all(&goes);
        if !self.entries().filter(|entry| !goes(entry)).eq(edited.entries()) {
            return Err(TangledError);
        }
        *self = edited;
        Ok(count)
    }

    fn take_out_all(&mut self, goes: impl Fn(&Entry<'_>) -> bool) -> usize {
        let mut gone: Vec<Span> = Reading::of(&self.text).spans;
        gone.retain(|span| goes(&Entry::new(&self.text, span.clone())));
        let mut ranges: Vec<Range<usize>> = gone.iter().flat_map(|span| span.pairs.iter().cloned()).collect();
        ranges.sort_by_key(|range| std::cmp::Reverse(range.start));
        for range in ranges {
            self.take_out(range);
        }
        gone.len()
    }

    /// At the end, or before everything else where the end would not be read, or not by all programs.
    fn add(&mut self, reading: &Reading, machine: &str, login: &str, password: &str) {
        let end = if self.text.windows(2).any(|two| two == b"\r\n") { "\r\n" } else { "\n" };
        let line = zeroize::Zeroizing::new(format!("machine {machine} login {login} password {password}{end}"));
        if reading.in_macro || reading.default {
            return self.replace(0..0, line.as_bytes());
        }
        if !self.text.is_empty() && !self.text.ends_with(b"\n") {
            let length = self.text.len();
            self.replace(length..length, end.as_bytes());
        }
        let length = self.text.len();
        self.replace(length..length, line.as_bytes());
    }

    fn replace(&mut self, range: Range<usize>, by: &[u8]) {
        // A new vector each time, so that the old one is wiped whole and not left behind by a reallocation.
        let (before, after) = (self.text.get(..range.start), self.text.get(range.end..));
        let text = [before.unwrap_or_default(), by, after.unwrap_or_default()].concat();
        self.text = text.into();
    }

    /// Takes a pair of words out, with the blanks after it, or with its line if nothing else is on it.
    fn take_out(&mut self, range: Range<usize>) {
        let text: &[u8] = &self.text;
        let (before, after) = (text.get(..range.start).unwrap_or_default(), text.get(range.end..).unwrap_or_default());
        let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place.saturating_add(1));
        let rest = after.iter().position(|byte| *byte == b'\n').map_or(after.len(), |place| place.saturating_add(1));
        let blank = |bytes: Option<&[u8]>| bytes.unwrap_or_default().iter().all(u8::is_ascii_whitespace);
        let range = if blank(before.get(line..)) && blank(after.get(..rest)) {
            line..range.end.saturating_add(rest)
        } else {
            let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            range.start..range.end.saturating_add(blanks)
        };
        self.replace(range, b"");
    }
}

#[cfg(test)]
mod tests;
