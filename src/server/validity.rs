//! When a certificate is valid: the one thing that is read from inside of it, to warn before it expires.
//!
//! A walk over the first elements of the DER form (RFC 5280 §4.1), not a parser of certificates:
//!
//! ```text
//! SEQUENCE { SEQUENCE { [0] version OPTIONAL, INTEGER serial, SEQUENCE algorithm, SEQUENCE issuer,
//!                       SEQUENCE { Time notBefore, Time notAfter }, … } … }
//! ```

use jiff::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// From when until when a certificate is valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    /// The first moment.
    pub not_before: Timestamp,
    /// The last moment.
    pub not_after: Timestamp,
}

/// The bytes are no X.509 certificate in DER form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate")]
pub struct ValidityError;

impl Validity {
    /// Reads it from a certificate in DER form.
    pub fn of(der: &[u8]) -> Result<Self, ValidityError> {
        let (certificate, _) = element(der, SEQUENCE)?;
        let (mut signed, _) = element(certificate, SEQUENCE)?;
        if signed.first() == Some(&VERSION) {
            signed = element(signed, VERSION)?.1;
        }
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            signed = element(signed, tag)?.1;
        }
        let (validity, _) = element(signed, SEQUENCE)?;
        let (not_before, rest) = time(validity)?;
        let (not_after, _) = time(rest)?;
        Ok(Self { not_before, not_after })
    }
}

/// The content of the first element, which must have that tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Result<(&[u8], &[u8]), ValidityError> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>().ok_or(ValidityError)?;
    if found != tag {
        return Err(ValidityError);
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(ValidityError)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return Err(ValidityError),
    };
    rest.split_at_checked(length).ok_or(ValidityError)
}

/// `YYMMDDHHMMSSZ` (the years 1950 to 2049) or `YYYYMMDDHHMMSSZ`.
fn time(bytes: &[u8]) -> Result<(Timestamp, &[u8]), ValidityError> {
    let generalized = bytes.first() == Some(&GENERALIZED_TIME);
    let (content, rest) = element(bytes, if generalized { GENERALIZED_TIME } else { UTC_TIME })?;
    let text = std::str::from_utf8(content).map_err(|_| ValidityError)?;
    let full = match (generalized, text.as_bytes().first()) {
        (true, _) => text.to_owned(),
        (false, Some(b'0'..=b'4')) => format!("20{text}"),
        (false, _) => format!("19{text}"),
    };
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", &full).map_err(|_| ValidityError)?;
    let zoned = jiff::tz::TimeZone::UTC.to_timestamp(civil).map_err(|_| ValidityError)?;
    Ok((zoned, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate(until: i32) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 2, 29);
        params.not_after = rcgen::date_time_ymd(until, 12, 31);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        for until in [2030, 2049, 2050, 4096] {
            let validity = Validity::of(&certificate(until)).unwrap();
            assert_eq!(validity.not_before.to_string(), "2020-02-29T00:00:00Z");
            assert_eq!(validity.not_after.to_string(), format!("{until}-12-31T00:00:00Z"));
        }
    }

    #[test]
    fn a_cut_certificate_is_none() {
        let der = certificate(2030);
        for end in 0..der.len() {
            assert_eq!(Validity::of(&der[..end]), Err(ValidityError), "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..60usize, byte: u8) {
            let _ = Validity::of(&bytes);
            let mut der = certificate(2030);
            der[at] = byte;
            let _ = Validity::of(&der);
        }
    }
}
