//! Putting together what knows people: where they log in with a browser, and whoever is asked about them later.
//!
//! An issuer is asked with the refresh token that it gave at a login, if it gave one (`offline_access`); such tokens are kept
//! sealed in the token database, with a key in a file beside it that is made when it is first needed. The directory is asked
//! with its own account.

use super::assembly::AssemblyError;
use crate::{config::Settings, console::Site, randomness::draw};
use auth::{Directory, IssuerSettings, Logins, Renewal, SEAL_BYTES, Seal, Tokens, Whereabouts};
use std::{path::PathBuf, sync::Arc};

/// Where people log in, and who knows what became of them.
pub(super) struct People {
    pub(super) logins: Arc<Logins>,
    /// One for each issuer with a login.
    pub(super) renewals: Vec<Arc<Renewal>>,
    /// All who are asked.
    pub(super) judges: Vec<Arc<dyn Whereabouts>>,
}

impl People {
    /// Reads certificates, and makes the key for sealing if there is somebody to log in at. Blocks.
    pub(super) fn open(
        settings: &Settings,
        site: &Site,
        directory: Option<&Arc<Directory>>,
        tokens: &Arc<Tokens>,
    ) -> Result<Self, AssemblyError> {
        let mut providers = Vec::new();
        for issuer in settings.issuers.iter().filter(|issuer| issuer.login.is_some()) {
            // That it is a URL was checked with the settings; where it is none, nobody can log in.
            if let Ok(callback) = format!("{}/-/callback/{}", site.url, issuer.alias).parse() {
                providers.push((issuer, issuer.fetcher()?, callback));
            }
        }
        let fetchers: Vec<_> = providers.iter().map(|(issuer, fetcher, _)| (*issuer, fetcher.clone())).collect();
        let logins = Arc::new(Logins::new(providers));
        let mut renewals = Vec::new();
        if !fetchers.is_empty() {
            let seal = Arc::new(Seal::open_or_create(&seal_path(settings), &draw::<SEAL_BYTES>()?)?);
            for (issuer, fetcher) in fetchers {
                renewals.extend(renewal(issuer, fetcher, &logins, tokens, &seal));
            }
        }
        let issuers = renewals.iter().map(|renewal| Arc::clone(renewal) as Arc<dyn Whereabouts>);
        let directory = directory.map(|directory| Arc::new(Arc::clone(directory)) as Arc<dyn Whereabouts>);
        let judges = issuers.chain(directory).collect();
        Ok(Self { logins, renewals, judges })
    }
}

fn renewal(
    issuer: &IssuerSettings,
    fetcher: auth::Fetcher,
    logins: &Arc<Logins>,
    tokens: &Arc<Tokens>,
    seal: &Arc<Seal>,
) -> Option<Arc<Renewal>> {
    let login = issuer.login.as_deref()?;
    Some(Arc::new(Renewal {
        alias: issuer.alias.to_string(),
        issuer: logins.issuer(issuer.alias.as_str()),
        client_id: login.client_id.clone(),
        client_secret: login.client_secret.clone(),
        fetcher,
        tokens: Arc::clone(tokens),
        seal: Arc::clone(seal),
        random: Arc::new(|| draw().ok()),
    }))
}

/// Where the key is that seals what issuers gave.
fn seal_path(settings: &Settings) -> PathBuf {
    settings.data.join("seal.key")
}
