//! Certificates that change while the server runs.

use crate::listening::{Running, eventually, get};
use modgate::server::Validity;
use modgate::telemetry::label::{Reloaded, Success};

/// The year in which the certificate that a new connection sees expires.
async fn year(running: &Running) -> String {
    let stream = running.connect_tls(b"h2").await.unwrap();
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    Validity::of(&certificates[0]).unwrap().not_after.to_string()[..4].to_owned()
}

fn failures(running: &Running) -> u64 {
    running.metrics.reloads(Reloaded::Certificate, Success::Failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_takes_effect_by_itself_and_connections_stay() {
    let running = Running::start(|_| {});
    let client = running.h2();
    assert_eq!(get(&client, &running.url("/")).await.0, 200);
    assert_eq!(year(&running).await, "2100");
    running.authority.write(2101);
    eventually("the new certificate is used", async || year(&running).await == "2101").await;
    assert_eq!(running.metrics.reloads(Reloaded::Certificate, Success::Succeeded), 1);
    assert_eq!(get(&client, &running.url("/")).await.0, 200);
    assert!(running.metrics.render().unwrap().contains("timestamp_seconds 4133980800.0\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_certificate_never_replaces_the_good_one() {
    let running = Running::start(|_| {});
    let files = running.authority.files();
    let other = crate::listening::Authority::new();
    other.write(2102);
    let foreign = std::fs::read_to_string(other.files().certificate).unwrap();
    for (seen, bad) in ["", "not PEM", &foreign].into_iter().enumerate() {
        running.authority.put(&files.certificate, bad);
        let before = seen as u64;
        eventually("the bad certificate is noticed", async || failures(&running) > before).await;
        assert_eq!(year(&running).await, "2100");
    }
    std::fs::remove_file(&files.certificate).unwrap();
    running.server.reload_certificate();
    assert_eq!(year(&running).await, "2100");
    running.authority.write(2103);
    running.server.reload_certificate();
    assert_eq!(year(&running).await, "2103", "the next good one is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_behind_links_is_followed_to_where_it_is_renewed() {
    let linked = tempfile::tempdir().unwrap();
    let running = Running::start(|settings| {
        let files = settings.tls.as_mut().unwrap();
        for path in [&mut files.certificate, &mut files.key] {
            let link = linked.path().join(path.file_name().unwrap());
            std::os::unix::fs::symlink(&*path, &link).unwrap();
            *path = link;
        }
    });
    assert_eq!(year(&running).await, "2100");
    running.authority.write(2101);
    eventually("the new certificate is used", async || year(&running).await == "2101").await;
}
