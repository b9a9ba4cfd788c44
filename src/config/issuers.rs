//! `[[issuer]]`: whose JWTs are believed, and about what. The key files are read later, with everything that settings name.

use super::quantity::{Value, quoted};
use super::secret::is_open_to_all;
use super::section::{Found, Section};
use auth::{Algorithm, Alias, ClaimPath, IssuerSettings, KeyFile};
use std::time::Duration;

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
    let keys = key_file(&mut section, algorithms.as_deref().unwrap_or_default());
    let types = section.many::<MediaType>("types").map(|found| found.value);
    let seconds = Duration::from_secs;
    let leeway = section.within("leeway", Duration::ZERO, seconds(60), MOST_LEEWAY);
    let max_lifetime = section.get::<Duration>("max_lifetime").map(|found| found.value);
    let require_nbf = section.or("require_nbf", true);
    let subject_claim = claim(&mut section, "subject_claim", "sub");
    let groups_claim = claim(&mut section, "groups_claim", "groups");
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
        types: IssuerSettings::types_of(types.iter().map(|typ| typ.0.as_str())),
        leeway,
        max_lifetime,
        require_nbf,
        subject_claim: subject_claim?,
        groups_claim: groups_claim?,
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

fn claim(section: &mut Section<'_, '_>, key: &'static str, default: &str) -> Option<ClaimPath> {
    // The defaults are paths; `None` could only come from one that is not.
    Some(section.or(key, default.parse::<ClaimPath>().ok()?))
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
            let message = "an issuer has either `keys` (PEM or JWKS), or for HS256 a `secret_file`";
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
    use auth::{Algorithm, KeyFile};
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
        assert!(matches!(&corp.keys, KeyFile::Public(path) if path.ends_with("jwks") && path.is_absolute()));
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
        assert!(matches!(&corp.keys, KeyFile::Secret(path) if path.ends_with("secret")));
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
            ("algorithms = [\"RS256\"]\n", "1:1: an issuer has either `keys` (PEM or JWKS), or for HS256"),
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

    #[cfg(unix)]
    #[test]
    fn a_secret_that_everybody_can_read_is_a_warning() {
        let text = format!("{CORP}algorithms = [\"HS256\"]\nsecret_file = \"secret\"\n");
        let warnings = loaded(&text).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].message.starts_with("every user of this machine can read"), "{warnings:?}");
    }
}
