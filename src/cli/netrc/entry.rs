//! The go command's reading of a netrc file (`parseNetrc` in `cmd/go/internal/auth/netrc.go`), with places.

use std::ops::Range;

/// One entry, as the go command uses it. No `Debug`: there is a password in it.
#[derive(Clone)]
pub(in crate::cli) struct Entry<'n> {
    text: &'n [u8],
    span: Span,
}

/// Where in the text an entry is.
#[derive(Clone)]
pub(super) struct Span {
    name: Range<usize>,
    pub(super) login: Range<usize>,
    pub(super) password: Range<usize>,
    /// Key and value together: all that belongs to it.
    pub(super) pairs: Vec<Range<usize>>,
}

impl<'n> Entry<'n> {
    pub(super) fn new(text: &'n [u8], span: Span) -> Self {
        Self { text, span }
    }

    /// `HOST`, `HOST:PORT`, or either and a path, as the go command compares it.
    pub(in crate::cli) fn name(&self) -> &'n [u8] {
        let name = self.word(&self.span.name);
        let name = name.strip_prefix(b"https://").unwrap_or(name);
        name.strip_suffix(b"/").unwrap_or(name)
    }

    /// Whether its name is this one.
    pub(in crate::cli) fn is_named(&self, machine: &[u8]) -> bool {
        self.name() == machine
    }

    /// The login.
    pub(in crate::cli) fn login(&self) -> &'n [u8] {
        self.word(&self.span.login)
    }

    /// The password.
    pub(in crate::cli) fn password(&self) -> &'n [u8] {
        self.word(&self.span.password)
    }

    /// In which line it begins, from 1.
    pub(in crate::cli) fn line(&self) -> usize {
        let before = self.text.get(..self.span.name.start).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
    }

    fn word(&self, range: &Range<usize>) -> &'n [u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// What the go command makes of it; not where it stands.
impl PartialEq for Entry<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.login() == other.login() && self.password() == other.password()
    }
}

/// All entries, and how the text ends.
pub(super) struct Reading {
    pub(super) spans: Vec<Span>,
    /// The end of the text lies in a macro.
    pub(super) in_macro: bool,
    /// There is a `default`, used or not.
    pub(super) default: bool,
    /// The last entry's line is over, or `default` or a macro stands after it.
    closed: bool,
}

/// An entry that is not whole yet.
#[derive(Default)]
struct Open {
    name: Option<Range<usize>>,
    login: Option<Range<usize>>,
    password: Option<Range<usize>>,
    pairs: Vec<Range<usize>>,
}

impl Open {
    /// The entry, when all three are there.
    fn whole(&mut self) -> Option<Span> {
        let span = Span {
            name: self.name.clone()?,
            login: self.login.clone()?,
            password: self.password.clone()?,
            pairs: std::mem::take(&mut self.pairs),
        };
        *self = Self::default();
        Some(span)
    }
}

impl Reading {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut reading = Self { spans: Vec::new(), in_macro: false, default: false, closed: false };
        let (mut open, mut start) = (Open::default(), 0_usize);
        for line in text.split(|byte| *byte == b'\n') {
            let begin = start;
            start = start.saturating_add(line.len()).saturating_add(1);
            if line.is_empty() && start > text.len() {
                // After the last line's end there is no line yet; what comes there may belong to a macro.
                break;
            }
            if reading.in_macro {
                // A line that ends in CR is not empty to the go command.
                reading.in_macro = !line.is_empty();
                continue;
            }
            reading.closed = true;
            let words = words(line, begin);
            let mut pairs = words.chunks_exact(2);
            for pair in &mut pairs {
                if let [key, value] = pair {
                    reading.pair(text.get(key.clone()).unwrap_or_default(), key, value, &mut open);
                }
            }
            if let [last] = pairs.remainder()
                && text.get(last.clone()) == Some(b"default")
            {
                reading.default = true;
                break;
            }
        }
        reading
    }

    fn pair(&mut self, word: &[u8], key: &Range<usize>, value: &Range<usize>, open: &mut Open) {
        let place = match word {
            b"machine" => {
                *open = Open::default();
                &mut open.name
            }
            b"login" => &mut open.login,
            b"password" => &mut open.password,
            // Not the go command's, but other programs take it for a part of the entry.
            b"account" => return self.belongs(key.start..value.end, open),
            b"macdef" => {
                self.closed = true;
                return self.in_macro = true;
            }
            b"default" => {
                self.closed = true;
                return self.default = true;
            }
            _ => return,
        };
        *place = Some(value.clone());
        self.belongs(key.start..value.end, open);
        if let Some(span) = open.whole() {
            self.spans.push(span);
            self.closed = false;
        }
    }

    /// A pair belongs to the entry that is being read, or to the last one in its line if no other has begun.
    fn belongs(&mut self, pair: Range<usize>, open: &mut Open) {
        match self.spans.last_mut() {
            Some(last) if open.name.is_none() && !self.closed => last.pairs.push(pair),
            _ => open.pairs.push(pair),
        }
    }
}

/// The words of a line, as `strings.Fields` has them; bytes that are no UTF-8 are no blanks.
fn words(line: &[u8], begin: usize) -> Vec<Range<usize>> {
    let (mut words, mut word, mut place) = (Vec::new(), None, begin);
    for chunk in line.utf8_chunks() {
        for char in chunk.valid().chars() {
            let next = place.saturating_add(char.len_utf8());
            if !char.is_whitespace() {
                word.get_or_insert(place);
            } else if let Some(start) = word.take() {
                words.push(start..place);
            }
            place = next;
        }
        if !chunk.invalid().is_empty() {
            word.get_or_insert(place);
            place = place.saturating_add(chunk.invalid().len());
        }
    }
    words.extend(word.map(|start| start..place));
    words
}
