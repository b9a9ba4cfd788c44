//! What an `[[issuer]]` and its rules come to, and what is said about those that are wrong, with places.

use crate::config::tests::loaded;
use auth::{Algorithm, ClaimPattern, KeyFile, KeySource, KeysAt, Published};
use std::time::Duration;

const CORP: &str = "[[issuer]]\nname = \"corp\"\nissuer = \"https://corp.example\"\naudience = [\"modgate\"]\n";

#[test]
fn an_issuer_has_safe_defaults() {
    let settings = loaded(&format!("{CORP}algorithms = [\"RS256\", \"ES256\"]\nkeys = \"jwks\"\n")).unwrap().settings;
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
    let more = "discovery = false\nkeys = \"jwks\"\nca = \"ca.pem\"\nauthorized_parties = [\"go\"]\nid_tokens = true\n";
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
        (format!("{}{good}", RULE.replace("{repository}", "{repository")), "a `{` and a `}` stand around each claim"),
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
