//! From the settings to chains: lists are read, credentials found, and what may be inside the house is settled.

use super::{
    Credential, Location, SettingsError, SourceSettings, Then, Upstreams,
    access::{Access, Terms},
    chain::Chain,
    member::{Member, Source},
    origin::{Origin, Origins},
    own,
    proxy::Proxy,
    sumdb::Support,
    transport::Transport,
    tree::Tree,
};
use reqwest::Url;
use std::sync::Arc;

/// The credential for what is at `url`: the one with the longest prefix.
pub(super) fn best(credentials: &[Credential], url: &Url) -> Option<Credential> {
    credentials.iter().filter(|credential| credential.covers(url)).max_by_key(|credential| credential.reach()).cloned()
}

/// Makes chains of lists.
pub(super) struct Builder<'a> {
    settings: &'a SourceSettings,
    transport: &'a Arc<Transport>,
    terms: &'a Terms,
    /// What was ignored, and why.
    pub(super) warnings: Vec<String>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(settings: &'a SourceSettings, transport: &'a Arc<Transport>, terms: &'a Terms) -> Self {
        Self { settings, transport, terms, warnings: Vec::new() }
    }

    /// The chain of the list `text`, and the list as it may be printed. `setting` says where it came from, `what` what
    /// it is.
    pub(super) fn chain(&mut self, text: &str, setting: &str, what: &str) -> Result<(Chain, String), SettingsError> {
        let list =
            Upstreams::parse(text).map_err(|error| SettingsError::Upstreams { setting: setting.to_owned(), error })?;
        self.warnings.extend(list.warnings().iter().cloned());
        let configured = Arc::new(self.configured(&list));
        let mut members = Vec::new();
        for upstream in list.entries() {
            let source = match &upstream.location {
                Location::Proxy { base, .. } if own::is_own(base, self.settings) => {
                    self.warnings.push(format!("`{}` is this gateway itself and is skipped", upstream.location));
                    continue;
                }
                Location::Proxy { base, credential } => {
                    let credential = credential.clone().or_else(|| best(&self.settings.credentials, base));
                    Source::Proxy(Proxy::new(base.clone(), credential, configured.clone(), self.transport.clone()))
                }
                Location::Tree { root } => Source::Tree(Tree::new(upstream.location.to_string().into(), root.clone())),
            };
            let access = Access::new(Arc::clone(source.name()), self.terms);
            let (then, support) = (upstream.then, Support::default());
            members.push(Member { source, then, alternative: false, support, access });
        }
        let last = members.len().saturating_sub(1);
        for member in members.iter_mut().take(last) {
            member.alternative = member.then == Then::AfterAnyError;
        }
        let empty = match list.end() {
            Some(end) => format!("{what} names nobody who could be asked, only `{end}`"),
            None => format!("{what} names nobody but this gateway itself"),
        };
        Ok((Chain::new(members, empty.into(), configured), list.to_string()))
    }

    /// INVARIANT: what may be inside the house is what the operator named for this very list: a public source cannot
    /// redirect to the internal proxy of a private namespace.
    fn configured(&self, list: &Upstreams) -> Origins {
        let mut origins = Origins::default();
        let bases = list.entries().iter().filter_map(|upstream| match &upstream.location {
            Location::Proxy { base, .. } => Some(base),
            Location::Tree { .. } => None,
        });
        for origin in bases.chain(&self.settings.redirect_origins).filter_map(Origin::of) {
            origins.insert(origin);
        }
        origins
    }
}
