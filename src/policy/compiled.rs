//! The policy: files in, decisions out.
use super::{
    decision::Decision,
    fault::{PolicyError, PolicyErrors},
    index::{Asking, Index},
    model,
    namespace::{Namespace, Namespaces},
    reader::Reader,
    roles::{RoleGrant, Roles, Standing},
    rule::{Action, Rule},
    trie::PathKey,
};
use crate::module::{ModulePath, Version};
use auth::Principal;
use aws_lc_rs::digest;
use jiff::civil::Date;
use std::{fmt::Write, path::Path, path::PathBuf, sync::Arc};

/// A policy that was found good: immutable, to be shared and replaced as a whole ([`Live`](super::Live)).
#[derive(Debug)]
pub struct Policy {
    pub(super) digest: Box<str>,
    pub(super) sources: Vec<Source>,
    pub(super) rules: Vec<Arc<Rule>>,
    pub(super) grants: Vec<RoleGrant>,
    pub(super) roles: Roles,
    pub(super) namespaces: Namespaces,
    pub(super) index: Index,
    pub(super) anonymous: Standing,
}

/// A policy file's name and content.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name that errors and rules report.
    pub name: Arc<str>,
    /// The bytes.
    pub content: Vec<u8>,
}

/// A question to the policy itself, without tokens and targets: what `explain`, `test` and the oracle ask.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Every name that the caller goes by: subject, groups, `authenticated`.
    pub identities: &'a [&'a str],
    /// The module.
    pub module: &'a ModulePath,
    /// The version; none for list, `@latest` and branches.
    pub version: Option<&'a Version>,
    /// What is done.
    pub action: Action,
    /// The day (UTC).
    pub day: Date,
}

impl Policy {
    /// Reads the model (the shipped one where none is named) and the policy files; several files follow one another as
    /// if they were one.
    ///
    /// Everything that is wrong is reported at once, with file, line and hint. A model other than the shipped one is
    /// wrong, and so is a policy without any `p` row, which a file cut short would be.
    pub fn load(model: Option<&Path>, files: &[PathBuf]) -> Result<Self, PolicyErrors> {
        let built_in = || Ok(Source::new("(built-in model)", model::SHIPPED));
        let model = model.map_or_else(built_in, Source::read);
        let (sources, errors): (Vec<_>, Vec<_>) = files.iter().map(|file| Source::read(file)).partition(Result::is_ok);
        let mut errors: Vec<PolicyError> = errors.into_iter().filter_map(Result::err).collect();
        match model {
            Ok(model) if errors.is_empty() => Self::parse(&model, sources.into_iter().filter_map(Result::ok).collect()),
            Ok(_) => Err(PolicyErrors(errors)),
            Err(error) => {
                errors.push(error);
                Err(PolicyErrors(errors))
            }
        }
    }

    /// The policy that is shipped, compiled into the binary.
    pub fn shipped() -> Result<Self, PolicyErrors> {
        let model = Source::new("policies/model.conf", model::SHIPPED);
        Self::parse(&model, vec![Source::new("policies/policy.csv", super::SHIPPED_POLICY)])
    }

    /// As [`Policy::load`], from what was read already.
    pub fn parse(model: &Source, files: Vec<Source>) -> Result<Self, PolicyErrors> {
        let mut errors = model::check(model);
        let mut reader = Reader::default();
        for file in &files {
            reader.read(&file.name, &file.content);
        }
        let Reader { rules, grants, errors: found, .. } = reader;
        errors.extend(found);
        let subjects = rules.iter().filter_map(|rule| rule.access().map(|access| Arc::clone(&access.subject)));
        let (roles, found) = Roles::resolve(&grants, subjects);
        errors.extend(found);
        let (namespaces, found) = Namespaces::build(&rules);
        errors.extend(found);
        if errors.is_empty() && !rules.iter().any(|rule| rule.access().is_some()) {
            errors.push(without_rules(&files));
        }
        if !errors.is_empty() {
            sort_by_place(&mut errors, &files);
            return Err(PolicyErrors(errors));
        }
        Ok(Self {
            digest: digest_of(model, &files),
            index: Index::build(&rules, &roles),
            anonymous: roles.standing(std::iter::once("anonymous")),
            sources: files,
            rules,
            grants,
            roles,
            namespaces,
        })
    }

    /// Where a module path belongs.
    pub fn namespace(&self, path: &ModulePath) -> Namespace {
        self.namespaces.find(&PathKey::new(path.as_str()))
    }

    /// Decides a question as the model does, without scopes and withholding: `Decision::rule` is the first deny in file
    /// order, else the first allow.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let standing = self.roles.standing(request.identities.iter().copied());
        let key = PathKey::new(request.module.as_str());
        let asking = Asking { standing: &standing, action: request.action, day: request.day };
        let private = self.namespaces.find(&key).is_private();
        self.index.gather(asking, &key, private).decide(request.version)
    }

    /// Whether some rule speaks of some versions of the module only, to anybody: false means that every list of it
    /// goes out unfiltered. [`Permit::restricts_versions`](super::Permit::restricts_versions) is the same for one caller.
    pub fn restricts_versions(&self, path: &ModulePath) -> bool {
        let key = PathKey::new(path.as_str());
        let private = self.namespaces.find(&key).is_private();
        self.index.restricts_versions(&key, private)
    }

    /// SHA-256, in hex, of the model and the files one after the other: `cat model.conf policy.csv | sha256sum`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The roles that a principal holds, directly or through others.
    pub fn roles(&self, principal: &Principal) -> Arc<[Arc<str>]> {
        self.roles.names(&self.roles.standing(principal.identities()))
    }

    /// Whether some row gives that role.
    pub fn gives(&self, role: &str) -> bool {
        self.grants.iter().any(|grant| &*grant.role == role)
    }

    /// All `p` and `p2` rows, in file order.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }
}

impl Source {
    /// Reads a file, named by its path.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let name: Arc<str> = path.display().to_string().into();
        match std::fs::read(path) {
            Ok(content) => Ok(Self { name, content }),
            Err(error) => {
                Err(PolicyError { file: name, line: None, message: format!("cannot be read: {error}"), hint: None })
            }
        }
    }

    /// A source from what is at hand.
    pub fn new(name: &str, content: &str) -> Self {
        Self { name: name.into(), content: content.into() }
    }
}

fn without_rules(files: &[Source]) -> PolicyError {
    PolicyError {
        file: files.first().map_or_else(|| "policy".into(), |file| Arc::clone(&file.name)),
        line: None,
        message: "no `p` row: nobody could do anything".into(),
        hint: Some("a policy that shall deny everything says so: `p, authenticated, *, *, *, deny, -, -`".into()),
    }
}

/// By the order of the files (the model first), then by line.
fn sort_by_place(errors: &mut [PolicyError], files: &[Source]) {
    let position = |error: &PolicyError| files.iter().position(|file| file.name == error.file);
    errors.sort_by_key(|error| (position(error), error.line));
}

fn digest_of(model: &Source, files: &[Source]) -> Box<str> {
    let mut context = digest::Context::new(&digest::SHA256);
    for source in std::iter::once(model).chain(files) {
        context.update(&source.content);
    }
    let mut hex = String::with_capacity(64);
    for byte in context.finish().as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex.into()
}
