//! The development certificate authority and the certificate for this machine.
//!
//! The authority is constrained to `localhost`, 127.0.0.1 and ::1, so that trusting it opens nothing else: whoever gets
//! its key can impersonate only this machine to itself.

use super::FirstRunError;
use super::file::{read, write_private, write_public};
use crate::server::{CertificateFiles, Validity, check_certificate};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

pub(super) const CA: &str = "ca.pem";
pub(super) const CA_KEY: &str = "ca-key.pem";
pub(super) const LEAF: &str = "localhost.pem";
pub(super) const LEAF_KEY: &str = "localhost-key.pem";

const DAY: SignedDuration = SignedDuration::from_hours(24);
const CA_DAYS: i32 = 3650;
const LEAF_DAYS: i32 = 365;
/// What is valid for less is made anew.
const RENEW_DAYS: i32 = 30;

/// Makes what is missing or about to expire in `directory`. Returns the authority's certificate.
pub(super) fn ensure(directory: &Path, now: Timestamp) -> Result<CertificateDer<'static>, FirstRunError> {
    let kept = kept_authority(directory, now)?;
    let leaf = CertificateFiles { certificate: directory.join(LEAF), key: directory.join(LEAF_KEY) };
    if let Some((certificate, key)) = kept {
        if !lasts(read(&leaf.certificate)?.as_deref(), now) || check_certificate(&leaf, now).is_err() {
            issue(&key, &leaf, now)?;
        }
        return Ok(certificate);
    }
    let key = KeyPair::generate()?;
    let certificate = authority_params(now)?.self_signed(&key)?;
    // The key first: a certificate without its key would be taken for a complete authority's and made anew.
    write_private(&directory.join(CA_KEY), key.serialize_pem().as_bytes())?;
    write_public(&directory.join(CA), certificate.pem().as_bytes())?;
    issue(&key, &leaf, now)?;
    Ok(certificate.der().clone())
}

/// The authority that is there, if it is whole and lasts.
fn kept_authority(
    directory: &Path,
    now: Timestamp,
) -> Result<Option<(CertificateDer<'static>, KeyPair)>, FirstRunError> {
    let files = CertificateFiles { certificate: directory.join(CA), key: directory.join(CA_KEY) };
    let (certificate, key) = (read(&files.certificate)?, read(&files.key)?);
    if !lasts(certificate.as_deref(), now) || check_certificate(&files, now).is_err() {
        return Ok(None);
    }
    let certificate = certificate.and_then(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok());
    let key = key.and_then(|pem| KeyPair::from_pem(&pem).ok());
    Ok(certificate.zip(key))
}

fn lasts(pem: Option<&str>, now: Timestamp) -> bool {
    pem.and_then(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok())
        .and_then(|certificate| Validity::of(&certificate).ok())
        .is_some_and(|validity| validity.not_after.duration_since(now) > DAY * RENEW_DAYS)
}

fn issue(authority: &KeyPair, leaf: &CertificateFiles, now: Timestamp) -> Result<(), FirstRunError> {
    let key = KeyPair::generate()?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = name("modgate on this machine");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, now, LEAF_DAYS)?;
    // An issuer is its name and its key; its dates do not enter.
    let issuer_params = authority_params(now)?;
    let certificate = params.signed_by(&key, &Issuer::from_params(&issuer_params, authority))?;
    // A crash in between leaves a pair that does not match, which the next start makes anew.
    write_private(&leaf.key, key.serialize_pem().as_bytes())?;
    write_public(&leaf.certificate, certificate.pem().as_bytes())
}

fn authority_params(now: Timestamp) -> Result<CertificateParams, FirstRunError> {
    let address = |ip, prefix| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(ip, prefix));
    let mut params = CertificateParams::default();
    params.distinguished_name = name("modgate development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            address(IpAddr::V4(Ipv4Addr::LOCALHOST), 32),
            address(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        ],
        excluded_subtrees: Vec::new(),
    });
    valid(&mut params, now, CA_DAYS)?;
    Ok(params)
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// From a day ago, for clocks that differ, until in so many days.
fn valid(params: &mut CertificateParams, now: Timestamp, days: i32) -> Result<(), FirstRunError> {
    params.not_before = date(now, -DAY)?;
    params.not_after = date(now, DAY * days)?;
    Ok(())
}

fn date(now: Timestamp, offset: SignedDuration) -> Result<time::OffsetDateTime, FirstRunError> {
    let moment = now.checked_add(offset).map_err(|_| FirstRunError::Time(now))?;
    time::OffsetDateTime::from_unix_timestamp(moment.as_second()).map_err(|_| FirstRunError::Time(now))
}
