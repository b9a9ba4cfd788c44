//! Scopes: what they cover, from where, and that narrowing is exactly that.

use super::*;
use proptest::prelude::*;

fn scope(text: &str) -> Scope {
    Scope::parse(text).expect("a scope")
}

#[test]
fn covers_what_it_names() {
    let scope = scope("read:github.com/corp/*,read:private,write:corp.example/pay");
    assert!(scope.covers(Action::Read, "github.com/corp/a/b", false));
    assert!(!scope.covers(Action::Read, "github.com/Corp/a", false));
    assert!(!scope.covers(Action::Read, "github.com/corp", false));
    assert!(scope.covers(Action::Read, "corp.example/x", true));
    assert!(scope.covers(Action::Write, "corp.example/pay/sub", true));
    assert!(!scope.covers(Action::Write, "corp.example/x", true));
    assert!(!scope.covers_somewhere(Action::Manage));
    assert!(Scope::parse("read").expect("a scope").covers(Action::Read, "any.thing", false));
}

#[test]
fn refuses_what_it_cannot_read() {
    for text in [
        "",
        ",",
        "read,",
        "read, write",
        "Read",
        "*",
        "read:",
        "all",
        "read:github.com/[",
        "read:a b",
        "read:x:y",
        ";",
        "read;",
        ";read",
        "from:",
        "from:10.0.0.1/8",
        "from:corp.example",
        "from:10.0.0.0/33",
        "read;;write",
        "from:::ffff:10.0.0.1",
        "From:10.0.0.0/8",
    ] {
        assert!(Scope::parse(text).is_err(), "{text}");
    }
}

#[test]
fn holds_from_its_networks_only() {
    let office = scope("read,from:10.0.0.0/8,from:2001:db8::/32");
    for (client, holds) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("2001:db8::7", true),
        ("11.0.0.1", false),
        ("2001:db9::7", false),
    ] {
        assert_eq!(office.holds_from(client.parse().ok()), holds, "{client}");
    }
    assert!(!office.holds_from(None), "an unknown address is in no network");
    assert!(scope("read").holds_from(None));
    let only = scope("from:192.0.2.7");
    assert!(only.covers(Action::Manage, "any.thing", true) && only.covers_somewhere(Action::Audit));
    assert!(only.holds_from("192.0.2.7".parse().ok()) && !only.holds_from("192.0.2.8".parse().ok()));
}

#[test]
fn narrowing_keeps_short_what_can_be_short() {
    for (one, other, both) in [
        ("read", "read:github.com/corp/*", "read:github.com/corp/*"),
        ("read,write", "read:private", "read:private"),
        ("read:github.com/corp/*", "read:github.com/corp/*/x", "read:github.com/corp/*/x"),
        ("read:github.com/corp/*", "read:private", "read:github.com/corp/*;read:private"),
        ("from:10.0.0.0/8", "from:10.1.0.0/16", "from:10.1.0.0/16"),
        ("read,from:10.0.0.0/8", "read:private", "read,from:10.0.0.0/8;read:private"),
        ("read", "write", "read;write"),
    ] {
        assert_eq!(scope(one).and(&scope(other)).to_string(), both, "{one} and {other}");
    }
    assert!(!scope("read").and(&scope("write")).covers_anything());
}

fn any_item() -> impl Strategy<Value = String> {
    let action = prop_oneof!["read", "write", "manage"];
    let modules = prop_oneof![
        Just(String::new()),
        Just(":public".to_owned()),
        Just(":private".to_owned()),
        Just(":*".to_owned()),
        "(:a\\.b|:\\*\\.b|:a\\.b/c|:a\\.b/\\*|:a\\.b/c/d|:a\\.b/\\[cd\\])",
    ];
    let network = prop_oneof!["from:10\\.0\\.0\\.0/(8|16)", "from:10\\.1\\.0\\.0/16", "from:2001:db8::/(32|64)"];
    prop_oneof![3 => (action, modules).prop_map(|(action, modules)| format!("{action}{modules}")), 1 => network]
}

fn any_scope() -> impl Strategy<Value = String> {
    let clause = proptest::collection::vec(any_item(), 1..4).prop_map(|items| items.join(","));
    proptest::collection::vec(clause, 1..3).prop_map(|clauses| clauses.join(";"))
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(text in any_scope()) {
        let read = scope(&text);
        prop_assert_eq!(scope(&read.to_string()), read);
    }

    /// The heart of it: both together cover exactly what each of them covers.
    #[test]
    fn narrowed_is_what_both_permit(
        one in any_scope(),
        other in any_scope(),
        action in prop_oneof![Just(Action::Read), Just(Action::Write), Just(Action::Manage), Just(Action::Audit)],
        path in "(a|x)\\.b(/(c|d|e)){0,2}",
        private: bool,
        client in prop_oneof![Just(None), "10\\.[01]\\.0\\.[19]".prop_map(Some), "2001:db8:[01]::1".prop_map(Some)],
    ) {
        let (one, other) = (scope(&one), scope(&other));
        // Through the text, as it is stored.
        let both = scope(&one.and(&other).to_string());
        let client = client.map(|client| client.parse().expect("an address"));
        prop_assert_eq!(both.covers(action, &path, private), one.covers(action, &path, private) && other.covers(action, &path, private));
        prop_assert_eq!(both.covers_somewhere(action), one.covers_somewhere(action) && other.covers_somewhere(action));
        prop_assert_eq!(both.holds_from(client), one.holds_from(client) && other.holds_from(client));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}") {
        let _ = Scope::parse(&text);
    }
}
