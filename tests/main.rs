//! The integration tests, as one binary: linking is what takes the time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test that cannot go on fails; the lints know test functions, not what these share"
)]

mod checksum_database;
mod checksum_oracle;
mod dice;
mod journal_crash;
mod listening;
mod module_oracle;
mod module_zip;
mod oracle_process;
mod policy_examples;
mod policy_oracle;
mod server_clients;
mod server_drain;
mod server_limits;
mod server_reload;
mod store_crash;
mod zip_forge;
