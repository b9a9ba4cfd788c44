use super::*;
use proptest::prelude::*;

#[test]
fn a_gap_stands_within_a_value() {
    for good in [
        "(uid={login})",
        "(&(objectClass=person)(|(uid={login})(mail={login}@corp.example)))",
        "(&(uid={login})(!(loginDisabled=TRUE)))",
    ] {
        assert!(FilterTemplate::of_login(good).is_ok(), "{good}");
    }
    for (bad, error) in [
        ("(uid=alice)", TemplateError::NoGap(LOGIN)),
        ("({login}=alice)", TemplateError::Place(LOGIN)),
        ("{login}", TemplateError::Place(LOGIN)),
        ("(uid=a){login}", TemplateError::Place(LOGIN)),
        ("(uid={login}", TemplateError::Place(LOGIN)),
        ("(uid~={login})", TemplateError::Place(LOGIN)),
        ("(uid:caseExactMatch:={login})", TemplateError::Place(LOGIN)),
        ("(&(uid={login})(x)", TemplateError::Filter("(uid={login})")),
        ("uid={login})", TemplateError::Place(LOGIN)),
    ] {
        assert_eq!(FilterTemplate::of_login(bad), Err(error), "{bad}");
    }
    assert!(FilterTemplate::of_member("(&(objectClass=group)(member={dn}))").is_ok());
    assert_eq!(FilterTemplate::of_member("(member={login})"), Err(TemplateError::NoGap(DN)));
    assert!(DnTemplate::parse("uid={login},ou=people,dc=corp").is_ok());
    for bad in [
        "{login}",
        "uid={login}",
        "uid=x{login},dc=a",
        "uid={login},",
        "uid={login},{login}",
        "={login},dc=a",
        "u id={login},dc=a",
    ] {
        assert_eq!(DnTemplate::parse(bad), Err(TemplateError::Dn), "{bad}");
    }
}

#[test]
fn injections_become_values() {
    let filter = FilterTemplate::of_login("(&(objectClass=person)(uid={login}))").unwrap();
    for (login, expected) in [
        ("*)(uid=*", r"(&(objectClass=person)(uid=\2a\29\28uid=\2a))"),
        ("*", r"(&(objectClass=person)(uid=\2a))"),
        ("a\0b", r"(&(objectClass=person)(uid=a\00b))"),
        (r"a\2a", r"(&(objectClass=person)(uid=a\5c2a))"),
        ("{login}", r"(&(objectClass=person)(uid={login}))"),
        ("jürgen", r"(&(objectClass=person)(uid=jürgen))"),
    ] {
        assert_eq!(filter.with(login), expected);
    }
    let dn = DnTemplate::parse("uid={login},ou=people,dc=corp").unwrap();
    for (login, expected) in [
        ("alice,ou=admins", r"uid=alice\2cou\3dadmins,ou=people,dc=corp"),
        ("a+cn=b", r"uid=a\2bcn\3db,ou=people,dc=corp"),
        (" #a ", r"uid=\20#a\20,ou=people,dc=corp"),
        ("#a", r"uid=\23a,ou=people,dc=corp"),
        ("a\0\\", r"uid=a\00\5c,ou=people,dc=corp"),
        ("{login}", "uid={login},ou=people,dc=corp"),
    ] {
        assert_eq!(dn.with(login), expected);
    }
}

/// The value of the assertion in `(uid=VALUE)`, unescaped as a server would.
fn value_of(filter: &str) -> Option<Vec<u8>> {
    let value = filter.strip_prefix("(uid=")?.strip_suffix(')')?;
    if value.contains(['(', ')', '*', '\0']) {
        return None;
    }
    unescaped(value)
}

/// The value of the first attribute of a DN and the rest, unescaped as a server would.
fn first_of(dn: &str) -> Option<(Vec<u8>, &str)> {
    let rest = dn.strip_prefix("uid=")?;
    // Those that belong to the value are written in hexadecimal.
    let (value, base) = rest.split_at(rest.find([',', '+', ';'])?);
    if value.starts_with([' ', '#']) || value.ends_with(' ') || value.contains(['"', '<', '>', '=', '\0']) {
        return None;
    }
    Some((unescaped(value)?, base))
}

fn unescaped(value: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first == b'\\' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    Some(bytes)
}

proptest! {
    /// INVARIANT: whatever is typed, the filter has the same structure, and the value is what was typed.
    #[test]
    fn a_filter_keeps_its_structure(login in "(?s).{1,40}|[*()\\\\\0 a,=+#\"<>;]{1,20}") {
        let template = FilterTemplate::of_login("(uid={login})").unwrap();
        let filter = template.with(&login);
        prop_assert_eq!(value_of(&filter), Some(login.into_bytes()));
        prop_assert!(parse_filter(&filter).is_ok());
    }

    /// INVARIANT: whatever is typed, the DN names an entry directly below the base, by what was typed.
    #[test]
    fn a_dn_keeps_its_base(login in "(?s).{1,40}|[*()\\\\\0 a,=+#\"<>;]{1,20}") {
        let template = DnTemplate::parse("uid={login},ou=people,dc=corp").unwrap();
        let dn = template.with(&login);
        prop_assert_eq!(first_of(&dn), Some((login.into_bytes(), ",ou=people,dc=corp")));
    }
}
