//! Tokens good and hostile, against issuers whose keys are made here.
//!
//! `mint` makes keys and signs whatever it is told to; `scene` configures issuers of those keys. `accepted` is what must come
//! through, `hostile` what must not, `files` reads key files, `remembered` looks at what is kept.

mod accepted;
mod files;
mod hostile;
mod mint;
mod remembered;
mod scene;
