//! The `modgate` command: everything is in the library.

fn main() -> std::process::ExitCode {
    modgate::cli::main()
}
