//! One connection to one server: connecting, binding, searching, each within its time.
//!
//! INVARIANT: a bind with an empty password or an empty DN is never sent, because servers answer it with success without
//! having proved anything (RFC 4513, 5.1.1 and 5.1.2). Referrals are not followed: a password goes to configured servers.
//!
//! What a server answers is either about the question (found, right, wrong) or [`Trouble`], upon which the next server is asked.

use ldap3::{DerefAliases, Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions};
use std::sync::Arc;
use std::time::Duration;

use super::roots::Roots;
use super::server::{ServerUrl, Way};

/// Why a server could not be asked: for the log. Contains no credential.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Trouble {
    pub(super) text: String,
    /// The connection is gone, which need not mean that the server is.
    pub(super) lost: bool,
}

/// A connection. Cheap to clone: clones share it, and searches of several go on at once.
#[derive(Clone)]
pub(super) struct Link {
    ldap: Ldap,
    timeout: Duration,
}

/// What a search found.
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// There is more than was asked for.
    pub(super) more: bool,
}

/// An entry, as far as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) dn: String,
    attributes: Vec<(String, Vec<String>)>,
}

impl Trouble {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), lost: false }
    }

    fn of(what: &str, error: &LdapError) -> Self {
        let lost = matches!(
            error,
            LdapError::Io { .. }
                | LdapError::OpSend { .. }
                | LdapError::ResultRecv { .. }
                | LdapError::IdScrubSend { .. }
                | LdapError::EndOfStream
        );
        Self { text: format!("{what}: {error}"), lost }
    }
}

impl Link {
    /// Connects.
    pub(super) async fn open(
        server: &ServerUrl,
        roots: &Roots,
        connect: Duration,
        timeout: Duration,
    ) -> Result<Self, Trouble> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(connect)
            .set_config(Arc::clone(&roots.0))
            .set_starttls(server.way() == Way::StartTls);
        let opened = LdapConnAsync::from_url_with_settings(settings, server.url()).await;
        let (connection, ldap) = opened.map_err(|error| Trouble::of("connecting", &error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "a connection to the directory ended");
            }
        });
        Ok(Self { ldap, timeout })
    }

    /// Whether it is known to be gone.
    pub(super) fn is_closed(&mut self) -> bool {
        self.ldap.is_closed()
    }

    /// Whether the password is that of the entry.
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<bool, Trouble> {
        if dn.is_empty() || password.is_empty() {
            return Ok(false);
        }
        let answer = self.ldap.with_timeout(self.timeout).simple_bind(dn, password).await;
        let answer = answer.map_err(|error| Trouble::of("binding", &error))?;
        match answer.rc {
            0 => Ok(true),
            // Wrong or locked (49); no password (48); locked, by several servers' words (19, 50, 53); gone (32); no such DN
            // can be (34).
            19 | 32 | 34 | 48 | 49 | 50 | 53 => Ok(false),
            _ => Err(Trouble::new(format!("binding: {answer}"))),
        }
    }

    /// Searches. A base that does not exist has nothing below it.
    pub(super) async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        most: usize,
    ) -> Result<Found, Trouble> {
        let whole = self.timeout.saturating_mul(2);
        let options = SearchOptions::new()
            .deref(DerefAliases::Never)
            .sizelimit(i32::try_from(most).unwrap_or(i32::MAX))
            .timelimit(i32::try_from(whole.as_secs().max(1)).unwrap_or(i32::MAX));
        let ldap = self.ldap.with_timeout(self.timeout).with_search_options(options);
        // The library's time-out begins anew with each entry.
        let searching = tokio::time::timeout(whole, ldap.search(base, scope, filter, attributes));
        let answer = searching.await.map_err(|_| Trouble::new("searching: it does not end"))?;
        let answer = answer.map_err(|error| Trouble::of("searching", &error))?;
        match answer.1.rc {
            0 | 4 => {}
            32 => return Ok(Found { entries: Vec::new(), more: false }),
            _ => return Err(Trouble::new(format!("searching below `{base}`: {}", answer.1))),
        }
        let more = answer.1.rc == 4;
        let entries = answer.0.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
        let entries = entries.take(most).map(|entry| Entry::of(SearchEntry::construct(entry))).collect();
        Ok(Found { entries, more })
    }

    /// Reads one entry; `None`: there is none.
    pub(super) async fn read(&mut self, dn: &str, attributes: &[&str]) -> Result<Option<Entry>, Trouble> {
        let found = self.search(dn, Scope::Base, "(objectClass=*)", attributes, 1).await?;
        Ok(found.entries.into_iter().next())
    }
}

impl Entry {
    fn of(entry: SearchEntry) -> Self {
        // What is not UTF-8 is no name; what has such a value has no good ones either.
        let attributes = entry.attrs.into_iter().filter(|(name, _)| !entry.bin_attrs.contains_key(name)).collect();
        Self { dn: entry.dn, attributes }
    }

    #[cfg(test)]
    pub(super) fn made(dn: &str, attributes: &[(&str, &[&str])]) -> Self {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let attributes = attributes.iter().map(|(name, values)| ((*name).to_owned(), owned(values))).collect();
        Self { dn: dn.to_owned(), attributes }
    }

    /// The values of an attribute, whose name the server may spell otherwise.
    pub(super) fn values(&self, attribute: &str) -> &[String] {
        let found = self.attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        found.map_or(&[], |(_, values)| values.as_slice())
    }

    /// Whether only a part of an attribute's values was sent: `memberOf;range=0-1499`.
    pub(super) fn is_cut(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|(name, _)| {
            let mut parts = name.split(';');
            parts.next().is_some_and(|name| name.eq_ignore_ascii_case(attribute))
                && parts.any(|option| option.get(..6).is_some_and(|option| option.eq_ignore_ascii_case("range=")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_however_they_are_spelled_and_a_part_is_noticed() {
        let entry = Entry::made("cn=x", &[("memberof", &["a", "b"]), ("CN", &["x"])]);
        assert_eq!(entry.values("memberOf"), ["a", "b"]);
        assert!(entry.values("uid").is_empty() && !entry.is_cut("memberOf"));
        // As Active Directory does with more than 1,500 values.
        let cut = Entry::made("cn=x", &[("memberOf;range=0-1499", &["a"]), ("member", &["b"])]);
        assert!(cut.is_cut("memberof") && !cut.is_cut("member"));
    }

    /// INVARIANT: servers let in whoever sends an empty password, so none is sent. (There is nobody to send it to.)
    #[tokio::test]
    async fn an_empty_password_is_refused_before_the_bind() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = ServerUrl::parse(&format!("ldap://{}", listener.local_addr().unwrap()), false).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let second = Duration::from_secs(1);
        let mut link = Link::open(&server, &Roots(Arc::new(config)), second, second).await.unwrap();
        drop(listener);
        assert!(!link.bind("uid=alice", "").await.unwrap());
        assert!(!link.bind("", "secret").await.unwrap());
        assert!(link.bind("uid=alice", "secret").await.is_err());
    }
}
