//! Where in the claims a value is: `sub`, `realm_access.roles`, `https://corp\.example/groups`.
//!
//! Names of members, separated by dots; `\.` is a dot within a name and `\\` a backslash. Where a step comes to an array,
//! it is made in each of its elements, so `groups.name` finds the names of `[{"name":"a"},{"name":"b"}]`.

use super::strict_json::Members;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// The most names.
const STEPS: usize = 8;

/// A path to claims.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimPath {
    /// The claim itself.
    first: String,
    rest: Vec<String>,
}

/// Why a text is no path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClaimPathError {
    /// Nothing between two dots, or nothing at all.
    #[error("a name in it is empty: write `\\.` for a dot that belongs to a name")]
    EmptyName,
    /// A backslash before something else than a dot or a backslash.
    #[error("a backslash in it stands before neither a dot nor a backslash")]
    Escape,
    /// Too many names.
    #[error("it has more than {STEPS} names")]
    Long,
}

impl ClaimPath {
    /// The name of the claim that it begins in.
    pub(super) fn claim(&self) -> &str {
        &self.first
    }

    /// What is there: nothing, one value, or several if an array lies on the way. `null` is nothing.
    pub(super) fn find<'c>(&self, claims: &'c Members) -> Vec<&'c Value> {
        let mut found: Vec<&Value> = claims.get(&self.first).into_iter().collect();
        for name in &self.rest {
            found = found.into_iter().flat_map(elements).filter_map(|value| value.get(name.as_str())).collect();
        }
        found.retain(|value| !value.is_null());
        found
    }
}

/// The elements of an array, or the value itself.
fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        other => std::slice::from_ref(other),
    }
}

impl FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, ClaimPathError> {
        let (mut names, mut name) = (Vec::new(), String::new());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '.' => names.push(std::mem::take(&mut name)),
                '\\' => match characters.next() {
                    Some(literal @ ('.' | '\\')) => name.push(literal),
                    _ => return Err(ClaimPathError::Escape),
                },
                other => name.push(other),
            }
        }
        names.push(name);
        if names.iter().any(String::is_empty) {
            return Err(ClaimPathError::EmptyName);
        }
        if names.len() > STEPS {
            return Err(ClaimPathError::Long);
        }
        let first = names.remove(0);
        Ok(Self { first, rest: names })
    }
}

/// As it would be written.
impl fmt::Display for ClaimPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |name: &String| name.replace('\\', "\\\\").replace('.', "\\.");
        out.write_str(&escaped(&self.first))?;
        self.rest.iter().try_for_each(|name| write!(out, ".{}", escaped(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn found(path: &str, claims: Value) -> Value {
        let Value::Object(claims) = claims else { panic!("no object") };
        path.parse::<ClaimPath>().unwrap().find(&claims).into_iter().cloned().collect()
    }

    #[test]
    fn paths_lead_through_objects_and_arrays() {
        let claims = json!({
            "sub": "a", "realm_access": {"roles": ["x", "y"]}, "teams": [{"name": "t1"}, {"name": "t2"}, {"id": 3}],
            "https://corp.example/groups": ["g"], "a\\b": 1, "nothing": null
        });
        assert_eq!(found("sub", claims.clone()), json!(["a"]));
        assert_eq!(found("realm_access.roles", claims.clone()), json!([["x", "y"]]));
        assert_eq!(found("teams.name", claims.clone()), json!(["t1", "t2"]));
        assert_eq!(found("https://corp\\.example/groups", claims.clone()), json!([["g"]]));
        assert_eq!(found("a\\\\b", claims.clone()), json!([1]));
        for nowhere in ["nothing", "absent", "sub.x", "realm_access.roles.x", "https://corp.example/groups"] {
            assert_eq!(found(nowhere, claims.clone()), json!([]), "{nowhere}");
        }
    }

    #[test]
    fn bad_paths_say_why() {
        for (text, error) in [
            ("", ClaimPathError::EmptyName),
            ("a.", ClaimPathError::EmptyName),
            (".a", ClaimPathError::EmptyName),
            ("a..b", ClaimPathError::EmptyName),
            ("a\\b", ClaimPathError::Escape),
            ("a\\", ClaimPathError::Escape),
            ("a.b.c.d.e.f.g.h.i", ClaimPathError::Long),
        ] {
            assert_eq!(text.parse::<ClaimPath>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(text in "[a-c.\\\\/:]{0,12}") {
            if let Ok(path) = text.parse::<ClaimPath>() {
                prop_assert_eq!(path.to_string(), text);
            }
        }
    }
}
