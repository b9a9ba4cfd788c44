//! Random secrets that browsers and programs hold, and the digests that are kept of them.
//!
//! INVARIANT: a secret of 256 bits cannot be guessed, so a plain SHA-256 of it is all that needs keeping, and looking one up
//! by its digest tells nobody anything by its timing.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// SHA-256 of a secret.
pub(crate) type Digest = [u8; 32];

/// Random bytes as text: base64url.
pub(crate) fn text(random: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(URL_SAFE_NO_PAD.encode(random))
}

/// What is kept of a secret.
pub(crate) fn hashed(text: &str) -> Digest {
    let mut bytes = Digest::default();
    for (to, from) in bytes.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
        *to = *from;
    }
    bytes
}
