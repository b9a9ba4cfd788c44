//! People who are asked about again, at the issuer where they logged in: their groups follow, and what they hold ends when they
//! are gone.

use super::{Scene, approved, whoami};
use crate::{gateway::await_that, web_client::WebClient};
use serde_json::json;

#[test]
fn groups_follow_the_issuer_an_outage_changes_nothing_and_who_is_gone_has_no_tokens() {
    let scopes = "[\"openid\", \"profile\", \"groups\", \"offline_access\"]";
    let scene = Scene::asking("[tokens]\nrefresh_groups = \"1s\"\n", "modgate", scopes);
    let (mut alice, mut mallory) = (WebClient::new(), WebClient::new());
    scene.log_in(&mut alice, "alice");
    scene.log_in(&mut mallory, "mallory");
    let (token, refresh) = approved(&scene.base, &mut alice);
    let (hers, _) = approved(&scene.base, &mut mallory);
    let groups = |token: &str| whoami(&scene.base, token).map(|who| who["groups"].clone());
    assert_eq!(groups(&token), Some(json!(["group:corp/eng/platform", "group:corp/staff"])));

    scene.issuer.control("groups", &json!({"account": "alice", "groups": ["/eng/web"]}));
    await_that("the groups to follow", || groups(&token) == Some(json!(["group:corp/eng/web"])));
    await_that("the act", || !scene.acts("groups.refreshed").is_empty());
    assert!(scene.acts("groups.refreshed")[0]["detail"].as_str().unwrap().contains("user:corp/alice"));

    scene.issuer.control("down", &json!({"down": true}));
    scene.gateway.await_log("what became of them is not known");
    assert!(groups(&token).is_some() && groups(&hers).is_some(), "an outage is nobody's leaving");
    scene.issuer.control("down", &json!({"down": false}));

    scene.issuer.control("remove-account", &json!({"account": "alice"}));
    await_that("the token of who is gone to be refused", || groups(&token).is_none());
    let form = [("grant_type", "refresh_token"), ("client_id", "modgate-cli"), ("refresh_token", &*refresh)];
    let answer = WebClient::new().post(&scene.url("/-/oauth/token"), &form);
    assert!(answer.status == 400 && answer.body.contains("invalid_grant"), "{}", answer.body);
    assert!(groups(&hers).is_some(), "others keep theirs");
    await_that("the acts", || scene.acts("token.revoked").len() > 1);
    let revoked = scene.acts("token.revoked");
    assert!(revoked.iter().all(|act| act["detail"].as_str().unwrap().contains("user:corp/alice")), "{revoked:?}");
    assert_eq!(revoked.len(), 2, "the access token and the refresh token");
}
