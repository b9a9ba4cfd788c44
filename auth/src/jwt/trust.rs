//! Rules by which workloads are trusted: which claims a pipeline's token must have, and whom it then stands for.
//!
//! ```text
//! rule   conditions   claim = pattern, all of them
//!        subject      ci:ALIAS/ and a template: {repository}:{environment}
//!        groups       group:ALIAS/…, by the rule and never by a claim
//!        record       claims for the audit record, with the rule's name before them
//! ```
//!
//! INVARIANT: where an issuer has rules, a token that none of them is for is not accepted: such an issuer signs for everybody
//! in the world. The first rule whose conditions all hold decides, alone. What a claim says can stand only where the template
//! has a place for it, so no claim reaches another kind of subject, another issuer or a group.

use super::claim_path::{ClaimPath, ClaimPathError};
use super::claim_pattern::ClaimPattern;
use super::issuer::{Alias, IssuerSettings};
use super::refusal::{Quoted, Reason, Refusal};
use super::strict_json::Members;
use crate::name::{Line, Name, NameError, check_claimed};
use crate::principal::Claim;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The longest value that is recorded, in bytes.
const LONGEST_RECORDED: usize = 256;
/// What the rule's own name is recorded as.
pub(super) const RULE: &str = "rule";

/// A rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustRule {
    /// What it is called in records.
    pub name: Name,
    /// What must hold, all of it; at least one.
    pub conditions: Vec<(ClaimPath, ClaimPattern)>,
    /// Who it then is.
    pub subject: SubjectTemplate,
    /// Which groups it is in.
    pub groups: Vec<GroupName>,
    /// Claims for the audit record; one that is not there, or could not be recorded on a line, is left out.
    pub record: Vec<ClaimPath>,
    /// How long a token may live that one of these is exchanged for.
    pub lifetime: Option<Duration>,
}

/// A group that a rule puts workloads into: the NAME in `group:ISSUER/NAME`, as a claim could have it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupName(Arc<str>);

/// Text with places for claims: `{repository}:{environment}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubjectTemplate(Vec<Piece>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Text(String),
    Claim(ClaimPath),
}

/// Why a text is no [`SubjectTemplate`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubjectTemplateError {
    /// A brace without its other.
    #[error("a `{{` and a `}}` stand around each claim, and nowhere else")]
    Brace,
    /// What stands between two braces.
    #[error("{0}")]
    Claim(#[from] ClaimPathError),
    /// The text could not be in a name.
    #[error("{0}")]
    Name(#[from] NameError),
}

/// Who a workload is, by its rule.
pub(super) struct Workload {
    pub(super) subject: Arc<str>,
    pub(super) groups: Arc<[Arc<str>]>,
    pub(super) claims: Arc<[Claim]>,
}

impl TrustRule {
    fn holds(&self, claims: &Members) -> bool {
        self.conditions.iter().all(|(path, pattern)| match path.find(claims).as_slice() {
            [only] => pattern.fits(only),
            _ => false,
        })
    }

    fn recorded(&self, claims: &Members) -> Arc<[Claim]> {
        let rule = Claim { name: RULE.into(), value: self.name.as_str().into() };
        let others = self.record.iter().filter_map(|path| {
            let value = match path.find(claims).as_slice() {
                [only] => {
                    plain(only).filter(|value| value.len() <= LONGEST_RECORDED && value.parse::<Line>().is_ok())?
                }
                _ => return None,
            };
            Some(Claim { name: path.to_string().into(), value: value.into() })
        });
        std::iter::once(rule).chain(others).collect()
    }
}

/// Who the claims speak of, by the first rule that is for them.
pub(super) fn workload(claims: &Members, settings: &IssuerSettings) -> Result<Workload, Refusal> {
    let IssuerSettings { alias, trust, .. } = settings;
    let rule = trust.iter().find(|rule| rule.holds(claims)).ok_or_else(|| {
        let subject = Quoted(claims.get("sub").and_then(Value::as_str).unwrap_or_default());
        Refusal::new(Reason::NoTrustRule, format_args!("none of its {} rules is for {subject}", trust.len()))
    })?;
    let mut groups: Vec<Arc<str>> =
        rule.groups.iter().map(|group| format!("group:{alias}/{}", group.0).into()).collect();
    groups.sort_unstable();
    groups.dedup();
    Ok(Workload { subject: rule.subject.filled(claims, alias)?, groups: groups.into(), claims: rule.recorded(claims) })
}

impl SubjectTemplate {
    fn filled(&self, claims: &Members, alias: &Alias) -> Result<Arc<str>, Refusal> {
        let mut name = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => name.push_str(text),
                Piece::Claim(path) => match path.find(claims).as_slice() {
                    [Value::String(text)] if !text.is_empty() => name.push_str(text),
                    [Value::Number(number)] if number.is_i64() => name.push_str(&number.to_string()),
                    [] | [Value::String(_)] => {
                        return Err(Refusal::new(Reason::SubjectMissing, format_args!("it has no `{path}`")));
                    }
                    _ => {
                        let detail = format_args!("its `{path}` is neither a text nor a whole number");
                        return Err(Refusal::new(Reason::SubjectMalformed, detail));
                    }
                },
            }
        }
        check_claimed(&name).map_err(|error| {
            Refusal::new(Reason::SubjectName, format_args!("its subject {} cannot be a name: {error}", Quoted(&name)))
        })?;
        Ok(format!("ci:{alias}/{name}").into())
    }
}

/// A value as a line of a record has it.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl FromStr for SubjectTemplate {
    type Err = SubjectTemplateError;

    fn from_str(text: &str) -> Result<Self, SubjectTemplateError> {
        let mut pieces = Vec::new();
        let literal = |text: &str, pieces: &mut Vec<Piece>| match text {
            "" => Ok(()),
            text if text.contains('}') => Err(SubjectTemplateError::Brace),
            text => {
                pieces.push(Piece::Text(text.to_owned()));
                Ok(())
            }
        };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            literal(before, &mut pieces)?;
            let (claim, after) = after.split_once('}').ok_or(SubjectTemplateError::Brace)?;
            if claim.contains('{') {
                return Err(SubjectTemplateError::Brace);
            }
            pieces.push(Piece::Claim(claim.parse()?));
            rest = after;
        }
        literal(rest, &mut pieces)?;
        let template = Self(pieces);
        // With a letter in the place of each claim it must be a name.
        let sample: String =
            template.0.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "x" }).collect();
        check_claimed(&sample)?;
        Ok(template)
    }
}

impl fmt::Display for SubjectTemplate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => out.write_str(text),
            Piece::Claim(path) => write!(out, "{{{path}}}"),
        })
    }
}

impl FromStr for GroupName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check_claimed(text).map(|()| Self(text.into()))
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
