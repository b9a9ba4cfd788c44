//! `[upstream]`, `[[source]]` and `[[checksum]]`: where modules come from, with what credentials, and what vouches for them.

use super::failures::failures;
use super::list::ProxyList;
use super::quantity::{Value, quoted};
use super::secret::{Secret, is_open_to_all};
use super::section::{Found, Section};
use super::settings::{Credential, Database, DatabaseKey, Login, Source, Upstream};
use std::time::Duration;
use url::Url;

pub(super) fn upstream(mut section: Section<'_, '_>) -> Upstream {
    let seconds = Duration::from_secs;
    let upstream = Upstream {
        list: section.get::<ProxyList>("list").map(|found| found.value.0),
        connect_timeout: section.within("connect_timeout", Duration::from_millis(100), seconds(10), seconds(300)),
        read_timeout: section.within("read_timeout", Duration::from_millis(100), seconds(60), seconds(3600)),
        whole_timeout: section.within("whole_timeout", Duration::from_millis(100), seconds(300), seconds(86_400)),
        redirect_origins: section.many::<Url>("redirect_origins").map(|found| found.value).unwrap_or_default(),
        proxy_from_environment: section.or("proxy_from_environment", true),
        failures: failures(&mut section),
        roots: section.path("roots").map(|found| found.value),
        credentials: section.sections("credential").unwrap_or_default().into_iter().filter_map(credential).collect(),
    };
    section.finish();
    upstream
}

fn credential(mut section: Section<'_, '_>) -> Option<Credential> {
    let url = section.required("url");
    let login = section.get::<String>("login");
    let password = secret(&mut section, "password_file");
    let bearer = secret(&mut section, "bearer_file");
    let login = match (login, password, bearer) {
        (Some(login), Some(password), None) => {
            password.value.map(|password| Login::Basic { login: login.value, password })
        }
        (None, None, Some(bearer)) => bearer.value.map(Login::Bearer),
        _ => {
            let message = "a credential is either `login` with `password_file`, or `bearer_file`";
            section.problem(section.place(), message, "");
            None
        }
    };
    section.finish();
    Some(Credential { url: url?.value, login: login? })
}

/// The secret in the file that `key` names; `value` is `None` if it cannot be read, which was reported.
pub(super) fn secret(section: &mut Section<'_, '_>, key: &'static str) -> Option<Found<Option<Secret>>> {
    let Found { value: path, place } = section.path(key)?;
    let value = match Secret::read(&path) {
        Ok(secret) => Some(secret),
        Err(reason) => {
            section.problem(place.clone(), format!("cannot use the secret in `{}`: {reason}", path.display()), "");
            None
        }
    };
    if is_open_to_all(&path) {
        let message = format!("every user of this machine can read `{}`", path.display());
        section.warning(place.clone(), message, "chmod o-r");
    }
    Some(Found { value, place })
}

pub(super) fn source(mut section: Section<'_, '_>) -> Option<Source> {
    let pattern = section.required::<String>("pattern");
    let list = section.required::<ProxyList>("list");
    if let Some(list) = list.as_ref().filter(|list| list.value.0.split([',', '|']).any(|one| one.trim() == "direct")) {
        let hint = "name the internal proxy that has these modules";
        section.problem(list.place.clone(), "`direct` is no source for private modules", hint);
    }
    section.finish();
    Some(Source { pattern: pattern?.value, list: list?.value.0 })
}

pub(super) fn database(mut section: Section<'_, '_>) -> Option<Database> {
    let name = section.get::<String>("name").map(|found| DatabaseKey::Name(found.value));
    let key = section.get::<VerifierKey>("key").map(|found| DatabaseKey::Key(found.value.0));
    let url = section.get("url").map(|found| found.value);
    let key = match (name, key) {
        (Some(key), None) | (None, Some(key)) => Some(key),
        _ => {
            let message = "a checksum database has either a `name` whose key is well known, or a `key`";
            section.problem(section.place(), message, "");
            None
        }
    };
    section.finish();
    Some(Database { key: key?, url })
}

/// A verifier key as GOSUMDB has it.
struct VerifierKey(String);

impl Value for VerifierKey {
    const EXPECTED: &'static str = "a key of the form \"name+12345678+base64\"";
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, '+');
        let (name, hash, key) = (parts.next(), parts.next(), parts.next());
        let hex = hash.is_some_and(|hash| hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let named = name.is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace));
        let keyed = key.is_some_and(|key| !key.is_empty() && !key.contains(char::is_whitespace));
        if named && hex && keyed { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    }
    fn show(&self) -> String {
        quoted(&self.0)
    }
}
