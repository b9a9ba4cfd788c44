//! When rounds are due, what is news, which kids are known to be absent, and what an issuer's headers say.

use super::*;

fn publication() -> Publication {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let minutes = Duration::from_mins;
    let source =
        Published { at: KeysAt::Discovery, every: minutes(60), pause: Duration::from_secs(10), stale: minutes(1440) };
    Publication::new(source, Fetcher::new(&[]).unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn the_next_round_is_due_as_issuer_and_configuration_say() {
    let publication = publication();
    let due = |max_age: Option<u64>, chance| {
        publication.note(Ok(max_age.map(Duration::from_secs)), at(0), chance).0.as_secs()
    };
    assert_eq!([due(None, 0.0), due(None, 0.999)], [3600, 3240]);
    assert_eq!([due(Some(300), 0.0), due(Some(86_400), 0.0), due(Some(0), 0.0)], [300, 3600, 60]);
    let trouble = Trouble::Unreachable("x".into());
    let failing: Vec<_> = (0..5).map(|_| publication.note(Err(&trouble), at(0), 0.0).0.as_secs()).collect();
    assert_eq!(failing, [20, 40, 60, 60, 60]);
    assert_eq!(publication.note(Err(&trouble), at(0), 0.999).0.as_secs(), 45);
}

#[test]
fn an_outage_is_news_once_and_so_is_its_end() {
    let publication = publication();
    let news = |went| publication.note(went, at(0), 0.0).1;
    let (down, other) = (Trouble::Unreachable("x".into()), Trouble::Unreachable("y".into()));
    let bad = Trouble::Unusable("x".into());
    assert!(!news(Ok(None)));
    assert!(news(Err(&down)) && !news(Err(&other)) && news(Err(&bad)) && !news(Err(&bad)) && news(Ok(None)));
    assert!(!news(Ok(None)));
}

#[test]
fn absent_kids_are_bounded_and_expire() {
    let publication = publication();
    publication.found_absent("a", at(0));
    assert!(
        publication.is_absent("a", at(29)) && !publication.is_absent("a", at(30)) && !publication.is_absent("b", at(0))
    );
    (0..10_000).for_each(|number| publication.found_absent(&format!("k{number}"), at(0)));
    let known = (0..10_000).filter(|number| publication.is_absent(&format!("k{number}"), at(0))).count();
    assert!((1..=MOST_ABSENT).contains(&known), "{known}");
    publication.forget_absent();
    assert!(!publication.is_absent("k9999", at(0)));
}

#[test]
fn max_age_is_read_from_whatever_is_said() {
    let read = |value: &'static str| {
        let headers = HeaderMap::from_iter([(CACHE_CONTROL, value.parse().unwrap())]);
        max_age(&headers).map(|age| age.as_secs())
    };
    for (value, expected) in [
        ("max-age=300", Some(300)),
        ("public, Max-Age=\"7\", must-revalidate", Some(7)),
        ("no-store", Some(0)),
        ("max-age=9, no-cache", Some(0)),
        ("max-age=-1", None),
        ("max-age=x, s-maxage=4", None),
        ("", None),
    ] {
        assert_eq!(read(value), expected, "{value}");
    }
}
