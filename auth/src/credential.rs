//! From the `Authorization` header to a credential, chosen by shape before anybody is asked.
//!
//! | scheme | what is sent | becomes |
//! |---|---|---|
//! | Basic (netrc) | any login, `mg_…` as password | [`Presented::Token`] |
//! | Basic | any login, a JWT as password | [`Presented::Jwt`] |
//! | Basic | a login and anything else | [`Presented::Password`] |
//! | Bearer (GOAUTH) | `mg_…` or a JWT | as above; anything else is malformed |
//!
//! INVARIANT: one credential has one judge. What looks like a token is never a directory password, however mistyped,
//! so a bad token cannot reach a directory server (or its log) as somebody's password.
//!
//! A token as *login* (`https://TOKEN@host`) is refused although it could be verified: the go command prints the
//! login of a URL in clear in every error message, so it would end up in build logs. The header is read strictly:
//! one header, one blank or more after the scheme, padded standard base64 (RFC 7617), UTF-8, no control characters.
//! Error texts never repeat what was sent. What a malformed header is answered with is the pipeline's business.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::{Zeroize, Zeroizing};

use crate::token::Token;

/// The largest `Authorization` value that is read, in bytes. JWTs with many groups come to a few KiB.
const LARGEST: usize = 16 * 1024;

/// A credential as it was sent, by its shape; nothing of it is verified. No `Debug` and no `==`: it borrows
/// secrets.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// No `Authorization` header.
    Nothing,
    /// Begins with `mg_`: an issued token, perhaps mistyped.
    Token(&'a str),
    /// Three base64url parts, or the five of an encrypted one, the first of them a JSON object.
    Jwt(&'a str),
    /// Anything else sent as Basic: for the directory. Neither is empty.
    Password {
        /// As typed.
        login: &'a str,
        /// As typed.
        password: &'a str,
    },
}

/// Why an `Authorization` header is not understood. The texts are for outside, at most three lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// Two headers: which of them another program on the way has judged is anyone's guess.
    #[error("more than one Authorization header was sent")]
    Repeated,
    /// Over 16 KiB.
    #[error("the Authorization header is larger than {} KiB", LARGEST / 1024)]
    Oversize,
    /// Neither Basic nor Bearer.
    #[error("the Authorization header must begin with Basic (as from .netrc) or Bearer")]
    Scheme,
    /// Basic with something that is not padded base64.
    #[error("the Basic credential is not base64")]
    Base64,
    /// Basic with something that is not UTF-8.
    #[error("the Basic credential is not UTF-8")]
    Utf8,
    /// Basic without the colon between login and password.
    #[error("the Basic credential has no colon between login and password")]
    Colon,
    /// A control character in login or password.
    #[error("the credential contains a control character")]
    Control,
    /// A token or JWT as login, whatever the password.
    #[error(
        "the token was sent as login, as in https://TOKEN@host: the go command prints that in clear in every error message\n\
         take it out of the URL and write into .netrc: machine HOST:PORT login any password TOKEN\n\
         then have this token revoked, for it stands in the logs"
    )]
    TokenAsLogin,
    /// No password, and the login is no token.
    #[error("the password is empty: write into .netrc: machine HOST:PORT login any password TOKEN")]
    EmptyPassword,
    /// A password (no token) without a login.
    #[error("the login is empty: a password needs one, only a token does not")]
    EmptyLogin,
    /// Bearer with neither token nor JWT.
    #[error("the Bearer credential is neither a token (mg_…) nor a JWT")]
    Bearer,
}

impl Malformed {
    /// A stable code, for logs and records.
    pub fn code(self) -> &'static str {
        match self {
            Self::Repeated => "authorization_repeated",
            Self::Oversize => "authorization_oversize",
            Self::Scheme => "authorization_scheme",
            Self::Base64 => "authorization_base64",
            Self::Utf8 => "authorization_utf8",
            Self::Colon => "authorization_colon",
            Self::Control => "authorization_control",
            Self::TokenAsLogin => "token_as_login",
            Self::EmptyPassword => "password_empty",
            Self::EmptyLogin => "login_empty",
            Self::Bearer => "bearer_unknown",
        }
    }
}

/// Where a Basic credential is decoded. Wiped when it is used again and when it is dropped: in words, because wiping goes element
/// by element, and a JWT has a thousand bytes.
#[derive(Default)]
pub struct Scratch(Zeroizing<Vec<u64>>);

impl Scratch {
    /// An empty one; it allocates when first used.
    pub fn new() -> Self {
        Self::default()
    }

    fn decode(&mut self, encoded: &str) -> Result<&str, Malformed> {
        // Wiped before it may grow: a reallocation would leave the old content behind.
        self.0.zeroize();
        self.0.resize(base64::decoded_len_estimate(encoded.len()).div_ceil(size_of::<u64>()), 0);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.0);
        let length = STANDARD.decode_slice(encoded, bytes).map_err(|_| Malformed::Base64)?;
        std::str::from_utf8(bytes.get(..length).unwrap_or_default()).map_err(|_| Malformed::Utf8)
    }
}

/// Reads the values of all `Authorization` headers of a request, as bytes.
///
/// # Errors
/// Whatever is not exactly one Basic or Bearer credential; nothing was asked of any authenticator.
pub fn presented<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
    scratch: &'a mut Scratch,
) -> Result<Presented<'a>, Malformed> {
    let mut values = values.into_iter();
    let Some(value) = values.next() else {
        return Ok(Presented::Nothing);
    };
    if values.next().is_some() {
        return Err(Malformed::Repeated);
    }
    if value.len() > LARGEST {
        return Err(Malformed::Oversize);
    }
    let value = std::str::from_utf8(value).map_err(|_| Malformed::Scheme)?;
    let (scheme, credential) = value.split_once(' ').ok_or(Malformed::Scheme)?;
    let credential = credential.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("Basic") {
        basic(scratch.decode(credential)?)
    } else if scheme.eq_ignore_ascii_case("Bearer") {
        bearer(credential)
    } else {
        Err(Malformed::Scheme)
    }
}

fn basic(credential: &str) -> Result<Presented<'_>, Malformed> {
    if has_control(credential) {
        return Err(Malformed::Control);
    }
    // RFC 7617: a login has no colon, a password may.
    let (login, password) = credential.split_once(':').ok_or(Malformed::Colon)?;
    if by_shape(login).is_some() {
        return Err(Malformed::TokenAsLogin);
    }
    match by_shape(password) {
        Some(token) => Ok(token),
        None if password.is_empty() => Err(Malformed::EmptyPassword),
        None if login.is_empty() => Err(Malformed::EmptyLogin),
        None => Ok(Presented::Password { login, password }),
    }
}

fn bearer(credential: &str) -> Result<Presented<'_>, Malformed> {
    if has_control(credential) {
        return Err(Malformed::Control);
    }
    by_shape(credential).ok_or(Malformed::Bearer)
}

/// The credentials that are known by their shape alone.
fn by_shape(text: &str) -> Option<Presented<'_>> {
    if Token::resembles(text) {
        Some(Presented::Token(text))
    } else if is_jwt(text) {
        Some(Presented::Jwt(text))
    } else {
        None
    }
}

/// Three base64url parts, the first of which is a JSON object. The signature may be empty (`alg: none`): such a thing
/// must be refused as a JWT, not tried as a password. So must an encrypted one (JWE), which has five.
fn is_jwt(text: &str) -> bool {
    let Some((header, rest)) = text.split_once('.') else {
        return false;
    };
    matches!(rest.split('.').count(), 2 | 4) && rest.split('.').all(is_base64url) && is_json_object(header)
}

/// Looks at every byte, without an early end: so it is done for many at once, and a JWT has a thousand.
fn is_base64url(part: &str) -> bool {
    part.bytes().fold(true, |all, byte| all & (byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_')))
}

/// Control characters beyond ASCII (U+0080 to U+009F) are looked for only where there is something beyond ASCII.
fn has_control(text: &str) -> bool {
    let ascii = text.bytes().fold(false, |any, byte| any | byte.is_ascii_control());
    ascii || (!text.is_ascii() && text.chars().any(char::is_control))
}

fn is_json_object(part: &str) -> bool {
    // Wiped, because it may be a piece of a password with two dots in it.
    let mut decoded = Zeroizing::new(vec![0; base64::decoded_len_estimate(part.len())]);
    let Ok(length) = URL_SAFE_NO_PAD.decode_slice(part, &mut decoded) else {
        return false;
    };
    let json = decoded.get(..length).unwrap_or_default().trim_ascii();
    json.starts_with(b"{") && json.ends_with(b"}")
}

#[cfg(test)]
#[path = "credential/tests.rs"]
mod tests;
