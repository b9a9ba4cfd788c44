//! What is configured about logging in at an issuer: us as its client.

use std::fmt;
use zeroize::Zeroizing;

/// `[issuer.login]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginSettings {
    /// What the issuer calls us.
    pub client_id: String,
    /// What we prove it with; `None`: a public client, which has PKCE only.
    pub client_secret: Option<ClientSecret>,
    /// What is asked for; `openid` is always.
    pub scopes: Vec<String>,
    /// What people know the issuer as; its alias if there is none.
    pub title: Option<String>,
}

/// A secret that an issuer gave us. Has no `Display`, and `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// As it was read.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ClientSecret(***)")
    }
}
