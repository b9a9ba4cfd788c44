//! The way to the gateway, live: proxies, TLS, who answers, the clock, and whom the gateway takes the go command for.

use super::finding::Finding;
use crate::cli::gateway_client::{Answer, GatewayClient, GatewayError};
use crate::cli::gateway_url::GatewayUrl;
use crate::cli::go_credential;
use crate::cli::go_env::shell;
use crate::source::Environment;
use http::header::DATE;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use rustls::pki_types::{CertificateDer, pem::PemObject};

/// From here on a clock that differs is worth a word; a token's end is not far from wrong.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// From here on tokens are taken for expired, or for not valid yet.
const FAR: SignedDuration = SignedDuration::from_mins(5);
/// When a token's end is near.
const NEAR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Variables by which connections are made and trusted.
pub(super) fn surroundings(base: &GatewayUrl, environment: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    let variable = |name: &str| environment.get(name).or_else(|| environment.get(&name.to_ascii_lowercase()));
    let proxy = if base.is_https() { variable("HTTPS_PROXY") } else { variable("HTTP_PROXY") };
    let spared = variable("NO_PROXY").is_some_and(|list| is_spared(list, base.host()));
    if let Some(proxy) = proxy.filter(|_| !base.is_loopback() && !spared) {
        let proxy = crate::cli::gateway_choice::masked(proxy);
        let text = format!("the go command reaches the gateway by way of the proxy {proxy}");
        findings.push(Finding::warn("proxy", text, format!("if it need not: NO_PROXY={}", base.host())));
    }
    if let Some(file) = environment.get("SSL_CERT_FILE") {
        findings.extend(bundle(file));
    }
    findings
}

/// Whether a list as of NO_PROXY has a host in it (`golang.org/x/net/http/httpproxy`, without addresses and networks).
fn is_spared(list: &str, host: &str) -> bool {
    list.split(',').map(str::trim).any(|entry| {
        let entry =
            entry.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(entry, |(name, _)| name);
        let name = entry.trim_start_matches('*').to_ascii_lowercase();
        let (bare, below) = (name.trim_start_matches('.'), name.starts_with('.'));
        entry == "*"
            || (!bare.is_empty()
                && ((host == bare && !below) || host.strip_suffix(bare).is_some_and(|rest| rest.ends_with('.'))))
    })
}

/// SSL_CERT_FILE replaces the system's roots for the go command, where it reads it at all.
fn bundle(file: &str) -> Option<Finding> {
    if cfg!(any(windows, target_os = "macos")) {
        let text = "the go command does not read it on this system";
        return Some(Finding::warn(
            "tls",
            format!("SSL_CERT_FILE: {text}"),
            "put the certificate into the system's store",
        ));
    }
    let count = CertificateDer::pem_file_iter(file).map(|found| found.flatten().count());
    match count {
        Ok(0) => Some(Finding::bad(
            "tls",
            format!("SSL_CERT_FILE names `{file}`, in which there is no certificate"),
            "unset SSL_CERT_FILE",
        )),
        Ok(_) => None,
        Err(_) => Some(Finding::bad(
            "tls",
            format!("SSL_CERT_FILE names `{file}`, which cannot be read"),
            format!("ls -l {}", shell(file)),
        )),
    }
}

/// Asks the gateway, first as nobody, then with the credential that the go command would send.
pub(super) async fn examine(base: &GatewayUrl, environment: &Environment, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    // No further certificates: the go command knows of none.
    let client = match GatewayClient::new(base.clone(), None) {
        Ok(client) => client,
        Err(error) => return vec![Finding::bad("tls", error.to_string(), "look at the system's certificates")],
    };
    let answer = match client.get("api/v1/whoami", None).await {
        Ok(answer) => answer,
        Err(error) => return vec![unreachable(base, &error)],
    };
    if base.is_https() {
        findings.push(Finding::ok("tls", "the certificate is trusted and names the gateway"));
    }
    findings.extend(clock(&answer, now));
    if !answer.is_modgates() {
        let text = match answer.status {
            500.. => format!("the gateway answers {}: {}", answer.status, answer.text()),
            300..=399 => "something answers with a redirect, which modgate never does".to_owned(),
            status => format!("something answers that is not modgate ({status} for /-/api/v1/whoami)"),
        };
        let fix = if answer.status >= 500 { "tell its operators" } else { "is this the gateway's URL, with its path?" };
        findings.push(Finding::bad("gateway", text, fix));
        return findings;
    }
    findings.push(Finding::ok("gateway", "modgate answers"));
    findings.push(credential(&client, environment, now).await);
    findings
}

/// Why nothing came back: mostly TLS.
fn unreachable(base: &GatewayUrl, error: &GatewayError) -> Finding {
    let GatewayError::Unreachable { cause, .. } = error else {
        return Finding::bad("gateway", error.to_string(), "is this the gateway's URL?");
    };
    let own = if cfg!(any(windows, target_os = "macos")) {
        "put the certificate of its authority into the system's store"
    } else {
        "export SSL_CERT_FILE=FILE, with the system's roots and the certificate of its authority"
    };
    match cause {
        cause if cause.contains("UnknownIssuer") || cause.contains("self-signed") => {
            Finding::bad("tls", "nobody whom this machine trusts vouches for the certificate", own)
        }
        cause if cause.contains("not valid for name") || cause.contains("NotValidForName") => Finding::bad(
            "tls",
            format!("the certificate is not for `{}`: {cause}", base.host()),
            "use a name that is in the certificate",
        ),
        cause if cause.contains("expired") || cause.contains("Expired") => Finding::bad(
            "tls",
            "the certificate has expired, or this machine's clock is wrong",
            "date; then tell the operators",
        ),
        cause if cause.contains("certificate") => Finding::bad("tls", cause.clone(), own),
        cause => Finding::bad("gateway", format!("it cannot be reached: {cause}"), format!("curl -sv {base}/")),
    }
}

fn clock(answer: &Answer, now: Timestamp) -> Option<Finding> {
    let theirs = answer.headers.get(DATE)?.to_str().ok()?;
    let theirs = rfc2822::parse(theirs).ok()?.timestamp();
    let skew = now.duration_since(theirs);
    let text = match skew.is_negative() {
        true => format!("this machine's clock is {} s behind the gateway's", -skew.as_secs()),
        false => format!("this machine's clock is {} s ahead of the gateway's", skew.as_secs()),
    };
    Some(match skew.abs() {
        far if far >= FAR => {
            Finding::bad("clock", text, "set the clock: timedatectl set-ntp true, or the system's settings")
        }
        some if some >= SKEW => Finding::warn("clock", text, "have the clock set by the network"),
        _ => Finding::ok("clock", "it agrees with the gateway's"),
    })
}

async fn credential(client: &GatewayClient, environment: &Environment, now: Timestamp) -> Finding {
    let base = client.base();
    let login = format!("modgate login {base}");
    // What GOAUTH's commands say was said above.
    let found = go_credential::of(base, environment).ok().and_then(|search| search.found);
    let Some(credential) = found else {
        return Finding::bad("credential", "the go command has none for this gateway", login);
    };
    match client.whoami(Some(&credential.authorization)).await {
        Ok(who) => {
            let text = format!("{} ({})", who.subject, credential.origin);
            match who.expires {
                Some(end) if end.duration_since(now) < NEAR && who.token.is_some() && is_long(&credential.origin) => {
                    Finding::warn("credential", format!("{text}; it ends at {end}"), login)
                }
                _ => Finding::ok("credential", text),
            }
        }
        Err(GatewayError::Unauthenticated { text, .. }) => {
            Finding::bad("credential", format!("the gateway refuses that of {}: {text}", credential.origin), login)
        }
        Err(error @ GatewayError::Refused { .. }) => Finding::warn("credential", error.to_string(), "try again later"),
        Err(error) => Finding::bad("credential", error.to_string(), login),
    }
}

/// A helper's tokens are short-lived by design.
fn is_long(origin: &go_credential::Origin) -> bool {
    !matches!(origin, go_credential::Origin::Helper(_))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::source::Platform;

    #[test]
    fn proxies_and_bundles_have_their_findings() {
        let missing = "/nowhere/bundle.pem";
        for (variables, level, text) in [
            (&[("HTTPS_PROXY", "http://me:secret@proxy.test:3128")][..], Level::Warn, "http://proxy.test:3128"),
            (&[("https_proxy", "http://proxy.test:3128"), ("no_proxy", "gw.testing")], Level::Warn, "proxy.test"),
            (&[("SSL_CERT_FILE", missing)], Level::Bad, missing),
        ] {
            let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let environment = Environment::new(Platform::Unix, owned);
            let findings = surroundings(&"https://gw.test".parse().unwrap(), &environment);
            assert!(
                findings.len() == 1 && findings[0].level == level && findings[0].text.contains(text),
                "{findings:?}"
            );
            assert!(!format!("{findings:?}").contains("secret"));
        }
        for list in ["*", "gw.test", ".test", "test", "x, gw.test:443", "*.test"] {
            assert!(is_spared(list, "gw.test"), "{list}");
        }
        for list in ["", ".gw.test", "w.test", "gw.test.", ".", ","] {
            assert!(!is_spared(list, "gw.test"), "{list}");
        }
    }

    #[test]
    fn each_failure_of_tls_has_its_own_words() {
        let base: GatewayUrl = "https://gw.test".parse().unwrap();
        for (cause, check, text) in [
            ("invalid peer certificate: UnknownIssuer", "tls", "vouches"),
            ("invalid peer certificate: certificate not valid for name \"gw.test\"", "tls", "is not for `gw.test`"),
            ("invalid peer certificate: certificate expired: verification time", "tls", "has expired"),
            ("tcp connect error: Connection refused", "gateway", "refused"),
        ] {
            let error = GatewayError::Unreachable { base: base.to_string(), cause: cause.into() };
            let finding = unreachable(&base, &error);
            assert!(
                finding.check == check && finding.text.contains(text) && finding.level == Level::Bad,
                "{finding:?}"
            );
        }
    }
}
