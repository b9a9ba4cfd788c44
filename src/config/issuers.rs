//! `[[issuer]]`: whose JWTs are believed, and about what. The key files are read later, with everything that settings name.

use super::login::login;
use super::quantity::{Value, quoted};
use super::secret::is_open_to_all;
use super::section::{Found, Section};
use super::trust::rule;
use auth::{Algorithm, Alias, ClaimPath, IssuerSettings, KeyFile, KeySource, KeysAt, Published, is_confidential};
use std::time::Duration;
use url::Url;

/// The furthest that two clocks may be apart.
const MOST_LEEWAY: Duration = Duration::from_mins(5);

/// Reads all of them; those with a problem are left out, which was reported.
pub(super) fn issuers(sections: Vec<Section<'_, '_>>) -> Vec<IssuerSettings> {
    let mut issuers = Vec::<IssuerSettings>::new();
    for section in sections {
        issuers.extend(issuer(section, &issuers));
    }
    issuers
}

fn issuer(mut section: Section<'_, '_>, before: &[IssuerSettings]) -> Option<IssuerSettings> {
    let alias = section.required::<Alias>("name");
    let issuer = section.required::<String>("issuer");
    let audiences = list::<String>(&mut section, "audience");
    let algorithms = list::<Algorithm>(&mut section, "algorithms");
    let keys = key_source(&mut section, issuer.as_ref(), algorithms.as_deref().unwrap_or_default());
    let roots = section.path("ca").map(|found| found.value);
    let authorized_parties = section.many::<String>("authorized_parties").map(|found| found.value).unwrap_or_default();
    let id_tokens = section.or("id_tokens", false);
    let types = section.many::<MediaType>("types").map(|found| found.value);
    let seconds = Duration::from_secs;
    let leeway = section.within("leeway", Duration::ZERO, seconds(60), MOST_LEEWAY);
    let max_lifetime = section.get::<Duration>("max_lifetime").map(|found| found.value);
    let require_nbf = section.or("require_nbf", true);
    let rules = section.sections("trust").unwrap_or_default();
    let mut trust = Vec::new();
    for one in rules {
        trust.extend(rule(one, alias.as_ref().map(|alias| &alias.value), &trust));
    }
    let ruled = !trust.is_empty();
    let subject_claim = claim(&mut section, "subject_claim", "sub", ruled);
    let groups_claim = claim(&mut section, "groups_claim", "groups", ruled);
    let login = login(&mut section, algorithms.as_deref().unwrap_or_default());
    if let Some(alias) = alias.as_ref().filter(|alias| before.iter().any(|other| other.alias == alias.value)) {
        let message = format!("the issuer `{}` is configured twice", alias.value);
        section.problem(alias.place.clone(), message, "give each another name");
    }
    if let Some(issuer) = issuer.as_ref().filter(|issuer| before.iter().any(|other| other.issuer == issuer.value)) {
        let message = format!("`{}` is the `iss` of an issuer before it", issuer.value);
        section.problem(issuer.place.clone(), message, "one issuer may have several audiences and algorithms");
    }
    section.finish();
    let types = types.unwrap_or_else(|| ["JWT", "at+jwt"].map(|typ| MediaType(typ.to_owned())).into());
    Some(IssuerSettings {
        alias: alias?.value,
        issuer: issuer?.value,
        audiences: audiences?,
        algorithms: algorithms?,
        keys: keys?,
        roots,
        authorized_parties,
        id_tokens,
        types: IssuerSettings::types_of(types.iter().map(|typ| typ.0.as_str())),
        leeway,
        max_lifetime,
        require_nbf,
        subject_claim: subject_claim?,
        groups_claim: groups_claim?,
        trust,
        login,
    })
}

/// A list that must be there and have something in it.
fn list<T: Value>(section: &mut Section<'_, '_>, key: &'static str) -> Option<Vec<T>> {
    if !section.is_written(key) {
        section.problem(section.place(), format!("an issuer needs a list `{key}`"), &format!("{key} = [ … ]"));
    }
    // What is in it and bad was reported at its own place.
    let Found { value, place } = section.many::<T>(key)?;
    if value.is_empty() {
        section.problem(place, format!("`{key}` has nothing good in it"), "");
        return None;
    }
    Some(value)
}

/// Where a name is. Where there are rules, they say that.
fn claim(section: &mut Section<'_, '_>, key: &'static str, default: &str, ruled: bool) -> Option<ClaimPath> {
    // The defaults are paths; `None` could only come from one that is not.
    let default = default.parse::<ClaimPath>().ok()?;
    if !ruled {
        return Some(section.or(key, default));
    }
    if let Some(found) = section.get::<ClaimPath>(key) {
        let message =
            format!("an issuer with `trust` rules takes names from the rules only, so `{key}` is without effect");
        section.problem(found.place, message, "remove it");
    }
    Some(default)
}

/// Keys in a file, or published somewhere: one of the four ways to say it.
fn key_source(
    section: &mut Section<'_, '_>,
    issuer: Option<&Found<String>>,
    algorithms: &[Algorithm],
) -> Option<KeySource> {
    let discovery = section.get::<bool>("discovery").filter(|found| found.value);
    let url = section.get::<Url>("keys_url");
    let written = ["keys", "secret_file"].into_iter().find(|key| section.is_written(key));
    let at = match (discovery, url) {
        (None, None) => return key_file(section, algorithms).map(KeySource::File),
        (Some(found), None) if written.is_none() => {
            let issuer = issuer.filter(|issuer| !issuer.value.parse().is_ok_and(|url| is_confidential(&url)));
            if let Some(issuer) = issuer {
                let message = "with `discovery` the issuer must be an https URL, or http at a loopback address";
                section.problem(issuer.place.clone(), message, "");
            }
            (KeysAt::Discovery, found.place)
        }
        (None, Some(found)) if written.is_none() => {
            if !is_confidential(&found.value) {
                section.problem(found.place.clone(), "`keys_url` must be https, or http at a loopback address", "");
            }
            (KeysAt::Url(found.value), found.place)
        }
        (Some(found), _) => return several(section, found.place),
        (None, Some(found)) => return several(section, found.place),
    };
    let (at, place) = at;
    let (seconds, day) = (Duration::from_secs, Duration::from_hours(24));
    let every = section.within("keys_every", seconds(10), seconds(3600), day * 7);
    let pause = section.within("keys_pause", seconds(1), seconds(5), seconds(3600));
    let stale = section.within("keys_stale", Duration::ZERO, day, day * 30);
    if algorithms.iter().any(|one| one.is_symmetric()) {
        let hint = "name the secret in `secret_file`, in an issuer of its own";
        section.problem(place.clone(), "HS256 takes a secret, and published keys are public", hint);
    }
    if pause > every {
        section.problem(place, "`keys_pause` is longer than `keys_every`", "");
    }
    Some(KeySource::Published(Published { at, every, pause, stale }))
}

/// Says that keys come from more than one place. The other keys are read all the same, so that they are not unknown.
fn several(section: &mut Section<'_, '_>, place: super::place::Place) -> Option<KeySource> {
    let _ = (section.path("keys"), section.path("secret_file"));
    let message = "an issuer has one of `discovery`, `keys_url`, `keys` and `secret_file`";
    section.problem(place, message, "");
    None
}

/// Public keys, or the secret of HS256: never both, and never one for the algorithms of the other.
fn key_file(section: &mut Section<'_, '_>, algorithms: &[Algorithm]) -> Option<KeyFile> {
    let (keys, secret) = (section.path("keys"), section.path("secret_file"));
    let symmetric = algorithms.iter().filter(|one| one.is_symmetric()).count();
    match (keys, secret) {
        (Some(keys), None) if symmetric == 0 => Some(KeyFile::Public(keys.value)),
        (Some(keys), None) => {
            let message = "HS256 takes a secret, and `keys` are public";
            section.problem(keys.place, message, "name the secret in `secret_file`, in an issuer of its own");
            None
        }
        (None, Some(secret)) if symmetric == algorithms.len() => {
            if is_open_to_all(&secret.value) {
                let message = format!("every user of this machine can read `{}`", secret.value.display());
                section.warning(secret.place, message, "chmod o-r; whoever has read it can be anybody: replace it");
            }
            Some(KeyFile::Secret(secret.value))
        }
        (None, Some(secret)) => {
            let message = "only HS256 takes a secret";
            section.problem(secret.place, message, "name the public keys of the other algorithms in `keys`");
            None
        }
        (None, None) | (Some(_), Some(_)) => {
            let message =
                "an issuer has one of `discovery`, `keys_url`, `keys` (PEM or JWKS), or for HS256 `secret_file`";
            section.problem(section.place(), message, "");
            None
        }
    }
}

/// A value of `typ`.
struct MediaType(String);

impl Value for MediaType {
    const EXPECTED: &'static str = "a type of tokens such as \"JWT\" or \"at+jwt\"";
    fn parse(text: &str) -> Result<Self, String> {
        let good = !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if good { Ok(Self(text.to_owned())) } else { Err(String::new()) }
    }
    fn show(&self) -> String {
        quoted(&self.0)
    }
}

impl Value for Alias {
    const EXPECTED: &'static str = "a name for the issuer such as \"corp\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: auth::AliasError| error.to_string())
    }
    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

impl Value for Algorithm {
    const EXPECTED: &'static str = "an algorithm such as \"RS256\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: auth::UnknownAlgorithm| error.to_string())
    }
    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

impl Value for ClaimPath {
    const EXPECTED: &'static str = "a claim such as \"groups\" or \"realm_access.roles\"";
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: auth::ClaimPathError| error.to_string())
    }
    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

#[cfg(test)]
#[path = "issuers/tests.rs"]
mod tests;
