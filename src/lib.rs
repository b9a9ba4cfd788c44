//! modgate: the gateway between the `go` command and the code that a company depends on.

