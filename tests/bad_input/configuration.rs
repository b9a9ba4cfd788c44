//! Configuration files that are refused. Each row is run through `check` and `serve`, which must say the same.

use super::Scene;

/// What follows is `data` on line 1, `policy.files` on line 3, and the row's own text from line 4 on.
const HEAD: &str = "data = \"data\"\n[policy]\nfiles = [\"policy.csv\"]\n";

/// A mistake, and what an error about it must have in it, the place first.
type Row = (&'static str, &'static [&'static str]);

fn refuse(rows: &[Row]) {
    refuse_after(HEAD, rows);
}

fn refuse_after(head: &str, rows: &[Row]) {
    let scene = Scene::new();
    for (text, parts) in rows {
        let configuration = format!("{head}{text}");
        let checked = scene.run(&["check"], &configuration);
        checked.refused(parts);
        assert_eq!(checked.stdout, "", "{text}");
        let served = scene.run(&["serve"], &configuration);
        served.refused(parts);
        let errors = |text: &str| text.lines().filter(|line| line.starts_with("error: ")).map(str::to_owned).collect();
        let (checked, served): (Vec<_>, Vec<_>) = (errors(&checked.stderr), errors(&served.stderr));
        assert_eq!(checked, served, "{text}");
        assert_eq!(scene.made(), [""; 0], "{text}");
    }
}

#[test]
fn syntax() {
    refuse(&[
        ("[listen", &["FILE:4:8: "]),
        ("[listen]\naddress = \"127.0.0.1:1\n", &["FILE:5:23: ", "basic string"]),
        ("[listen]\naddress = 127.0.0.1\n", &["FILE:5:16: "]),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"\n", &["FILE:6:1: ", "duplicate key"]),
    ]);
    refuse_after("", &[("data \"data\"\n", &["FILE:1:6: "]), ("\u{0}", &["FILE:1:1: "])]);
}

#[test]
fn unknown_keys() {
    refuse(&[
        ("[listne]\n", &["FILE:4:2: unknown key `listne`", "hint: did you mean `listen`?"]),
        ("[listen]\nadress = \"\"\n", &["FILE:5:1: unknown key `adress` in `listen`", "did you mean `address`?"]),
        ("[store]\nbucket = \"b\"\n", &["FILE:5:1: unknown key `bucket` in `store`", "known here: dir, list_fresh"]),
        (
            "[[source]]\npattern = \"a.example\"\nlist = \"off\"\nkey = 1\n",
            &["FILE:7:1: unknown key `key` in `source.0`"],
        ),
    ]);
}

#[test]
fn wrong_types() {
    refuse(&[
        ("[listen]\naddress = 8443\n", &["FILE:5:11: `listen.address`: expected an IP address with a port", "integer"]),
        ("[listen]\ninsecure_http = \"yes\"\n", &["FILE:5:17: `listen.insecure_http`: expected", "string"]),
        ("[listen]\ntrusted_proxies = \"10.0.0.0/8\"\n", &["FILE:5:19: ", "expected a list", "trusted_proxies = ["]),
        ("[listen]\ntrusted_proxies = [10]\n", &["FILE:5:20: `listen.trusted_proxies`: expected"]),
        ("listen = 1\n", &["FILE:4:1: ", "`policy`"]),
        ("[upstream.list]\n", &["FILE:4:1: `upstream.list`: expected a list as of GOPROXY", "table"]),
        ("[source]\npattern = \"a\"\n", &["FILE:4:2: `source`: expected a list of tables", "[[source]]"]),
        ("[[tls]]\n", &["FILE:4:3: `tls`: expected a table", "hint: [tls]"]),
        ("[tls]\ncertificate = 1\nkey = \"k\"\n", &["FILE:5:15: `tls.certificate`: expected a path"]),
    ]);
}

#[test]
fn bad_values() {
    refuse(&[
        ("[listen]\naddress = \"localhost\"\n", &["FILE:5:11: `listen.address`: expected", "found `localhost`"]),
        ("[listen]\naddress = \"127.0.0.1:70000\"\n", &["FILE:5:11: `listen.address`"]),
        ("[listen]\naddress = \"0.0.0.0:1\"\n", &["FILE:5:11: ", "reachable by others", "hint: set [tls]"]),
        ("[listen]\ntrusted_proxies = [\"10.0.0.0/33\"]\n", &["FILE:5:20: ", "found `10.0.0.0/33`"]),
        ("[listen]\nproxy_protocol = true\n", &["FILE:4:2: ", "hint: set listen.trusted_proxies"]),
        ("[listen]\nidle_timeout = \"soon\"\n", &["FILE:5:16: `listen.idle_timeout`: expected a duration"]),
        ("[listen]\nidle_timeout = \"-1s\"\n", &["FILE:5:16: `listen.idle_timeout`"]),
        ("[listen]\nidle_timeout = \"10ms\"\n", &["FILE:5:16: `listen.idle_timeout` is", "not between"]),
        ("[listen]\nmax_connections = 0\n", &["FILE:5:19: `listen.max_connections` is 0, not between 1 and"]),
        ("[listen]\nmax_connections = 99999999999999999999\n", &["FILE:5:19: `listen.max_connections`"]),
        ("[listen]\nmax_header_bytes = \"1 KiB\"\n", &["FILE:5:20: `listen.max_header_bytes`"]),
        ("[store]\nmemory = \"64 apples\"\n", &["FILE:5:10: `store.memory`: expected"]),
        ("[audit]\nsegment = \"1B\"\n", &["FILE:5:11: `audit.segment`"]),
        ("[log]\nlevel = \"loud\"\n", &["FILE:5:9: `log.level`: expected a log level", "found `loud`"]),
        ("[log]\nformat = \"xml\"\n", &["FILE:5:10: `log.format`"]),
        ("[admin]\naddress = \"on\"\n", &["FILE:5:11: `admin.address`", "\"off\""]),
    ]);
    let head = "data = \"data\"\npolicy.files = [\"policy.csv\"]\n";
    refuse_after(
        head,
        &[
            ("public_url = \"modules.example\"\n", &["FILE:3:14: `public_url`: expected a URL"]),
            ("public_url = \"ftp://modules.example\"\n", &["FILE:3:14: `public_url`"]),
            ("contact = \"a\\nb\"\n", &["FILE:3:11: `contact`: expected one line", "found `a\\nb`"]),
            ("contact = \"  \"\n", &["FILE:3:11: `contact`"]),
            ("instance = \"a b\"\n", &["FILE:3:12: `instance`: expected a name of letters"]),
        ],
    );
}

#[test]
fn forward_mode() {
    let head = "data = \"data\"\npolicy.files = [\"policy.csv\"]\n";
    let list = "mode = \"forward\"\n[upstream]\nlist = \"https://athens.example\"\n[forward]\n";
    refuse_after(
        head,
        &[
            ("mode = \"proxy\"\n", &["FILE:3:8: `mode`: expected \"store\" or \"forward\"", "found `proxy`"]),
            ("mode = \"forward\"\n", &["FILE:3:8: `mode` is \"forward\"", "hint: set upstream.list"]),
            ("mode = \"forward\"\nupstream.list = \"\"\n", &["FILE:4:17: `upstream.list`"]),
        ],
    );
    refuse_after(
        &format!("{head}{list}"),
        &[
            ("identity = true\n", &["FILE:6:2: `forward.identity` is on", "hint: set identity_secret_file"]),
            ("identity = true\nidentity_secret_file = \"none\"\n", &["FILE:8:24: cannot use the secret in `"]),
            ("identity = true\nidentity_secret_file = \"password\"\n", &["FILE:8:24: ", "fewer than 32", "openssl"]),
            ("subject_header = \"Authorization\"\n", &["FILE:7:18: `forward.subject_header`", "a meaning of its own"]),
            ("roles_header = \"X-A\\r\\nX-B\"\n", &["FILE:7:16: `forward.roles_header`"]),
            ("roles_header = \"X-Modgate-Groups\"\n", &["FILE:6:2: two of the headers", "`x-modgate-groups`"]),
            ("secret = \"x\"\n", &["FILE:7:1: unknown key `secret` in `forward`"]),
        ],
    );
}

#[test]
fn upstream_lists_and_sources() {
    refuse(&[
        ("[upstream]\nlist = \"proxy.example\"\n", &["FILE:5:8: `upstream.list`", "`proxy.example`"]),
        ("[upstream]\nlist = \"https://a.example,,off\"\n", &["FILE:5:8: ", "an element is empty"]),
        ("[upstream]\nlist = \"ftp://a.example\"\n", &["FILE:5:8: ", "must begin with https://"]),
        ("[upstream]\nlist = \"https://a.example\\\\b\"\n", &["FILE:5:8: ", "a backslash"]),
        ("[upstream]\nlist = \"https://joe:hunter2@a.example\"\n", &["FILE:5:8: ", "[[upstream.credential]]"]),
        ("[upstream]\nconnect_timeout = \"0s\"\n", &["FILE:5:19: `upstream.connect_timeout` is"]),
        ("[upstream]\nhedge = \"soon\"\n", &["FILE:5:9: `upstream.hedge`: expected \"auto\", \"off\" or a duration"]),
        ("[upstream]\nhedge = \"1ms\"\n", &["FILE:5:9: `upstream.hedge`", "shorter than 10ms"]),
        ("[upstream]\nretries = 3\n", &["FILE:5:11: `upstream.retries` is 3, not between 0 and 2"]),
        ("[upstream]\nfailure_threshold = 0\n", &["FILE:5:21: `upstream.failure_threshold` is 0"]),
        ("[upstream]\nmax_in_flight = 0\n", &["FILE:5:17: `upstream.max_in_flight` is 0"]),
        (
            "[upstream]\ncool_down = \"2m\"\n",
            &["FILE:4:2: `upstream.cool_down` is longer", "hint: raise max_cool_down"],
        ),
        ("[upstream]\nwhole_timeout = \"0s\"\n", &["FILE:5:17: `upstream.whole_timeout` is"]),
        ("[upstream]\nproxy_from_environment = 1\n", &["FILE:5:26: `upstream.proxy_from_environment`: expected"]),
        (
            "[upstream]\nredirect_origins = [\"blobs.corp.example\"]\n",
            &["FILE:5:21: `upstream.redirect_origins`: expected a URL"],
        ),
        ("[upstream]\nroots = \"none.pem\"\n", &["FILE:5:9: cannot read `", "none.pem`"]),
        ("[upstream]\nroots = \"nonsense\"\n", &["FILE:5:9: ", "no certificate in the bundle"]),
        (
            "[[source]]\npattern = \"corp.example/[\"\nlist = \"off\"\n",
            &["FILE:5:11: malformed pattern `corp.example/[`"],
        ),
        (
            "[[source]]\npattern = \"a.example,b.example\"\nlist = \"off\"\n",
            &["FILE:5:11: malformed pattern", "a comma"],
        ),
        ("[[source]]\nlist = \"off\"\n", &["FILE:4:", "`source.0.pattern` is missing"]),
        ("[[source]]\npattern = \"a.example\"\n", &["FILE:4:", "`source.0.list` is missing"]),
        (
            "[[source]]\npattern = \"a.example\"\nlist = \"direct\"\n",
            &["FILE:6:8: `direct` is no source", "hint: name the"],
        ),
        ("[[source]]\npattern = \"a.example\"\nlist = \"b\"\n", &["FILE:6:8: `source.0.list`: expected"]),
    ]);
}

#[test]
fn secrets_that_cannot_be_used() {
    let credential = "[[upstream.credential]]\nurl = \"https://a.example\"\n";
    refuse_after(
        &format!("{HEAD}{credential}"),
        &[
            ("bearer_file = \"none\"\n", &["FILE:6:15: cannot use the secret in `", "none`: there is no such file"]),
            ("bearer_file = \"empty\"\n", &["FILE:6:15: ", "it is empty"]),
            ("bearer_file = \"two-lines\"\n", &["FILE:6:15: ", "more than one line"]),
            ("bearer_file = \".\"\n", &["FILE:6:15: cannot use the secret in `"]),
            ("login = \"joe\"\n", &["FILE:4:", "either `login` with `password_file`, or `bearer_file`"]),
            ("login = \"j:j\"\npassword_file = \"password\"\n", &["FILE:5:7: ", "a character that it cannot have"]),
            (
                "password = \"hunter2\"\n",
                &["FILE:6:1: unknown key `password`", "known here: url, login, password_file"],
            ),
        ],
    );
    refuse(&[(
        "[[upstream.credential]]\nurl = \"http://a.example\"\nlogin = \"joe\"\npassword_file = \"password\"\n",
        &["FILE:5:7: ", "would go over plain HTTP"],
    )]);
}

#[test]
fn issuers_and_their_keys() {
    let issuer = "[[issuer]]\nname = \"corp\"\nissuer = \"https://corp.example\"\naudience = [\"modgate\"]\n";
    let private = rcgen::KeyPair::generate().unwrap().serialize_pem();
    refuse_after(
        &format!("{HEAD}{issuer}"),
        &[
            (
                "algorithms = [\"RS256\"]\nkeys = \"none\"\n",
                &["FILE:9:8: cannot use the keys in `", "none`: there is no such file"],
            ),
            ("algorithms = [\"RS256\"]\nkeys = \"nonsense\"\n", &["FILE:9:8: ", "neither PEM nor JWKS"]),
            ("algorithms = [\"RS256\"]\nkeys = \"empty\"\n", &["FILE:9:8: ", "neither PEM nor JWKS"]),
            (
                "algorithms = [\"HS256\"]\nsecret_file = \"password\"\n",
                &["FILE:9:15: ", "it is a secret of 7 bytes, where 32 are the least"],
            ),
            ("algorithms = [\"none\"]\nkeys = \"nonsense\"\n", &["FILE:8:15: `issuer.0.algorithms`", "`none`"]),
            ("algorithms = [\"HS256\"]\nkeys = \"nonsense\"\n", &["FILE:9:8: HS256 takes a secret", "hint: "]),
        ],
    );
    let scene = Scene::new();
    scene.write("private.pem", &format!("from the issuer\n{private}"));
    let text = format!("{HEAD}{issuer}algorithms = [\"ES256\"]\nkeys = \"private.pem\"\n");
    scene.run(&["check"], &text).refused(&["FILE:9:8: ", "private.pem`, line 2: a private key", "hint: openssl pkey"]);
    scene.write("public.pem", &rcgen::KeyPair::generate().unwrap().public_key_pem());
    let text = format!("{HEAD}{issuer}algorithms = [\"ES256\", \"EdDSA\"]\nkeys = \"public.pem\"\n");
    let checked = scene.run(&["check"], &text);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(checked.stderr.contains("public.pem`: it has no key for EdDSA"), "{}", checked.stderr);
    let line = "  issuer: corp is https://corp.example, ES256, EdDSA, 1 key\n";
    assert!(checked.stdout.contains(line), "{}", checked.stdout);
}

#[test]
fn checksum_databases() {
    refuse(&[
        ("[[checksum]]\nkey = \"sum.golang.org\"\n", &["FILE:5:7: `checksum.0.key`: expected a key of the form"]),
        (
            "[[checksum]]\nkey = \"sum.golang.org+033de0aa+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8\"\n",
            &["FILE:5:7: ", "the hash does not belong to this name and key"],
        ),
        ("[[checksum]]\nkey = \"a.example+00000000+!!!!\"\n", &["FILE:5:7: `a.example+00000000+!!!!`"]),
        (
            "[[checksum]]\nname = \"sum.example\"\n",
            &["FILE:5:8: `sum.example`: the key of this database is not built in"],
        ),
        (
            "[[checksum]]\nurl = \"https://a.example\"\n",
            &["FILE:4:", "either a `name` whose key is well known, or a `key`"],
        ),
        ("[[checksum]]\nname = \"sum.golang.org\"\nurl = \"sum\"\n", &["FILE:6:7: `checksum.0.url`: expected a URL"]),
        (
            "[[checksum]]\nname = \"sum.golang.org\"\n[[checksum]]\nname = \"sum.golang.org\"\n",
            &["FILE:7:8: the checksum database `sum.golang.org` is configured twice"],
        ),
    ]);
    refuse_after(
        "data = \"data\"\npolicy.files = [\"policy.csv\"]\n",
        &[
            ("checksum = \"on\"\n", &["FILE:3:1: `checksum`: expected a list of tables"]),
            ("checksum = [1]\n", &["FILE:3:13: `checksum`: expected a list of tables, found integer"]),
        ],
    );
}

#[test]
fn policies() {
    let head = "data = \"data\"\n[policy]\n";
    refuse_after(
        head,
        &[
            ("files = []\n", &["FILE:2:2: `policy.files` is empty"]),
            ("files = [\"none.csv\"]\n", &["FILE:3:9: ", "none.csv: cannot be read"]),
            ("files = [\"nonsense\"]\n", &["nonsense:1: "]),
            ("files = [\"policy.csv\"]\nmodel = \"none.conf\"\n", &["FILE:4:9: ", "none.conf: cannot be read"]),
            ("files = [\"policy.csv\"]\nmodel = \"nonsense\"\n", &["nonsense:1: not in the shipped model", "hint: "]),
        ],
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let scene = Scene::new();
    scene.write(
        "policy.csv",
        "p, authenticated, public, *, read, allow\np, authenticated, public, *, read, permit, -, -\n",
    );
    let text = format!(
        "{HEAD}[[source]]\npattern = \"[\"\nlist = \"off\"\n[[checksum]]\nname = \"sum.example\"\n[tls]\ncertificate = \"none.pem\"\nkey = \"none.pem\"\n"
    );
    let ended = scene.run(&["check"], &text);
    for parts in
        [&["policy.csv:1: "][..], &["policy.csv:2: ", "permit"], &["FILE:5:11: "], &["FILE:8:8: "], &["FILE:11:7: "]]
    {
        ended.refused(parts);
    }
    let ended = scene.run(&["check", "--json"], &text);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let places: Vec<_> = json["problems"].as_array().unwrap().iter().map(|problem| &problem["place"]).collect();
    assert_eq!(places.len(), 5, "{}", ended.stdout);
    assert_eq!(scene.made(), [""; 0]);
}

#[test]
fn settings_of_the_go_command_are_told_with_their_origin() {
    let scene = Scene::new();
    scene.write("modgate.toml", HEAD);
    for (variable, value, parts) in [
        ("GOPROXY", "ftp://a.example", &["`upstream.list`: GOPROXY of the environment: ", "ftp://a.example"][..]),
        ("GOSUMDB", "sum.example", &["`checksum`: GOSUMDB of the environment: ", "[[checksum]]"]),
        ("MODGATE_LISTEN", "here", &["MODGATE_LISTEN: `listen.address`: expected"]),
    ] {
        for command in ["check", "serve"] {
            let mut process = crate::gateway::modgate();
            process.args([command, "--config"]).arg(scene.path("modgate.toml")).env(variable, value);
            super::Ended::of(process.output().unwrap(), &scene.path("modgate.toml")).refused(parts);
        }
    }
    let mut process = crate::gateway::modgate();
    process.args(["check", "--config"]).arg(scene.path("modgate.toml")).env("PATH", "").env("GOENV", "off");
    process.env_remove("GOROOT").env_remove("GOPROXY");
    super::Ended::of(process.output().unwrap(), &scene.path("modgate.toml"))
        .refused(&["`upstream.list`: no upstream", "set `upstream.list`"]);
    assert_eq!(scene.made(), [""; 0]);
}

#[test]
fn a_good_configuration_says_what_is_in_force_and_by_whom() {
    let scene = Scene::new();
    let text = format!("{HEAD}[upstream]\nlist = \"https://a.example|https://b.example\"\n");
    let ended = scene.run(&["check"], &text);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("the configuration is good\n"), "{}", ended.stdout);
    let list = "  upstream list: https://a.example|https://b.example (by FILE:5:8)\n";
    assert!(ended.stdout.contains(list), "{}", ended.stdout);
    let ended = scene.run(&["check"], HEAD);
    assert!(ended.stdout.contains("  upstream list: https://proxy.example (by the environment)\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("  policy: 1 rule, digest "), "{}", ended.stdout);
    assert_eq!(scene.made(), [""; 0]);
}

#[test]
fn a_private_source_of_public_paths_is_a_warning_with_the_row_to_add() {
    let scene = Scene::new();
    let text = format!("{HEAD}[[source]]\npattern = \"corp.example/team/*\"\nlist = \"https://inside.example\"\n");
    let ended = scene.run(&["check"], &text);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("warning: FILE:5:11: no `private` row"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: add to the policy: p2, corp.example/team/*, private, -"), "{}", ended.stderr);
    scene.write("policy.csv", &format!("{}p2, corp.example/*, private, -\n", super::POLICY));
    assert_eq!(scene.run(&["check"], &text).stderr, "");
}

#[test]
fn limits() {
    let expected = &["FILE:5:13: `limits.principal`: expected a rate such as \"1000/s\""][..];
    refuse(&[
        ("[limits]\nprincipal = \"1000/d\"\n", expected),
        ("[limits]\nprincipal = \"fast\"\n", expected),
        ("[limits]\nprincipal = 1000\n", expected),
        ("[limits]\nprincipal_burst = 0\n", &["FILE:5:19: `limits.principal_burst` is 0, not between 1 and 100000000"]),
        (
            "[limits]\nanonymous_burst = 10\n",
            &[
                "FILE:4:2: `limits.anonymous_burst` is 10, and a request that asks a source costs 11",
                "`limits.fetch_cost`",
            ],
        ),
        (
            "[limits]\nfailures = \"1/h\"\nfailures_burst = 1000\n",
            &["`limits.failures_burst` is 1000, which takes more than 30 days to come back at 1/h, 1000 at once"],
        ),
        ("[limits]\nlongest_wait = \"1h\"\n", &["FILE:5:16: ", "not between \"0s\" and \"5m\""]),
        ("[limits]\nprincipals = \"off\"\n", &["FILE:5:1: unknown key `principals` in `limits`", "`principal`?"]),
        ("[[limits.role]]\nrate = \"off\"\n", &["FILE:4:1: `limits.role.0.role` is missing"]),
        ("[[limits.role]]\nrole = \"ci\"\n", &["FILE:5:8: `limits.role.0.role`: expected a role such as \"role:ci\""]),
    ]);
}

#[test]
fn limits_may_be_off_and_a_role_that_nobody_has_is_a_warning() {
    let scene = Scene::new();
    let text = format!(
        "{HEAD}[limits]\nprincipal = 0\nanonymous = \"off\"\n[[limits.role]]\nrole = \"role:ci\"\nrate = \"5/s\"\nburst = 50\n"
    );
    let ended = scene.run(&["check"], &text);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let limits =
        "  limits: off (principal); off (anonymous); 10/m, 100 at once (failures); 5/s, 50 at once (role:ci)\n";
    assert!(ended.stdout.contains(limits), "{}", ended.stdout);
    assert!(ended.stderr.contains("warning: FILE:8:8: no `g` row of the policy gives `role:ci`"), "{}", ended.stderr);
}
