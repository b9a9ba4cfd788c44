//! What a directory is asked, and how: plain values, which the configuration makes.

use std::path::PathBuf;
use std::time::Duration;

use super::server::ServerUrl;
use super::template::{DnTemplate, FilterTemplate};

/// `[ldap]` of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectorySettings {
    /// In the order in which they are asked; at least one.
    pub servers: Vec<ServerUrl>,
    /// The certificates (PEM) by which they are known; `None`: the system's.
    pub roots: Option<PathBuf>,
    /// As whom searches are made; `None`: as the person who logs in, which a DN template makes possible.
    pub account: Option<Account>,
    /// How a person's entry is found.
    pub finding: Finding,
    /// The attribute whose value is the NAME in `user:ldap/NAME`.
    pub name_attribute: String,
    /// How a person's groups are found.
    pub groups: GroupSettings,
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
    /// How long each answer may take.
    pub timeout: Duration,
    /// How many logins are judged at once; others wait.
    pub logins: usize,
    /// How long a good credential is remembered.
    pub remember: Duration,
    /// How long it is remembered while no server answers.
    pub remember_down: Duration,
}

/// The account that searches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its DN.
    pub dn: String,
    /// A file with its password, on one line; read at each bind, so that it can be changed while the server runs.
    pub password_file: PathBuf,
}

/// How a person's entry is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The account searches below the base.
    Search {
        /// A DN.
        base: String,
        /// With `{login}` for what was typed.
        filter: FilterTemplate,
    },
    /// The DN is made of what was typed.
    Template(DnTemplate),
}

/// How a person's groups are found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupSettings {
    /// By what.
    pub by: GroupsBy,
    /// The attribute of a group whose value is the NAME in `group:ldap/NAME`.
    pub name_attribute: String,
    /// How many groups may contain one another; 0: only those that contain the person count.
    pub depth: usize,
    /// The most groups of a person, nested ones included. Who has more is refused.
    pub most: usize,
}

/// By what groups are found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupsBy {
    /// None are.
    Nothing,
    /// By an attribute of the member that names them: `memberOf`.
    Attribute(String),
    /// By a search below a base, with `{dn}` for the member's DN.
    Search {
        /// A DN.
        base: String,
        /// Such as `(member={dn})`.
        filter: FilterTemplate,
    },
}
