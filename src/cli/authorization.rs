//! The value of an `Authorization`: how it is made, and the token in it.

use crate::config::Secret;
use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

/// How tokens that a gateway issued begin.
const ISSUED: &str = "mg_";

/// A login and a password (RFC 7617), as from a netrc file.
pub(super) fn basic(login: &[u8], password: &[u8]) -> Secret {
    let pair = Zeroizing::new([login, b":", password].concat());
    Secret::of(format!("Basic {}", BASE64_STANDARD.encode(&*pair)))
}

/// A token (RFC 6750).
pub(super) fn bearer(token: &Secret) -> Secret {
    Secret::of(format!("Bearer {}", token.expose()))
}

/// The same credential as Bearer. `None`: it is a password, and no token.
pub(super) fn as_bearer(authorization: &Secret) -> Option<Secret> {
    let text = authorization.expose();
    if text.starts_with("Bearer ") {
        return Some(authorization.clone());
    }
    let decoded = Zeroizing::new(BASE64_STANDARD.decode(text.strip_prefix("Basic ")?).ok()?);
    let (_, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    let is_jwt = password.split('.').count() == 3;
    (is_issued(password.as_bytes()) || is_jwt).then(|| bearer(&Secret::new(password)))
}

/// Whether a password is a token that a gateway issued, by its shape.
pub(super) fn is_issued(password: &[u8]) -> bool {
    password.starts_with(ISSUED.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_bearer_and_passwords_do_not() {
        let text = |secret: Option<Secret>| secret.map(|secret| secret.expose().to_owned());
        assert_eq!(basic(b"modgate", b"mg_x").expose(), "Basic bW9kZ2F0ZTptZ194");
        assert_eq!(text(as_bearer(&basic(b"modgate", b"mg_x"))).as_deref(), Some("Bearer mg_x"));
        assert_eq!(text(as_bearer(&basic(b"x", b"a.b.c"))).as_deref(), Some("Bearer a.b.c"));
        assert_eq!(text(as_bearer(&bearer(&Secret::new("mg_y")))).as_deref(), Some("Bearer mg_y"));
        for password in [basic(b"alice", b"pass:word"), basic(b"mg_x", b"secret"), Secret::new("Negotiate x")] {
            assert!(as_bearer(&password).is_none());
        }
    }
}
