//! The integration tests, as one binary: linking is what takes the time.
//!
//! * `walk`, `answers`, `outages`, `faults`, `hostile`, `integrity`, `vouching`, `withheld`, `full_disk`, `full_journal`, `crowd`, `probes`,
//!   `http2`, `limits`, `bad_input`, `jwt`, `directory`, `client_certificates`, `visits`, `gateway_*`: the built command against
//!   an upstream of the tests' own.
//! * `client_commands`: `modgate login`, `goauth`, `doctor` and the like, with the real `go`.
//! * `try_cli`: `modgate try` on a developer's machine of the tests' own.
//! * `go_scripts`: the Go project's own module scripts behind it; `live`: public modules.
//! * `forward`: the built command in forward mode, before a store without any authentication.
//! * `server_*`: the listener with a trivial handler, over real sockets (what they share is in `listening`), and the built
//!   program as a person starts it (`server_cli`, `token_cli`).
//! * `module_*`, `checksum_oracle`, `jwt_oracle`, `policy_*`: parts, held against `golang.org/x/mod`, Go's crypto and casbin.
//! * `journal_crash`, `store_crash`, `gateway_crash`: kill -9, then everything is looked at again; so does `audit_index`,
//!   beside all else about the index.
//!
//! * `hostile_jwt`: forged tokens; `issuer_keys`: a real issuer whose keys change and which goes down.
//!
//! What tests share: `process`, `go_program`, `gateway`, `go_client`, `curl`, `upstream`, `checksum_database`, `store_behind`, `issuer`,
//! `jwt_issuer`, `directory_server`, `browser` (running processes), `web_client`, `oracle_process`, `zip_forge`, `dice`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test that cannot go on fails; the lints know test functions, not what these share"
)]

mod answers;
mod audit_index;
mod bad_input;
mod browser;
mod checksum_database;
mod checksum_oracle;
mod client_certificates;
mod client_commands;
mod crowd;
mod curl;
mod dice;
mod directory;
mod directory_server;
mod faults;
mod forward;
mod full_disk;
mod full_journal;
mod gateway;
mod gateway_crash;
mod gateway_drain;
mod gateway_policy;
mod go_client;
mod go_program;
mod go_scripts;
mod grants;
mod hostile;
mod hostile_jwt;
mod http2;
mod integrity;
mod issuer;
mod issuer_keys;
mod journal_crash;
mod jwt;
mod jwt_issuer;
mod jwt_oracle;
mod limits;
mod listening;
mod live;
mod login;
mod metrics;
mod module_oracle;
mod module_zip;
mod oracle_process;
mod outages;
mod policy_examples;
mod policy_oracle;
mod probes;
mod process;
mod server_cli;
mod server_clients;
mod server_drain;
mod server_limits;
mod server_reload;
mod store_behind;
mod store_crash;
mod token_cli;
mod trails;
mod try_cli;
mod upstream;
mod visits;
mod vouching;
mod walk;
mod web_client;
mod withheld;
mod zip_forge;
