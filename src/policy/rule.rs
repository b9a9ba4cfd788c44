//! A rule: one `p` or `p2` row of a policy file, understood.
//!
//! ```text
//! p,  sub, mod, ver, act, eft, until, note      who may do what with which versions of which modules
//! p2, mod, kind, note                           which paths are private
//! ```
//!
//! A rule knows where it was written, because whatever it decides is reported with file and line: to the developer in
//! the refusal, to the security team by `policy explain`, to the auditor in the record.
use super::versions::VersionRange;
use crate::module::Glob;
use jiff::civil::Date;
use std::{fmt, path::Path, sync::Arc};

/// What is done with a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Downloading, listing, looking up sums.
    Read,
    /// Uploading a version.
    Write,
    /// Administering: retiring, pinning, purging.
    Manage,
    /// Reading the audit record.
    Audit,
}

/// A policy row, shared by every decision that it takes part in.
#[derive(Debug)]
pub struct Rule {
    pub(super) place: Place,
    /// The position among all rows of all files: the first of equals decides.
    pub(super) order: u32,
    pub(super) text: Box<str>,
    pub(super) note: Note,
    pub(super) clause: Clause,
}

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: u32,
}

/// The last column, taken apart: it explains and never decides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) id: Option<Box<str>>,
    pub(super) reason: Option<Box<str>>,
    pub(super) contact: Option<Box<str>>,
}

/// What a rule says.
#[derive(Debug)]
pub(super) enum Clause {
    Access(Access),
    Namespace(NamespaceLine),
}

/// A `p` row.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) subject: Arc<str>,
    pub(super) modules: Modules,
    pub(super) versions: VersionRange,
    /// None for `*`.
    pub(super) action: Option<Action>,
    pub(super) effect: RowEffect,
    /// The last day on which the row holds.
    pub(super) until: Option<Date>,
}

/// The module column of a `p` row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Modules {
    /// `*`
    All,
    /// `public`: all outside private namespaces.
    Public,
    /// `private`: all inside.
    Private,
    /// A GOPRIVATE glob.
    Glob(Glob),
}

/// The effect column of a `p` row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowEffect {
    Allow,
    Deny,
    /// Recorded, not enforced.
    Warn,
}

/// A `p2` row.
#[derive(Debug)]
pub(super) struct NamespaceLine {
    pub(super) glob: Glob,
    pub(super) kind: NamespaceKind,
}

/// The kind column of a `p2` row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamespaceKind {
    Private,
    /// Lifts the withholding of a private pattern's parent.
    Public,
}

impl Action {
    /// All actions, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Manage, Self::Audit];

    /// The word in policy files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Manage => "manage",
            Self::Audit => "audit",
        }
    }

    /// The action of that word, in lower case only.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

impl RowEffect {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Warn => "warn",
        }
    }
}

impl Rule {
    /// The file, as it was named when the policy was loaded.
    pub fn file(&self) -> &str {
        &self.place.file
    }
    /// The line in the file, from 1.
    pub fn line(&self) -> u32 {
        self.place.line
    }
    /// The rule as those outside may see it: the file's bare name, the line, and the id where there is one.
    pub fn cited(&self) -> String {
        let name = Path::new(self.file()).file_name().map_or_else(|| self.file().into(), |name| name.to_string_lossy());
        match self.id() {
            Some(id) => format!("{name}:{} ({id})", self.line()),
            None => format!("{name}:{}", self.line()),
        }
    }
    /// The row as written.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// `id=` of the note: short, unique among all rows.
    pub fn id(&self) -> Option<&str> {
        self.note.id.as_deref()
    }
    /// `reason=` of the note: for the person who is refused.
    pub fn reason(&self) -> Option<&str> {
        self.note.reason.as_deref()
    }
    /// `contact=` of the note: whom to ask.
    pub fn contact(&self) -> Option<&str> {
        self.note.contact.as_deref()
    }
    /// The subject of a `p` row; none for a `p2` row.
    pub fn subject(&self) -> Option<&str> {
        self.access().map(|access| &*access.subject)
    }
    /// The role that a `p` row speaks of; none when it speaks of somebody directly.
    pub(super) fn role(&self) -> Option<&Arc<str>> {
        self.access().map(|access| &access.subject).filter(|subject| super::subject::is_role(subject))
    }
    pub(super) fn access(&self) -> Option<&Access> {
        match &self.clause {
            Clause::Access(access) => Some(access),
            Clause::Namespace(_) => None,
        }
    }
    pub(super) fn namespace_line(&self) -> Option<&NamespaceLine> {
        match &self.clause {
            Clause::Access(_) => None,
            Clause::Namespace(line) => Some(line),
        }
    }
}

impl Access {
    /// Whether the row holds on `day` and speaks of `action`: all but subject, module and version.
    pub(super) fn holds(&self, action: Action, day: Date) -> bool {
        self.action.is_none_or(|own| own == action) && self.until.is_none_or(|until| day <= until)
    }
}

impl Modules {
    /// The column as written.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::All => "*",
            Self::Public => "public",
            Self::Private => "private",
            Self::Glob(glob) => glob.as_str(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// `FILE:LINE`, and the id where there is one.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)?;
        match self.id() {
            Some(id) => write!(f, " ({id})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
