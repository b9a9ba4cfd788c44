//! Redirects: how many, whereto, and with what.

use super::{
    faulty::{Act, Faulty, answer},
    *,
};

fn to(location: &str) -> Vec<Act> {
    answer(302, &format!("Location: {location}\r\n"), "")
}

fn authorization(head: &str) -> bool {
    head.to_ascii_lowercase().contains("\r\nauthorization: basic ")
}

#[tokio::test]
async fn five_are_followed_and_no_more() {
    for (redirects, followed) in [(5, true), (6, false)] {
        let server =
            Faulty::start(move |n| if n < redirects { to("/next") } else { answer(200, "", "v1.0.0\n") }).await;
        let outcome = all(&sources(&settings(server.url())), &list()).await;
        assert_eq!(outcome.is_ok(), followed, "{redirects}");
        assert_eq!(server.heads().len(), 6);
    }
}

#[tokio::test]
async fn a_name_that_leads_into_the_house_is_refused() {
    let inside = Faulty::always(answer(200, "", "v1.0.0\n")).await;
    let names = Names::of(&[("inside.example", "127.0.0.1"), ("mapped.example", "::ffff:127.0.0.1")]);
    for host in ["inside.example", "mapped.example", "127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let location = format!("http://{host}:{}/x", inside.address.port());
        let source = Faulty::always(to(&location)).await;
        let error = all(&named(&settings(source.url()), &names), &list()).await.unwrap_err();
        assert_eq!(kind(&error), "invalid", "{host}: {error}");
        assert!(!error.outside().contains("127"), "{error}");
    }
    assert_eq!(inside.connections(), 0);
    assert_eq!(*names.asked.lock().unwrap(), ["inside.example", "mapped.example"]);
}

#[tokio::test]
async fn a_configured_origin_may_be_inside_but_gets_no_credential() {
    let inside = Faulty::always(answer(200, "", "v1.0.0\n")).await;
    let names = Names::of(&[("inside.example", "127.0.0.1")]);
    let location = format!("http://inside.example:{}/x", inside.address.port());
    let source = Faulty::always(to(&location)).await;
    let list_url = format!("http://bob:hush@{}", source.address);
    let settings = SourceSettings { redirect_origins: vec![Url::parse(&location).unwrap()], ..settings(list_url) };
    assert_eq!(all(&named(&settings, &names), &list()).await.unwrap(), b"v1.0.0\n");
    assert!(authorization(&source.heads()[0]) && !authorization(&inside.heads()[0]));
}

#[tokio::test]
async fn credentials_stay_dropped_on_the_way_back() {
    let names = Names::of(&[("source.example", "127.0.0.1")]);
    let back = Arc::new(Mutex::new(String::new()));
    let there = {
        let back = back.clone();
        Faulty::start(move |_| to(&back.lock().unwrap())).await
    };
    let there_url = there.url();
    let source = Faulty::start(move |n| match n {
        0 => to("/same"),
        1 => to(&there_url),
        _ => answer(200, "", "v1.0.0\n"),
    })
    .await;
    *back.lock().unwrap() = format!("{}/back", source.url());
    let settings = SourceSettings {
        redirect_origins: vec![Url::parse(&there.url()).unwrap()],
        ..settings(format!("http://bob:hush@{}", source.address))
    };
    all(&named(&settings, &names), &list()).await.unwrap();
    let sent: Vec<_> = source.heads().iter().map(|head| authorization(head)).collect();
    assert_eq!((sent, authorization(&there.heads()[0])), (vec![true, true, false], false));
}

#[tokio::test]
async fn a_public_source_cannot_reach_the_source_of_a_namespace() {
    let internal = Faulty::always(answer(200, "", "v9.9.9\n")).await;
    let public = Faulty::always(to(&format!("{}/corp.example/pay/@v/list", internal.url()))).await;
    let private = PrivateSource { pattern: Glob::parse("corp.example").unwrap(), upstream: internal.url() };
    let settings = SourceSettings { private: vec![private], ..settings(public.url()) };
    let error = all(&sources(&settings), &list()).await.unwrap_err();
    assert_eq!((kind(&error), internal.connections()), ("invalid", 0), "{error}");
}
