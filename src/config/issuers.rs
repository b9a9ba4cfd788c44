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
mod tests {
    use crate::config::{Inputs, Loaded, load};
    use auth::{Algorithm, ClaimPattern, KeyFile, KeySource, KeysAt, Published};
    use std::fs;
    use std::time::Duration;

    const CORP: &str = "[[issuer]]\nname = \"corp\"\nissuer = \"https://corp.example\"\naudience = [\"modgate\"]\n";

    /// What is loaded, or what is wrong; DIR stands for the directory.
    fn loaded(text: &str) -> Result<Loaded, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("modgate.toml");
        fs::write(&file, text).unwrap();
        fs::write(directory.path().join("secret"), "x").unwrap();
        let inputs = Inputs::new(Some(file), [("HOME".to_owned(), "/home/gopher".to_owned())]);
        load(&inputs).map_err(|error| error.to_string().replace(directory.path().to_str().unwrap(), "DIR"))
    }

    #[test]
    fn an_issuer_has_safe_defaults() {
        let settings =
            loaded(&format!("{CORP}algorithms = [\"RS256\", \"ES256\"]\nkeys = \"jwks\"\n")).unwrap().settings;
        let [corp] = settings.issuers.as_slice() else { panic!("one issuer") };
        assert_eq!(corp.alias.as_str(), "corp");
        assert_eq!(corp.algorithms, [Algorithm::Rs256, Algorithm::Es256]);
        assert!(
            matches!(&corp.keys, KeySource::File(KeyFile::Public(path)) if path.ends_with("jwks") && path.is_absolute())
        );
        assert_eq!(corp.types, ["jwt", "at+jwt"]);
        assert_eq!((corp.leeway, corp.max_lifetime, corp.require_nbf), (Duration::from_secs(60), None, true));
        assert_eq!((corp.subject_claim.to_string(), corp.groups_claim.to_string()), ("sub".into(), "groups".into()));
    }

    #[test]
    fn every_setting_is_read() {
        let more = "algorithms = [\"HS256\"]\nsecret_file = \"secret\"\ntypes = [\"application/AT+JWT\"]\nleeway = \"5m\"\n\
                    max_lifetime = \"12h\"\nrequire_nbf = false\nsubject_claim = 'https://a\\.example/name'\n\
                    groups_claim = \"realm_access.roles\"\n";
        let settings = loaded(&format!("{CORP}{more}")).unwrap().settings;
        let corp = &settings.issuers[0];
        assert!(matches!(&corp.keys, KeySource::File(KeyFile::Secret(path)) if path.ends_with("secret")));
        assert_eq!(corp.types, ["at+jwt"]);
        assert_eq!((corp.leeway, corp.max_lifetime), (Duration::from_secs(300), Some(Duration::from_secs(43_200))));
        assert!(!corp.require_nbf);
        assert_eq!(corp.subject_claim.to_string(), "https://a\\.example/name");
    }

    #[test]
    fn problems_have_their_places() {
        for (more, said) in [
            ("keys = \"jwks\"\n", "1:1: an issuer needs a list `algorithms`"),
            ("algorithms = []\nkeys = \"jwks\"\n", "5:14: `algorithms` has nothing good in it"),
            ("algorithms = [\"none\"]\nkeys = \"jwks\"\n", "5:15: `issuer.0.algorithms`: expected an algorithm"),
            ("algorithms = \"RS256\"\nkeys = \"jwks\"\n", "expected a list, found string"),
            ("algorithms = [\"RS256\"]\n", "1:1: an issuer has one of `discovery`, `keys_url`, `keys`"),
            ("algorithms = [\"RS256\"]\nsecret_file = \"secret\"\n", "6:15: only HS256 takes a secret"),
            ("algorithms = [\"HS256\"]\nkeys = \"jwks\"\n", "6:8: HS256 takes a secret, and `keys` are public"),
            ("algorithms = [\"HS256\", \"RS256\"]\nsecret_file = \"secret\"\n", "6:15: only HS256 takes a secret"),
            ("algorithms = [\"RS256\"]\nkeys = \"jwks\"\nleeway = \"6m\"\n", "7:10: `issuer.0.leeway` is"),
            ("algorithms = [\"RS256\"]\nkeys = \"jwks\"\ngroups_claim = \"a..b\"\n", "7:16: `issuer.0.groups_claim`"),
            ("algorithms = [\"RS256\"]\nkeys = \"jwks\"\nkey = 1\n", "7:1: unknown key `key` in `issuer.0`"),
        ] {
            let error = loaded(&format!("{CORP}{more}")).unwrap_err();
            assert!(error.contains(&format!("DIR/modgate.toml:{said}")) || error.contains(said), "{said}\n{error}");
        }
        let good = format!("{CORP}algorithms = [\"RS256\"]\nkeys = \"jwks\"\n");
        let error = loaded(&format!("{good}{good}")).unwrap_err();
        assert!(error.contains("8:8: the issuer `corp` is configured twice"), "{error}");
        assert!(error.contains("9:10: `https://corp.example` is the `iss` of an issuer before it"), "{error}");
        for name in ["token", "LDAP", "a/b", ""] {
            let error = loaded(&good.replace("\"corp\"", &format!("{name:?}"))).unwrap_err();
            assert!(error.contains("2:8: `issuer.0.name`: expected a name for the issuer"), "{error}");
        }
    }

    #[test]
    fn keys_may_be_published() {
        let es256 = "algorithms = [\"ES256\"]\n";
        let published = |more: &str| match &loaded(&format!("{CORP}{es256}{more}")).unwrap().settings.issuers[0].keys {
            KeySource::Published(published) => published.clone(),
            other => panic!("{other:?}"),
        };
        let (seconds, hours) = (Duration::from_secs, Duration::from_hours);
        let found = published("discovery = true\n");
        assert_eq!(found, Published { at: KeysAt::Discovery, every: hours(1), pause: seconds(5), stale: hours(24) });
        let more =
            "keys_url = \"http://127.0.0.1:7/keys\"\nkeys_every = \"10m\"\nkeys_pause = \"1m\"\nkeys_stale = \"0\"\n";
        let found = published(more);
        assert!(matches!(&found.at, KeysAt::Url(url) if url.as_str() == "http://127.0.0.1:7/keys"), "{found:?}");
        assert_eq!((found.every, found.pause, found.stale), (seconds(600), seconds(60), Duration::ZERO));
        let more =
            "discovery = false\nkeys = \"jwks\"\nca = \"ca.pem\"\nauthorized_parties = [\"go\"]\nid_tokens = true\n";
        let corp = loaded(&format!("{CORP}{es256}{more}")).unwrap().settings.issuers.remove(0);
        assert!(matches!(&corp.keys, KeySource::File(_)) && corp.id_tokens);
        assert!(corp.roots.unwrap().ends_with("ca.pem") && corp.authorized_parties == ["go"]);
        for (more, said) in [
            ("discovery = true\nkeys = \"jwks\"\n", "6:13: an issuer has one of `discovery`, `keys_url`"),
            ("discovery = true\nkeys_url = \"https://a\"\n", "6:13: an issuer has one of"),
            ("keys_url = \"https://a\"\nsecret_file = \"secret\"\n", "6:12: an issuer has one of"),
            ("keys_url = \"http://a\"\n", "6:12: `keys_url` must be https"),
            ("keys_url = \"https://a\"\nkeys_every = \"1m\"\nkeys_pause = \"2m\"\n", "`keys_pause` is longer than"),
            ("discovery = 1\n", "`issuer.0.discovery`: expected `true` or `false`"),
        ] {
            let error = loaded(&format!("{CORP}{es256}{more}")).unwrap_err();
            assert!(error.contains(said), "{said}\n{error}");
        }
        let plain = CORP.replace("https://", "http://");
        let error = loaded(&format!("{plain}{es256}discovery = true\n")).unwrap_err();
        assert!(error.contains("3:10: with `discovery` the issuer must be an https URL"), "{error}");
        let error = loaded(&format!("{CORP}algorithms = [\"HS256\"]\ndiscovery = true\n")).unwrap_err();
        assert!(error.contains("HS256 takes a secret, and published keys are public"), "{error}");
    }

    const RULE: &str = "[[issuer.trust]]\nname = \"deploy\"\nsubject = \"{repository}\"\n";

    #[test]
    fn rules_are_read() {
        let issuer = format!("{CORP}algorithms = [\"RS256\"]\ndiscovery = true\n");
        let more = "claims = { repository = \"corp/*\", ref_protected = true, run = 7, 'a\\.b' = \"x\" }\n\
                    groups = [\"deploy\", \"a/b\"]\nrecord = [\"run_id\", \"sha\"]\nlifetime = \"15m\"\n";
        let loaded_rules = loaded(&format!("{issuer}{RULE}{more}")).unwrap();
        let [rule] = loaded_rules.settings.issuers[0].trust.as_slice() else { panic!("one rule") };
        assert_eq!((rule.name.as_str(), rule.subject.to_string()), ("deploy", "{repository}".to_owned()));
        let conditions: Vec<_> = rule.conditions.iter().map(|(claim, is)| (claim.to_string(), is.clone())).collect();
        let text = |text: &str| ClaimPattern::Text(text.parse().unwrap());
        for one in [
            ("repository".to_owned(), text("corp/*")),
            ("ref_protected".to_owned(), ClaimPattern::Boolean(true)),
            ("run".to_owned(), ClaimPattern::Integer(7)),
            ("a\\.b".to_owned(), text("x")),
        ] {
            assert!(conditions.contains(&one), "{one:?} {conditions:?}");
        }
        assert_eq!((rule.groups.len(), rule.record.len(), rule.lifetime), (2, 2, Some(Duration::from_secs(900))));
        assert_eq!(loaded_rules.place("issuer.0.trust.0.claims.repository").to_string().rsplit(':').nth(1), Some("10"));
        let full = RULE.replace("{repository}", "ci:corp/{repository}");
        let same = loaded(&format!("{issuer}{full}{more}")).unwrap();
        assert_eq!(same.settings.issuers[0].trust[0].subject.to_string(), "{repository}");
    }

    #[test]
    fn a_rule_that_would_trust_everybody_is_none() {
        let issuer = format!("{CORP}algorithms = [\"RS256\"]\ndiscovery = true\n");
        let good = "claims = { repository = \"corp/*\" }\n";
        for (rule, said) in [
            (RULE.to_owned(), "7:1: a rule without `claims` would trust everybody"),
            (format!("{RULE}claims = {{}}\n"), "none of the conditions keeps anybody out"),
            (
                format!("{RULE}claims = {{ repository = \"**\", ref = \"*\" }}\n"),
                "none of the conditions keeps anybody out",
            ),
            (
                format!("{RULE}claims = {{ repository = [\"a\"] }}\n"),
                "expected a text, a truth or a whole number, found array",
            ),
            (format!("{RULE}claims = {{ repository = \"a***\" }}\n"), "the condition on `repository`: `*` is one sign"),
            (format!("{RULE}claims = 7\n"), "10:1: `issuer.0.trust.0.claims`: expected a table"),
            (format!("{RULE}{good}lifetime = \"25h\"\n"), "`lifetime` is between a second and a day"),
            (format!("{RULE}{good}groups = [\"a\\u0009\"]\n"), "`issuer.0.trust.0.groups`"),
            (format!("{RULE}{good}{RULE}{good}"), "12:8: a rule before it has the same name"),
            (format!("{RULE}{good}more = 1\n"), "unknown key `more` in `issuer.0.trust.0`"),
            (
                format!("{}{good}", RULE.replace("{repository}", "user:corp/{sub}")),
                "9:11: a workload's subject is below `ci:`",
            ),
            (
                format!("{}{good}", RULE.replace("{repository}", "ci:other/{sub}")),
                "9:11: a workload's subject is below `ci:`",
            ),
            (
                format!("{}{good}", RULE.replace("{repository}", "{repository")),
                "a `{` and a `}` stand around each claim",
            ),
        ] {
            let error = loaded(&format!("{issuer}{rule}")).unwrap_err();
            assert!(error.contains(said), "{said}\n{error}");
        }
        let error = loaded(&format!("{issuer}groups_claim = \"a\"\n{RULE}{good}")).unwrap_err();
        assert!(error.contains("takes names from the rules only"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_everybody_can_read_is_a_warning() {
        let text = format!("{CORP}algorithms = [\"HS256\"]\nsecret_file = \"secret\"\n");
        let warnings = loaded(&text).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].message.starts_with("every user of this machine can read"), "{warnings:?}");
    }
}
