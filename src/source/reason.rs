//! The words with which a source says no.
//!
//! They travel on to the terminal of whoever ran `go`, which shows such a text only when it is plain UTF-8 without
//! control characters, and of that no more than 8 lines and 640 bytes, up to the first blank line. What goes beyond is
//! cut here, so that nothing else has to be afraid of it.

use super::transport::Timeouts;
use http::{HeaderMap, header::CONTENT_TYPE};
use reqwest::Response;

/// The longest text that is kept, in bytes.
const BYTES: usize = 640;
/// The most lines of it.
const LINES: usize = 8;
/// What is read of a body so that the connection can be used again; a longer one is broken off.
const READ: usize = 16 << 10;

/// Reads the reason from an answer's body; empty when there is none that could be shown, or it does not come in time.
pub(super) async fn read(mut response: Response, timeouts: &Timeouts) -> String {
    let shown = is_plain(response.headers());
    let mut bytes = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > READ {
                break;
            }
        }
    };
    // The status said what counts, so a body that breaks or stalls changes nothing.
    let _ = tokio::time::timeout(timeouts.read, reading).await;
    if shown { graphic(&bytes) } else { String::new() }
}

/// Whether the body is text that the `go` command would show.
fn is_plain(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let plain = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/plain"));
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    plain && charset.is_none_or(|charset| matches!(charset.as_str(), "utf-8" | "us-ascii"))
}

/// The leading lines of a text, as many as may be kept; nothing of it if it is not graphic.
fn graphic(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut kept = String::new();
    for line in text.trim_start_matches(['\r', '\n']).lines().take(LINES) {
        let line = line.trim_end();
        let control = line.chars().any(|c| c.is_control() && c != '\t' || c == char::REPLACEMENT_CHARACTER);
        if line.is_empty() || control || kept.len() + 1 + line.len() > BYTES {
            break;
        }
        if !kept.is_empty() {
            kept.push('\n');
        }
        kept.extend(line.chars().map(|c| if c == '\t' { ' ' } else { c }));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_text_is_shown() {
        let plain = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            is_plain(&headers)
        };
        assert!(plain("text/plain") && plain("Text/Plain; charset=\"UTF-8\"") && plain("text/plain;charset=us-ascii"));
        assert!(!plain("text/html") && !plain("application/json") && !plain("text/plain; charset=iso-8859-1"));
        assert!(!is_plain(&HeaderMap::new()));
    }

    #[test]
    fn it_ends_at_a_blank_line_and_at_control_characters() {
        assert_eq!(graphic(b"not found: a\n\nsecret"), "not found: a");
        assert_eq!(graphic(b"one\r\n\ttwo\n"), "one\n two");
        assert_eq!(graphic(b"\x1b[31mred"), "");
        assert_eq!(graphic(b"fine\n\xff\xfe"), "fine");
        assert_eq!(graphic(&b"line\n".repeat(20)).lines().count(), LINES);
        assert_eq!(graphic("x".repeat(641).as_bytes()), "");
        assert_eq!(graphic("ü".repeat(310).as_bytes()).len(), 620);
    }

    proptest! {
        #[test]
        fn it_is_never_more_than_may_be_shown(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let text = graphic(&bytes);
            prop_assert!(text.len() <= BYTES && text.lines().count() <= LINES && !text.contains("\n\n"));
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
