//! A login: from what was typed to an entry, a proved password, a name and groups.
//!
//! The steps take about the same time for an account that does not exist: the password is tried then too, with an entry
//! that nobody has. Name and groups are looked at only after the password was proved.

use jiff::Timestamp;
use ldap3::Scope;
use std::net::IpAddr;
use std::sync::Arc;

use super::groups;
use super::link::{Entry, Link, Trouble};
use super::pool::{Errand, Session};
use super::refusal::LdapRefusal;
use super::settings::{DirectorySettings, Finding};
use crate::name::check_claimed;
use crate::principal::{Method, Principal};
use crate::throttle::Throttle;

/// The first attribute of the DN with which passwords of unknown accounts are tried.
const NOBODY: &str = "cn=nobody-of-this-name-in-modgate";

/// One login. A password is borrowed; it goes nowhere but into a bind.
pub(super) struct Login<'a> {
    pub(super) settings: &'a DirectorySettings,
    pub(super) throttle: &'a Throttle,
    pub(super) login: &'a str,
    pub(super) password: &'a str,
    pub(super) client: IpAddr,
    pub(super) now: Timestamp,
}

impl Errand for Login<'_> {
    type Found = Result<Principal, LdapRefusal>;

    async fn run(&self, session: &mut Session<'_>) -> Result<Self::Found, Trouble> {
        match &self.settings.finding {
            Finding::Search { base, filter } => {
                let filter = filter.with(self.login);
                self.by_search(base, &filter, session).await
            }
            Finding::Template(template) => {
                let dn = template.with(self.login);
                self.by_dn(&dn, session).await
            }
        }
    }
}

impl Login<'_> {
    async fn by_search(
        &self,
        base: &str,
        filter: &str,
        session: &mut Session<'_>,
    ) -> Result<Result<Principal, LdapRefusal>, Trouble> {
        let wanted = attributes(self.settings);
        let found = session.account().await?.search(base, Scope::Subtree, filter, &wanted, 2).await?;
        let refusal = match found.entries.as_slice() {
            [entry] if !found.more => return self.prove(entry, session).await,
            [] => LdapRefusal::Unknown,
            _ => LdapRefusal::Ambiguous,
        };
        self.try_nobody(session).await?;
        Ok(Err(refusal))
    }

    /// Takes the time of a wrong password.
    async fn try_nobody(&self, session: &mut Session<'_>) -> Result<(), Trouble> {
        if let Finding::Search { base, .. } = &self.settings.finding {
            session.people().await?.bind(&format!("{NOBODY},{base}"), self.password).await?;
        }
        Ok(())
    }

    async fn prove(&self, entry: &Entry, session: &mut Session<'_>) -> Result<Result<Principal, LdapRefusal>, Trouble> {
        // A directory takes several spellings for one login, and each would have failures of its own.
        let dn = entry.dn.to_lowercase();
        let attempt = match self.throttle.attempt(&dn, self.client, self.now) {
            Ok(attempt) => attempt,
            Err(wait) => {
                self.try_nobody(session).await?;
                return Ok(Err(LdapRefusal::ThrottledEntry(wait)));
            }
        };
        if !session.people().await?.bind(&entry.dn, self.password).await? {
            attempt.failed();
            return Ok(Err(LdapRefusal::Password));
        }
        let principal = principal(entry, self.settings, session.account().await?).await?;
        attempt.good(self.now);
        Ok(principal)
    }

    async fn by_dn(&self, dn: &str, session: &mut Session<'_>) -> Result<Result<Principal, LdapRefusal>, Trouble> {
        if !session.people().await?.bind(dn, self.password).await? {
            return Ok(Err(LdapRefusal::Password));
        }
        // Without an account the person looks, who was proved on this very connection.
        let link = if session.has_account() { session.account().await? } else { session.people().await? };
        let Some(entry) = link.read(dn, &attributes(self.settings)).await? else {
            return Ok(Err(LdapRefusal::Name("it cannot be read".to_owned())));
        };
        principal(&entry, self.settings, link).await
    }
}

/// What is read of a person's entry.
pub(super) fn attributes(settings: &DirectorySettings) -> Vec<&str> {
    let name = settings.name_attribute.as_str();
    std::iter::once(name).chain(groups::attributes(&settings.groups)).collect()
}

/// The principal that an entry stands for, with its groups.
pub(super) async fn principal(
    entry: &Entry,
    settings: &DirectorySettings,
    link: &Link,
) -> Result<Result<Principal, LdapRefusal>, Trouble> {
    let name = match name(entry, settings) {
        Ok(name) => name,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let subject: Arc<str> = format!("user:ldap/{name}").into();
    let groups = groups::of(entry, &settings.groups, link).await?;
    Ok(groups.map(|groups| Principal { subject, groups, method: Method::Ldap, ..Principal::anonymous() }))
}

/// The directory's own spelling of the name.
pub(super) fn name<'e>(entry: &'e Entry, settings: &DirectorySettings) -> Result<&'e str, LdapRefusal> {
    let attribute = &settings.name_attribute;
    match entry.values(attribute) {
        [name] => match check_claimed(name) {
            Ok(()) => Ok(name),
            Err(error) => Err(LdapRefusal::Name(format!("{error} (`{attribute}`)"))),
        },
        values => Err(LdapRefusal::Name(format!("it has {} values of `{attribute}`, not one", values.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::settings;

    #[test]
    fn the_name_is_one_that_a_policy_can_say() {
        let settings = settings();
        let told = |values: &[&str]| name(&Entry::made("uid=x", &[("UID", values)]), &settings).map(str::to_owned);
        assert_eq!(told(&["Alice"]).unwrap(), "Alice");
        for bad in [&[][..], &["a", "b"], &["*"], &["a\"b"], &[" a"], &["a\nb"], &["a\u{202e}b"], &["a\0b"]] {
            assert!(matches!(told(bad), Err(LdapRefusal::Name(_))), "{bad:?}");
        }
        let long = "a".repeat(257);
        assert!(told(&[&long]).is_err());
    }
}
