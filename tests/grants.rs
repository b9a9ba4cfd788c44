//! Tokens that people and pipelines get themselves, at the built gateway: by device, by browser, by exchange and by asking;
//! renewed, given back, stolen; and everything that must not give one.

#[path = "grants/door.rs"]
mod door;
#[path = "grants/hostile.rs"]
mod hostile;
#[path = "grants/login.rs"]
mod login;
#[path = "grants/own.rs"]
mod own;

use crate::{gateway::Gateway, jwt_issuer::Issuer, upstream::Upstream};
use door::Door;
use serde_json::Value;

/// Whoever is authenticated reads `example.test/*`; `carol` is an admin.
const POLICY: &str = "p, authenticated, example.test/*, *, read, allow, -, -\n\
                      p, role:admin, *, *, *, allow, -, -\n\
                      g, user:corp/carol, role:admin\n";
const LIB: &str = "/example.test/lib/@v/list";

/// A gateway that believes an issuer, with two modules behind it.
fn open(more: &str) -> (Door, Issuer, Upstream) {
    let upstream = Upstream::of(&["example.test/lib", "example.test/other"]);
    let issuer = Issuer::new();
    let gateway = Gateway::tls().policy(POLICY).upstream(&upstream.url()).config(&issuer.config()).config(more).start();
    (Door { gateway }, issuer, upstream)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}"))
}
