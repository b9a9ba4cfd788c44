//! The full names of the policy, as the ledger keeps them: whose a token is, and what groups its owner is in.
//!
//! INVARIANT: a name begins with its kind and its issuer's alias, and what follows is printable and on one line, so a list of
//! them is kept one a line, and none of them could be another's by way of a separator.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::name::{Name, NameError, check_claimed};

/// `user:ALIAS/NAME` or `ci:ALIAS/…`: whoever a token speaks for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Subject(Arc<str>);

/// `group:ALIAS/NAME`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Group(Arc<str>);

/// Why a text is no [`Subject`] or no [`Group`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubjectError {
    /// It does not begin as it must.
    #[error("it must be `user:ISSUER/NAME` or `ci:ISSUER/NAME`")]
    Form,
    /// What stands behind the issuer is no name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Subject {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole name, to be shared.
    pub fn shared(&self) -> &Arc<str> {
        &self.0
    }

    /// The issuer's alias: `token` for tokens that were made by hand.
    pub fn alias(&self) -> &str {
        self.parts().map_or("", |(_, alias, _)| alias)
    }

    /// What stands behind the issuer.
    pub fn name(&self) -> &str {
        self.parts().map_or("", |(_, _, name)| name)
    }

    /// Whether it is a machine.
    pub fn is_machine(&self) -> bool {
        self.0.starts_with("ci:")
    }

    fn parts(&self) -> Option<(&str, &str, &str)> {
        parts(&self.0)
    }
}

impl Group {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole name, to be shared.
    pub fn shared(&self) -> &Arc<str> {
        &self.0
    }
}

fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = text.split_once(':')?;
    let (alias, name) = rest.split_once('/')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (!alias.is_empty() && alias.bytes().all(plain)).then_some((kind, alias, name))
}

/// Names of the built-in issuer are chosen here, and are one word.
fn check(alias: &str, name: &str) -> Result<(), NameError> {
    if alias == "token" {
        name.parse::<Name>()?;
    }
    check_claimed(name)
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        match parts(text) {
            Some(("user" | "ci", alias, name)) => check(alias, name)?,
            _ => return Err(SubjectError::Form),
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for Group {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        match parts(text) {
            Some(("group", alias, name)) => check(alias, name)?,
            _ => return Err(SubjectError::Form),
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_full_names() {
        let subject: Subject = "ci:github/corp/repo:ref:refs/heads/x".parse().unwrap();
        assert_eq!((subject.alias(), subject.name()), ("github", "corp/repo:ref:refs/heads/x"));
        assert!(subject.is_machine());
        for bad in [
            "",
            "alice",
            "user:alice",
            "user:/alice",
            "user:corp/",
            "role:x/y",
            "group:corp/x",
            "user:a b/x",
            "user:corp/a\nb",
            "user:corp/*",
            "user:token/a/b",
        ] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?}");
        }
        assert!("group:corp/Domain Users, EMEA".parse::<Group>().is_ok());
        assert!("user:corp/x".parse::<Group>().is_err());
    }

    proptest! {
        #[test]
        fn no_name_breaks_a_line(text in "(user|ci|group):[a-z./]{0,4}/.{0,20}") {
            if let Ok(subject) = text.parse::<Subject>() {
                prop_assert!(subject.as_str().lines().count() == 1 && !subject.as_str().contains('\n'));
            }
            if let Ok(group) = text.parse::<Group>() {
                prop_assert!(!group.as_str().contains(['\n', '\r']));
            }
        }
    }
}
