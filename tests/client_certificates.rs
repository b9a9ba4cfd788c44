//! Client certificates at the built gateway: whose they are, and what becomes of those that are not accepted.

use crate::{
    curl,
    gateway::{Gateway, await_that},
    upstream::Upstream,
};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::Value;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// Alice reads one module, and nobody anything else.
const POLICY: &str = "p, user:certificate/alice@corp.example, example.test/lib, *, read, allow, -, -\n";
const LIST: &str = "/example.test/lib/@v/list";

/// An authority, and the certificates that it has signed.
struct Authority {
    directory: TempDir,
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let (directory, key) = (TempDir::new().unwrap(), KeyPair::generate().unwrap());
        fs::write(directory.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { directory, params, key }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Certificate and key of whoever has these mail addresses.
    fn sign(&self, emails: &[&str], until: i32) -> [PathBuf; 2] {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("somebody");
        params.subject_alt_names =
            emails.iter().map(|email| SanType::Rfc822Name((*email).try_into().unwrap())).collect();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        let stem = format!("{}-{until}", emails.join("+"));
        let files = ["pem", "key"].map(|end| self.directory.path().join(format!("{stem}.{end}")));
        fs::write(&files[0], certificate.pem()).unwrap();
        fs::write(&files[1], key.serialize_pem()).unwrap();
        files
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Status and body, or `None` where there was no connection.
fn ask(gateway: &Gateway, files: Option<&[PathBuf; 2]>, more: &[&str], path: &str) -> Option<(u16, String)> {
    let files = files.map(|files| files.each_ref().map(|file| file.to_str().unwrap()));
    let arguments = files.map(|[certificate, key]| ["--cert", certificate, "--key", key]);
    let answer = curl::ask(gateway, path, &[arguments.as_ref().map_or(&[][..], |four| four), more].concat());
    (answer.status != 0).then_some((answer.status, answer.body))
}

fn scene() -> (Authority, Upstream, Gateway) {
    let (authority, upstream) = (Authority::new("corp"), Upstream::start());
    upstream.module("example.test/lib", "v1.0.0");
    let tls = format!("client_ca = {:?}\nclient_name = \"email\"\n", authority.file());
    let gateway = Gateway::tls().policy(POLICY).config(&tls).upstream(&upstream.url()).start();
    (authority, upstream, gateway)
}

fn last_record(gateway: &Gateway) -> Value {
    gateway.records().into_iter().rfind(|record| record["kind"] == "answered").unwrap()
}

#[test]
fn a_certificate_is_a_principal_that_the_policy_knows() {
    let (authority, _upstream, gateway) = scene();
    let alice = authority.sign(&["alice@corp.example"], 2100);
    for version in ["--http1.1", "--http2"] {
        assert_eq!(ask(&gateway, Some(&alice), &[version], LIST), Some((200, "v1.0.0\n".into())), "{version}");
    }
    let record = last_record(&gateway);
    assert_eq!(record["subject"], "user:certificate/alice@corp.example");
    assert_eq!(record["method"], "certificate");
    assert!(record["token"].as_str().is_some_and(|serial| serial.len() > 8), "{record}");

    let who = ask(&gateway, Some(&alice), &[], "/-/api/v1/whoami").unwrap();
    let who: Value = serde_json::from_str(&who.1).unwrap();
    assert_eq!(who["subject"], "user:certificate/alice@corp.example");
}

#[test]
fn others_get_nothing_and_nothing_is_fetched() {
    let (authority, upstream, gateway) = scene();
    let status = |files: Option<&[PathBuf; 2]>, more: &[&str]| ask(&gateway, files, more, LIST).map(|answer| answer.0);
    assert_eq!(status(None, &[]), Some(401), "nobody");
    assert_eq!(status(Some(&authority.sign(&["bob@corp.example"], 2100)), &[]), Some(403), "somebody else");
    let two = authority.sign(&["alice@corp.example", "bob@corp.example"], 2100);
    assert_eq!(status(Some(&two), &[]), Some(401), "two names");
    assert_eq!(last_record(&gateway)["reason"], "certificate_ambiguous");
    assert_eq!(status(Some(&authority.sign(&[], 2100)), &[]), Some(401), "no name");
    assert_eq!(last_record(&gateway)["reason"], "certificate_nameless");
    // What was sent counts, not what the client always shows.
    let alice = authority.sign(&["alice@corp.example"], 2100);
    assert_eq!(status(Some(&alice), &["-u", "alice:wrong"]), Some(401), "a bad password beside a good certificate");
    // No connection at all.
    assert_eq!(status(Some(&authority.sign(&["alice@corp.example"], 2021)), &[]), None, "expired");
    let stranger = Authority::new("corp");
    assert_eq!(status(Some(&stranger.sign(&["alice@corp.example"], 2100)), &[]), None, "another authority");
    assert_eq!(upstream.asked(), Vec::<String>::new());
}

#[test]
fn an_authority_that_is_replaced_lets_nobody_in_any_more() {
    let (authority, upstream, gateway) = scene();
    let (alice, next) = (authority.sign(&["alice@corp.example"], 2100), Authority::new("next"));
    assert_eq!(ask(&gateway, Some(&alice), &[], LIST).map(|answer| answer.0), Some(200));
    fs::write(authority.file(), "no certificate").unwrap();
    gateway.signal("HUP");
    gateway.await_log("the new certificate is not used");
    assert_eq!(ask(&gateway, Some(&alice), &[], LIST).map(|answer| answer.0), Some(200), "the last good stays");
    fs::copy(next.file(), authority.file()).unwrap();
    gateway.signal("HUP");
    await_that("the old authority to be refused", || ask(&gateway, Some(&alice), &[], LIST).is_none());
    upstream.forget();
    let new = next.sign(&["alice@corp.example"], 2100);
    assert_eq!(ask(&gateway, Some(&new), &[], LIST).map(|answer| answer.0), Some(200));
}
