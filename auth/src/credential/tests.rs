//! Shapes and refusals of the `Authorization` header.

use super::*;
use proptest::prelude::*;

const TOKEN: &str = "mg_000000000000_00000000000000000000000000000000000000000004OBD6d";
/// `{"alg":"none"}`, `{}`, no signature.
const JWT: &str = "eyJhbGciOiJub25lIn0.e30.";

/// What the header becomes, in a form that can be compared and printed.
fn read(values: &[&[u8]]) -> Result<String, Malformed> {
    let mut scratch = Scratch::new();
    presented(values.iter().copied(), &mut scratch).map(|presented| match presented {
        Presented::Nothing => "nothing".to_owned(),
        Presented::Token(text) => format!("token {text}"),
        Presented::Jwt(text) => format!("jwt {text}"),
        Presented::Password { login, password } => format!("password {login} {password}"),
    })
}

fn basic_header(credential: impl AsRef<[u8]>) -> Vec<u8> {
    format!("Basic {}", STANDARD.encode(credential)).into_bytes()
}

fn read_basic(credential: impl AsRef<[u8]>) -> Result<String, Malformed> {
    read(&[&basic_header(credential)])
}

#[test]
fn no_header_is_nothing() {
    assert_eq!(read(&[]).unwrap(), "nothing");
}

#[test]
fn a_token_is_a_token_with_any_login() {
    for login in ["", "any", "alice@corp", "ünï"] {
        assert_eq!(read_basic(format!("{login}:{TOKEN}")).unwrap(), format!("token {TOKEN}"));
    }
    assert_eq!(read(&[format!("Bearer {TOKEN}").as_bytes()]).unwrap(), format!("token {TOKEN}"));
    assert_eq!(read(&[format!("bEARER  {TOKEN}").as_bytes()]).unwrap(), format!("token {TOKEN}"));
}

/// A bad token must not go to the directory as a password.
#[test]
fn a_mistyped_token_is_still_a_token() {
    for text in ["mg_", "mg_x:y", "MG_abc", "\"mg_abc\"", "mg_abc def", " mg_abc", "mg_é"] {
        assert_eq!(read_basic(format!("alice:{text}")).unwrap(), format!("token {text}"));
    }
}

#[test]
fn a_jwt_is_a_jwt() {
    assert_eq!(read_basic(format!("any:{JWT}")).unwrap(), format!("jwt {JWT}"));
    assert_eq!(read(&[format!("Bearer {JWT}abc").as_bytes()]).unwrap(), format!("jwt {JWT}abc"));
    assert_eq!(read_basic(format!("any:{JWT}x.y")).unwrap(), format!("password any {JWT}x.y"));
    assert_eq!(read_basic(format!("any:{JWT}.x.y")).unwrap(), format!("jwt {JWT}.x.y"), "an encrypted one is one too");
    for password in ["a.b.c", "eyJ.e30.x.y", "eyJhbGciOiJub25lIn0.e30", "e3=.a.b", "..", "bnVsbA.e30.x"] {
        assert_eq!(read_basic(format!("alice:{password}")).unwrap(), format!("password alice {password}"));
    }
}

#[test]
fn the_rest_is_a_password_up_to_the_first_colon() {
    assert_eq!(read_basic("alice:s:3:cret@ü").unwrap(), "password alice s:3:cret@ü");
    assert_eq!(read_basic("alice:xmg_no").unwrap(), "password alice xmg_no");
}

#[test]
fn a_token_as_login_is_refused_with_a_way_out() {
    for credential in
        [format!("{TOKEN}:"), format!("{TOKEN}:x-oauth-basic"), format!("{TOKEN}:{TOKEN}"), format!("{JWT}:")]
    {
        assert_eq!(read_basic(credential), Err(Malformed::TokenAsLogin));
    }
    let text = Malformed::TokenAsLogin.to_string();
    assert!(text.contains("in clear in every error message") && text.contains(".netrc"), "{text}");
    assert!(text.len() < 400 && text.lines().count() <= 3);
}

#[test]
fn empty_parts_are_refused() {
    assert_eq!(read_basic("alice:"), Err(Malformed::EmptyPassword));
    assert_eq!(read_basic(":"), Err(Malformed::EmptyPassword));
    assert_eq!(read_basic(":secret"), Err(Malformed::EmptyLogin));
}

#[test]
fn two_headers_are_refused_even_if_equal() {
    let header = basic_header(format!("a:{TOKEN}"));
    assert_eq!(read(&[&header, &header]), Err(Malformed::Repeated));
}

#[test]
fn what_is_no_basic_or_bearer_is_refused() {
    for value in
        ["", " ", "Basic", "Bearer", TOKEN, "Digest username=x", "Basicx QQ==", "\tBasic QTpC", "Negotiate YQ=="]
    {
        assert_eq!(read(&[value.as_bytes()]), Err(Malformed::Scheme), "{value:?}");
    }
    assert_eq!(read(&[b"Basic \xff"]), Err(Malformed::Scheme));
    assert_eq!(read(&[b"Bearer "]), Err(Malformed::Bearer));
    assert_eq!(read(&[b"Bearer secret"]), Err(Malformed::Bearer));
}

#[test]
fn basic_is_read_strictly() {
    for value in ["Basic !", "Basic YTpi,Basic YTpi", "Basic YTpiYw", "Basic YTp iYw==", "Basic YTpiY_=="] {
        assert_eq!(read(&[value.as_bytes()]), Err(Malformed::Base64), "{value:?}");
    }
    assert_eq!(read_basic(b"a:\xff"), Err(Malformed::Utf8));
    assert_eq!(read_basic("alice"), Err(Malformed::Colon));
    assert_eq!(read_basic(""), Err(Malformed::Colon));
    for credential in ["a\0:b", "a:b\n", "a:\u{7f}", "a:\u{85}", "a:mg_\0"] {
        assert_eq!(read_basic(credential), Err(Malformed::Control), "{credential:?}");
    }
    assert_eq!(read(&[b"Bearer mg_\tx"]), Err(Malformed::Control));
}

#[test]
fn the_largest_header_is_16_kib() {
    let at = |length: usize| {
        let mut value = b"Bearer mg_".to_vec();
        value.resize(length, b'x');
        read(&[&value])
    };
    assert!(at(16 * 1024).is_ok());
    assert_eq!(at(16 * 1024 + 1), Err(Malformed::Oversize));
}

/// Outside texts reach the go command's user only as graphic characters, 8 lines and 640 bytes at most.
#[test]
fn every_text_can_be_shown_by_the_go_command() {
    use Malformed::*;
    for malformed in
        [Repeated, Oversize, Scheme, Base64, Utf8, Colon, Control, TokenAsLogin, EmptyPassword, EmptyLogin, Bearer]
    {
        let text = malformed.to_string();
        assert!(text.len() <= 400 && text.lines().all(|line| !line.trim().is_empty()), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..3)) {
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let _ = read(&values);
    }

    #[test]
    fn any_decoded_text_has_one_judge(login in "[^:\\pC]{0,20}", password in "\\PC{0,80}") {
        if let Ok(seen) = read_basic(format!("{login}:{password}")) {
            let trimmed = password.trim_matches(|c: char| c.is_whitespace() || "\"'`<>".contains(c));
            prop_assert_eq!(seen.starts_with("token "), trimmed.to_lowercase().starts_with("mg_"));
        }
    }
}
