//! The side record of an entry.
//!
//! One JSON object in `.meta/<key>`:
//!
//! ```json
//! {"schema":1,"size":2,"sha256":"<hex>","h1":"h1:…","standing":{"is":"verified","by":"sum.golang.org"},
//!  "source":"…","fetched":"2026-01-02T03:04:05Z","replaces":"<hex>"}
//! ```
//!
//! A record of another schema, or one that does not parse, counts as none: its body is verified anew.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The schema this code writes and reads.
const SCHEMA: u32 = 1;

/// What is known of an entry's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Length of the body in bytes.
    pub size: u64,
    /// SHA-256 of the body, taken when it was stored.
    #[serde(with = "hex32")]
    pub sha256: [u8; 32],
    /// `h1:` of a module zip or go.mod; none for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub h1: Option<String>,
    /// How far the bytes can be trusted.
    pub standing: Standing,
    /// Where they came from, printable and without secrets.
    pub source: String,
    /// When they were fetched or, for what may change, last found to be current.
    #[serde(with = "rfc3339")]
    pub fetched: Timestamp,
    /// SHA-256 of the body that this one replaces: what a crash between the two renames of a commit leaves in place.
    #[serde(default, with = "hex32_option", skip_serializing_if = "Option::is_none")]
    pub replaces: Option<[u8; 32]>,
}

/// The record as it is written.
#[derive(Serialize, Deserialize)]
struct Written<M> {
    schema: u32,
    #[serde(flatten)]
    meta: M,
}

/// How far an entry's bytes can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Standing {
    /// Equal to the signed record of the checksum database of that name.
    Verified {
        /// The database's name.
        by: String,
    },
    /// The database had no record of it, or could not be asked: it is asked again.
    Provisional,
    /// From a private source; what was seen first stands.
    Private,
    /// No checksum database is configured, or none covers such an entry (lists, `.info`).
    Unverified,
}

impl Meta {
    /// The record of a body of `size` bytes with that SHA-256.
    pub fn new(size: u64, sha256: [u8; 32], standing: Standing, source: &str, fetched: Timestamp) -> Self {
        let (h1, replaces) = (None, None);
        Self { size, sha256, h1, standing, source: source.into(), fetched, replaces }
    }

    /// The record of a body that is in memory.
    pub fn of(bytes: &[u8], standing: Standing, source: &str, fetched: Timestamp) -> Self {
        Self::new(bytes.len() as u64, sha256(bytes), standing, source, fetched)
    }

    /// The same with the module hash.
    pub fn with_h1(self, h1: Option<String>) -> Self {
        Self { h1, ..self }
    }

    /// Reads a side record; none when it is not one of this schema.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let written: Written<Self> = serde_json::from_slice(bytes).ok()?;
        (written.schema == SCHEMA).then_some(written.meta)
    }

    /// The side record's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Strings, numbers and no map with odd keys: this cannot fail. An empty record would count as none.
        serde_json::to_vec(&Written { schema: SCHEMA, meta: self }).unwrap_or_default()
    }
}

/// SHA-256 of bytes in memory.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// The inverse of [`hex`] for 32 bytes.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != out.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(out)
}

mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::hex(bytes))
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        super::unhex(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("not 32 bytes in hex"))
    }
}

mod hex32_option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<[u8; 32]>, to: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => to.serialize_some(&super::hex(bytes)),
            None => to.serialize_none(),
        }
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 32]>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| super::unhex(&text).ok_or_else(|| D::Error::custom("not 32 bytes in hex"))).transpose()
    }
}

mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_own_encoding() {
        let standing = Standing::Verified { by: "sum.golang.org".into() };
        let mut meta = Meta::of(b"abc", standing, "https://up.test", Timestamp::from_second(1_700_000_000).unwrap());
        meta.replaces = Some([7; 32]);
        meta.h1 = Some("h1:x".into());
        let text = String::from_utf8(meta.encode()).unwrap();
        assert!(text.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "{text}");
        assert!(text.contains(r#""standing":{"is":"verified","by":"sum.golang.org"}"#), "{text}");
        assert_eq!(Meta::decode(text.as_bytes()), Some(meta));
    }

    #[test]
    fn what_is_no_record_counts_as_none() {
        let meta = Meta::of(b"", Standing::Private, "", Timestamp::UNIX_EPOCH);
        let text = String::from_utf8(meta.encode()).unwrap();
        for bad in ["", "{}", text.strip_suffix("}").unwrap(), &text.replace("\"schema\":1", "\"schema\":2")] {
            assert_eq!(Meta::decode(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Meta::decode(text.replace("e3b0", "e3bg").as_bytes()), None);
    }
}
