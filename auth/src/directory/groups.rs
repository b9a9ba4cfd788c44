//! Whose member somebody is: a breadth-first walk up the groups.
//!
//! INVARIANT: the walk ends. Each DN is looked at once, so cycles are no trouble; depth and number are bounded. And it is
//! complete or refused: who is in more groups than the walk may find gets in with none of them, rather than without
//! the one that the policy denies something.
//!
//! The rule by which Active Directory would do the walk itself (`1.2.840.113556.1.4.1941`) is not used: other servers accept it
//! and answer with nothing, which looks like a person without groups.

use std::collections::HashSet;
use std::sync::Arc;
use tokio::task::JoinSet;

use super::link::{Entry, Link, Trouble};
use super::refusal::LdapRefusal;
use super::settings::{GroupSettings, GroupsBy};
use crate::name::check_claimed;
use ldap3::Scope;

/// Questions at once on one connection.
const AT_ONCE: usize = 16;

/// `group:ldap/NAME` of all, sorted; or why they cannot be told.
pub(super) type Groups = Result<Arc<[Arc<str>]>, LdapRefusal>;

/// What is looked at next.
struct Walk<'a> {
    settings: &'a GroupSettings,
    /// The DNs that were looked at, in lower case.
    seen: HashSet<String>,
    names: HashSet<String>,
}

/// The groups of an entry, which was read with [`attributes`].
pub(super) async fn of(entry: &Entry, settings: &GroupSettings, link: &Link) -> Result<Groups, Trouble> {
    let mut walk = Walk { settings, seen: HashSet::new(), names: HashSet::new() };
    let walked = match &settings.by {
        GroupsBy::Nothing => Ok(()),
        GroupsBy::Attribute(attribute) => walk.by_attribute(attribute, entry, link).await?,
        GroupsBy::Search { base, filter } => {
            let search = |dn: &str| filter.with(dn);
            walk.by_search(base, &search, entry, link).await?
        }
    };
    Ok(walked.map(|()| {
        let mut names: Vec<Arc<str>> = walk.names.iter().map(|name| format!("group:ldap/{name}").into()).collect();
        names.sort_unstable();
        names.into()
    }))
}

/// What must be read of a person for it.
pub(super) fn attributes(settings: &GroupSettings) -> Option<&str> {
    match &settings.by {
        GroupsBy::Attribute(attribute) => Some(attribute),
        GroupsBy::Nothing | GroupsBy::Search { .. } => None,
    }
}

impl Walk<'_> {
    async fn by_attribute(
        &mut self,
        attribute: &str,
        entry: &Entry,
        link: &Link,
    ) -> Result<Result<(), LdapRefusal>, Trouble> {
        if entry.is_cut(attribute) {
            return Ok(Err(self.too_many()));
        }
        let mut level = match self.fresh(entry.values(attribute).iter()) {
            Ok(level) => level,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut depth = 0;
        while !level.is_empty() {
            let mut above = Vec::new();
            for group in read_all(&level, &[&self.settings.name_attribute, attribute], link).await? {
                if group.is_cut(attribute) {
                    return Ok(Err(self.too_many()));
                }
                if let Err(refusal) = self.name(&group) {
                    return Ok(Err(refusal));
                }
                match self.fresh(group.values(attribute).iter()) {
                    Ok(parents) => above.extend(parents),
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
            if let Err(refusal) = self.climb(&mut depth, &mut above) {
                return Ok(Err(refusal));
            }
            level = above;
        }
        Ok(Ok(()))
    }

    async fn by_search(
        &mut self,
        base: &str,
        filter: &(impl Fn(&str) -> String + Sync),
        entry: &Entry,
        link: &Link,
    ) -> Result<Result<(), LdapRefusal>, Trouble> {
        let mut level = vec![entry.dn.clone()];
        let mut depth = 0;
        while !level.is_empty() {
            let filters: Vec<String> = level.iter().map(|dn| filter(dn)).collect();
            let most = self.settings.most.saturating_add(1);
            let Some(found) = search_all(&filters, base, &self.settings.name_attribute, most, link).await? else {
                return Ok(Err(self.too_many()));
            };
            let mut above = Vec::new();
            for group in &found {
                match self.fresh(std::iter::once(&group.dn)) {
                    Ok(new) if new.is_empty() => continue,
                    Ok(new) => above.extend(new),
                    Err(refusal) => return Ok(Err(refusal)),
                }
                if let Err(refusal) = self.name(group) {
                    return Ok(Err(refusal));
                }
            }
            // What contains the groups of the last level is asked for too, so that it is known whether there is more.
            if depth > self.settings.depth && !above.is_empty() {
                return Ok(Err(self.too_deep()));
            }
            if self.settings.depth == 0 {
                break;
            }
            depth += 1;
            level = above;
        }
        Ok(Ok(()))
    }

    /// One level up; nothing is above if only direct groups count.
    fn climb(&self, depth: &mut usize, above: &mut Vec<String>) -> Result<(), LdapRefusal> {
        if self.settings.depth == 0 {
            above.clear();
        }
        if !above.is_empty() && *depth >= self.settings.depth {
            return Err(self.too_deep());
        }
        *depth += 1;
        Ok(())
    }

    /// Those that were not seen.
    fn fresh<'d>(&mut self, dns: impl Iterator<Item = &'d String>) -> Result<Vec<String>, LdapRefusal> {
        let fresh: Vec<String> = dns.filter(|dn| self.seen.insert(dn.to_lowercase())).cloned().collect();
        if self.seen.len() > self.settings.most { Err(self.too_many()) } else { Ok(fresh) }
    }

    fn name(&mut self, group: &Entry) -> Result<(), LdapRefusal> {
        let attribute = &self.settings.name_attribute;
        match group.values(attribute) {
            [name] => {
                check_claimed(name)
                    .map_err(|error| LdapRefusal::Groups(format!("the name of `{}`: {error}", group.dn)))?;
                self.names.insert(name.clone());
                Ok(())
            }
            values => {
                let found = values.len();
                Err(LdapRefusal::Groups(format!("`{}` has {found} values of `{attribute}`, not one", group.dn)))
            }
        }
    }

    fn too_many(&self) -> LdapRefusal {
        LdapRefusal::Groups(format!("there are more than {}", self.settings.most))
    }

    fn too_deep(&self) -> LdapRefusal {
        LdapRefusal::Groups(format!("they are nested deeper than {}", self.settings.depth))
    }
}

/// Those of these entries that there are. A member of what does not exist is a member of nothing.
async fn read_all(dns: &[String], attributes: &[&str], link: &Link) -> Result<Vec<Entry>, Trouble> {
    let attributes: Arc<[String]> = attributes.iter().map(|name| (*name).to_owned()).collect();
    let mut found = Vec::new();
    for chunk in dns.chunks(AT_ONCE) {
        let mut reading = JoinSet::new();
        for dn in chunk {
            let (mut link, dn, attributes) = (link.clone(), dn.clone(), Arc::clone(&attributes));
            reading.spawn(async move {
                let names: Vec<&str> = attributes.iter().map(String::as_str).collect();
                link.read(&dn, &names).await
            });
        }
        while let Some(read) = reading.join_next().await {
            found.extend(read.map_err(|_| Trouble::new("reading a group panicked"))??);
        }
    }
    Ok(found)
}

/// What all of these filters find; `None`: more than so many for one of them.
async fn search_all(
    filters: &[String],
    base: &str,
    attribute: &str,
    most: usize,
    link: &Link,
) -> Result<Option<Vec<Entry>>, Trouble> {
    let mut found = Vec::new();
    for chunk in filters.chunks(AT_ONCE) {
        let mut searching = JoinSet::new();
        for filter in chunk {
            let (mut link, filter, base, attribute) =
                (link.clone(), filter.clone(), base.to_owned(), attribute.to_owned());
            searching.spawn(async move { link.search(&base, Scope::Subtree, &filter, &[&attribute], most).await });
        }
        while let Some(searched) = searching.join_next().await {
            let searched = searched.map_err(|_| Trouble::new("searching for groups panicked"))??;
            if searched.more {
                return Ok(None);
            }
            found.extend(searched.entries);
        }
    }
    Ok(Some(found))
}
