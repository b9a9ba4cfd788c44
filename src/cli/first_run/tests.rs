//! First and later starts, against the files that they leave.

use super::*;
use crate::server::{Validity, check_certificate};
use rustls::pki_types::pem::PemObject;
use std::collections::BTreeMap;
use std::sync::Arc;

const START: &str = "2026-03-01T00:00:00Z";

fn at(moment: &str) -> Timestamp {
    moment.parse().unwrap()
}

/// Every file below a directory with its content.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn der(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

/// Whether a client that trusts the bundle accepts the server's certificate for a name.
fn accepted(development: &Development, name: &'static str, now: Timestamp) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in der(&development.bundle) {
        roots.add(certificate).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let now = rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        u64::try_from(now.as_second()).unwrap(),
    ));
    let leaf = der(&development.files.certificate);
    use rustls::client::danger::ServerCertVerifier;
    verifier.build().unwrap().verify_server_cert(&leaf[0], &[], &name.try_into().unwrap(), &[], now).is_ok()
}

#[test]
fn a_later_start_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let first = certificates(data.path(), &[], at(START)).unwrap();
    let before = files(data.path());
    assert_eq!(certificates(data.path(), &[], at("2026-12-01T00:00:00Z")).unwrap(), first);
    assert_eq!(files(data.path()), before);
    assert_eq!(before.len(), 5, "{:?}", before.keys());
}

#[test]
fn clients_that_trust_the_bundle_trust_this_machine() {
    let data = tempfile::tempdir().unwrap();
    let development = certificates(data.path(), &[], at(START)).unwrap();
    assert!(check_certificate(&development.files, at(START)).unwrap().is_none());
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert!(accepted(&development, name, at(START)), "{name}");
    }
    assert!(!accepted(&development, "proxy.example", at(START)));
    assert!(!accepted(&development, "localhost", at("2027-03-02T00:00:00Z")));
}

#[cfg(unix)]
#[test]
fn keys_and_tokens_are_the_owners() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().unwrap();
    certificates(data.path(), &[], at(START)).unwrap();
    token(data.path(), || Ok::<_, FirstRunError>(Some("mg_x".to_owned()))).unwrap();
    for (file, mode) in
        [("tls", 0o700), ("tls/ca-key.pem", 0o600), ("tls/localhost-key.pem", 0o600), ("first-token", 0o600)]
    {
        let permissions = fs::metadata(data.path().join(file)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{file}");
    }
}

#[test]
fn the_certificate_is_renewed_a_month_before_its_end_under_the_same_authority() {
    let data = tempfile::tempdir().unwrap();
    let development = certificates(data.path(), &[], at(START)).unwrap();
    let authority = fs::read(&development.authority).unwrap();
    certificates(data.path(), &[], at("2027-02-10T00:00:00Z")).unwrap();
    let validity = Validity::of(&der(&development.files.certificate)[0]).unwrap();
    assert_eq!(validity.not_after, at("2028-02-10T00:00:00Z"));
    assert_eq!(fs::read(&development.authority).unwrap(), authority);
    assert!(accepted(&development, "localhost", at("2027-12-01T00:00:00Z")));
}

#[test]
fn what_a_crash_left_behind_is_made_good() {
    for damaged in ["localhost-key.pem", "localhost.pem", "ca-key.pem", "ca.pem"] {
        for content in [None, Some("")] {
            let data = tempfile::tempdir().unwrap();
            certificates(data.path(), &[], at(START)).unwrap();
            let path = data.path().join("tls").join(damaged);
            match content {
                Some(content) => fs::write(&path, content).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let development = certificates(data.path(), &[], at(START)).unwrap();
            assert!(accepted(&development, "localhost", at(START)), "{damaged} {content:?}");
        }
    }
}

#[test]
fn the_bundle_has_the_roots_and_the_authority_once() {
    let data = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let root = der(&certificates(other.path(), &[], at(START)).unwrap().authority);
    let development = certificates(data.path(), &root, at(START)).unwrap();
    let own = der(&development.authority);
    assert_eq!(der(&development.bundle), [root[0].clone(), own[0].clone()]);

    // As when SSL_CERT_FILE names the bundle, as people were told.
    let again = der(&development.bundle);
    certificates(data.path(), &again, at(START)).unwrap();
    assert_eq!(der(&development.bundle), again);
}

#[test]
fn the_policy_is_written_once() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("policies");
    let shipped = [("model.conf", "m"), ("examples/a/policy.csv", "p")];
    policies(&directory, &shipped).unwrap();
    assert_eq!(fs::read_to_string(directory.join("examples/a/policy.csv")).unwrap(), "p");
    fs::remove_file(directory.join("examples/a/policy.csv")).unwrap();
    fs::write(directory.join("model.conf"), "mine").unwrap();
    policies(&directory, &shipped).unwrap();
    assert_eq!(fs::read_to_string(directory.join("model.conf")).unwrap(), "mine");
    assert!(!directory.join("examples/a/policy.csv").exists());
}

#[test]
fn a_token_is_issued_once_and_shown_on_a_terminal_only() {
    let data = tempfile::tempdir().unwrap();
    let issue = || Ok::<_, FirstRunError>(Some("mg_secret".to_owned()));
    let first = token(data.path(), issue).unwrap().unwrap();
    assert_eq!(fs::read_to_string(&first.file).unwrap(), "mg_secret\n");
    let development = certificates(data.path(), &[], at(START)).unwrap();
    let told = |token: &FirstToken, terminal: bool| {
        let mut out = Vec::new();
        let address = "127.0.0.1:9443".parse().unwrap();
        let (development, token) = (Some(&development), Some(token));
        Instructions { address, data: data.path(), development, token, terminal }.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let shown = told(&first, true);
    assert!(shown.contains("\n#   machine localhost:9443 login modgate password mg_secret\n"), "{shown}");
    assert!(shown.contains("\nexport GOPROXY=https://localhost:9443\n"), "{shown}");
    assert!(shown.contains(&format!("\nexport SSL_CERT_FILE={}\n", development.bundle.display())), "{shown}");
    assert!(shown.contains("\nexport GONOPROXY=none\n"), "{shown}");
    assert!(!told(&first, false).contains("mg_secret"));

    let later = token(data.path(), || -> Result<_, FirstRunError> { panic!("not again") }).unwrap().unwrap();
    assert_eq!(later.issued, None);
    assert!(!told(&later, true).contains("mg_secret"));
    assert!(told(&later, true).contains("first-token"));
    fs::remove_file(&later.file).unwrap();
    assert_eq!(token(data.path(), || Ok::<_, FirstRunError>(None)).unwrap(), None);
}
