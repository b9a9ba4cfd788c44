//! The commands on a developer's machine: the built `modgate`, the built gateway over TLS, and the real `go`.
//!
//! * `developer`: the machine: a home, a netrc, `go env` settings, a module.
//! * `credentials`: the netrc file, the GOAUTH helper and `whoami`, with the go command as the judge of all.
//! * `doctor`: a table of set-ups and what is found in each.
//! * `approval`: logins that a person approves who has logged in at a real issuer.
//! * `logins`: device and browser logins, refreshing, logging out.

mod approval;
mod credentials;
mod developer;
mod doctor;
mod logins;
