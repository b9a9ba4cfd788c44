//! The integration tests, as one binary: linking is what takes the time.

mod dice;
mod module_oracle;
mod module_zip;
mod oracle_process;
mod zip_forge;
