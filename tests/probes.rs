//! Raw protocol probes: requests that no HTTP library would let out, written byte by byte (`probes/probes.txt`).
//!
//! Whatever comes, the answer is one of those listed: never a 5xx, never a hang, never a 200 for nonsense.

use crate::{
    gateway::Gateway,
    upstream::{Reply, Upstream},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const PROBES: &str = include_str!("probes/probes.txt");
/// Longer than any answer takes; reaching it is a hang.
const HANG: Duration = Duration::from_secs(20);

#[test]
fn every_probe_gets_its_answer() {
    let upstream = upstream();
    let key = "sum.example.test/db+7c13b4ba+AcTrnkbUA+TU4heY3hkjiSES/DSQniBqIeQ/YppAUtK6";
    let policy = "p, authenticated, example.test/*, *, read, allow, -, -\n\
                  p, authenticated, denied.test/*, *, *, deny, -, \"id=D1; reason=denied for the test\"\n";
    let gateway = Gateway::plain()
        .policy(policy)
        .upstream(&upstream.url())
        .config(&format!("[[checksum]]\nkey = \"{key}\"\nurl = \"{}/db\"\n", upstream.url()))
        .start();
    let token = gateway.token("prober", &[]);

    let probes = PROBES.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).collect::<Vec<_>>();
    assert!(probes.len() >= 230, "only {} probes", probes.len());
    let wrong = probes.iter().filter_map(|probe| verdict(probe, gateway.port(), &token).err()).collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{} of {} probes:\n{}", wrong.len(), probes.len(), wrong.join("\n"));
    let denied =
        upstream.asked().into_iter().filter(|path| path.contains("denied.test") || path.contains("other.test"));
    assert_eq!(denied.collect::<Vec<_>>(), Vec::<String>::new());
}

fn upstream() -> Upstream {
    let upstream = Upstream::start();
    upstream.module("example.test/lib", "v1.0.0");
    upstream.module("example.test/lib", "v1.1.0");
    upstream.module("example.test/lib", "v1.2.0-pre");
    upstream.module("example.test/Upper", "v1.0.0");
    upstream.module("example.test/inc", "v2.0.0+incompatible");
    upstream.module("denied.test/x", "v1.0.0");
    let base = "/example.test/lib/@v";
    upstream.reply(&format!("{base}/main.info"), Reply::Body(b"{\"Version\":\"v1.1.0\"}".to_vec()));
    let pseudo = format!("{base}/v0.0.0-20240506070809-abcdefabcdef.mod");
    upstream.reply(&pseudo, Reply::Body(b"module example.test/lib\n".to_vec()));
    upstream
}

/// Sends one probe; says what is wrong with the answer.
fn verdict(probe: &str, port: u16, token: &str) -> Result<(), String> {
    let mut fields = probe.split('\t');
    let expected = fields.next().unwrap_or_default();
    let (statuses, text) = expected.split_once('=').unwrap_or((expected, ""));
    let request = request(fields.next().unwrap_or_default(), fields, token);
    let answer = exchange(port, &request).map_err(|error| format!("{probe}: {error}"))?;
    let status = answer.get(9..12).unwrap_or_default();
    let shown = answer.chars().take(300).collect::<String>();
    if !statuses.split('|').any(|right| right == status) {
        return Err(format!("{probe}: got {shown}"));
    }
    if !answer.contains(text) {
        return Err(format!("{probe}: `{text}` is missing in {shown}"));
    }
    Ok(())
}

/// The bytes of a request.
fn request<'a>(target: &str, changes: impl Iterator<Item = &'a str>, token: &str) -> Vec<u8> {
    let is_method =
        |word: &str| !word.is_empty() && !word.starts_with('/') && !word.contains('.') && !word.contains('*');
    let (method, target) = target.split_once(' ').filter(|(word, _)| is_method(word)).unwrap_or(("GET", target));
    let basic = STANDARD.encode(format!("anyone:{token}"));
    let mut headers =
        vec!["Host: localhost".to_owned(), format!("Authorization: Basic {basic}"), "Connection: close".to_owned()];
    for change in changes {
        if let Some(name) = change.strip_prefix('-') {
            headers.retain(|header| !header.starts_with(name));
        } else if let Some(extra) = change.strip_prefix('+') {
            headers.push(extra.to_owned());
        } else {
            let name = change.split(':').next().unwrap_or_default();
            headers.retain(|header| header.split(':').next() != Some(name));
            headers.push(change.to_owned());
        }
    }
    let text = format!("{method} {target} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n"));
    let text = text.replace("{basic}", &basic).replace("{token}", token).replace("{garbage}", "\"unclosed, W/, ,");
    let text = text.replace("{login-only}", &format!("Basic {}", STANDARD.encode(format!("{token}:"))));
    bytes(&fill(&text))
}

/// `{N}` as N letters, `{headers:N}` as N headers.
fn fill(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (size, behind) = after.split_once('}').unwrap();
        filled.push_str(before);
        match size.strip_prefix("headers:") {
            Some(count) => {
                let headers = (0..count.parse::<usize>().unwrap()).map(|n| format!("X-{n}: {n}"));
                filled.push_str(&headers.collect::<Vec<_>>().join("\r\n"));
            }
            None => filled.push_str(&"a".repeat(size.parse().unwrap())),
        }
        rest = behind;
    }
    filled + rest
}

/// `\xNN` as a byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(part[2..].bytes());
    }
    bytes
}

/// Everything that comes back until the server closes; a reset after an answer is no fault.
fn exchange(port: u16, request: &[u8]) -> Result<String, String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    connection.set_read_timeout(Some(HANG)).unwrap();
    let _ = connection.write_all(request);
    let mut answer = Vec::new();
    match connection.read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => Err(format!("no answer: {error}")),
        _ if answer.is_empty() => Err("closed without an answer".into()),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}
