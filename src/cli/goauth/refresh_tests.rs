//! Against an authorization server of the tests' own: what it is asked, and how often.

use super::*;
use crate::cli::fake_gateway::FakeGateway;
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Scene {
    directory: TempDir,
    gateway: FakeGateway,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), gateway: FakeGateway::start(), now: Timestamp::now() }
    }

    fn wallet(&self) -> Wallet {
        Wallet::at(self.directory.path().into())
    }

    /// Puts a token into the wallet that was obtained and ends so many seconds from now.
    fn hold(&self, access: &str, obtained: i64, expires: i64) {
        let at = |seconds| self.now + SignedDuration::from_secs(seconds);
        let held = Held {
            access: Secret::new(access),
            obtained: at(obtained),
            expires: at(expires),
            refresh: Some(Secret::of(self.gateway.refresh_token())),
        };
        self.wallet().lock(&self.gateway.base()).unwrap().write(&held).unwrap();
    }

    fn access(&self, need: Need) -> Result<String, String> {
        let access = access(&self.wallet(), &self.gateway.base(), need, None, self.now);
        access.map(|secret| secret.expose().to_owned()).map_err(|failure| failure.to_string())
    }

    fn held(&self) -> Held {
        self.wallet().read(&self.gateway.base()).unwrap().unwrap()
    }
}

#[test]
fn what_is_fresh_is_answered_in_milliseconds_and_asks_nobody() {
    let scene = Scene::new();
    scene.hold("mg_held", -60, 3600);
    let began = Instant::now();
    for line in ["", "HTTP/2.0 404 Not Found", "HTTP/2.0 403 Forbidden", "HTTP/1.1 410 Gone", "rubbish"] {
        assert_eq!(scene.access(Need::after(line)).as_deref(), Ok("mg_held"), "{line}");
    }
    println!("five answers from the wallet: {:?}", began.elapsed());
    assert_eq!(scene.gateway.asked(), Vec::<String>::new());
}

#[test]
fn what_is_about_to_end_or_was_refused_is_refreshed_and_kept() {
    for (obtained, expires, line) in [(-3000, 30, ""), (-3000, -1, ""), (-60, 3600, "HTTP/2.0 401 Unauthorized")] {
        let scene = Scene::new();
        scene.hold("mg_old", obtained, expires);
        let first = scene.gateway.refresh_token();
        assert_eq!(scene.access(Need::after(line)).as_deref(), Ok("mg_access1"), "{line}");
        assert_eq!(scene.gateway.asked(), ["refresh_token"]);
        let held = scene.held();
        assert_eq!(held.access.expose(), "mg_access1");
        assert_eq!(held.refresh.unwrap().expose(), scene.gateway.refresh_token());
        assert_ne!(first, scene.gateway.refresh_token());
        // Whoever comes next with a 401 had the old one.
        assert_eq!(scene.access(Need::Another).as_deref(), Ok("mg_access1"));
        assert_eq!(scene.gateway.asked().len(), 1);
    }
}

#[test]
fn however_many_ask_one_refreshes() {
    let scene = Scene::new();
    scene.hold("mg_old", -3000, -1);
    let answers: Vec<_> = std::thread::scope(|threads| {
        let asking: Vec<_> = (0..12).map(|_| threads.spawn(|| scene.access(Need::Another))).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer.as_deref() == Ok("mg_access1")), "{answers:?}");
    assert_eq!(scene.gateway.asked(), ["refresh_token"]);
}

#[test]
fn a_login_that_has_ended_is_said_without_asking_again() {
    let scene = Scene::new();
    scene.hold("mg_old", -3000, -1);
    scene.gateway.end_logins();
    for _ in 0..3 {
        let failure = scene.access(Need::Any).unwrap_err();
        assert!(failure.contains("has ended") && failure.contains("modgate login --goauth"), "{failure}");
        assert!(!failure.contains("mg_"), "{failure}");
    }
    assert_eq!(scene.gateway.asked(), ["refresh_token"]);
}

#[test]
fn while_the_gateway_is_down_what_is_held_is_used_as_long_as_it_is_good() {
    let scene = Scene::new();
    scene.hold("mg_old", -3000, 30);
    scene.gateway.fail();
    assert_eq!(scene.access(Need::Any).as_deref(), Ok("mg_old"));
    assert!(scene.access(Need::Another).unwrap_err().contains("cannot get a new token"));
    scene.hold("mg_old", -3000, -1);
    assert!(scene.access(Need::Any).unwrap_err().contains("cannot get a new token"));
    assert!(scene.held().refresh.is_some());
}

#[test]
fn a_lost_answer_is_asked_for_again_before_the_token_looks_stolen() {
    let scene = Scene::new();
    scene.hold("mg_old", -3000, -1);
    scene.gateway.answers().lost = 1;
    assert_eq!(scene.access(Need::Any).as_deref(), Ok("mg_access2"));
    assert_eq!(scene.gateway.asked(), ["refresh_token", "refresh_token"]);
    assert_eq!(scene.held().refresh.unwrap().expose(), scene.gateway.refresh_token());
    assert_eq!(scene.access(Need::Any).as_deref(), Ok("mg_access2"));
}

#[test]
fn both_questions_are_over_within_the_grace() {
    // The gateway keeps the moment of a token's use in whole seconds.
    let grace = auth::REFRESH_GRACE - SignedDuration::from_secs(1);
    assert!(SignedDuration::try_from(REFRESH_PATIENCE * 2).unwrap() < grace);

    let scene = Scene::new();
    scene.gateway.answers().silent = true;
    let began = Instant::now();
    let refresh = Secret::of(scene.gateway.refresh_token());
    let answered = block_on(async {
        let client = GatewayClient::new(scene.gateway.base(), None)?.within(Duration::from_millis(50));
        Ok(oauth::refresh(&client, &refresh).await)
    });
    assert!(matches!(answered, Ok(Err(GrantError::Gateway(error))) if error.may_have_been_heard()));
    assert!(began.elapsed() < REFRESH_PATIENCE, "{:?}", began.elapsed());
}

#[test]
fn who_is_not_logged_in_is_told_so() {
    let scene = Scene::new();
    assert!(scene.access(Need::Any).unwrap_err().contains("nobody is logged in"));
    assert_eq!(scene.gateway.asked(), Vec::<String>::new());
}
