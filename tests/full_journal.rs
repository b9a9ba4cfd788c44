//! A journal without room: what is served has its record, what has none is refused, and with room again everything is as
//! before. Many ask at once, so that the room ends in the middle of a write of several records.
//!
//! The room is the size that the system lets a file of the process have; the kernel takes what fits below it and then fails,
//! as on a full disk.

use crate::{
    gateway::{Gateway, await_that},
    listening::Authority,
    upstream::Upstream,
};
use futures_util::StreamExt;
use reqwest::Client;
use std::{collections::HashMap, fs, process::Command};

const OPEN: &str = "p, anonymous, public, *, read, allow, -, -\n";
const MODULE: &str = "example.test/small";
const CLIENTS: usize = 48;

/// How large the gateway's files may become.
fn limit(gateway: &Gateway, bytes: &str) {
    let id = gateway.id().to_string();
    let status = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={bytes}:")]).status();
    assert!(status.unwrap().success());
}

/// Asks so often, many at once: statuses by request id, in the order in which the answers came.
async fn ask(client: &Client, gateway: &Gateway, times: usize) -> Vec<(String, u16)> {
    let url = format!("{}/{MODULE}/@v/v1.0.0.info", gateway.url());
    let asked = (0..times).map(|_| async {
        let response = client.get(&url).send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
        assert_eq!(text.contains("v1.0.0"), status == 200, "{text}");
        (id, status)
    });
    futures_util::stream::iter(asked).buffer_unordered(CLIENTS).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_record_is_not_served_and_what_is_served_has_one() {
    let upstream = Upstream::start();
    upstream.module_of(MODULE, "v1.0.0", &[("lib.go", b"package small\n")]);
    let gateway = Gateway::plain().policy(OPEN).upstream(&upstream.url()).start();
    let client = Client::builder().tls_backend_preconfigured(Authority::new().client()).no_proxy().build().unwrap();
    // Held, and every connection made.
    let mut told = ask(&client, &gateway, 4 * CLIENTS).await;
    assert!(told.iter().all(|(_, status)| *status == 200));

    let segment = gateway.data().join("audit/journal-00000001.jsonl");
    for room in [20_000, 3_333, 40_001] {
        limit(&gateway, &(fs::metadata(&segment).unwrap().len() + room).to_string());
        let refused = ask(&client, &gateway, 500).await;
        assert!(refused.iter().any(|(_, status)| *status == 200) && refused.iter().any(|(_, status)| *status == 503));
        told.extend(refused);
        limit(&gateway, "unlimited");
        let after = ask(&client, &gateway, CLIENTS).await;
        assert!(after.iter().all(|(_, status)| *status == 200), "{after:?}");
        told.extend(after);
    }

    await_that("the gap to be told", || {
        gateway.records().iter().filter(|record| record["act"] == "journal.resumed").count() == 3
    });
    let mut kept = HashMap::<String, Vec<u64>>::new();
    for record in gateway.records().iter().filter(|record| record["kind"] == "answered") {
        let id = record["request"].as_str().unwrap().to_owned();
        kept.entry(id).or_default().push(record["status"].as_u64().unwrap());
    }
    for (id, status) in &told {
        let expected: &[u64] = if *status == 200 { &[200] } else { &[] };
        assert_eq!(kept.get(id).map_or(&[][..], Vec::as_slice), expected, "{id}, which was told {status}");
    }
    assert_eq!(kept.len(), told.iter().filter(|(_, status)| *status == 200).count());
    assert!(told.iter().all(|(_, status)| [200, 503].contains(status)));
}
