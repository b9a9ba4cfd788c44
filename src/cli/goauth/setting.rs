//! The go command's setting GOAUTH: a list of commands, and ours in it.

use crate::cli::gateway_url::GatewayUrl;
use std::path::Path;

/// What the go command does where nothing is set.
pub(in crate::cli) const DEFAULT: &str = "netrc";

/// The commands of a setting, in order; the go command uses the credential of the first that has one.
pub(in crate::cli) fn commands(setting: &str) -> impl Iterator<Item = &str> {
    setting.split(';').map(str::trim)
}

/// The words of a command, as `cmd/internal/quoted` splits them: quotes only around whole words, nothing escaped.
/// `None`: a quote is not closed.
pub(in crate::cli) fn words(command: &str) -> Option<Vec<String>> {
    let (mut words, mut rest) = (Vec::new(), command.trim_start_matches(is_blank));
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' | '"' => rest.get(1..)?.split_once(first)?,
            _ => rest.split_at(rest.find(is_blank).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start_matches(is_blank);
    }
    Some(words)
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r')
}

/// One word of a command, quoted if it must be. `None`: it cannot be written.
fn quoted(word: &str) -> Option<String> {
    if word.contains([';', '\n', '\r']) || word.is_empty() {
        return None;
    }
    let must = word.contains(is_blank) || word.starts_with(['\'', '"']);
    match () {
        () if !must => Some(word.to_owned()),
        () if !word.contains('\'') => Some(format!("'{word}'")),
        () if !word.contains('"') => Some(format!("\"{word}\"")),
        () => None,
    }
}

/// Our command for a gateway. `None`: a path has characters that GOAUTH cannot have.
pub(in crate::cli) fn ours(program: &str, base: &GatewayUrl, roots: Option<&Path>) -> Option<String> {
    let roots = roots.map(|path| path.to_str()).map_or(Some(None), |path| path.map(Some))?;
    let mut words = vec![program, "goauth"];
    words.extend(roots.into_iter().flat_map(|path| ["--ca", path]));
    words.push(base.as_str());
    Some(words.into_iter().map(quoted).collect::<Option<Vec<_>>>()?.join(" "))
}

/// Whether a command is `modgate goauth` for this gateway.
pub(in crate::cli) fn is_ours(command: &str, base: &GatewayUrl) -> bool {
    let Some(words) = words(command) else { return false };
    let Some((program, arguments)) = words.split_first() else { return false };
    let name = program.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_base = |word: &String| word.parse::<GatewayUrl>().is_ok_and(|url| url == *base);
    matches!(name.strip_suffix(".exe").unwrap_or(name), "modgate")
        && arguments.first().is_some_and(|word| word == "goauth")
        && arguments.iter().any(is_base)
}

/// The setting with our command. It goes first: it answers for its gateway only, and an older entry of a netrc file would
/// win otherwise. What was set stays behind it, but `off`, which the go command takes alone only.
pub(in crate::cli) fn with(setting: &str, base: &GatewayUrl, ours: &str) -> String {
    let others =
        commands(setting).filter(|command| !command.is_empty() && *command != "off" && !is_ours(command, base));
    std::iter::once(ours).chain(others).collect::<Vec<_>>().join(";")
}

/// The setting without our command. `None`: nothing is left of it but the default.
pub(in crate::cli) fn without(setting: &str, base: &GatewayUrl) -> Option<String> {
    let others: Vec<_> = commands(setting).filter(|command| !command.is_empty() && !is_ours(command, base)).collect();
    let left = others.join(";");
    (!left.is_empty() && left != DEFAULT).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> GatewayUrl {
        "https://gw.test:8443".parse().unwrap()
    }

    #[test]
    fn ours_goes_first_and_comes_once() {
        let ours = ours("modgate", &base(), None).unwrap();
        assert_eq!(ours, "modgate goauth https://gw.test:8443");
        let set = with("netrc; git /home/me", &base(), &ours);
        assert_eq!(set, "modgate goauth https://gw.test:8443;netrc;git /home/me");
        assert_eq!(with(&set, &base(), &ours), set);
        assert_eq!(with("off", &base(), &ours), ours);
        assert_eq!(without(&set, &base()).as_deref(), Some("netrc;git /home/me"));
        assert_eq!(without(&with("netrc", &base(), &ours), &base()), None);
        let other = "modgate goauth https://other.test";
        assert_eq!(without(other, &base()).as_deref(), Some(other));
    }

    #[test]
    fn paths_with_blanks_are_quoted() {
        let command = |program| ours(program, &base(), Some(Path::new("/a b/ca.pem")));
        let windows = "C:\\Program Files\\modgate.exe";
        let written = command(windows).unwrap();
        assert_eq!(written, format!("'{windows}' goauth --ca '/a b/ca.pem' https://gw.test:8443"));
        assert!(is_ours(&written, &base()));
        assert_eq!(command("/it's here/modgate").unwrap().split(" goauth").next(), Some("\"/it's here/modgate\""));
        assert_eq!(command("/it's \"here\"/modgate"), None);
        assert_eq!(command("/a;b/modgate"), None);
        assert!(!is_ours("helper goauth https://gw.test:8443", &base()) && !is_ours("'modgate", &base()));
    }

    proptest! {
        #[test]
        fn a_quoted_word_is_one_word(word in "[a-z' \"\\\\]{1,8}") {
            if let Some(quoted) = quoted(&word) {
                prop_assert_eq!(words(&format!("x {quoted}  y")), Some(vec!["x".to_owned(), word, "y".to_owned()]));
            }
        }
    }
}
