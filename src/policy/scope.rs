//! A token's scope: what the token may be used for, of all that its owner may do.
//!
//! ```text
//! scope  = clause { ";" clause }     all of them must cover a request
//! clause = item { "," item }
//! item   = action [ ":" modules ]    action as in policies; modules: a GOPRIVATE glob, `public`, `private` or `*`
//!        | "from:" network           an address or a network in CIDR notation
//! ```
//!
//! `read:github.com/corp/*,read:golang.org/x/text` reads those and nothing else; `read` reads whatever its owner reads;
//! `read,from:10.0.0.0/8` does so from there only, and `from:10.0.0.0/8` is all that its owner may do, from there.
//! No scope is no restriction. A scope only ever takes away. Clauses come from narrowing ([`Scope::and`]): a token that is made with
//! another one has the scope of both.
//!
//! INVARIANT: nothing fails open. A scope that cannot be read, the empty one included, denies everything; letter case
//! counts, as in every allow; an address that is not known is in no network.
use super::{
    columns::parse_modules,
    rule::{Action, Modules},
};
use ipnet::IpNet;
use std::{fmt, net::IpAddr};

/// A scope, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(Vec<Clause>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    /// What is covered; empty: every action on everything, which only a clause with networks can say.
    items: Vec<Item>,
    /// From where; empty: from anywhere.
    from: Vec<IpNet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    action: Action,
    modules: Modules,
}

/// What a principal's scope amounts to, for a request from somewhere.
#[derive(Debug)]
pub(super) enum Limit {
    /// No scope, no restriction.
    None,
    To(Scope),
    /// A scope that does not hold where the request comes from: nothing is covered.
    Elsewhere,
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
        text.split(';').map(Clause::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the scope covers `action` on a module, wherever the request comes from.
    pub fn covers(&self, action: Action, path: &str, private: bool) -> bool {
        self.0
            .iter()
            .all(|clause| clause.items.is_empty() || clause.items.iter().any(|item| item.covers(action, path, private)))
    }

    /// Whether the scope covers `action` on anything, wherever the request comes from.
    pub fn covers_somewhere(&self, action: Action) -> bool {
        self.0.iter().all(|clause| clause.items.is_empty() || clause.items.iter().any(|item| item.action == action))
    }

    /// Whether the scope holds for requests from this address.
    pub fn holds_from(&self, client: Option<IpAddr>) -> bool {
        let client = client.map(|client| client.to_canonical());
        self.0.iter().all(|clause| {
            clause.from.is_empty()
                || client.is_some_and(|client| clause.from.iter().any(|network| network.contains(&client)))
        })
    }

    /// What this scope and another both cover, and nothing else.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut clauses: Vec<Clause> = Vec::new();
        for clause in self.0.iter().chain(&other.0) {
            // What another clause implies says nothing more.
            if clauses.iter().any(|kept| kept.implies(clause)) {
                continue;
            }
            clauses.retain(|kept| !clause.implies(kept));
            clauses.push(clause.clone());
        }
        Self(clauses)
    }

    /// Whether some action is covered at all, as far as that can be told without knowing any module.
    pub fn covers_anything(&self) -> bool {
        [Action::Read, Action::Write, Action::Manage, Action::Audit]
            .into_iter()
            .any(|action| self.covers_somewhere(action))
    }
}

impl Clause {
    fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut clause = Self { items: Vec::new(), from: Vec::new() };
        for text in text.split(',') {
            match text.strip_prefix("from:") {
                Some(network) => clause.from.push(parse_network(text, network)?),
                None => clause.items.push(parse_item(text)?),
            }
        }
        Ok(clause)
    }

    /// Whether whatever this clause covers is covered by the other; false also where it cannot be told.
    fn implies(&self, other: &Self) -> bool {
        let items = other.items.is_empty()
            || (!self.items.is_empty()
                && self.items.iter().all(|own| other.items.iter().any(|item| own.is_within(item))));
        let from = other.from.is_empty()
            || (!self.from.is_empty()
                && self.from.iter().all(|own| other.from.iter().any(|network| network.contains(own))));
        items && from
    }
}

impl Item {
    fn covers(&self, action: Action, path: &str, private: bool) -> bool {
        self.action == action
            && match &self.modules {
                Modules::All => true,
                Modules::Public => !private,
                Modules::Private => private,
                Modules::Glob(glob) => glob.matches(path),
            }
    }

    /// Whether the other item covers all that this one does; false also where it cannot be told.
    fn is_within(&self, other: &Self) -> bool {
        self.action == other.action
            && match (&self.modules, &other.modules) {
                (_, Modules::All) => true,
                // A pattern covers all that is below it, so a longer one with the same beginning covers less.
                (Modules::Glob(own), Modules::Glob(wider)) => {
                    let mut own = own.elements();
                    wider.elements().all(|element| own.next() == Some(element))
                }
                (own, other) => own == other,
            }
    }
}

/// As [`Scope::parse`] reads it back.
impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, clause) in self.0.iter().enumerate() {
            out.write_str(if number == 0 { "" } else { ";" })?;
            let mut separator = "";
            for Item { action, modules } in &clause.items {
                write!(out, "{separator}{}", action.as_str())?;
                separator = ",";
                match modules {
                    Modules::All => {}
                    Modules::Public => out.write_str(":public")?,
                    Modules::Private => out.write_str(":private")?,
                    Modules::Glob(glob) => write!(out, ":{}", glob.as_str())?,
                }
            }
            for network in &clause.from {
                write!(out, "{separator}from:{network}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl Limit {
    /// The limit of a scope for a request from an address; none is known where nobody asks over a network.
    pub(super) fn of(scope: Option<&str>, client: Option<IpAddr>) -> Self {
        match scope.map(Scope::parse) {
            None => Self::None,
            Some(Ok(scope)) if scope.holds_from(client) => Self::To(scope),
            Some(Ok(_)) => Self::Elsewhere,
            Some(Err(_)) => Self::Malformed,
        }
    }

    pub(super) fn covers(&self, action: Action, path: &str, private: bool) -> bool {
        match self {
            Self::None => true,
            Self::To(scope) => scope.covers(action, path, private),
            Self::Elsewhere | Self::Malformed => false,
        }
    }

    pub(super) fn covers_somewhere(&self, action: Action) -> bool {
        match self {
            Self::None => true,
            Self::To(scope) => scope.covers_somewhere(action),
            Self::Elsewhere | Self::Malformed => false,
        }
    }

    /// Whether it is the address that the scope does not allow.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere)
    }
}

fn parse_item(text: &str) -> Result<Item, ScopeError> {
    let error = |reason: String| ScopeError { item: text.into(), reason };
    let (word, modules) = match text.split_once(':') {
        Some((word, modules)) => (word, modules),
        None => (text, "*"),
    };
    let action =
        Action::parse(word).ok_or_else(|| error("an item begins with read, write, manage, audit or from".into()))?;
    let modules = parse_modules(modules).map_err(|fault| error(fault.message))?;
    Ok(Item { action, modules })
}

fn parse_network(text: &str, network: &str) -> Result<IpNet, ScopeError> {
    let error = |reason: String| ScopeError { item: text.into(), reason };
    let parsed = network.parse::<IpNet>().or_else(|_| network.parse::<IpAddr>().map(IpNet::from));
    let parsed = parsed.map_err(|_| error("after `from:` comes an address or a network such as 10.0.0.0/8".into()))?;
    if parsed.trunc() != parsed {
        return Err(error(format!("did you mean `from:{}`?", parsed.trunc())));
    }
    // Clients are compared as what they are, so this would never match.
    match parsed.addr() {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Err(error("write the IPv4 address".into())),
        _ => Ok(parsed),
    }
}

#[cfg(test)]
mod tests;
