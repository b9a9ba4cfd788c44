//! A tree over path elements: finds all patterns that a module path falls under, however many there are.
//!
//! A pattern is a path through the tree, an element a step. Elements without glob characters are looked up by hash, `*`
//! has a seat of its own, and only elements such as `pay-*` are tried one by one, those of one parent together. A path
//! falls under a pattern when the pattern is passed on the way (GOPRIVATE's prefix match), so the walk ends at the
//! path's end or where no pattern goes on.
//!
//! A folding tree ignores letter case: an element matches if some way to write it does, so `[^a]` matches `a` for the
//! sake of `A`. Module paths are ASCII, so folding never moves an element's borders.
use crate::module::Glob;
use std::{borrow::Cow, collections::HashMap};

/// Patterns, each with a value; a value stands at every step of each pattern.
#[derive(Debug)]
pub(super) struct PathTrie<T> {
    folding: bool,
    root: Node<T>,
}

#[derive(Debug, Default)]
struct Node<T> {
    value: T,
    exact: HashMap<Box<str>, Node<T>, foldhash::fast::RandomState>,
    any: Option<Box<Node<T>>>,
    globs: Vec<(Glob, Node<T>)>,
}

/// A path to look up, with its lower-case form.
#[derive(Debug)]
pub(super) struct PathKey<'a> {
    plain: &'a str,
    folded: Cow<'a, str>,
}

impl<'a> PathKey<'a> {
    pub(super) fn new(plain: &'a str) -> Self {
        Self { plain, folded: fold(plain) }
    }
}

/// The lower-case form; the text itself where it has no capital letter.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a pattern's element is more than its own text.
pub(super) fn is_glob(element: &str) -> bool {
    element.contains(['*', '?', '[', '\\'])
}

impl<T: Default> PathTrie<T> {
    pub(super) fn new(folding: bool) -> Self {
        Self { folding, root: Node::default() }
    }

    /// Calls `mark` with the value at each step of `pattern` and whether it is the last.
    pub(super) fn insert(&mut self, pattern: &Glob, mut mark: impl FnMut(&mut T, bool)) {
        let mut node = &mut self.root;
        let mut elements = pattern.elements().peekable();
        while let Some(element) = elements.next() {
            node = node.step(element, self.folding);
            mark(&mut node.value, elements.peek().is_none());
        }
    }

    /// Calls `visit` with the value at each step that `path` passes, and whether the path ends there.
    pub(super) fn walk<'t>(&'t self, path: &PathKey<'_>, mut visit: impl FnMut(&'t T, bool)) {
        self.root.walk(path.plain, &path.folded, self.folding, &mut visit);
    }
}

impl<T: Default> Node<T> {
    fn step(&mut self, element: &str, folding: bool) -> &mut Self {
        if element == "*" {
            return self.any.get_or_insert_default();
        }
        match Glob::parse(element) {
            Ok(glob) if is_glob(element) => self.glob_step(glob),
            _ if folding => self.exact.entry(fold(element).into()).or_default(),
            _ => self.exact.entry(element.into()).or_default(),
        }
    }

    fn glob_step(&mut self, glob: Glob) -> &mut Self {
        let known = self.globs.iter().position(|(own, _)| *own == glob);
        let at = known.unwrap_or(self.globs.len());
        if known.is_none() {
            self.globs.push((glob, Self::default()));
        }
        match self.globs.get_mut(at) {
            Some((_, node)) => node,
            None => self.any.get_or_insert_default(),
        }
    }

    fn walk<'t>(&'t self, plain: &str, folded: &str, folding: bool, visit: &mut impl FnMut(&'t T, bool)) {
        let (head, rest) = first(plain);
        let (folded_head, folded_rest) = first(folded);
        let key = if folding { folded_head } else { head };
        let mut enter = |node: &'t Self| {
            visit(&node.value, rest.is_none());
            if let (Some(rest), Some(folded_rest)) = (rest, folded_rest) {
                node.walk(rest, folded_rest, folding, visit);
            }
        };
        if let Some(node) = self.exact.get(key) {
            enter(node);
        }
        if let Some(node) = &self.any {
            enter(node);
        }
        for (glob, node) in &self.globs {
            if glob.matches(head) || (folding && glob.matches_ignoring_case(head)) {
                enter(node);
            }
        }
    }
}

fn first(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patterns that `path` falls under, in the order of `patterns`.
    fn under<'a>(patterns: &[&'a str], folding: bool, path: &str) -> Vec<&'a str> {
        let mut trie: PathTrie<Vec<usize>> = PathTrie::new(folding);
        for (index, pattern) in patterns.iter().enumerate() {
            let glob = Glob::parse(pattern).expect(pattern);
            trie.insert(&glob, |value, last| {
                if last {
                    value.push(index);
                }
            });
        }
        let mut found: Vec<usize> = Vec::new();
        trie.walk(&PathKey::new(path), |value, _| found.extend(value));
        found.sort_unstable();
        found.into_iter().map(|index| patterns[index]).collect()
    }

    #[test]
    fn finds_every_pattern_that_is_passed() {
        let patterns = ["a.b", "a.b/c", "a.b/*", "*", "*/c/d", "a.*/c", "a.b/[a-c]", "a.b/cc", "x.y"];
        assert_eq!(under(&patterns, false, "a.b"), ["a.b", "*"]);
        assert_eq!(under(&patterns, false, "a.b/c/d"), ["a.b", "a.b/c", "a.b/*", "*", "*/c/d", "a.*/c", "a.b/[a-c]"]);
        assert_eq!(under(&patterns, false, "a.bb/c"), ["*", "a.*/c"]);
    }

    #[test]
    fn folds_only_where_asked() {
        let patterns = ["A.b/C", "a.b/c", "a.b/[X-Z]", "a.b/[^c]"];
        assert_eq!(under(&patterns, false, "a.b/c"), ["a.b/c"]);
        assert_eq!(under(&patterns, true, "a.b/c"), ["A.b/C", "a.b/c", "a.b/[^c]"]);
        assert_eq!(under(&patterns, true, "A.B/x"), ["a.b/[X-Z]", "a.b/[^c]"]);
        assert_eq!(under(&patterns, true, "A.B/C"), ["A.b/C", "a.b/c", "a.b/[^c]"]);
    }
}
