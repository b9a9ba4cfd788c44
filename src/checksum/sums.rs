//! The two hashes in a record's text.

use crate::module::{H1, ModulePath, Version};

/// The hashes of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sums {
    /// Of the module zip.
    pub(super) zip: H1,
    /// Of the go.mod.
    pub(super) gomod: H1,
}

/// Why a record's text is not what was asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SumsError {
    /// A line about another version, of another form, or a second one.
    #[error("line {line} is not a hash of the version that was asked for: `{text}`")]
    Line {
        /// From 1.
        line: usize,
        /// As written, cut to 200 characters.
        text: String,
    },
    /// One of the two is not there.
    #[error("the hash of the {0} is missing")]
    Missing(&'static str),
}

impl Sums {
    /// Reads `PATH VERSION h1:…` and `PATH VERSION/go.mod h1:…`, each exactly once, in either order, and nothing else.
    ///
    /// Stricter than the `go` command, which ignores lines that it does not look for: a database that starts to sign
    /// something else is to be noticed here, before anything is stored.
    pub(super) fn parse(text: &[u8], path: &ModulePath, version: &Version) -> Result<Self, SumsError> {
        let text = String::from_utf8_lossy(text);
        let (mut zip, mut gomod) = (None, None);
        for (number, line) in (1..).zip(text.lines()) {
            let (hash, of_gomod) = hash(line, path, version)
                .filter(|(_, of_gomod)| if *of_gomod { gomod.is_none() } else { zip.is_none() })
                .ok_or_else(|| SumsError::Line { line: number, text: line.chars().take(200).collect() })?;
            *(if of_gomod { &mut gomod } else { &mut zip }) = Some(hash);
        }
        Ok(Self { zip: zip.ok_or(SumsError::Missing("zip"))?, gomod: gomod.ok_or(SumsError::Missing("go.mod"))? })
    }
}

/// The hash in a line about this version, and whether it is the go.mod's.
fn hash(line: &str, path: &ModulePath, version: &Version) -> Option<(H1, bool)> {
    let rest = line.strip_prefix(path.as_str())?.strip_prefix(' ')?.strip_prefix(version.as_str())?;
    let (rest, of_gomod) = match rest.strip_prefix("/go.mod") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    Some((H1::parse(rest.strip_prefix(' ')?)?, of_gomod))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ZIP: &str = "h1:TuBL49tXwgrFYWhqrNgrUNEY92u81SPhu7sTdzQEiWY=";
    const GOMOD: &str = "h1:AKWgluZvMBrqSzxGjbMcTaqTzVTXOjLnGn+rCLxRbFE=";

    fn parse(text: &str) -> Result<Sums, SumsError> {
        Sums::parse(text.as_bytes(), &ModulePath::parse("example.com/m").unwrap(), &Version::parse("v1.8.1").unwrap())
    }

    #[test]
    fn both_hashes_are_read_in_either_order() {
        let zip = format!("example.com/m v1.8.1 {ZIP}\n");
        let gomod = format!("example.com/m v1.8.1/go.mod {GOMOD}\n");
        let sums = parse(&format!("{zip}{gomod}")).unwrap();
        assert_eq!((sums.zip.to_string(), sums.gomod.to_string()), (ZIP.to_owned(), GOMOD.to_owned()));
        assert_eq!(parse(&format!("{gomod}{zip}")), Ok(sums));
    }

    #[test]
    fn anything_else_is_refused() {
        let zip = format!("example.com/m v1.8.1 {ZIP}\n");
        let gomod = format!("example.com/m v1.8.1/go.mod {GOMOD}\n");
        assert_eq!(parse(&zip), Err(SumsError::Missing("go.mod")));
        assert_eq!(parse(&gomod), Err(SumsError::Missing("zip")));
        assert_eq!(parse(""), Err(SumsError::Missing("zip")));
        let line = |text: &str| match parse(text) {
            Err(SumsError::Line { line, .. }) => line,
            other => panic!("{text:?}: {other:?}"),
        };
        assert_eq!(line(&format!("{zip}{gomod}{zip}")), 3);
        assert_eq!(line(&format!("{zip}{zip}{gomod}")), 2);
        assert_eq!(line(&format!("{zip}{gomod}example.com/m v1.8.1 h2:xyz\n")), 3);
        for wrong in [
            zip.replace("/m", "/n"),
            zip.replace("v1.8.1", "v1.8.10"),
            zip.replace("v1.8.1", "v1.8.1/go.sum"),
            zip.replace(' ', "  "),
            zip.replace("h1:", "h9:"),
            zip.replace("=\n", "= \n"),
            zip.replace("=\n", "\n"),
        ] {
            assert_eq!(line(&format!("{wrong}{gomod}")), 1, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(example.com/m |v1.8.1|/go.mod| |h1:[a-zA-Z0-9+/]{0,44}=?|\n|.){0,9}") {
            let _ = parse(&text);
        }

        #[test]
        fn the_hashes_are_those_of_the_lines(zip: [u8; 32], gomod: [u8; 32]) {
            let [zip, gomod] = [zip, gomod].map(|hash| format!("h1:{}", tlog_tiles::Hash(hash)));
            let text = format!("example.com/m v1.8.1 {zip}\nexample.com/m v1.8.1/go.mod {gomod}\n");
            let sums = parse(&text).unwrap();
            prop_assert_eq!((sums.zip.to_string(), sums.gomod.to_string()), (zip, gomod));
        }
    }
}
