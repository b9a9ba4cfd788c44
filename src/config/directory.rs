//! `[ldap]`: the directory whose logins and passwords are accepted. Its files are read later, with everything that settings
//! name.

use super::quantity::{Value, quoted};
use super::secret::is_open_to_all;
use super::section::{Found, Section};
use auth::{
    Account, DirectorySettings, DnTemplate, FilterTemplate, Finding, GroupSettings, GroupsBy, ServerUrl, TemplateError,
    is_attribute,
};
use std::time::Duration;

/// The most servers.
const MOST_SERVERS: usize = 8;

/// Reads it; `None`: it is not written, or there is a problem, which was reported.
pub(super) fn directory(mut section: Section<'_, '_>) -> Option<DirectorySettings> {
    if section.is_absent() {
        return None;
    }
    let servers = servers(&mut section);
    let roots = section.path("roots").map(|found| found.value);
    let account = account(&mut section);
    let finding = finding(&mut section);
    let name_attribute = attribute(&mut section, "name_attribute", "uid");
    let groups = groups(&mut section);
    let (millis, seconds, minutes) = (Duration::from_millis, Duration::from_secs, Duration::from_mins);
    let connect_timeout = section.within("connect_timeout", millis(50), seconds(1), seconds(10));
    let timeout = section.within("timeout", millis(50), millis(1500), seconds(10));
    let logins = section.within("logins", 1, 16, 256);
    let remember = section.within("remember", Duration::ZERO, minutes(5), minutes(60));
    let remember_down = section.within("remember_down", Duration::ZERO, minutes(60), minutes(24 * 60));
    let (account, finding) = (account?, finding?);
    if account.is_none() && matches!(finding, Finding::Search { .. }) {
        section.problem(
            section.place(),
            "somebody must search for the logins",
            "set `bind_dn` and `bind_password_file`, or a `dn_template` in place of `base` and `filter`",
        );
        section.finish();
        return None;
    }
    section.finish();
    Some(DirectorySettings {
        servers: servers?,
        roots,
        account,
        finding,
        name_attribute,
        groups: groups?,
        connect_timeout,
        timeout,
        logins: usize::try_from(logins).unwrap_or(1),
        remember,
        remember_down,
    })
}

fn servers(section: &mut Section<'_, '_>) -> Option<Vec<ServerUrl>> {
    let starttls = section.or("starttls", true);
    if !section.is_written("servers") {
        section.problem(section.place(), "`ldap.servers` is missing", "servers = [\"ldaps://ldap.corp.example\"]");
    }
    let Found { value, place } = section.many::<String>("servers")?;
    let mut servers = Vec::new();
    for text in &value {
        match ServerUrl::parse(text, starttls) {
            Ok(server) => servers.push(server),
            Err(error) => section.problem(place.clone(), format!("`{text}` cannot be asked: {error}"), ""),
        }
    }
    if servers.is_empty() || servers.len() > MOST_SERVERS {
        section.problem(place, format!("between 1 and {MOST_SERVERS} servers are asked"), "");
        return None;
    }
    (servers.len() == value.len()).then_some(servers)
}

/// The account that searches. `None` outside: there is a problem; inside: nobody does.
fn account(section: &mut Section<'_, '_>) -> Option<Option<Account>> {
    let (dn, file) = (section.get::<String>("bind_dn"), section.path("bind_password_file"));
    match (dn, file) {
        (None, None) => Some(None),
        (Some(dn), Some(file)) => {
            if is_open_to_all(&file.value) {
                let message = format!("every user of this machine can read `{}`", file.value.display());
                section.warning(file.place, message, "chmod o-r, and change the password");
            }
            Some(Some(Account { dn: dn.value, password_file: file.value }))
        }
        (Some(found), None) => {
            section.problem(found.place, "`bind_dn` needs a password", "name a file with it in `bind_password_file`");
            None
        }
        (None, Some(found)) => {
            section.problem(found.place, "`bind_password_file` is nobody's", "set `bind_dn`");
            None
        }
    }
}

fn finding(section: &mut Section<'_, '_>) -> Option<Finding> {
    let (base, filter) = (section.get::<String>("base"), section.get::<LoginFilter>("filter"));
    let template = section.get::<DnTemplate>("dn_template");
    match (base, template) {
        (Some(base), None) => {
            let filter = match filter {
                Some(found) => found.value.0,
                None if section.is_written("filter") => return None,
                None => FilterTemplate::of_login("(uid={login})").ok()?,
            };
            Some(Finding::Search { base: base.value, filter })
        }
        (None, Some(template)) => {
            if let Some(filter) = filter {
                section.problem(filter.place, "`filter` is of no use beside `dn_template`", "remove one of them");
            }
            Some(Finding::Template(template.value))
        }
        (Some(_), Some(template)) => {
            section.problem(template.place, "`dn_template` and `base` are two ways to find people", "remove one");
            None
        }
        (None, None) => {
            let hint = "set `base` (and `filter`), or `dn_template`";
            section.problem(section.place(), "it is not said how a login's entry is found", hint);
            None
        }
    }
}

fn groups(section: &mut Section<'_, '_>) -> Option<GroupSettings> {
    let by = section.or("groups", By::MemberOf);
    let attribute_of_member = attribute(section, "member_attribute", "memberOf");
    let base = section.get::<String>("group_base");
    let filter = section.or("group_filter", MemberFilter(FilterTemplate::of_member("(member={dn})").ok()?));
    let name_attribute = attribute(section, "group_name_attribute", "cn");
    let depth = usize::try_from(section.within("group_depth", 0, 8, 32)).unwrap_or(0);
    let most = usize::try_from(section.within("group_limit", 1, 512, 512)).unwrap_or(1);
    let by = match (by, base) {
        (By::Off, _) => GroupsBy::Nothing,
        (By::MemberOf, _) => GroupsBy::Attribute(attribute_of_member),
        (By::Search, Some(base)) => GroupsBy::Search { base: base.value, filter: filter.0 },
        (By::Search, None) => {
            section.problem(section.place(), "groups are searched, and `group_base` does not say where", "set it");
            return None;
        }
    };
    Some(GroupSettings { by, name_attribute, depth, most })
}

fn attribute(section: &mut Section<'_, '_>, key: &'static str, default: &str) -> String {
    section.or(key, Attribute(default.to_owned())).0
}

/// How groups are found.
#[derive(Clone, Copy)]
enum By {
    MemberOf,
    Search,
    Off,
}

impl Value for By {
    const EXPECTED: &'static str = "\"memberof\", \"search\" or \"off\"";
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "memberof" => Ok(Self::MemberOf),
            "search" => Ok(Self::Search),
            "off" => Ok(Self::Off),
            _ => Err(String::new()),
        }
    }
    fn show(&self) -> String {
        quoted(match self {
            Self::MemberOf => "memberof",
            Self::Search => "search",
            Self::Off => "off",
        })
    }
}

/// The name of an attribute.
struct Attribute(String);

impl Value for Attribute {
    const EXPECTED: &'static str = "the name of an attribute such as \"uid\" or \"sAMAccountName\"";
    fn parse(text: &str) -> Result<Self, String> {
        if is_attribute(text) { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    }
    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// A filter for people.
struct LoginFilter(FilterTemplate);

impl Value for LoginFilter {
    const EXPECTED: &'static str = "a filter such as \"(uid={login})\"";
    fn parse(text: &str) -> Result<Self, String> {
        FilterTemplate::of_login(text).map(Self).map_err(|error| error.to_string())
    }
    fn show(&self) -> String {
        quoted(self.0.as_str())
    }
}

/// A filter for groups.
struct MemberFilter(FilterTemplate);

impl Value for MemberFilter {
    const EXPECTED: &'static str = "a filter such as \"(member={dn})\"";
    fn parse(text: &str) -> Result<Self, String> {
        FilterTemplate::of_member(text).map(Self).map_err(|error| error.to_string())
    }
    fn show(&self) -> String {
        quoted(self.0.as_str())
    }
}

impl Value for DnTemplate {
    const EXPECTED: &'static str = "a DN such as \"uid={login},ou=people,dc=corp,dc=example\"";
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error: TemplateError| error.to_string())
    }
    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

#[cfg(test)]
mod tests;
