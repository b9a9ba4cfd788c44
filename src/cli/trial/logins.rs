//! The developer's own logins for the upstream: the gateway asks it in the go command's place, so it needs the same ones.
//!
//! They stay in memory, and each goes only to the host that its entry in the netrc file names.

use crate::cli::netrc::Netrc;
use crate::config::{Credential, Login, Secret};
use url::Url;

/// The credentials for the servers of an upstream list. The first entry of a name counts, and https only.
pub(super) fn credentials(netrc: &Netrc, bases: impl Iterator<Item = Url>) -> Vec<Credential> {
    let of = |base: Url| {
        let host = base.host_str()?;
        let host = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let entry = netrc.best(&format!("{host}{}", base.path())).filter(|_| base.scheme() == "https")?;
        let login = String::from_utf8(entry.login().to_vec()).ok()?;
        let password = Secret::new(str::from_utf8(entry.password()).ok()?);
        Some(Credential { url: base, login: Login::Basic { login, password } })
    };
    bases.filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_goes_to_its_host_over_https_only() {
        let netrc =
            Netrc::new("machine a.test login one password p1\nmachine a.test/deep login two password p2\n".into());
        let login = |url: &str| {
            let found = credentials(&netrc, [Url::parse(url).unwrap()].into_iter());
            found.into_iter().next().map(|credential| match credential.login {
                Login::Basic { login, password } => format!("{login}:{}", password.expose()),
                Login::Bearer(_) => panic!(),
            })
        };
        assert_eq!(login("https://a.test/").as_deref(), Some("one:p1"));
        assert_eq!(login("https://a.test/deep/er").as_deref(), Some("two:p2"));
        for nobody in ["https://a.test:8443", "https://x.a.test", "http://a.test"] {
            assert_eq!(login(nobody), None, "{nobody}");
        }
    }
}
