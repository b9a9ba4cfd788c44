//! `[issuer.login]`: how people log in at an issuer with a browser; and `[sessions]`, how long they stay.

use super::quantity::Value;
use super::secret::{Secret, is_open_to_all};
use super::section::Section;
use auth::{Algorithm, ClientSecret, LoginSettings, SessionSettings};
use std::time::Duration;
use url::Url;

/// The longest that a session may last.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Reads the table of an issuer with these algorithms; `None` if there is none, or it has a problem, which was reported.
pub(super) fn login(issuer: &mut Section<'_, '_>, algorithms: &[Algorithm]) -> Option<Box<LoginSettings>> {
    if !issuer.is_written("login") {
        let _ = issuer.section("login");
        return None;
    }
    let mut section = issuer.section("login");
    if !algorithms.is_empty() && algorithms.iter().all(|one| one.is_symmetric()) {
        let message = "nobody can log in at an issuer that signs with HS256: whoever could verify that could also sign";
        section.problem(section.place(), message, "add the algorithm of its ID tokens, such as RS256");
    }
    let client_id = section.required::<String>("client_id");
    let client_secret = secret(&mut section);
    let scopes = section.many::<Scope>("scopes").map(|found| found.value);
    let scopes = scopes.unwrap_or_else(|| ["openid", "profile"].map(|scope| Scope(scope.to_owned())).into());
    let title = section.get::<String>("title").map(|found| found.value);
    section.finish();
    let scopes = scopes.into_iter().map(|scope| scope.0).collect();
    Some(Box::new(LoginSettings { client_id: client_id?.value, client_secret: client_secret?, scopes, title }))
}

/// The outer `None`: it cannot be used, which was reported.
fn secret(section: &mut Section<'_, '_>) -> Option<Option<ClientSecret>> {
    let Some(file) = section.path("client_secret_file") else {
        return Some(None);
    };
    if is_open_to_all(&file.value) {
        let message = format!("every user of this machine can read `{}`", file.value.display());
        section.warning(file.place.clone(), message, "chmod o-r; and have the issuer make another secret");
    }
    match Secret::read(&file.value) {
        Ok(secret) => Some(Some(ClientSecret::new(secret.expose()))),
        Err(reason) => {
            section.problem(file.place, format!("cannot use the secret in `{}`: {reason}", file.value.display()), "");
            None
        }
    }
}

/// Reads `[sessions]`.
pub(super) fn sessions(mut section: Section<'_, '_>) -> SessionSettings {
    let SessionSettings { idle, lifetime } = SessionSettings::default();
    let least = Duration::from_secs(1);
    let idle = section.within("idle", least, idle, LONGEST);
    let lifetime = section.within("lifetime", least, lifetime, LONGEST);
    section.finish();
    SessionSettings { idle, lifetime }
}

/// Where people can log in, our own URL must be known, and cookies safe.
pub(super) fn check_public_url(root: &Section<'_, '_>, public_url: Option<&Url>, logins: bool) {
    match public_url {
        _ if !logins => {}
        None => {
            let message = "people can log in at an issuer, and where it sends them back to is not known";
            root.problem(root.place(), message, "public_url = \"https://…\"");
        }
        Some(url) if !auth::is_confidential(url) => {
            let message = format!("people can log in at an issuer, and `{url}` is not https");
            root.problem(root.place(), message, "sessions need https; http is for a loopback address only");
        }
        Some(_) => {}
    }
}

/// A scope (RFC 6749 §3.3).
struct Scope(String);

impl Value for Scope {
    const EXPECTED: &'static str = "a scope such as \"profile\"";
    fn parse(text: &str) -> Result<Self, String> {
        let good = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !text.is_empty() && text.bytes().all(good) { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    }
    fn show(&self) -> String {
        super::quantity::quoted(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Settings, tests::loaded};
    use std::time::Duration;

    const CORP: &str =
        "[[issuer]]\nname = \"corp\"\nissuer = \"https://corp.example\"\naudience = [\"modgate\"]\nkeys = \"jwks\"\n";

    fn with(login: &str) -> Result<Settings, String> {
        loaded(&format!(
            "public_url = \"https://go.corp.example\"\n{CORP}algorithms = [\"RS256\"]\n[issuer.login]\n{login}"
        ))
        .map(|loaded| loaded.settings)
    }

    #[test]
    fn a_login_is_read_and_its_secret_is_not_shown() {
        let settings = with("client_id = \"modgate\"\n").unwrap();
        let login = settings.issuers[0].login.as_deref().unwrap();
        assert_eq!((login.client_id.as_str(), &login.client_secret, &login.title), ("modgate", &None, &None));
        assert_eq!(login.scopes, ["openid", "profile"]);
        assert_eq!(settings.sessions, auth::SessionSettings::default());
        let all = "client_id = \"m\"\nclient_secret_file = \"secret\"\nscopes = [\"openid\", \"groups\"]\ntitle = \"Corp\"\n\
                   [sessions]\nidle = \"5m\"\nlifetime = \"1h\"\n";
        let settings = with(all).unwrap();
        let login = settings.issuers[0].login.as_deref().unwrap();
        assert!(login.client_secret.is_some() && !format!("{login:?}").contains("hunter2"), "{login:?}");
        assert_eq!((login.scopes.len(), login.title.as_deref()), (2, Some("Corp")));
        assert_eq!(
            (settings.sessions.idle, settings.sessions.lifetime),
            (Duration::from_mins(5), Duration::from_hours(1))
        );
        assert!(loaded(&format!("{CORP}algorithms = [\"RS256\"]\n")).unwrap().settings.issuers[0].login.is_none());
    }

    #[test]
    fn problems_have_their_places() {
        for (login, said) in [
            ("", "`issuer.0.login.client_id` is missing"),
            ("client_id = \"m\"\nclient_secret_file = \"none\"\n", "10:22: cannot use the secret in"),
            ("client_id = \"m\"\nscopes = [\"a b\"]\n", "10:11: `issuer.0.login.scopes`: expected a scope"),
            ("client_id = \"m\"\nsecret = \"x\"\n", "10:1: unknown key `secret` in `issuer.0.login`"),
            ("client_id = \"m\"\n[sessions]\nidle = \"1ms\"\n", "11:8: `sessions.idle` is \"1ms\", not between"),
        ] {
            let error = with(login).unwrap_err();
            assert!(error.contains(said), "{said}\n{error}");
        }
        let table = format!("{CORP}algorithms = [\"RS256\"]\n[issuer.login]\nclient_id = \"m\"\n");
        let error = loaded(&table).unwrap_err();
        assert!(error.contains("where it sends them back to is not known"), "{error}");
        let error = loaded(&format!("public_url = \"http://go.corp.example\"\n{table}")).unwrap_err();
        assert!(error.contains("`http://go.corp.example/` is not https"), "{error}");
        assert!(loaded(&format!("public_url = \"http://localhost:8080\"\n{table}")).is_ok());
    }
}
