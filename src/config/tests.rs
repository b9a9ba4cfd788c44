//! Whole configurations: what they mean, and what is said about bad ones.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

const HOME: (&str, &str) = ("HOME", "/home/gopher");

/// Loads `text` as `DIR/modgate.toml`, with a file `secret` beside it; DIR is replaced in what comes back.
pub(super) fn loaded(text: &str) -> Result<Loaded, String> {
    loaded_in(&[], text)
}

/// The same in an environment.
fn loaded_in(environment: &[(&str, &str)], text: &str) -> Result<Loaded, String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("modgate.toml");
    fs::write(&file, text).unwrap();
    fs::write(directory.path().join("secret"), "hunter2\n").unwrap();
    let environment = environment.iter().chain(&[HOME]).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let inputs = Inputs::new(Some(file), environment);
    load(&inputs).map_err(|error| error.to_string().replace(directory.path().to_str().unwrap(), "DIR"))
}

fn problems(text: &str) -> String {
    loaded(text).unwrap_err()
}

#[test]
fn nothing_at_all_is_a_good_configuration() {
    let inputs = Inputs::new(None, [("HOME".to_owned(), "/home/gopher".to_owned())]);
    let Loaded { settings, warnings, in_force } = load(&inputs).unwrap();
    assert_eq!(settings.listen.address.to_string(), "127.0.0.1:8443");
    assert_eq!(settings.admin.address.unwrap().to_string(), "127.0.0.1:8444");
    assert_eq!(settings.checksum, Checksum::GoCommand);
    assert!(settings.upstream.list.is_none() && settings.tls.is_none());
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(in_force.iter().all(|one| one.origin == Place::Default));
    if cfg!(target_os = "linux") {
        assert_eq!(settings.store.dir, Path::new("/home/gopher/.local/share/modgate/store"));
    }
    assert!(load(&Inputs::default()).unwrap_err().to_string().contains("MODGATE_DATA"));
}

#[test]
fn the_example_is_good_and_has_every_key() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/modgate.example.toml");
    let example = fs::read_to_string(file).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for secret in ["proxy-password", "forge-token", "store-secret", "corp-client-secret"] {
        fs::write(directory.path().join(secret), "x".repeat(32)).unwrap();
    }
    // Every line that is commented out with `#` and no blank is a setting.
    let all: String = example.lines().map(|line| format!("{}\n", uncommented(line))).collect();
    for text in [&example, &all] {
        let path = directory.path().join("modgate.toml");
        fs::write(&path, text).unwrap();
        let inputs = Inputs::new(Some(path), [("HOME".to_owned(), "/home/gopher".to_owned())]);
        let Loaded { in_force, .. } = load(&inputs).unwrap_or_else(|error| panic!("{error}"));
        if text == &all {
            for one in in_force {
                assert!(matches!(one.origin, Place::File { .. }), "{one} is not in the example");
            }
        }
    }
}

fn uncommented(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_lowercase() || first == '[') => rest,
        _ => line,
    }
}

#[test]
fn all_problems_are_told_at_once_each_with_its_place() {
    let text = "\
pubic_url = \"https://modules.corp.example\"
contact = 7

[listen]
adress = \"0.0.0.0:8443\"
header_timeout = 10
max_streams = 0
trusted_proxies = [\"10.0.0.0/8\", \"10.1.2.3/8\"]
proxy_protocol = \"yes\"

[tls]
certificate = \"cert.pem\"

[stroe]
dir = \"x\"
";
    let expected = "\
DIR/modgate.toml:1:1: unknown key `pubic_url`
  hint: did you mean `public_url`?
DIR/modgate.toml:2:11: `contact`: expected one line of at most 120 bytes such as \"security@corp.example\", found `integer`
DIR/modgate.toml:5:1: unknown key `adress` in `listen`
  hint: did you mean `address`?
DIR/modgate.toml:6:18: `listen.header_timeout`: expected a duration such as \"500ms\", \"30s\", \"2m\", \"1h\" or \"7d\", found `integer`
DIR/modgate.toml:7:15: `listen.max_streams` is 0, not between 1 and 100000
DIR/modgate.toml:8:34: `listen.trusted_proxies`: expected an IP address or network such as \"10.0.0.0/8\", found `10.1.2.3/8`: did you mean `10.0.0.0/8`?
DIR/modgate.toml:9:18: `listen.proxy_protocol`: expected `true` or `false`, found `string`
DIR/modgate.toml:12:15: `tls.certificate` is set without `tls.key`
  hint: both are needed
DIR/modgate.toml:14:2: unknown key `stroe`
  hint: did you mean `store`?";
    assert_eq!(problems(text), expected);
}

#[test]
fn a_syntax_error_has_its_place() {
    let error = problems("contact = \"a\"\n[listen\naddress = \"x\"\n");
    assert!(error.starts_with("DIR/modgate.toml:2:8: "), "{error}");
    assert!(problems("a = 1\na = 2\n").contains("duplicate key"));
}

#[test]
fn the_environment_wins_over_the_file_and_options_over_both() {
    let text = "[listen]\naddress = \"127.0.0.1:1\"\n[upstream]\nlist = \"https://file.example\"\n";
    let environment = [("MODGATE_LISTEN", "127.0.0.1:2"), ("MODGATE_UPSTREAM", "https://environment.example|off")];
    let settings = loaded_in(&environment, text).unwrap().settings;
    assert_eq!(settings.listen.address.port(), 2);
    assert_eq!(settings.upstream.list.as_deref(), Some("https://environment.example|off"));

    let environment = environment.iter().chain(&[HOME]).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let inputs = Inputs::new(None, environment).option("listen.address", "--listen", Some("127.0.0.1:3".to_owned()));
    let loaded = load(&inputs).unwrap();
    assert_eq!(loaded.settings.listen.address.port(), 3);
    let shown = loaded.in_force.iter().find(|one| one.key == "listen.address").unwrap();
    assert_eq!(shown.to_string(), "listen.address = \"127.0.0.1:3\"  # --listen");
}

#[test]
fn bad_values_of_the_environment_name_the_variable() {
    let error =
        loaded_in(&[("MODGATE_LISTEN", "8443"), ("MODGATE_TRUSTED_PROXIES", "10.0.0.1, lies")], "").unwrap_err();
    assert!(error.contains("MODGATE_LISTEN: `listen.address`: expected an IP address with a port"), "{error}");
    assert!(error.contains("MODGATE_TRUSTED_PROXIES: ") && error.contains("found `lies`"), "{error}");
    let warnings = loaded_in(&[("MODGATE_LISTN", "127.0.0.1:1"), ("MODGATE_CONFIG", "x")], "").unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].hint.as_deref(), Some("did you mean `MODGATE_LISTEN`?"));
}

#[test]
fn plain_http_needs_loopback_or_to_be_spelled_out() {
    let error = problems("[listen]\naddress = \"0.0.0.0:80\"\n");
    assert!(error.contains("modgate.toml:2:11: `0.0.0.0:80` is reachable by others, and there is no TLS"), "{error}");
    assert!(loaded("[listen]\naddress = \"0.0.0.0:80\"\ninsecure_http = true\n").is_ok());
    assert!(problems("[listen]\nproxy_protocol = true\n").contains("trusted_proxies"));
}

#[test]
fn secrets_come_from_files_and_are_shown_nowhere() {
    let text = "\
[[upstream.credential]]
url = \"https://proxy.corp.example\"
login = \"modgate\"
password_file = \"secret\"
[[upstream.credential]]
url = \"https://forge.corp.example\"
bearer_file = \"secret\"
";
    let loaded = loaded(text).unwrap();
    let [basic, bearer] = &loaded.settings.upstream.credentials[..] else { panic!("two") };
    assert!(
        matches!(&basic.login, Login::Basic { login, password } if login == "modgate" && password.expose() == "hunter2")
    );
    assert!(matches!(&bearer.login, Login::Bearer(secret) if secret.expose() == "hunter2"));
    assert!(!format!("{loaded:?}").contains("hunter2"));
    assert!(loaded.in_force.iter().any(|one| one.key == "upstream.credential.0.password_file"));

    let error = problems("[[upstream.credential]]\nurl = \"https://joe:hunter2@x\"\npassword_file = \"none\"\n");
    assert!(error.contains("a password does not belong in a URL"), "{error}");
    assert!(error.contains("either `login` with `password_file`, or `bearer_file`"), "{error}");
    assert!(error.contains("cannot use the secret in `DIR/none`: there is no such file"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    assert!(!problems("[upstream]\nlist = \"https://joe:hunter2@x,direct\"\n").contains("hunter2"));
}

#[test]
fn checksum_databases_are_absent_off_or_listed() {
    let checksum = |text: &str| loaded(text).unwrap().settings.checksum;
    assert_eq!(checksum(""), Checksum::GoCommand);
    assert_eq!(checksum("checksum = []\n"), Checksum::Off);
    assert_eq!(checksum("checksum = \"off\"\n"), Checksum::Off);
    let listed =
        checksum("[[checksum]]\nname = \"sum.golang.org\"\n[[checksum]]\nkey = \"sum.corp.example+12345678+AbC=\"\n");
    assert!(matches!(listed, Checksum::Databases(list) if list.len() == 2));
    for bad in [
        "checksum = \"on\"\n",
        "[[checksum]]\nurl = \"https://x\"\n",
        "[[checksum]]\nkey = \"x\"\n",
        "checksum = [1]\n",
    ] {
        assert!(loaded(bad).is_err(), "{bad}");
    }
}

#[test]
fn private_modules_are_never_fetched_directly() {
    assert!(loaded("[[source]]\npattern = \"corp.example\"\nlist = \"https://athens.corp.example\"\n").is_ok());
    let error = problems("[[source]]\npattern = \"corp.example\"\nlist = \"https://a.example,direct\"\n");
    assert!(error.contains("modgate.toml:3:8: `direct` is no source"), "{error}");
    assert!(problems("[[source]]\npattern = \"corp.example\"\n").contains("`source.0.list` is missing"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z\\[\\]=\"#.\n0-9é ]{0,120}") {
        let _ = loaded(&text);
    }

    #[test]
    fn no_value_makes_it_panic(
        key in prop::sample::select(vec!["listen", "checksum", "source", "data", "tls", "log", "upstream", "policy"]),
        value in prop::sample::select(vec!["1", "true", "\"\"", "[]", "[[]]", "{}", "1.5", "0x10", "1979-05-27", "[1]"]),
    ) {
        let _ = loaded(&format!("{key} = {value}\n"));
    }
}
