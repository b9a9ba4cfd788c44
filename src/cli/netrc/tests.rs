//! Editing changes one entry and nothing else; the reading is the go command's.

use super::*;
use proptest::prelude::*;

type Triple = (String, String, String);

fn triples(netrc: &Netrc) -> Vec<Triple> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    netrc.entries().map(|entry| (text(entry.name()), text(entry.login()), text(entry.password()))).collect()
}

/// `parseNetrc` of `cmd/go/internal/auth/netrc.go`, line by line.
fn as_go_reads(data: &str) -> Vec<Triple> {
    let (mut found, mut in_macro) = (Vec::new(), false);
    let (mut machine, mut login, mut password) = (String::new(), String::new(), String::new());
    for line in data.split('\n') {
        if in_macro {
            if line.is_empty() {
                in_macro = false;
            }
            continue;
        }
        let f: Vec<&str> = line.split_whitespace().collect();
        let mut i = 0;
        while i + 1 < f.len() {
            match f[i] {
                "machine" => {
                    machine = f[i + 1].to_owned();
                    (login, password) = Default::default();
                }
                "login" => login = f[i + 1].to_owned(),
                "password" => password = f[i + 1].to_owned(),
                "macdef" => in_macro = true,
                _ => {}
            }
            if !machine.is_empty() && !login.is_empty() && !password.is_empty() {
                found.push((machine, login, password));
                (machine, login, password) = Default::default();
            }
            i += 2;
        }
        if i < f.len() && f[i] == "default" {
            break;
        }
    }
    found
}

fn named(machine: &str) -> impl Fn(&Entry<'_>) -> bool {
    move |entry| entry.is_named(machine.as_bytes())
}

fn edited(text: &str) -> String {
    let mut netrc = Netrc::new(text.into());
    netrc.set("gw.test:8443", "modgate", "mg_new").unwrap();
    String::from_utf8(netrc.text().to_vec()).unwrap()
}

#[test]
fn an_entry_is_added_where_the_go_command_finds_it() {
    let line = "machine gw.test:8443 login modgate password mg_new\n";
    assert_eq!(edited(""), line);
    assert_eq!(edited("# mine\n"), format!("# mine\n{line}"));
    assert_eq!(edited("machine a login b password c"), format!("machine a login b password c\n{line}"));
    assert_eq!(
        edited("machine a login b password c\r\n"),
        format!("machine a login b password c\r\n{}\r\n", line.trim())
    );
    // In a macro that nothing ends, and after `default`, nothing more is read, by the go command or by others.
    for text in ["macdef x\nput", "default login a password b\n", "default\n"] {
        assert_eq!(edited(text), format!("{line}{text}"));
    }
}

#[test]
fn the_words_of_an_entry_are_replaced_in_their_place() {
    let before =
        "# a\nmachine gw.test:8443\n\tpassword old\tlogin me # note\nmachine gw.test:8443 login x password y\n";
    let after =
        "# a\nmachine gw.test:8443\n\tpassword mg_new\tlogin modgate # note\nmachine gw.test:8443 login x password y\n";
    assert_eq!(edited(before), after);
    assert_eq!(edited(after), after);
}

#[test]
fn an_entry_goes_with_its_lines_and_nothing_else() {
    let removed = |text: &str| {
        let mut netrc = Netrc::new(text.into());
        (netrc.remove(named("gw.test")).unwrap(), String::from_utf8(netrc.text().to_vec()).unwrap())
    };
    assert_eq!(removed("# a\nmachine gw.test login x password y\n# b\n"), (1, "# a\n# b\n".into()));
    assert_eq!(removed("machine gw.test\r\n  login x\r\n  password y\r\nmachine b\r\n"), (1, "machine b\r\n".into()));
    assert_eq!(
        removed("machine gw.test login x password y machine b login p password q"),
        (1, "machine b login p password q".into())
    );
    assert_eq!(removed("machine gw.test login x password y # note\n"), (1, "# note\n".into()));
    assert_eq!(removed("machine gw.test:1 login x password y\n").0, 0);
}

#[test]
fn entries_are_found_as_the_go_command_finds_them() {
    let text = "machine a.test login one password p1\nmachine a.test login two password p2\n\
                machine b.test:8443\n password p3 login three\nmachine a.test/deep login four password p4\n\
                machine c.test login five\nmacdef x\nmachine d.test login six password p6\n\n\
                machine e.test login seven password p7\ndefault login eight password p8\n\
                machine https://f.test/ login nine password p9\n";
    let netrc = Netrc::new(text.into());
    let login = |place: &str| netrc.best(place).map(|entry| String::from_utf8_lossy(entry.login()).into_owned());
    assert_eq!(login("a.test/").as_deref(), Some("one"));
    assert_eq!(login("a.test/deep/er").as_deref(), Some("four"));
    assert_eq!(login("a.test/deeper").as_deref(), Some("one"));
    assert_eq!(login("b.test:8443").as_deref(), Some("three"));
    assert_eq!(login("e.test").as_deref(), Some("seven"));
    assert_eq!(login("f.test/x").as_deref(), Some("nine"));
    for nobody in ["b.test", "d.test", "x.a.test", "c.test"] {
        assert_eq!(login(nobody), None, "{nobody}");
    }
    assert!(netrc.has_default());
    assert_eq!(netrc.named("a.test").map(|entry| entry.line()).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_would_make_entries_of_other_words_is_left_alone() {
    let text = "machine a\nmachine gw.test login x password y\ndefault d login z password w\n";
    let mut netrc = Netrc::new(text.into());
    assert_eq!(netrc.remove(named("gw.test")), Err(TangledError));
    assert!(netrc.text() == text.as_bytes());
}

#[test]
fn words_that_would_become_others_are_refused() {
    for (machine, login, password) in
        [("", "a", "b"), ("m", "a b", "c"), ("m", "a", "b\nmachine x"), ("m", "a\u{a0}", "c")]
    {
        assert!(Netrc::of_one(machine, login, password).is_err());
    }
}

/// Texts of what matters to a netrc, and of what does not.
const TEXT: &str = "((machine|login|password|default|macdef|account|# ?|gw\\.test:8443|gw\\.test|[a-z\u{e4}\u{a0}]{1,3}|https://gw\\.test:8443/)( |\t|\n|\n\n|\r\n|\r\n\r\n|\u{2003})){0,40}";

proptest! {
    #[test]
    fn it_reads_as_the_go_command_does(text in TEXT) {
        let read = triples(&Netrc::new(text.clone().into()));
        let name = |name: String| {
            let name = name.strip_prefix("https://").unwrap_or(&name);
            name.strip_suffix('/').unwrap_or(name).to_owned()
        };
        let expected: Vec<_> = as_go_reads(&text).into_iter().map(|(machine, login, password)| (name(machine), login, password)).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn setting_changes_one_entry_and_nothing_else(text in TEXT) {
        let before = Netrc::new(text.clone().into());
        let mut after = before.clone();
        after.set("gw.test:8443", "modgate", "mg_new").unwrap();
        let found = after.best("gw.test:8443").unwrap();
        prop_assert_eq!((found.login(), found.password()), (&b"modgate"[..], &b"mg_new"[..]));
        let (mut expected, read) = (triples(&before), triples(&after));
        match expected.iter_mut().find(|(machine, ..)| machine == "gw.test:8443") {
            Some(entry) => {
                (entry.1, entry.2) = ("modgate".into(), "mg_new".into());
                prop_assert_eq!(read, expected);
            }
            None => {
                let others: Vec<_> = read.into_iter().filter(|(machine, ..)| machine != "gw.test:8443").collect();
                prop_assert_eq!(others, expected);
                let added = String::from_utf8(after.text().to_vec()).unwrap();
                prop_assert!(added.contains(text.trim_end_matches('\n')) && added.len() <= text.len() + 55);
            }
        }
    }

    #[test]
    fn removing_leaves_all_others(text in TEXT) {
        let mut netrc = Netrc::new(text.into());
        let mut expected = triples(&netrc);
        expected.retain(|(machine, ..)| machine != "gw.test:8443");
        let before = netrc.clone();
        match netrc.remove(named("gw.test:8443")) {
            Ok(_) => prop_assert_eq!(triples(&netrc), expected),
            Err(TangledError) => prop_assert!(netrc == before),
        }
    }

    #[test]
    fn what_was_added_is_removed_without_a_trace(text in TEXT) {
        let mut netrc = Netrc::new(text.clone().into());
        prop_assume!(netrc.named("gw.test:8443").next().is_none() && (text.is_empty() || text.ends_with('\n')));
        netrc.set("gw.test:8443", "modgate", "mg_new").unwrap();
        prop_assert_eq!(netrc.remove(named("gw.test:8443")), Ok(1));
        prop_assert!(netrc.text() == text.as_bytes());
    }

    #[test]
    fn no_bytes_break_it(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut netrc = Netrc::new(text);
        netrc.set("gw.test", "modgate", "p").unwrap();
        prop_assert_eq!(netrc.best("gw.test").unwrap().password(), b"p");
        prop_assert!(netrc.remove(named("gw.test")).is_err() || netrc.best("gw.test").is_none());
    }
}
