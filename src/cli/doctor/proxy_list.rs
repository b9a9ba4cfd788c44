//! GOPROXY: whether the gateway is in it, first, and with nothing behind it that a refusal would lead to.

use super::finding::Finding;
use crate::cli::gateway_choice::{is_torn, masked, without_userinfo};
use crate::cli::gateway_url::GatewayUrl;
use crate::cli::go_env;
use crate::source::Environment;

const CHECK: &str = "GOPROXY";

/// An entry and what follows it.
struct Entry<'l> {
    text: &'l str,
    /// Whether the next is asked after any error.
    piped: bool,
}

fn parse(list: &str) -> Vec<Entry<'_>> {
    let pieces = list
        .split_inclusive([',', '|'])
        .map(|piece| Entry { text: piece.trim_end_matches([',', '|']).trim(), piped: piece.ends_with('|') });
    pieces.filter(|entry| !entry.text.is_empty()).collect()
}

/// GOPROXY names nothing that could be a gateway, and nobody named one.
pub(super) fn nobody(list: &str, environment: &Environment) -> Finding {
    let text = match list {
        "" => "it is not set, so there is no gateway".to_owned(),
        _ => format!("`{}` names no gateway", masked(list)),
    };
    Finding::bad(CHECK, text, go_env::line(environment, CHECK, Some("https://GATEWAY")))
}

/// Looks at the list.
pub(super) fn examine(base: &GatewayUrl, list: &str, environment: &Environment) -> Vec<Finding> {
    let fix = go_env::line(environment, CHECK, Some(base.as_str()));
    if is_torn(list) {
        let text = "there is an `@` in it that ends no userinfo: a password may be torn by a character that is to be written as %2F \
                    (`/`), %3F (`?`), %23 (`#`), %2C (`,`) or %7C (`|`)";
        return vec![Finding::bad(CHECK, text, format!("{fix} && modgate login {base}"))];
    }
    let entries = parse(list);
    let is_base = |entry: &Entry<'_>| without_userinfo(entry.text).parse::<GatewayUrl>().is_ok_and(|url| url == *base);
    let Some(place) = entries.iter().position(is_base) else {
        let shown = if list.is_empty() { "nothing".to_owned() } else { format!("`{}`", masked(list)) };
        return vec![Finding::bad(CHECK, format!("it is {shown}: the go command does not ask the gateway"), fix)];
    };
    let mut findings = Vec::new();
    let (before, rest) = entries.split_at(place);
    if let Some(first) = before.first() {
        let first = masked(first.text);
        let text = match first.as_str() {
            "off" | "direct" => format!("`{first}` stands before the gateway, which is never asked"),
            _ => format!("{first} is asked before the gateway, and hears every module's name"),
        };
        findings.push(Finding::bad(CHECK, text, fix.clone()));
    }
    let Some((own, behind)) = rest.split_first() else { return findings };
    if let Some(next) = behind.first() {
        let name = masked(next.text);
        findings.push(match (own.piped, name.as_str()) {
            (true, _) => {
                Finding::bad(CHECK, format!("after `|` any refusal of the gateway leads to {name}"), fix.clone())
            }
            (false, "off") => Finding::warn(
                CHECK,
                "`off` behind the gateway hides what it says about what it does not have",
                fix.clone(),
            ),
            (false, "direct") => {
                Finding::warn(CHECK, "what the gateway does not have is fetched around it (`direct`)", fix.clone())
            }
            (false, _) => {
                Finding::warn(CHECK, format!("what the gateway does not have is asked of {name}"), fix.clone())
            }
        });
    }
    if without_userinfo(own.text) != own.text {
        let text = "there is a credential in it: the go command prints a login without a password in its errors";
        findings.push(Finding::warn(CHECK, text, format!("{fix} && modgate login {base}")));
    }
    if !base.is_https() {
        findings.push(Finding::bad(
            CHECK,
            "over http the go command sends no credential",
            "use the gateway's https URL",
        ));
    } else if spelled(own.text) != base.machine() {
        let text = format!("it says `{}`, under which name the credential is looked for", spelled(own.text));
        findings.push(Finding::warn(CHECK, text, fix));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "the gateway and nobody else"));
    }
    findings
}

/// Host and port as they are written: the go command compares them so.
fn spelled(entry: &str) -> String {
    let entry = without_userinfo(entry);
    let rest = entry.split_once("://").map_or(entry.as_str(), |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::source::Platform;

    #[test]
    fn every_list_has_its_finding() {
        let base: GatewayUrl = "https://gw.test:8443".parse().unwrap();
        let environment = Environment::new(Platform::Unix, []);
        for (list, level, text) in [
            ("https://gw.test:8443", Level::Ok, "nobody else"),
            ("https://gw.test:8443/", Level::Ok, "nobody else"),
            ("", Level::Bad, "does not ask"),
            ("https://proxy.test,direct", Level::Bad, "does not ask"),
            ("https://gw.test,direct", Level::Bad, "does not ask"),
            ("https://gw.test:8443,direct", Level::Warn, "around it"),
            ("https://gw.test:8443,off", Level::Warn, "hides"),
            ("https://gw.test:8443,https://proxy.test", Level::Warn, "asked of https://proxy.test"),
            ("https://gw.test:8443|direct", Level::Bad, "any refusal of the gateway leads to direct"),
            ("https://gw.test:8443|https://me:secret@proxy.test,off", Level::Bad, "leads to https://proxy.test"),
            ("https://proxy.test,https://gw.test:8443", Level::Bad, "hears every module's name"),
            ("off,https://gw.test:8443", Level::Bad, "never asked"),
            ("direct|https://gw.test:8443", Level::Bad, "never asked"),
            ("https://token@gw.test:8443", Level::Warn, "credential in it"),
            ("https://me:/secret|x@gw.test:8443", Level::Bad, "%7C"),
            ("https://me:12/secret@gw.test:8443,direct", Level::Bad, "%2F"),
            ("https://GW.test:8443", Level::Warn, "`GW.test:8443`"),
        ] {
            let findings = examine(&base, list, &environment);
            assert!(findings.iter().any(|one| one.level == level && one.text.contains(text)), "{list}: {findings:?}");
            assert!(
                findings.iter().all(|one| one.level <= level && (one.level == Level::Ok) == one.fix.is_none()),
                "{list}: {findings:?}"
            );
            assert!(!format!("{findings:?}").contains("secret"), "{findings:?}");
        }
        let plain: GatewayUrl = "http://127.0.0.1:1".parse().unwrap();
        assert_eq!(examine(&plain, "http://127.0.0.1:1", &environment)[0].level, Level::Bad);
        assert_eq!(examine(&base, "", &environment)[0].fix.as_deref(), Some("go env -w GOPROXY=https://gw.test:8443"));
    }
}
