//! The go command's rules for GOAUTH, with helpers that are scripts.

use super::*;
use crate::cli::netrc::Netrc;
use proptest::prelude::*;
use tempfile::TempDir;

fn best(text: &str, base: &str) -> Option<Option<String>> {
    let base: GatewayUrl = base.parse().unwrap();
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("said"), text).unwrap();
    let found = of_helper(&format!("cat {}", directory.path().join("said").display()), &base).ok()?;
    Some(found.map(|found| found.authorization.expose().to_owned()))
}

#[test]
fn a_helpers_output_is_read_as_the_go_command_does() {
    let text = "https://gw.test:8443\nhttps://other.test/\n\nAuthorization: Bearer one\n\n\
                https://gw.test:8443/go\n\nX: y\nAuthorization: Bearer two\n\n";
    assert_eq!(best(text, "https://gw.test:8443"), Some(Some("Bearer one".into())));
    assert_eq!(best(text, "https://gw.test:8443/go"), Some(Some("Bearer two".into())));
    assert_eq!(best(text, "https://gw.test:8444"), Some(None));
    assert_eq!(best("", "https://gw.test"), Some(None));
    for wrong in
        ["https://gw.test\n", "https://gw.test\n\nAuthorization: x\n", "x\n\nA: b\n\n", "https://gw.test\n\nAuth\n\n"]
    {
        assert_eq!(best(wrong, "https://gw.test"), None, "{wrong:?}");
    }
    assert_eq!(best("https://gw.test\r\n\r\nAuthorization: x\r\n\r\n", "https://gw.test"), None);
    // Other headers for a longer prefix go instead of those for a shorter one; no header takes back what was given.
    let other = "https://gw.test/go\n\nX: y\n\nhttps://gw.test\n\nAuthorization: x\n\n";
    assert_eq!(best(other, "https://gw.test/go"), Some(None));
    assert_eq!(best(&format!("{other}https://gw.test/go\n\n\n"), "https://gw.test/go"), Some(Some("x".into())));
}

struct Scene {
    directory: TempDir,
}

impl Scene {
    /// A command that says this.
    fn helper(&self, name: &str, place: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, format!("https://{place}\n\nAuthorization: {name}\n\n")).unwrap();
        format!("cat {}", path.display())
    }

    /// The credential of `https://gw.test/go`, and how many commands failed.
    fn search(&self, setting: &str, netrc: Option<&str>) -> Result<(Option<String>, usize), Failure> {
        let path = self.directory.path().join("netrc");
        let read = || match netrc {
            Some(text) => Ok(NetrcFile { path: path.clone(), netrc: Netrc::new(text.into()), exists: true }),
            None => Err(NetrcError::Homeless),
        };
        let search = search(&"https://gw.test/go".parse().unwrap(), setting, read)?;
        Ok((search.found.map(|found| found.authorization.expose().to_owned()), search.failed.len()))
    }
}

#[test]
fn what_fails_is_passed_over_and_the_longest_prefix_of_all_counts() {
    let scene = Scene { directory: TempDir::new().unwrap() };
    let (near, far, same) =
        (scene.helper("near", "gw.test/go/"), scene.helper("far", "gw.test"), scene.helper("same", "gw.test"));
    let netrc = "machine gw.test login a password b\nmachine gw.test login c password d\n";
    let basic = "Basic YTpi";
    for (setting, netrc, found, failed) in [
        ("false;netrc".to_owned(), Some(netrc), Some(basic), 1),
        (format!("/nowhere/at/all;'unclosed;{far}"), None, Some("far"), 2),
        (format!("netrc;{far}"), None, Some("far"), 1),
        (format!("netrc;{far}"), Some(netrc), Some(basic), 0),
        (format!("{far};{same};netrc"), Some(netrc), Some("far"), 0),
        (format!("{far};{near}"), None, Some("near"), 0),
        (format!("netrc;{near}"), Some(netrc), Some("near"), 0),
        ("false;netrc".to_owned(), None, None, 2),
        ("off".to_owned(), Some(netrc), None, 0),
        ("git /srv;netrc".to_owned(), Some(netrc), Some(basic), 0),
    ] {
        let searched = scene.search(&setting, netrc).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(searched, (found.map(str::to_owned), failed), "{setting}");
    }
    for refused in ["netrc;off", "netrc;", ";"] {
        assert!(scene.search(refused, Some(netrc)).is_err(), "{refused}");
    }
}

#[test]
fn what_failed_is_told_where_there_is_nothing() {
    let base: GatewayUrl = "https://gw.test".parse().unwrap();
    let searched = search(&base, "false", || Err(NetrcError::Homeless)).unwrap_or_else(|failure| panic!("{failure}"));
    let text = searched.needed(&base).err().unwrap().to_string();
    assert!(text.contains("no credential") && text.contains("`false` failed"), "{text}");
}

proptest! {
    #[test]
    fn no_output_breaks_it(text in "(https://gw.test|Authorization: x|\n|[a-z: ]{1,4}){0,12}") {
        let _ = printed(&text);
    }
}
