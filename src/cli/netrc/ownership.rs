//! Which entries of a netrc file are a gateway's own.
//!
//! The name of an entry is `HOST[:PORT]`, for only the go command of 1.24 and later takes one with a path. So the entry of a gateway
//! below a path (`https://HOST/go`) may be that of something else on the same host, a git server for example.
//!
//! INVARIANT: an entry that may be somebody else's is neither changed nor removed.

use super::{Entry, LOGIN, Netrc};
use crate::cli::authorization::is_issued;
use crate::cli::gateway_url::GatewayUrl;

/// The entry that would have to be replaced may be somebody else's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the entry `machine {machine}` in line {line} may be of something else at that host, and stays")]
pub(in crate::cli) struct StrangerError {
    /// Its name.
    pub(in crate::cli) machine: String,
    /// Where it is, from 1.
    pub(in crate::cli) line: usize,
}

/// The name under which a gateway's entry is, or is to be: with its path only if somebody wrote it so.
pub(in crate::cli) fn name(netrc: &Netrc, base: &GatewayUrl) -> Result<String, StrangerError> {
    if netrc.named(base.place()).next().is_some() {
        return Ok(base.place().to_owned());
    }
    let machine = base.machine();
    // The go command uses the first.
    let stranger = netrc.named(&machine).next().filter(|entry| !is_own(entry, base)).map(|entry| entry.line());
    match stranger {
        Some(line) => Err(StrangerError { machine, line }),
        None => Ok(machine),
    }
}

/// Whether an entry is the gateway's: by its name alone if that can be nobody else's, else by what is in it.
pub(in crate::cli) fn is_own(entry: &Entry<'_>, base: &GatewayUrl) -> bool {
    let machine = base.machine();
    entry.is_named(base.place().as_bytes())
        || (entry.is_named(machine.as_bytes()) && (is_issued(entry.password()) || entry.login() == LOGIN.as_bytes()))
}

/// The entries that bear the gateway's name and may be somebody else's: their lines.
pub(in crate::cli) fn strangers(netrc: &Netrc, base: &GatewayUrl) -> Vec<usize> {
    let machine = base.machine();
    netrc.named(&machine).filter(|entry| !is_own(entry, base)).map(|entry| entry.line()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "machine gw.test login git password s3cret\nmachine gw.test login modgate password mg_x\n";

    fn base(text: &str) -> GatewayUrl {
        text.parse().unwrap()
    }

    #[test]
    fn below_a_path_an_entry_of_the_host_is_taken_only_if_it_is_ours() {
        let below = base("https://gw.test/go");
        let netrc = Netrc::new(TEXT.into());
        assert_eq!(name(&netrc, &below), Err(StrangerError { machine: "gw.test".into(), line: 1 }));
        assert_eq!(strangers(&netrc, &below), [1]);
        assert_eq!(name(&netrc, &base("https://gw.test")).as_deref(), Ok("gw.test"));
        assert_eq!(strangers(&netrc, &base("https://gw.test")), Vec::<usize>::new());
        for (text, expected) in [
            ("", "gw.test"),
            ("machine gw.test login me password mg_x\n", "gw.test"),
            ("machine gw.test login modgate password a.b.c\n", "gw.test"),
            ("machine gw.test login git password s3cret\nmachine gw.test/go login me password x\n", "gw.test/go"),
        ] {
            assert_eq!(name(&Netrc::new(text.into()), &below).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_ours_is_removed_and_the_stranger_stays() {
        let removed = |text: &str, url: &str| {
            let (mut netrc, base) = (Netrc::new(text.into()), base(url));
            let count = netrc.remove(|entry| is_own(entry, &base)).unwrap();
            (count, String::from_utf8(netrc.text().to_vec()).unwrap())
        };
        assert_eq!(removed(TEXT, "https://gw.test/go"), (1, "machine gw.test login git password s3cret\n".into()));
        assert_eq!(removed(TEXT, "https://gw.test"), (2, String::new()));
        assert_eq!(removed("machine gw.test/go login a password b\n", "https://gw.test/go").0, 1);
        assert_eq!(removed("machine gw.test/go login a password b\n", "https://gw.test").0, 0);
    }
}
