use super::*;

fn read(text: &[u8]) -> Reader {
    let mut reader = Reader::default();
    reader.read(&"p.csv".into(), text);
    reader
}

/// The errors of a text, as `LINE: MESSAGE (HINT)`.
fn errors(text: &str) -> Vec<String> {
    let reader = read(text.as_bytes());
    reader.errors.iter().map(|error| error.to_string().replace("p.csv:", "")).collect()
}

#[test]
fn reads_every_section() {
    let reader = read(
        b"# c\r\np, authenticated, public, *, read, allow, -, -\r\n\n  p2, corp.example/*, private, id=ns\ng, group:corp/a, role:dev\n",
    );
    assert_eq!(reader.errors, []);
    assert_eq!((reader.rules.len(), reader.grants.len()), (2, 1));
    assert_eq!(reader.rules[0].line(), 2);
    assert_eq!(reader.rules[1].to_string(), "p.csv:4 (ns)");
    assert_eq!(reader.rules[1].text(), "p2, corp.example/*, private, id=ns");
}

#[test]
fn names_line_and_remedy_of_every_mistake() {
    let row = |cells: &str| format!("p, authenticated, {cells}");
    let cases = [
        (row("github.com/a, *, read, deny # why, -, -"), "own"),
        (row("github.com/a, *, read, \"deny \", -, -"), "\"deny\""),
        (row("github.com/a, *, read, Deny, -, -"), "lower case"),
        (row("github.com/a, *, read, forbid, -, -"), "allow, deny or warn"),
        (row("github.com/a, *, read, deny, -"), "columns: p, sub"),
        (row("github.com/a, *, read, deny, -, reason=a, b"), "double quotes"),
        (row("github.com/a, >=v1.0.0, <v2.0.0, read, deny, -, -"), "joined by a blank"),
        (row("github.com/a, *, get, deny, -, -"), "read, write"),
        (row("github.com/a, *, read, deny, 2026-13-01, -"), "2026-12-31"),
        (row("github.com/a, *, read, deny, 2026-02-30, -"), "2026-12-31"),
        (row("github.com/a, *, read, deny, 31.12.2026, -"), "2026-12-31"),
        (row("github.com/a, *, read, deny, 2026-1-1, -"), "2026-12-31"),
        (row("github.com/a, v1.2, read, deny, -, -"), "v1.2.0"),
        (row("github.com/a@v1.2.0, *, read, deny, -, -"), "column of versions"),
        (row("https://github.com/a, *, read, deny, -, -"), "`github.com/a`"),
        (row("github.com/a/, *, read, deny, -, -"), "all that is below"),
        (row("github.com/a/..., *, read, deny, -, -"), "all that is below"),
        (row("github.com/[a, *, read, deny, -, -"), "elements"),
        (row("Public, *, read, deny, -, -"), "`public`"),
        (row("golang, *, read, deny, -, -"), "with a dot"),
        (row("github.com/!burnt, *, read, deny, -, -"), "not escaped"),
        ("p, alice@corp.example, public, *, read, allow, -, -".into(), "claims"),
        ("P, authenticated, public, *, read, allow, -, -".into(), "`p`"),
        ("policy, authenticated, public, *, read, allow, -, -".into(), "comment with #"),
        ("p2, corp.example/*, secret, -".into(), "private or public"),
        ("p2, private, corp.example/*, -".into(), "columns"),
        ("g, alice, role:dev".into(), "user:ISSUER/alice"),
        ("g, group:corp/a, group:corp/b".into(), "role:b"),
        ("g, group:corp/a, role:dev, -".into(), "g, member, role"),
    ];
    for (line, hint) in cases {
        let found = errors(&format!("# first\n{line}\n"));
        assert!(!found.is_empty(), "{line}");
        assert!(found.iter().any(|error| error.starts_with("2: ") && error.contains(hint)), "{line}: {found:?}");
    }
}

#[test]
fn collects_the_errors_of_all_lines_and_cells() {
    let found = errors("p, x, y, z, a, b, c, d\nq, x\np2, corp.example, none, x\n");
    assert_eq!(found.len(), 7 + 1 + 2, "{found:#?}");
}

#[test]
fn an_id_stands_for_one_row_of_all_files() {
    let mut reader = read(b"p2, corp.example/*, private, id=a\n");
    reader.read(&"q.csv".into(), b"p2, corp.test/*, private, id=a\n");
    assert_eq!(
        reader.errors[0].to_string(),
        "q.csv:1: id `a` is taken by p.csv:1 (an id stands for one row: add a suffix)"
    );
}

#[test]
fn refuses_byte_order_marks_and_other_encodings() {
    let reader = read(b"\xef\xbb\xbfp2, corp.example/*, private, -\n");
    assert_eq!((reader.errors.len(), reader.rules.len()), (1, 1));
    assert_eq!(read(b"# ok\np2, corp.example/\xe4, private, -\n").errors[0].line, Some(2));
}
