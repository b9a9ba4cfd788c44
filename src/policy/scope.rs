//! A token's scope: what the token may be used for, of all that its owner may do.
//!
//! ```text
//! scope = item { "," item }
//! item  = action [ ":" modules ]      action as in policies; modules: a GOPRIVATE glob, `public`, `private` or `*`
//! ```
//!
//! `read:github.com/corp/*,read:golang.org/x/text` reads those and nothing else; `read` reads whatever its owner reads.
//! No scope is no restriction. A scope only ever takes away.
//!
//! INVARIANT: nothing fails open. A scope that cannot be read, the empty one included, denies everything; letter case
//! counts, as in every allow.
use super::{
    columns::parse_modules,
    rule::{Action, Modules},
};

/// A scope, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(Vec<(Action, Modules)>);

/// What a principal's scope amounts to.
#[derive(Debug)]
pub(super) enum Limit {
    /// No scope, no restriction.
    None,
    To(Scope),
    /// A scope that cannot be read: nothing is covered.
    Malformed,
}

/// Why a text is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed scope item `{item}`: {reason}")]
pub struct ScopeError {
    /// The item, as given.
    pub item: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Scope {
    /// Reads a scope. Blanks are not allowed.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        text.split(',').map(item).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the scope covers `action` on a module.
    pub fn covers(&self, action: Action, path: &str, private: bool) -> bool {
        self.0.iter().any(|(own, modules)| {
            *own == action
                && match modules {
                    Modules::All => true,
                    Modules::Public => !private,
                    Modules::Private => private,
                    Modules::Glob(glob) => glob.matches(path),
                }
        })
    }

    /// Whether the scope covers `action` on anything.
    pub fn covers_somewhere(&self, action: Action) -> bool {
        self.0.iter().any(|(own, _)| *own == action)
    }
}

impl Limit {
    pub(super) fn of(scope: Option<&str>) -> Self {
        match scope.map(Scope::parse) {
            None => Self::None,
            Some(Ok(scope)) => Self::To(scope),
            Some(Err(_)) => Self::Malformed,
        }
    }

    pub(super) fn covers(&self, action: Action, path: &str, private: bool) -> bool {
        match self {
            Self::None => true,
            Self::To(scope) => scope.covers(action, path, private),
            Self::Malformed => false,
        }
    }

    pub(super) fn covers_somewhere(&self, action: Action) -> bool {
        match self {
            Self::None => true,
            Self::To(scope) => scope.covers_somewhere(action),
            Self::Malformed => false,
        }
    }
}

fn item(text: &str) -> Result<(Action, Modules), ScopeError> {
    let error = |reason: String| ScopeError { item: text.into(), reason };
    let (word, modules) = match text.split_once(':') {
        Some((word, modules)) => (word, modules),
        None => (text, "*"),
    };
    let action = Action::parse(word).ok_or_else(|| error("an item begins with read, write, manage or audit".into()))?;
    let modules = parse_modules(modules).map_err(|fault| error(fault.message))?;
    Ok((action, modules))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_what_it_names() {
        let scope = Scope::parse("read:github.com/corp/*,read:private,write:corp.example/pay").expect("a scope");
        assert!(scope.covers(Action::Read, "github.com/corp/a/b", false));
        assert!(!scope.covers(Action::Read, "github.com/Corp/a", false));
        assert!(!scope.covers(Action::Read, "github.com/corp", false));
        assert!(scope.covers(Action::Read, "corp.example/x", true));
        assert!(scope.covers(Action::Write, "corp.example/pay/sub", true));
        assert!(!scope.covers(Action::Write, "corp.example/x", true));
        assert!(!scope.covers_somewhere(Action::Manage));
        assert!(Scope::parse("read").expect("a scope").covers(Action::Read, "any.thing", false));
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for text in
            ["", ",", "read,", "read, write", "Read", "*", "read:", "all", "read:github.com/[", "read:a b", "read:x:y"]
        {
            assert!(Scope::parse(text).is_err(), "{text}");
        }
    }
}
