//! Tokens good and hostile, against issuers whose keys are made here.
//!
//! `mint` makes keys and signs whatever it is told to; `scene` configures issuers of those keys. `accepted` is what must come
//! through, `hostile` what must not, `files` reads key files, `remembered` looks at what is kept, `published` fetches keys from
//! a `host` that has its faults, `workloads` is about rules. `mint` and `corpus` say `super::Algorithm`, because the tests of the built
//! gateway have them, too.

use super::{Algorithm, Reason};

mod accepted;
mod corpus;
mod files;
mod host;
mod hostile;
mod mint;
mod published;
mod remembered;
mod scene;
mod workloads;

/// The time of most tests.
fn now() -> i64 {
    scene::NOW
}
