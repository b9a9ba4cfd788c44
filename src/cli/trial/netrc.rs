//! The developer's netrc, read as the go command reads it (`cmd/go/internal/auth/netrc.go`).
//!
//! The gateway asks the upstream in the go command's place, so it needs the same logins: they stay in memory, and each
//! goes only to the host that its entry names.

use crate::config::{Credential, Login, Secret};
use std::path::PathBuf;
use url::Url;

/// One entry. No `Debug`: there is a password in it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// `HOST`, `HOST:PORT`, or either and a path.
    name: String,
    login: String,
    password: String,
}

/// The entries of the file that the go command would read; none if there is no such file.
pub(super) fn of_process() -> Vec<Machine> {
    let file = match std::env::var_os("NETRC").filter(|file| !file.is_empty()) {
        Some(file) => Some(PathBuf::from(file)),
        None => {
            let (home, name) = if cfg!(windows) { ("USERPROFILE", "_netrc") } else { ("HOME", ".netrc") };
            std::env::var_os(home).map(|home| PathBuf::from(home).join(name))
        }
    };
    let text = file.and_then(|file| std::fs::read(file).ok());
    text.map(|text| parse(&String::from_utf8_lossy(&text))).unwrap_or_default()
}

/// Each line for itself in pairs of words; `default` ends the file, `macdef` hides the lines up to an empty one.
fn parse(text: &str) -> Vec<Machine> {
    let (mut machines, mut in_macro) = (Vec::new(), false);
    let (mut name, mut login, mut password) = (None, None, None);
    for line in text.lines() {
        if in_macro {
            in_macro = !line.is_empty();
            continue;
        }
        let mut words = line.split_whitespace();
        while let Some(key) = words.next() {
            if key == "default" {
                return machines;
            }
            let Some(value) = words.next() else { break };
            match key {
                "machine" => name = Some(value),
                "login" => login = Some(value),
                "password" => password = Some(value),
                "macdef" => in_macro = true,
                _ => {}
            }
            if let (Some(machine), Some(user), Some(secret)) = (name, login, password) {
                machines.push(Machine { name: machine.into(), login: user.into(), password: secret.into() });
                (name, login, password) = (None, None, None);
            }
        }
    }
    machines
}

/// The credentials for the servers of an upstream list. The first entry of a name counts, and https only.
pub(super) fn credentials(machines: &[Machine], bases: impl Iterator<Item = Url>) -> Vec<Credential> {
    let of = |base: Url| {
        let host = base.host_str()?;
        let host = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let place = format!("{host}{}", base.path());
        let place = place.trim_end_matches('/');
        let machine = best(machines, place).filter(|_| base.scheme() == "https")?;
        let login = Login::Basic { login: machine.login.clone(), password: Secret::new(&machine.password) };
        Some(Credential { url: base, login })
    };
    bases.filter_map(of).collect()
}

/// The entry that names the longest part of a place, whole elements; the first of equals.
fn best<'m>(machines: &'m [Machine], place: &str) -> Option<&'m Machine> {
    let covers = |machine: &&Machine| {
        let rest = place.strip_prefix(machine.name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    machines.iter().rev().filter(covers).max_by_key(|machine| machine.name.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn login(text: &str, url: &str) -> Option<String> {
        let found = credentials(&parse(text), [Url::parse(url).unwrap()].into_iter());
        found.into_iter().next().map(|credential| match credential.login {
            Login::Basic { login, password } => format!("{login}:{}", password.expose()),
            Login::Bearer(_) => panic!(),
        })
    }

    #[test]
    fn entries_are_found_as_the_go_command_finds_them() {
        let text = "machine a.test login one password p1\nmachine a.test login two password p2\n\
                    machine b.test:8443\n password p3 login three\nmachine a.test/deep login four password p4\n\
                    machine c.test login five\nmacdef x\nmachine d.test login six password p6\n\n\
                    machine e.test login seven password p7\ndefault login eight password p8\n";
        assert_eq!(login(text, "https://a.test/").as_deref(), Some("one:p1"));
        assert_eq!(login(text, "https://a.test/deep/er").as_deref(), Some("four:p4"));
        assert_eq!(login(text, "https://a.test/deeper").as_deref(), Some("one:p1"));
        assert_eq!(login(text, "https://b.test:8443").as_deref(), Some("three:p3"));
        assert_eq!(login(text, "https://e.test").as_deref(), Some("seven:p7"));
        for nobody in ["https://b.test", "https://d.test", "https://x.a.test", "http://a.test", "https://f.test"] {
            assert_eq!(login(text, nobody), None, "{nobody}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(machine |login |password |default|macdef |\n|[a-z.:/]{1,6} ){0,30}") {
            let _ = login(&text, "https://a.test/x");
        }
    }
}
