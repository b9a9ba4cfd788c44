//! Private namespaces, checksum databases, credentials by prefix.

use super::{
    faulty::{Faulty, answer, refusal},
    *,
};

fn private(pattern: &str, upstream: String) -> Vec<PrivateSource> {
    vec![PrivateSource { pattern: Glob::parse(pattern).unwrap(), upstream }]
}

fn about(path: &str) -> Target {
    Target::Module { path: ModulePath::parse(path).unwrap(), asked: Asked::List }
}

#[tokio::test]
async fn a_private_path_is_asked_of_its_own_source_only() {
    for (status, expected) in [(404, "absent"), (403, "refused"), (500, "failed")] {
        let public = Faulty::always(answer(200, "", "v6.6.6\n")).await;
        let internal = Faulty::always(refusal(status, "no")).await;
        let private = private("example.com", internal.url());
        let sources = sources(&SourceSettings { private, ..settings(public.url()) });
        for says_private in [true, false] {
            let error = sources.fetch(&about("example.com/a"), says_private).await.err().unwrap();
            assert_eq!(kind(&error), expected, "{error}");
        }
        assert_eq!((public.connections(), internal.heads().len()), (0, 2));
        assert!(sources.private_source(&path()));
    }
}

#[tokio::test]
async fn a_private_path_without_a_source_is_asked_of_nobody() {
    let public = Faulty::always(answer(200, "", "v6.6.6\n")).await;
    let sources = sources(&settings(public.url()));
    for target in [about("corp.example/pay"), lookup()] {
        let error = sources.fetch(&target, true).await.err().unwrap();
        assert_eq!(kind(&error), "no source", "{error}");
    }
    assert_eq!(public.connections(), 0);
}

#[tokio::test]
async fn a_checksum_database_never_hears_of_a_private_module() {
    let public = Faulty::always(answer(200, "", "")).await;
    let internal = Faulty::always(answer(200, "", "")).await;
    let private = private("example.com", internal.url());
    let sources = sources(&SourceSettings { private, ..settings(public.url()) });
    let error = sources.fetch(&lookup(), false).await.err().unwrap();
    assert_eq!((kind(&error), public.connections(), internal.connections()), ("no source", 0, 0), "{error}");
}

#[tokio::test]
async fn a_database_is_asked_of_the_first_that_mirrors_it() {
    let without = Faulty::always(refusal(404, "no")).await;
    let mirror = Faulty::start(|n| answer(200, "", if n == 0 { "" } else { "record" })).await;
    let beyond = Faulty::always(answer(200, "", "other")).await;
    let sources = sources(&settings(format!("{},{},{}", without.url(), mirror.url(), beyond.url())));
    for _ in 0..3 {
        assert_eq!(all(&sources, &lookup()).await.unwrap(), b"record");
    }
    assert!(mirror.heads()[0].starts_with("GET /sumdb/sum.example/supported "));
    assert!(mirror.heads()[1].starts_with("GET /sumdb/sum.example/lookup/example.com/a@v1.0.0 "));
    let asked = [&without, &mirror, &beyond].map(|server| server.heads().len());
    assert_eq!(asked, [1, 4, 0], "who mirrors what is remembered");
}

#[tokio::test]
async fn a_database_that_nobody_mirrors_is_absent_and_an_outage_is_not() {
    for (statuses, separator, expected) in [
        (&[404, 410][..], ",", "absent"),
        (&[404, 500], ",", "failed"),
        (&[403, 404], ",", "refused"),
        (&[500, 404], "|", "failed"),
    ] {
        let mut servers = Vec::new();
        for status in statuses {
            servers.push(Faulty::always(refusal(*status, "no")).await);
        }
        let urls: Vec<_> = servers.iter().map(Faulty::url).collect();
        let error = all(&sources(&settings(urls.join(separator))), &lookup()).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{statuses:?}: {error}");
    }
    assert_eq!(kind(&all(&sources(&settings("off")), &lookup()).await.unwrap_err()), "absent");
}

#[tokio::test]
async fn a_mirror_that_fails_is_not_gone_round() {
    let mirror = Faulty::start(|n| if n == 0 { answer(200, "", "") } else { refusal(404, "not found") }).await;
    let other = Faulty::always(answer(200, "", "other")).await;
    let error = all(&sources(&settings(format!("{}|{}", mirror.url(), other.url()))), &lookup()).await.unwrap_err();
    assert_eq!((kind(&error), error.outside().as_str(), other.connections()), ("absent", "not found", 0));
}

#[tokio::test]
async fn a_configured_url_is_asked_directly() {
    let database = Faulty::always(answer(200, "", "latest")).await;
    let login = Login::Bearer(Secret::new("hush"));
    let credentials = vec![Credential::new(&database.url(), &login).unwrap()];
    let sources = sources(&SourceSettings { credentials, ..settings("off") });
    let url = Url::parse(&format!("{}/latest?x=1", database.url())).unwrap();
    assert_eq!(&sources.get(&url, 6).await.unwrap()[..], b"latest");
    assert_eq!(kind(&sources.get(&url, 5).await.unwrap_err()), "too large");
    let head = &database.heads()[0];
    assert!(head.starts_with("GET /latest?x=1 ") && head.contains("authorization: Bearer hush\r\n"), "{head}");
}

#[tokio::test]
async fn the_longest_prefix_names_the_credential_and_userinfo_beats_it() {
    let server = Faulty::always(answer(200, "", "")).await;
    let bearer = |path: &str, token: &str| {
        Credential::new(&format!("{}{path}", server.url()), &Login::Bearer(Secret::new(token))).unwrap()
    };
    let credentials = vec![bearer("", "one"), bearer("/a/b", "three"), bearer("/a", "two"), bearer("/ab", "four")];
    let host = server.address;
    for upstream in [format!("http://{host}/a/b/"), format!("http://{host}/ac"), format!("http://x:y@{host}/a")] {
        all(&sources(&SourceSettings { credentials: credentials.clone(), ..settings(upstream) }), &list())
            .await
            .unwrap();
    }
    let sent = ["Bearer three", "Bearer one", "Basic eDp5"];
    for (head, sent) in server.heads().iter().zip(sent) {
        assert!(head.contains(&format!("authorization: {sent}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn trees_and_servers_stand_in_one_list() {
    let directory = tempfile::tempdir().unwrap();
    let tree = Url::from_directory_path(directory.path()).unwrap();
    let server = Faulty::always(answer(200, "", "v1.0.0\n")).await;
    let sources = sources(&settings(format!("{tree},{}", server.url())));
    let target = list();
    assert_eq!(all(&sources, &target).await.unwrap(), b"v1.0.0\n");
    let file = directory.path().join("example.com/a/@v/list");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, "v2.0.0\n").unwrap();
    assert_eq!(all(&sources, &target).await.unwrap(), b"v2.0.0\n");
}
