//! The findings for a person, or as JSON.

use super::finding::{Finding, Level};
use crate::cli::audit::printable;
use crate::cli::gateway_url::GatewayUrl;
use crate::cli::terminal::{self, Failure};
use std::io::{self, IsTerminal, Write};

/// Prints them to stdout.
pub(super) fn print(base: Option<&GatewayUrl>, findings: &[Finding], json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if json {
        let report = serde_json::json!({
            "gateway": base.map(GatewayUrl::as_str),
            "bad": findings.iter().filter(|finding| finding.level == Level::Bad).count(),
            "findings": findings,
        });
        return Ok(writeln!(out, "{report}")?);
    }
    let colour = terminal::colours(io::stdout().is_terminal());
    out.write_all(text(base, findings, colour).as_bytes())?;
    Ok(out.flush()?)
}

fn text(base: Option<&GatewayUrl>, findings: &[Finding], colour: bool) -> String {
    let mut text = base.map(|base| format!("gateway {base}\n")).unwrap_or_default();
    for finding in findings {
        let (word, on) = match finding.level {
            Level::Ok => ("ok  ", "\x1b[32m"),
            Level::Warn => ("warn", "\x1b[33m"),
            Level::Bad => ("bad ", "\x1b[1;31m"),
        };
        let (on, off) = if colour { (on, "\x1b[0m") } else { ("", "") };
        text += &format!("{on}{word}{off}  {:<10}  {}\n", finding.check, printable(&finding.text));
        if let Some(fix) = &finding.fix {
            text += &format!("                  {}\n", printable(fix));
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    text += &match (count(Level::Bad), count(Level::Warn)) {
        (0, 0) => "all is well\n".to_owned(),
        (bad, warn) => format!("{bad} bad, {warn} to look at\n"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_line_and_colour_only_where_it_is_wanted() {
        let findings = [Finding::ok("go", "go1.26"), Finding::bad("netrc", "no entry\x1b[2J", "modgate login")];
        let plain = text(None, &findings, false);
        assert_eq!(
            plain,
            "ok    go          go1.26\nbad   netrc       no entry\\u{1b}[2J\n                  modgate login\n1 bad, 0 to look at\n"
        );
        assert!(text(None, &findings, true).contains("\x1b[1;31mbad \x1b[0m"));
        assert!(text(None, &findings[..1], false).ends_with("all is well\n"));
    }
}
