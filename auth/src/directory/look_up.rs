//! Looking somebody up without a password: which groups they have by now, or that they are gone.

use crate::subject::Subject;
use crate::whereabouts::{Answer, Presence, Whereabouts};
use jiff::Timestamp;
use ldap3::{Scope, ldap_escape};
use std::sync::Arc;

use super::Directory;
use super::link::Trouble;
use super::login;
use super::pool::{Errand, Session};
use super::refusal::LdapRefusal;
use super::settings::{DirectorySettings, Finding};

/// What became of somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookedUp {
    /// They are there, with these groups (`group:ldap/NAME`).
    Here(Arc<[Arc<str>]>),
    /// Nobody has this name by now who could log in: they left, were renamed, or the filter no longer finds them.
    Gone,
}

/// Why it is not known. Nobody may be taken for gone upon it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LookUpError {
    /// Not of the form `user:ldap/NAME`.
    #[error("`{0}` is no subject of the directory")]
    Foreign(String),
    /// There is no account that searches.
    #[error("there is no account that searches: set `ldap.bind_dn`")]
    NoAccount,
    /// No server could be asked.
    #[error("no directory server can be asked: {0}")]
    Unavailable(String),
    /// The entry is there, and cannot be used.
    #[error(transparent)]
    Refused(#[from] LdapRefusal),
}

/// Asked about everybody who holds tokens and proved who they are here.
impl Whereabouts for Arc<Directory> {
    fn knows(&self, subject: &Subject) -> bool {
        subject.alias() == "ldap" && !subject.is_machine()
    }

    fn look_up<'a>(&'a self, subject: &'a Subject, _now: Timestamp) -> Answer<'a> {
        let (directory, subject) = (Self::clone(self), subject.clone());
        Box::pin(async move {
            // A task of its own: what a server answers may be odd enough to make the LDAP library panic.
            let looked = tokio::spawn(async move { Directory::look_up(&directory, subject.as_str()).await });
            match looked.await {
                Ok(Ok(LookedUp::Here(groups))) => Presence::Here { groups: Some(groups) },
                Ok(Ok(LookedUp::Gone)) => Presence::Gone,
                Ok(Err(error)) => Presence::Unknown(error.to_string()),
                Err(_) => Presence::Unknown("asking the directory panicked".to_owned()),
            }
        })
    }
}

/// One look.
pub(super) struct LookUp<'a> {
    pub(super) settings: &'a DirectorySettings,
    pub(super) name: &'a str,
}

impl Errand for LookUp<'_> {
    type Found = Result<LookedUp, LdapRefusal>;

    async fn run(&self, session: &mut Session<'_>) -> Result<Self::Found, Trouble> {
        let by_name = format!("({}={})", self.settings.name_attribute, ldap_escape(self.name));
        // Who could log in, with whatever login, and has this name.
        let (base, filter, scope) = match &self.settings.finding {
            Finding::Search { base, filter } => {
                (base.as_str(), format!("(&{}{by_name})", filter.with_any()), Scope::Subtree)
            }
            Finding::Template(template) => (template.base(), by_name, Scope::OneLevel),
        };
        let link = session.account().await?;
        let wanted = login::attributes(self.settings);
        let found = link.search(base, scope, &filter, &wanted, 2).await?;
        let entry = match found.entries.as_slice() {
            [] => return Ok(Ok(LookedUp::Gone)),
            [entry] if !found.more => entry,
            _ => return Ok(Err(LdapRefusal::Ambiguous)),
        };
        // The directory compares without letter case, the policy does not: another spelling is another subject.
        match login::name(entry, self.settings) {
            Ok(name) if name == self.name => {}
            Ok(_) => return Ok(Ok(LookedUp::Gone)),
            Err(refusal) => return Ok(Err(refusal)),
        }
        let principal = login::principal(entry, self.settings, link).await?;
        Ok(principal.map(|principal| LookedUp::Here(principal.groups)))
    }
}
