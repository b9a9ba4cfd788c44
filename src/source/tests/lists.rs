//! Statuses, and what a list of upstreams makes of them.

use super::{
    faulty::{Act, Faulty, answer, raw, refusal},
    *,
};

/// Everything that a first upstream may do, and what that is.
fn mishaps() -> Vec<(String, Vec<Act>, &'static str)> {
    let mut all: Vec<(String, Vec<Act>, &'static str)> = Vec::new();
    for status in [404, 410] {
        all.push((status.to_string(), refusal(status, "not here"), "absent"));
    }
    for status in [400, 401, 402, 403, 405, 406, 408, 409, 418, 421, 451, 499] {
        all.push((status.to_string(), refusal(status, "no"), "refused"));
    }
    all.push(("429".into(), refusal(429, "slow down"), "overloaded"));
    all.push(("508".into(), refusal(508, "again"), "loop"));
    for status in
        [201, 202, 203, 204, 205, 206, 207, 226, 300, 304, 305, 306, 500, 501, 502, 503, 504, 505, 507, 511, 599]
    {
        all.push((
            status.to_string(),
            vec![raw(&format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))],
            "failed",
        ));
    }
    for status in [301, 302, 303, 307, 308] {
        all.push((format!("{status} to nowhere"), answer(status, "", ""), "invalid"));
    }
    all.push(("reset".into(), vec![Act::Reset], "failed"));
    all.push(("close".into(), vec![Act::Close], "failed"));
    all.push(("half a head".into(), vec![raw("HTTP/1.1 200 OK\r\nContent-"), Act::Close], "failed"));
    all.push(("no HTTP".into(), vec![raw("SSH-2.0-OpenSSH_9.2\r\n"), Act::Close], "failed"));
    all.push(("short".into(), vec![raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), Act::Close], "failed"));
    all.push(("our own".into(), answer(200, "Via: 1.1 x, 1.1 modgate-under-test\r\n", "v1.0.0\n"), "loop"));
    all
}

#[tokio::test]
async fn every_status_with_each_separator() {
    for (name, acts, expected) in mishaps() {
        for separator in [',', '|'] {
            let first = Faulty::always(acts.clone()).await;
            let second = Faulty::always(answer(200, "", "v1.0.0\n")).await;
            let sources = sources(&settings(format!("{}{separator}{}", first.url(), second.url())));
            let outcome = all(&sources, &list()).await;
            let goes_on = separator == '|' || expected == "absent";
            assert_eq!(second.heads().len(), usize::from(goes_on), "{name}{separator}");
            match outcome {
                Ok(bytes) => assert!(goes_on && bytes == b"v1.0.0\n", "{name}{separator}"),
                Err(error) => assert!(!goes_on && kind(&error) == expected, "{name}{separator}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn the_error_that_is_told() {
    for (statuses, expected) in [
        (&[404, 410][..], "absent"),
        (&[500, 404], "failed"),
        (&[404, 500], "failed"),
        (&[403, 404, 404], "refused"),
        (&[500, 403], "refused"),
        (&[403, 500, 404], "failed"),
    ] {
        let mut servers = Vec::new();
        for (number, status) in statuses.iter().enumerate() {
            servers.push(Faulty::always(refusal(*status, &format!("text {number}"))).await);
        }
        let urls: Vec<_> = servers.iter().map(Faulty::url).collect();
        let error = all(&sources(&settings(urls.join("|"))), &list()).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{statuses:?}: {error}");
        if expected == "absent" {
            assert_eq!(error.outside(), "text 1");
        }
    }
}

#[tokio::test]
async fn an_unreachable_first_upstream() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let second = Faulty::always(answer(200, "", "v1.0.0\n")).await;
    for first in [format!("http://127.0.0.1:{port}"), "http://no-such-name.example".into()] {
        let error = all(&sources(&settings(format!("{first},{}", second.url()))), &list()).await.unwrap_err();
        assert_eq!(kind(&error), "failed", "{error}");
        assert!(all(&sources(&settings(format!("{first}|{}", second.url()))), &list()).await.is_ok());
    }
}

#[tokio::test]
async fn silence_is_a_time_out_and_never_an_absence() {
    let silent = Faulty::always(vec![Act::Stall]).await;
    let dripping = Faulty::always(vec![raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nv"), Act::Stall]).await;
    let absent = Faulty::always(refusal(404, "no")).await;
    for (url, target) in [(silent.url(), zip()), (dripping.url(), zip()), (dripping.url(), list())] {
        for list in [url.clone(), format!("{url},{}", absent.url()), format!("{}|{url}", absent.url())] {
            let error = all(&sources(&hasty(list)), &target).await.unwrap_err();
            assert_eq!(kind(&error), "timed out", "{error}");
        }
    }
}

#[tokio::test]
async fn what_drips_for_ever_is_given_up() {
    let endless = Faulty::start(|_| {
        let mut acts = vec![raw("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")];
        acts.extend(std::iter::repeat_n(raw("v"), 100));
        acts.push(Act::Stall);
        acts
    });
    let endless = endless.await;
    let settings = SourceSettings { whole_timeout: Duration::from_millis(60), ..settings(endless.url()) };
    let error = all(&sources(&settings), &list()).await.unwrap_err();
    assert!(matches!(error, SourceError::TimedOut { waiting: "the end of the answer", .. }), "{error}");
}

#[tokio::test]
async fn overload_says_for_how_long() {
    let server = Faulty::always(answer(429, "Retry-After: 17\r\n", "")).await;
    let error = all(&sources(&settings(server.url())), &list()).await.unwrap_err();
    assert!(matches!(error, SourceError::Overloaded { retry_after: Some(time), .. } if time.as_secs() == 17));
}

#[tokio::test]
async fn a_reason_that_stalls_changes_nothing() {
    let head = "HTTP/1.1 404 X\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nnot";
    let server = Faulty::always(vec![raw(head), Act::Stall]).await;
    let error = all(&sources(&hasty(server.url())), &list()).await.unwrap_err();
    assert_eq!((kind(&error), error.outside().as_str()), ("absent", "not"));
}

#[tokio::test]
async fn lists_that_name_nobody() {
    for (list, said) in [("off", "only `off`"), ("direct", "only `direct`")] {
        let error = all(&sources(&settings(list)), &info()).await.unwrap_err();
        assert!(kind(&error) == "no source" && error.outside().contains(said), "{error}");
    }
    let own = Faulty::always(answer(200, "", "")).await;
    let settings = SourceSettings { own_addresses: vec![own.address], ..settings(own.url()) };
    let sources = sources(&settings);
    assert_eq!(kind(&all(&sources, &list()).await.unwrap_err()), "no source");
    assert!(sources.summary().warnings[0].contains("this gateway itself"));
    assert_eq!(own.connections(), 0);
}

#[test]
fn nothing_configured_says_what_to_set() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let settings = SourceSettings { upstream: None, ..settings("") };
    let error = Sources::new(&settings, &nothing()).err().unwrap();
    assert!(matches!(error, SettingsError::Unset) && error.to_string().contains("GOPROXY="), "{error}");
    let environment = Environment::new(Platform::Unix, [("GOPROXY".into(), "https://u:hush@a.example,direct".into())]);
    let summary = Sources::new(&settings, &environment).ok().unwrap().summary().clone();
    assert_eq!((summary.public.as_str(), summary.origin.as_str()), ("https://a.example,direct", "the environment"));
    let environment = Environment::new(Platform::Unix, [("GOPROXY".into(), "ftp://u:hush@a.example".into())]);
    let error = Sources::new(&settings, &environment).err().unwrap().to_string();
    assert!(error.contains("the environment: invalid upstream") && !error.contains("hush"), "{error}");
}

#[tokio::test]
async fn nothing_of_a_request_is_taken_from_elsewhere() {
    let server = Faulty::always(answer(200, "", "v1.0.0\n")).await;
    let list_url = format!("{}/base/?tok=1", server.url());
    let sources = sources(&settings(list_url));
    for _ in 0..3 {
        all(&sources, &list()).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    let head = server.heads().remove(0);
    let mut lines: Vec<_> = head.trim_end().split("\r\n").map(str::to_owned).collect();
    assert!(lines.remove(0).ends_with("?tok=1 HTTP/1.1"), "{head}");
    lines.sort();
    let user_agent = format!("user-agent: modgate/{}", env!("CARGO_PKG_VERSION"));
    let host = format!("host: {}", server.address);
    assert_eq!(lines, ["accept-encoding: gzip", "accept: */*", &host, &user_agent, "via: 1.1 modgate-under-test"]);
}
