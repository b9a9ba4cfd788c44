//! The short-lived token: from the wallet, or a new one for the refresh token.
//!
//! However many go commands run at the same time, one refreshes: the others wait for the lock and find its token in the wallet.

use crate::cli::gateway_choice::block_on;
use crate::cli::gateway_client::GatewayClient;
use crate::cli::gateway_url::GatewayUrl;
use crate::cli::oauth::{self, GrantError, Granted, REFRESH_PATIENCE};
use crate::cli::terminal::Failure;
use crate::cli::wallet::{Held, Locked, Wallet};
use crate::config::Secret;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;

/// A token that is younger was not yet in anybody's hands when a 401 came: whoever got that had an older one.
const YOUNG: SignedDuration = SignedDuration::from_secs(10);

/// What the go command needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// A credential.
    Any,
    /// Another one than it has: that was answered with 401.
    Another,
}

impl Need {
    /// After the status line of an answer: only a 401 is about the credential.
    pub(super) fn after(line: &str) -> Self {
        match line.split_ascii_whitespace().nth(1) {
            Some("401") => Self::Another,
            _ => Self::Any,
        }
    }

    fn is_met(self, held: &Held, now: Timestamp) -> bool {
        held.is_fresh(now) && (self == Self::Any || now.duration_since(held.obtained) < YOUNG)
    }
}

/// A short-lived token for `base`.
pub(super) fn access(
    wallet: &Wallet,
    base: &GatewayUrl,
    need: Need,
    roots: Option<&Path>,
    now: Timestamp,
) -> Result<Secret, Failure> {
    let held = wallet.read(base).map_err(|error| Failure::because(&error))?;
    let Some(held) = held else { return Err(nobody(base)) };
    if need.is_met(&held, now) {
        return Ok(held.access);
    }
    let locked = wallet.lock(base).map_err(|error| Failure::because(&error))?;
    // Somebody else may have refreshed, or logged out, while we waited.
    let Some(held) = locked.read().map_err(|error| Failure::because(&error))? else { return Err(nobody(base)) };
    let now = now.max(Timestamp::now());
    if need.is_met(&held, now) {
        return Ok(held.access);
    }
    refreshed(&locked, base, held, need, roots, now)
}

/// INVARIANT: the new refresh token is in the wallet before the new short-lived one is used.
fn refreshed(
    locked: &Locked<'_>,
    base: &GatewayUrl,
    held: Held,
    need: Need,
    roots: Option<&Path>,
    now: Timestamp,
) -> Result<Secret, Failure> {
    let Some(refresh) = held.refresh else { return Err(ended(base)) };
    match block_on(async { Ok(asked(base, roots, &refresh).await) })? {
        Ok(granted) => {
            let refresh = granted.refresh.or(Some(refresh));
            let new = Held::of(Granted { refresh, ..granted }, now);
            locked.write(&new).map_err(|error| Failure::because(&error))?;
            Ok(new.access)
        }
        Err(error) if error.is("invalid_grant") => {
            // Remembered, so that the go command's next questions are answered without the network.
            let gone = Held { refresh: None, expires: now, ..held };
            locked.write(&gone).map_err(|error| Failure::because(&error))?;
            Err(ended(base))
        }
        // While the gateway cannot be asked, what is held is the best there is, as long as it is good at all.
        Err(_) if need == Need::Any && held.expires > now => Ok(held.access),
        Err(error) => {
            let hint = format!("try again; if it lasts: modgate login --goauth {base}");
            Err(Failure::new(format!("cannot get a new token: {error}")).hint(hint))
        }
    }
}

/// Asks the gateway. Ctrl-C ends the go command and us with it, but not before the answer is here: the gateway may have
/// given a new refresh token already.
async fn asked(base: &GatewayUrl, roots: Option<&Path>, refresh: &Secret) -> Result<Granted, GrantError> {
    let gateway = GatewayClient::new(base.clone(), roots)?.within(REFRESH_PATIENCE);
    let asked = oauth::refresh(&gateway, refresh);
    tokio::pin!(asked);
    loop {
        tokio::select! {
            answered = &mut asked => return answered,
            pressed = tokio::signal::ctrl_c() => if pressed.is_err() { return asked.await },
        }
    }
}

fn nobody(base: &GatewayUrl) -> Failure {
    Failure::new(format!("nobody is logged in at {base}")).hint(format!("modgate login --goauth {base}"))
}

fn ended(base: &GatewayUrl) -> Failure {
    Failure::new(format!("the login at {base} has ended")).hint(format!("modgate login --goauth {base}"))
}

#[cfg(test)]
#[path = "refresh_tests.rs"]
mod tests;
