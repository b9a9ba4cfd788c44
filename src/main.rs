//! The `modgate` command.
fn main() {}
