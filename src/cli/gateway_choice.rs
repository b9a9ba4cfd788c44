//! Which gateway a command is about: the one that is named, or the one that GOPROXY leads to.

use super::gateway_client::GatewayClient;
use super::gateway_url::GatewayUrl;
use super::go_credential::{self, GoCredential};
use super::terminal::Failure;
use crate::source::{Environment, go_setting};
use std::{future::Future, path::PathBuf};

/// The gateway, as an argument.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Choice {
    /// The gateway, as in GOPROXY [default: the one entry of GOPROXY that answers as modgate]
    #[arg(value_name = "GATEWAY")]
    pub(super) url: Option<GatewayUrl>,
    /// Trust the certificates in this file (PEM) besides the system's
    ///
    /// The go command does not know of it: on Linux it reads SSL_CERT_FILE, elsewhere the system's store.
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
}

impl Choice {
    /// A client of the gateway.
    pub(super) async fn client(&self, environment: &Environment) -> Result<GatewayClient, Failure> {
        if let Some(base) = &self.url {
            return Ok(GatewayClient::new(base.clone(), self.ca.as_deref())?);
        }
        let list = goproxy(environment);
        let (mut found, mut silent) = (Vec::new(), Vec::new());
        for base in entries(&list) {
            let client = GatewayClient::new(base, self.ca.as_deref())?;
            match client.get("api/v1/whoami", None).await {
                Ok(answer) if answer.is_modgates() => found.push(client),
                Ok(_) => {}
                Err(error) => silent.push(error.to_string()),
            }
        }
        let failure = match found.len() {
            1 => return found.pop().ok_or_else(|| Failure::new("no gateway")),
            0 if silent.is_empty() => {
                Failure::new(format!("no entry of GOPROXY (`{}`) answers as modgate", masked(&list)))
            }
            0 => Failure::new(format!("no entry of GOPROXY answers as modgate; {}", silent.join("; "))),
            count => Failure::new(format!("{count} entries of GOPROXY answer as modgate")),
        };
        Err(failure.hint("name the gateway as an argument: https://HOST[:PORT][/PATH]".to_owned()))
    }

    /// A client of the gateway, and what the go command would send to it.
    pub(super) async fn with_credential(&self) -> Result<(GatewayClient, GoCredential), Failure> {
        let environment = Environment::of_process();
        let gateway = self.client(&environment).await?;
        let credential = go_credential::of(gateway.base(), &environment)?.needed(gateway.base())?;
        Ok((gateway, credential))
    }
}

/// GOPROXY as the go command has it; empty if nothing says one.
pub(super) fn goproxy(environment: &Environment) -> String {
    go_setting("GOPROXY", environment).map(|setting| setting.value).unwrap_or_default()
}

/// The entries of a GOPROXY list that can be a gateway; none of a [torn](is_torn) one.
pub(super) fn entries(list: &str) -> impl Iterator<Item = GatewayUrl> {
    let list = if is_torn(list) { "" } else { list };
    list.split([',', '|']).map(str::trim).filter_map(|entry| without_userinfo(entry).parse().ok())
}

/// Whether an `@` stands where it ends no userinfo. Then a password may have been torn by a character in it that ends an
/// authority or an entry, and nobody can say which part of the list is secret.
pub(super) fn is_torn(list: &str) -> bool {
    list.split([',', '|']).map(str::trim).any(|entry| {
        let is_url = entry.starts_with("https://") || entry.starts_with("http://");
        entry.contains('@') && (!is_url || without_userinfo(entry).contains('@'))
    })
}

/// An entry without what stands before `@` in its authority, which may be a password.
pub(super) fn without_userinfo(entry: &str) -> String {
    match entry.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
            format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
        }
        None => entry.to_owned(),
    }
}

/// A list as may be printed: without userinfo and queries, and nothing of a [torn](is_torn) one.
pub(super) fn masked(list: &str) -> String {
    if is_torn(list) {
        return "***".to_owned();
    }
    let mut text = String::new();
    for piece in list.split_inclusive([',', '|']) {
        let (entry, separator) = match piece.strip_suffix([',', '|']) {
            Some(entry) => (entry, piece.get(entry.len()..).unwrap_or_default()),
            None => (piece, ""),
        };
        let entry = without_userinfo(entry.trim());
        text.push_str(entry.split(['?', '#']).next().unwrap_or_default());
        text.push_str(separator);
    }
    super::audit::printable(&text)
}

/// Runs what waits on the network. Ctrl-C ends the process as always.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_can_be_a_gateway_is_asked_and_nothing_secret_is_shown() {
        let list = "https://me:secret@gw.test:8443/go|http://plain.test,direct,https://b.test?token=x,off";
        assert_eq!(entries(list).map(|base| base.to_string()).collect::<Vec<_>>(), ["https://gw.test:8443/go"]);
        assert_eq!(masked(list), "https://gw.test:8443/go|http://plain.test,direct,https://b.test,off");
    }

    proptest! {
        #[test]
        fn no_password_is_shown_whatever_is_in_it(
            before in "[a-z/?#,|:@%]{0,4}", after in "[a-z/?#,|:@%]{0,4}", path in "(/[a-z]{0,3})?"
        ) {
            let list = format!("https://other.test,https://me:{before}SECRET{after}@gw.test{path},direct");
            prop_assert!(!masked(&list).contains("SECRET"), "{}", masked(&list));
            prop_assert!(entries(&list).all(|base| !base.as_str().contains("SECRET")));
        }
    }
}
