//! Taking tokens back at a gateway (RFC 7009): all are tried, and those that still count are named.

use super::gateway_client::{GatewayClient, GatewayError};
use super::gateway_url::GatewayUrl;
use super::oauth;
use super::terminal::Failure;
use crate::config::Secret;
use std::collections::BTreeSet;

/// Takes back what `which` names; `gateway` may be one that cannot even be asked.
pub(super) async fn take_back(
    base: &GatewayUrl,
    gateway: Result<&GatewayClient, &GatewayError>,
    tokens: &[Secret],
    which: &str,
) -> Result<(), Failure> {
    let (mut left, mut causes) = (Vec::new(), BTreeSet::new());
    for token in tokens {
        let cause = match gateway {
            Ok(gateway) => oauth::revoke(gateway, token).await.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(cause) = cause {
            left.push(token.expose().split('_').nth(1).unwrap_or_default());
            causes.insert(cause);
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let counts = if left.len() == 1 { "it still counts" } else { "they still count" };
    let commands: Vec<_> = left.iter().map(|id| format!("`modgate token revoke {id}`")).collect();
    let hint = format!("{counts} there: {} on the gateway, or its page {base}/-/", commands.join(" and "));
    let causes: Vec<_> = causes.into_iter().collect();
    Err(Failure::new(format!("could not take back {which} ({}): {}", left.join(", "), causes.join("; "))).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{fake_gateway::FakeGateway, gateway_choice::block_on};

    #[test]
    fn one_that_fails_keeps_no_other_from_being_taken_back_and_all_that_failed_are_named() {
        let gateway = FakeGateway::start();
        gateway.answers().kept = vec!["mg_first_x".into(), "mg_third_x".into()];
        let client = GatewayClient::new(gateway.base(), None).unwrap();
        let tokens = ["mg_first_x", "mg_second_x", "mg_third_x"].map(Secret::new);
        let taken = block_on(take_back(&gateway.base(), Ok(&client), &tokens, "the tokens"));
        let text = taken.unwrap_err().to_string();
        assert_eq!(gateway.answers().revoked, ["mg_second_x"]);
        assert!(text.contains("(first, third)") && text.contains("modgate token revoke third"), "{text}");
        assert!(text.contains("they still count") && !text.contains("_x") && !text.contains("second"), "{text}");
        assert!(block_on(take_back(&gateway.base(), Ok(&client), &tokens[1..2], "it")).is_ok());
    }

    #[test]
    fn a_gateway_that_cannot_be_asked_has_all_of_them_named() {
        let base: GatewayUrl = "https://gw.test".parse().unwrap();
        let error = GatewayError::Tls("no roots".into());
        let taken = block_on(take_back(&base, Err(&error), &["mg_a_x", "mg_b_x"].map(Secret::new), "the tokens"));
        let text = taken.unwrap_err().to_string();
        assert!(text.contains("(a, b)") && text.contains("no roots") && !text.contains("_x"), "{text}");
    }
}
