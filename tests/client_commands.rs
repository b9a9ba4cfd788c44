//! The commands on a developer's machine: the built `modgate`, the built gateway over TLS, and the real `go`.
//!
//! * `developer`: the machine: a home, a netrc, `go env` settings, a module.
//! * `credentials`: the netrc file, the GOAUTH helper and `whoami`, with the go command as the judge of all.
//! * `doctor`: a table of set-ups and what is found in each.
//! * `logins`: device and browser logins, refreshing, logging out.

mod credentials;
mod developer;
mod doctor;
mod logins;
