//! Client certificates: from one that TLS has verified to a principal.
//!
//! The server's TLS verifies the chain, the dates and that the client holds the key; here only the name is taken out. The
//! built-in alias is `certificate`: the subject is `user:certificate/NAME`, NAME being the one part of the certificate that
//! is configured. INVARIANT: a certificate that has no such part, or several, or one that cannot be a name, is nobody's; no
//! other part is looked at in its stead.

use crate::name::check_claimed;
use crate::principal::{Method, Principal};
use jiff::Timestamp;
use std::str::FromStr;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Which part of a certificate names its holder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamePart {
    /// The subject's common name.
    CommonName,
    /// The DNS name among the alternative names.
    Dns,
    /// The mail address among the alternative names.
    Email,
    /// The URI among the alternative names, such as a SPIFFE id.
    Uri,
}

/// Not one of the four.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`common_name`, `dns`, `email` or `uri`")]
pub struct UnknownNamePart;

impl NamePart {
    /// As it is configured.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CommonName => "common_name",
            Self::Dns => "dns",
            Self::Email => "email",
            Self::Uri => "uri",
        }
    }
}

impl FromStr for NamePart {
    type Err = UnknownNamePart;

    fn from_str(text: &str) -> Result<Self, UnknownNamePart> {
        let all = [Self::CommonName, Self::Dns, Self::Email, Self::Uri];
        all.into_iter().find(|part| part.as_str() == text).ok_or(UnknownNamePart)
    }
}

/// Whose a client certificate is, and until when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certified {
    /// Who.
    pub principal: Arc<Principal>,
    /// The last moment of the certificate, which a long connection may outlive.
    pub until: Timestamp,
}

/// Why a certificate is nobody's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not understood, though TLS has verified it.
    #[error("the client certificate cannot be read")]
    Malformed,
    /// The part that should name its holder is not there.
    #[error("the client certificate has no `{}`", .0.as_str())]
    Nameless(NamePart),
    /// The part that should name its holder is there more than once.
    #[error("the client certificate has more than one `{}`", .0.as_str())]
    Ambiguous(NamePart),
    /// The part cannot be a name.
    #[error("the `{}` of the client certificate cannot be a name: {}", .0.as_str(), .1)]
    Name(NamePart, crate::NameError),
    /// It was good when the connection began.
    #[error("the client certificate expired at {0}")]
    Expired(Timestamp),
}

impl CertificateError {
    /// A stable code, for logs and records.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "certificate_malformed",
            Self::Nameless(_) => "certificate_nameless",
            Self::Ambiguous(_) => "certificate_ambiguous",
            Self::Name(..) => "certificate_name",
            Self::Expired(_) => "certificate_expired",
        }
    }
}

impl Certified {
    /// Reads a certificate in DER form that was verified by TLS.
    ///
    /// # Errors
    /// When it names nobody.
    pub fn of(der: &[u8], part: NamePart) -> Result<Self, CertificateError> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        let name = name(&certificate, part)?;
        check_claimed(name).map_err(|error| CertificateError::Name(part, error))?;
        let until = Timestamp::from_second(certificate.validity().not_after.timestamp());
        let serial: String = certificate.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect();
        let principal = Principal {
            subject: format!("user:certificate/{name}").into(),
            method: Method::Certificate,
            token_id: Some(serial.into()),
            ..Principal::anonymous()
        };
        Ok(Self { principal: Arc::new(principal), until: until.map_err(|_| CertificateError::Malformed)? })
    }

    /// Who it is at this moment.
    ///
    /// # Errors
    /// When the certificate has expired since the connection began.
    pub fn at(&self, now: Timestamp) -> Result<&Arc<Principal>, CertificateError> {
        if now > self.until { Err(CertificateError::Expired(self.until)) } else { Ok(&self.principal) }
    }
}

/// The one part that names the holder.
fn name<'c>(certificate: &'c X509Certificate<'_>, part: NamePart) -> Result<&'c str, CertificateError> {
    let mut names = Vec::new();
    if part == NamePart::CommonName {
        for attribute in certificate.subject().iter_common_name() {
            names.push(attribute.as_str().map_err(|_| CertificateError::Malformed)?);
        }
    } else {
        let alternative = certificate.subject_alternative_name().map_err(|_| CertificateError::Malformed)?;
        for general in alternative.iter().flat_map(|extension| &extension.value.general_names) {
            match (general, part) {
                (GeneralName::DNSName(name), NamePart::Dns)
                | (GeneralName::RFC822Name(name), NamePart::Email)
                | (GeneralName::URI(name), NamePart::Uri) => names.push(*name),
                _ => {}
            }
        }
    }
    match names.as_slice() {
        [] => Err(CertificateError::Nameless(part)),
        [name] => Ok(name),
        _ => Err(CertificateError::Ambiguous(part)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn certificate(names: &[&str], alternative: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.subject_alt_names = alternative;
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn email(text: &str) -> SanType {
        SanType::Rfc822Name(text.try_into().unwrap())
    }

    #[test]
    fn the_configured_part_names_the_holder_and_no_other() {
        let uri = SanType::URI("spiffe://corp/ci/build".try_into().unwrap());
        let dns = SanType::DnsName("build.corp.example".try_into().unwrap());
        let der = certificate(&["alice"], vec![email("alice@corp.example"), uri, dns]);
        for (part, name) in [
            (NamePart::CommonName, "alice"),
            (NamePart::Email, "alice@corp.example"),
            (NamePart::Uri, "spiffe://corp/ci/build"),
            (NamePart::Dns, "build.corp.example"),
        ] {
            let certified = Certified::of(&der, part).unwrap();
            assert_eq!(&*certified.principal.subject, format!("user:certificate/{name}"));
            assert_eq!((certified.principal.method, certified.principal.groups.len()), (Method::Certificate, 0));
        }
        let bare = certificate(&["alice"], Vec::new());
        assert_eq!(Certified::of(&bare, NamePart::Email), Err(CertificateError::Nameless(NamePart::Email)));
    }

    #[test]
    fn what_names_several_or_nobody_is_nobody_s() {
        let two = certificate(&[], vec![email("a@corp.example"), email("b@corp.example")]);
        assert_eq!(Certified::of(&two, NamePart::Email), Err(CertificateError::Ambiguous(NamePart::Email)));
        assert_eq!(Certified::of(&two, NamePart::CommonName), Err(CertificateError::Nameless(NamePart::CommonName)));
        for bad in ["a\nb", "*", " a", "a\u{202e}b", "role\"x"] {
            let der = certificate(&[bad], Vec::new());
            let error = Certified::of(&der, NamePart::CommonName).unwrap_err();
            assert!(matches!(error, CertificateError::Name(NamePart::CommonName, _)), "{bad:?}: {error}");
        }
    }

    #[test]
    fn a_connection_may_outlive_its_certificate() {
        let certified = Certified::of(&certificate(&["alice"], Vec::new()), NamePart::CommonName).unwrap();
        assert_eq!(certified.until, "2030-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
        assert!(certified.at(certified.until).is_ok());
        let later = certified.until.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        assert_eq!(certified.at(later), Err(CertificateError::Expired(certified.until)));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(at in 0_usize..400, byte: u8, cut in 0_usize..600) {
            let mut der = certificate(&["alice"], vec![email("alice@corp.example")]);
            if let Some(there) = der.get_mut(at) {
                *there = byte;
            }
            der.truncate(cut);
            for part in [NamePart::CommonName, NamePart::Email] {
                let _ = Certified::of(&der, part);
            }
        }
    }
}
