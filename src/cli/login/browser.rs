//! Opening the browser of the person at the keyboard, if there is one.

use std::io::{self, IsTerminal};

/// Opens a page where there is a desktop and somebody at it. That it does not work is no failure: the URL was printed.
pub(super) fn open(url: &str) {
    if io::stderr().is_terminal() && has_desktop(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
        let _ = open::that_detached(url);
    }
}

/// Whether a browser would appear before whoever types here: not on a machine that is reached by ssh.
fn has_desktop(is_set: impl Fn(&str) -> bool) -> bool {
    let remote = is_set("SSH_CONNECTION") || is_set("SSH_TTY");
    let screen = cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    screen && !remote
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_at_the_screen_of_a_machine_reached_by_ssh() {
        assert!(has_desktop(|name| name == "WAYLAND_DISPLAY"));
        assert!(!has_desktop(|name| ["DISPLAY", "SSH_CONNECTION"].contains(&name)));
        assert_eq!(has_desktop(|_| false), cfg!(any(windows, target_os = "macos")));
    }
}
