//! Filters and DNs with a gap, into which what somebody typed is put.
//!
//! INVARIANT: what is put in is a value and stays one, whatever is in it: in a filter it is escaped by RFC 4515, in a DN by RFC
//! 4514. Where a gap may stand is checked when the template is read, so that it is always within a value.

use ldap3::{dn_escape, ldap_escape, parse_filter};

/// A filter with a gap: `(uid={login})`, `(member={dn})`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterTemplate {
    text: String,
    gap: &'static str,
}

/// A DN with a gap: `uid={login},ou=people,dc=corp,dc=example`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnTemplate(String);

/// Where what was typed goes.
const LOGIN: &str = "{login}";
/// Where a member's DN goes.
const DN: &str = "{dn}";

/// Why a template cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TemplateError {
    /// No gap.
    #[error("`{0}` is nowhere in it")]
    NoGap(&'static str),
    /// No filter.
    #[error("it is not a filter such as `{0}`")]
    Filter(&'static str),
    /// A gap that is not (all or part of) the value of an equality.
    #[error("`{0}` must be a value, as in `(attribute={0})`")]
    Place(&'static str),
    /// A DN in which the gap is not the value of the first attribute.
    #[error("it must begin with an attribute whose value is {LOGIN}, as in `uid={LOGIN},ou=people,dc=corp,dc=example`")]
    Dn,
}

impl FilterTemplate {
    /// A filter that finds a person by the login.
    ///
    /// # Errors
    /// When it is no filter, or the gap is missing or misplaced.
    pub fn of_login(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text, LOGIN)
    }

    /// A filter that finds groups by their member's DN.
    ///
    /// # Errors
    /// As [`FilterTemplate::of_login`].
    pub fn of_member(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text, DN)
    }

    fn parse(text: &str, gap: &'static str) -> Result<Self, TemplateError> {
        let mut before: Vec<&str> = text.split(gap).collect();
        // Whatever comes after the last gap is in front of none.
        let after = before.pop().unwrap_or_default();
        if before.is_empty() {
            return Err(TemplateError::NoGap(gap));
        }
        let ends_value = after.split_inclusive(['(', ')']).next().is_some_and(|part| part.ends_with(')'));
        if !ends_value || !before.iter().all(|before| is_in_value(before)) {
            return Err(TemplateError::Place(gap));
        }
        let template = Self { text: text.to_owned(), gap };
        match parse_filter(template.with("a")) {
            Ok(_) if text.starts_with('(') => Ok(template),
            _ => Err(TemplateError::Filter(if gap == LOGIN { "(uid={login})" } else { "(member={dn})" })),
        }
    }

    /// The filter for this value.
    pub fn with(&self, value: &str) -> String {
        self.text.replace(self.gap, &ldap_escape(value))
    }

    /// The filter for whoever has any value there.
    pub fn with_any(&self) -> String {
        self.text.replace(self.gap, "*")
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether what comes next is within the value of an equality: the last sign of structure is a lonely `=`.
fn is_in_value(before: &str) -> bool {
    let assertion = before.rsplit(['(', ')']).next().unwrap_or_default();
    let opened = before.rfind('(') > before.rfind(')');
    let attribute = assertion.split_once('=').map(|(attribute, _)| attribute);
    opened && attribute.is_some_and(|name| !name.is_empty() && !name.ends_with([':', '~', '<', '>']))
}

impl DnTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// When its first attribute's value is not just the gap, or nothing follows.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (attribute, rest) = text.split_once('=').ok_or(TemplateError::Dn)?;
        let below = rest.strip_prefix(LOGIN).and_then(|rest| rest.strip_prefix(',')).ok_or(TemplateError::Dn)?;
        let named = is_attribute(attribute);
        if !named || below.trim().is_empty() || below.contains('{') || !below.contains('=') {
            return Err(TemplateError::Dn);
        }
        Ok(Self(text.to_owned()))
    }

    /// The DN for this login.
    pub fn with(&self, login: &str) -> String {
        self.0.replacen(LOGIN, &dn_escape(login), 1)
    }

    /// The DN below which all of them are.
    pub fn base(&self) -> &str {
        self.0.split_once(',').map_or("", |(_, base)| base)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text can be the name of an attribute (RFC 4512, `descr` and `numericoid`, without options).
pub fn is_attribute(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

#[cfg(test)]
#[path = "template/tests.rs"]
mod tests;
