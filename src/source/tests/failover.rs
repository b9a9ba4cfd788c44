//! Lists whose sources fail for longer: who is skipped, who is asked instead, and what is told.

use super::{
    faulty::{Act, Faulty, answer, refusal},
    *,
};

fn module(number: usize) -> Target {
    let path = ModulePath::parse(&format!("example.com/m{number}")).unwrap();
    Target::Module { path, asked: Asked::List }
}

/// Failing three times in a row is enough; a cool-down never ends.
fn strict(upstream: String) -> SourceSettings {
    let hour = Duration::from_secs(3600);
    let failures = FailureSettings { threshold: 3, cool_down: hour, max_cool_down: hour, ..settings("off").failures };
    SourceSettings { failures, ..settings(upstream) }
}

#[tokio::test]
async fn a_source_that_keeps_failing_is_skipped() {
    for acts in [refusal(500, "oops"), refusal(503, "later"), vec![Act::Reset], vec![Act::Close]] {
        let down = Faulty::always(acts).await;
        let other = Faulty::always(answer(200, "", "v1.0.0\n")).await;
        let sources = sources(&strict(format!("{}|{}", down.url(), other.url())));
        for number in 0..10 {
            assert!(all(&sources, &module(number)).await.is_ok());
        }
        assert_eq!((down.heads().len(), other.heads().len()), (3, 10));
        let states = sources.states();
        assert_eq!(states.iter().map(|state| state.standing).collect::<Vec<_>>(), [Standing::Open, Standing::Closed]);
        assert_eq!((states[0].skipped, &*states[0].list, &*states[0].source), (7, "upstream", &*down.url()));
    }
}

#[tokio::test]
async fn a_skipped_source_is_never_an_absence_and_never_goes_round() {
    for (separator, second, expected) in [
        (',', answer(200, "", "v1.0.0\n"), "failed"),
        (',', refusal(404, "no"), "failed"),
        ('|', refusal(404, "no"), "failed"),
        ('|', refusal(403, "no"), "refused"),
    ] {
        let down = Faulty::always(vec![Act::Reset]).await;
        let other = Faulty::always(second).await;
        let sources = sources(&strict(format!("{}{separator}{}", down.url(), other.url())));
        for number in 0..10 {
            let error = all(&sources, &module(number)).await.unwrap_err();
            assert_eq!(kind(&error), expected, "{separator}: {error}");
        }
        assert_eq!(down.heads().len(), 3);
        assert_eq!(other.heads().len(), if separator == '|' { 10 } else { 0 });
    }
}

#[tokio::test]
async fn an_absence_before_a_skipped_source_is_an_outage() {
    let first = Faulty::always(refusal(404, "no")).await;
    let down = Faulty::always(vec![Act::Reset]).await;
    let sources = sources(&strict(format!("{},{}", first.url(), down.url())));
    for number in 0..10 {
        assert_eq!(kind(&all(&sources, &module(number)).await.unwrap_err()), "failed");
    }
    assert_eq!((first.heads().len(), down.heads().len()), (10, 3));
}

#[tokio::test]
async fn a_private_source_that_is_skipped_leads_to_nobody_else() {
    let public = Faulty::always(answer(200, "", "v6.6.6\n")).await;
    let down = Faulty::always(vec![Act::Reset]).await;
    let private = vec![PrivateSource { pattern: Glob::parse("example.com").unwrap(), upstream: down.url() }];
    let sources = sources(&SourceSettings { private, ..strict(public.url()) });
    for number in 0..10 {
        for private in [true, false] {
            let error = sources.fetch(&module(number), private).await.err().unwrap();
            assert_eq!(kind(&error), "failed", "{error}");
        }
    }
    assert_eq!((public.connections(), down.heads().len()), (0, 3));
    let states = sources.states();
    assert_eq!((&*states[1].list, states[1].standing), ("source.0", Standing::Open));
}

#[tokio::test]
async fn answers_that_say_no_keep_a_source_in_use() {
    for status in [404, 410, 401, 403, 429] {
        let server = Faulty::always(refusal(status, "no")).await;
        let sources = sources(&strict(server.url()));
        for number in 0..10 {
            assert!(all(&sources, &module(number)).await.is_err());
        }
        assert_eq!((server.heads().len(), sources.states()[0].standing), (10, Standing::Closed), "{status}");
    }
}

#[tokio::test]
async fn one_broken_module_leaves_the_others() {
    let server = Faulty::start(|n| if n < 30 { refusal(500, "oops") } else { answer(200, "", "v1.0.0\n") }).await;
    let sources = sources(&strict(server.url()));
    for _ in 0..30 {
        assert_eq!(kind(&all(&sources, &module(0)).await.unwrap_err()), "failed");
    }
    assert!(all(&sources, &module(1)).await.is_ok());
}

#[tokio::test]
async fn a_zip_that_breaks_off_counts_against_its_source() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nPK";
    let server = Faulty::always(vec![Act::Send(head.into()), Act::Reset]).await;
    let sources = sources(&strict(server.url()));
    for number in 0..10 {
        let path = ModulePath::parse(&format!("example.com/m{number}")).unwrap();
        let zip = Target::Module { path, asked: Asked::Zip(version()) };
        assert_eq!(kind(&all(&sources, &zip).await.unwrap_err()), "failed");
    }
    assert_eq!(server.heads().len(), 3);
}

#[tokio::test]
async fn what_fails_once_is_tried_again_and_nothing_is_told() {
    let server = Faulty::start(|n| match n {
        0 => vec![Act::Reset],
        1 => refusal(503, "later"),
        _ => answer(200, "", "v1.0.0\n"),
    })
    .await;
    let failures = FailureSettings { retries: 2, ..settings("off").failures };
    let sources = sources(&SourceSettings { failures, ..settings(server.url()) });
    assert_eq!(all(&sources, &list()).await.unwrap(), b"v1.0.0\n");
    assert_eq!((server.heads().len(), sources.states()[0].retries), (3, 2));
}

#[tokio::test]
async fn a_request_that_hangs_is_overtaken_by_another() {
    let server = Faulty::start(|n| if n == 0 { vec![Act::Stall] } else { answer(200, "", "v1.0.0\n") }).await;
    let failures = FailureSettings { hedge: Hedge::After(Duration::ZERO), ..settings("off").failures };
    let sources = sources(&SourceSettings { failures, ..settings(server.url()) });
    assert_eq!(all(&sources, &list()).await.unwrap(), b"v1.0.0\n");
    assert_eq!((server.heads().len(), sources.states()[0].hedges), (2, 1));
}

#[tokio::test]
async fn a_server_that_is_listed_twice_has_two_names() {
    let server = Faulty::always(answer(200, "", "")).await;
    let sources = sources(&settings(format!("{0}|{0}", server.url())));
    let names: Vec<_> = sources.states().iter().map(|state| state.source.to_string()).collect();
    assert_eq!(names, [server.url(), format!("{} #2", server.url())]);
}

#[tokio::test]
async fn a_database_that_keeps_failing_is_left_alone_by_itself() {
    let database = Faulty::always(vec![Act::Reset]).await;
    let sources = sources(&strict("off".into()));
    for number in 0..10 {
        let url = Url::parse(&format!("{}/lookup/{number}", database.url())).unwrap();
        assert_eq!(kind(&sources.get(&url, 99).await.unwrap_err()), "failed");
    }
    assert_eq!(database.heads().len(), 3);
    let states = sources.states();
    assert_eq!((states.len(), &*states[0].list, states[0].standing), (1, "checksum", Standing::Open));
}
