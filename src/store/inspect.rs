//! What makes an answer of a source acceptable.

use crate::{
    goproxy::{Asked, Info, list},
    module::{self, H1, ModulePath, Version},
};
use std::fs::File;

/// The rules of the `go` command for the five kinds of body. Pure: no network, and no I/O but reading the zip that is
/// handed in. Errors are texts for people. A panic counts as an error.
pub trait Inspect: Send + Sync + 'static {
    /// Checks a module zip by all rules of `golang.org/x/mod/zip`.
    fn zip(&self, file: &File, path: &ModulePath, version: &Version) -> Result<ZipFacts, String>;
    /// Checks that bytes are a sane go.mod; answers their `h1:`.
    fn gomod(&self, bytes: &[u8], path: &ModulePath) -> Result<String, String>;
    /// Checks that bytes are an `.info`; answers its version, which is canonical.
    fn info(&self, bytes: &[u8]) -> Result<Version, String>;
    /// Checks that bytes are a list of versions.
    fn list(&self, bytes: &[u8]) -> Result<(), String>;
    /// The version that `@latest` means by a list: the highest release, else pre-release; none when there is none.
    fn highest(&self, list: &[u8]) -> Option<Version>;
}

/// What is found out about a zip while it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZipFacts {
    /// `h1:` over its files.
    pub h1: String,
}

/// What is found out about a small answer while it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// `h1:` of a go.mod.
    pub h1: Option<String>,
    /// That a query or `@latest` resolves to.
    pub version: Option<Version>,
}

/// Checks that `bytes` are what was asked for about `path`; not for zips. An error is a text for people.
pub fn check(inspect: &dyn Inspect, path: &ModulePath, asked: &Asked, bytes: &[u8]) -> Result<Checked, String> {
    match asked {
        Asked::List => inspect.list(bytes).map(|()| Checked::default()),
        Asked::Mod(_) => inspect.gomod(bytes, path).map(|h1| Checked { h1: Some(h1), ..Checked::default() }),
        Asked::Query(_) | Asked::Latest => {
            inspect.info(bytes).map(|version| Checked { version: Some(version), ..Checked::default() })
        }
        Asked::Info(version) => match inspect.info(bytes)? {
            found if found == *version => Ok(Checked::default()),
            found => Err(format!("it is the info of {found}, not of {version}")),
        },
        Asked::Zip(_) => Err("a zip is no small answer".into()),
    }
}

/// The rules themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules;

impl Inspect for Rules {
    fn zip(&self, file: &File, path: &ModulePath, version: &Version) -> Result<ZipFacts, String> {
        let size = file.metadata().map_err(|error| error.to_string())?.len();
        let checked = module::zip::check(file, size, path, version).map_err(|error| error.to_string())?;
        Ok(ZipFacts { h1: checked.h1.to_string() })
    }

    fn gomod(&self, bytes: &[u8], _: &ModulePath) -> Result<String, String> {
        module::gomod::declared_path(bytes).map_err(|error| error.to_string())?;
        Ok(H1::of_gomod(bytes).to_string())
    }

    fn info(&self, bytes: &[u8]) -> Result<Version, String> {
        Info::parse(bytes).map(|info| info.version).map_err(|error| error.to_string())
    }

    fn list(&self, bytes: &[u8]) -> Result<(), String> {
        list::is_list(bytes).map_err(|error| error.to_string())
    }

    fn highest(&self, body: &[u8]) -> Option<Version> {
        list::highest(&list::versions(body)).cloned()
    }
}
