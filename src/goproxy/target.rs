//! What a request asks for.
//!
//! ```text
//! /                                   Root
//! /PATH/@v/list                       List
//! /PATH/@latest                       Latest
//! /PATH/@v/VERSION.info|.mod|.zip     Info, Mod, Zip of a canonical version
//! /PATH/@v/QUERY.info                 Query
//! /sumdb/NAME/supported|latest
//! /sumdb/NAME/lookup/PATH@VERSION
//! /sumdb/NAME/tile/…                  see Tile
//! ```
//!
//! PATH, VERSION and QUERY are escaped (`!` before what is an upper-case letter) and the whole is percent-encoded: it
//! is decoded once, then split, then unescaped, and never the other way round, so that every target has one decoded
//! spelling. The base path and the query string are the caller's to cut off.

use super::percent::{decode, encode};
use super::tile::Tile;
use crate::module::{ModulePath, PathError, Query, Version, VersionError};
use std::sync::Arc;

/// The longest raw path that is looked at, in bytes.
const MAX_RAW: usize = 2048;

/// The longest element of a decoded path, in bytes. A store keeps elements as names of files, for which file systems
/// allow 255, and may need some of them.
const MAX_ELEMENT: usize = 240;

/// One parsed request path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// `/`: asked by `git credential approve` and by people; never goes to a store.
    Root,
    /// Something about a module.
    Module {
        /// The module.
        path: ModulePath,
        /// What about it.
        asked: Asked,
    },
    /// `/sumdb/NAME/…` for a configured checksum database.
    Sumdb {
        /// One of the configured names.
        name: DatabaseName,
        /// What of it.
        asked: SumdbAsk,
    },
}

/// What is asked about a module.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Asked {
    /// `/@v/list`
    List,
    /// `/@latest`
    Latest,
    /// `/@v/QUERY.info`, QUERY being no canonical version, or one that cannot belong to the path
    /// ([`ModulePath::admits`]): the answer may then name another version.
    Query(Query),
    /// `/@v/VERSION.info`; the answer names that very version.
    Info(Version),
    /// `/@v/VERSION.mod`
    Mod(Version),
    /// `/@v/VERSION.zip`
    Zip(Version),
}

/// What is asked of a checksum database.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SumdbAsk {
    /// `/supported`
    Supported,
    /// `/latest`
    Latest,
    /// `/lookup/PATH@VERSION`
    Lookup(ModulePath, Version),
    /// `/tile/8/L/K[.p/W]` and `/tile/8/data/K[.p/W]`
    Tile(Tile),
}

/// The name of a configured checksum database; may contain slashes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DatabaseName(pub Arc<str>);

/// Why a path is no target. Each says which status it deserves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not of the protocol's form, or in a form that is refused rather than normalised (404).
    #[error("{0}")]
    Unknown(String),
    /// A checksum database that is not configured (403, for 404 would send the client there directly).
    #[error("checksum database `{0}` is not configured here")]
    UnknownDatabase(String),
    /// Malformed checksum database request (400).
    #[error("{0}")]
    BadSumdb(String),
}

impl From<PathError> for TargetError {
    fn from(error: PathError) -> Self {
        Self::Unknown(error.to_string())
    }
}

impl From<VersionError> for TargetError {
    fn from(error: VersionError) -> Self {
        Self::Unknown(error.to_string())
    }
}

impl Target {
    /// Parses the raw (still percent-encoded) path of a request, base path already removed.
    ///
    /// INVARIANT: parse once. What is authorized, served, cached and recorded is the value returned here.
    pub fn parse(raw: &str, databases: &[DatabaseName]) -> Result<Self, TargetError> {
        if raw.len() > MAX_RAW {
            return Err(TargetError::Unknown(format!("path longer than {MAX_RAW} bytes")));
        }
        let decoded = match decode(raw) {
            Ok(decoded) => decoded,
            // For whoever asks a database, 404 would mean "ask it directly".
            Err(reason) if raw.starts_with("/sumdb/") => {
                return Err(TargetError::BadSumdb(reason.into()));
            }
            Err(reason) => return Err(TargetError::Unknown(reason.into())),
        };
        Self::from_path(&decoded, databases)
    }

    /// Parses a decoded path. The inverse of [`Target::path`].
    pub fn from_path(path: &str, databases: &[DatabaseName]) -> Result<Self, TargetError> {
        if matches!(path, "" | "/") {
            return Ok(Self::Root);
        }
        let Some(rest) = path.strip_prefix('/') else {
            return Err(TargetError::Unknown("path without a leading slash".into()));
        };
        if let Some(rest) = rest.strip_prefix("sumdb/") {
            return parse_sumdb(rest, databases);
        }
        check_elements(rest).map_err(|reason| TargetError::Unknown(reason.into()))?;
        parse_module(rest)
    }

    /// The path below a GOPROXY's base URL, with a leading slash, `!` kept plain: also the layout of a store.
    /// The inverse of [`Target::from_path`]; no two targets have the same.
    pub fn path(&self) -> String {
        match self {
            Self::Root => "/".into(),
            Self::Module { path, asked } => {
                let path = path.escaped();
                match asked {
                    Asked::List => format!("/{path}/@v/list"),
                    Asked::Latest => format!("/{path}/@latest"),
                    Asked::Query(query) => format!("/{path}/@v/{}.info", query.escaped()),
                    Asked::Info(version) => format!("/{path}/@v/{}.info", version.escaped()),
                    Asked::Mod(version) => format!("/{path}/@v/{}.mod", version.escaped()),
                    Asked::Zip(version) => format!("/{path}/@v/{}.zip", version.escaped()),
                }
            }
            Self::Sumdb { name: DatabaseName(name), asked } => format!("/sumdb/{name}/{}", asked.path()),
        }
    }

    /// As [`Target::path`], percent-encoded for a URL as the `go` command does (`!` as `%21` but in `/sumdb/`).
    /// The inverse of [`Target::parse`].
    pub fn url_path(&self) -> String {
        let encoded = encode(&self.path());
        match self {
            Self::Sumdb { .. } => encoded.replace("%21", "!"),
            Self::Root | Self::Module { .. } => encoded,
        }
    }

    /// The module that is asked about: of a sumdb lookup too.
    pub fn module(&self) -> Option<&ModulePath> {
        match self {
            Self::Module { path, .. } | Self::Sumdb { asked: SumdbAsk::Lookup(path, _), .. } => Some(path),
            Self::Root | Self::Sumdb { .. } => None,
        }
    }

    /// The canonical version that is asked for: of a sumdb lookup too; none for list, `@latest` and queries.
    pub fn version(&self) -> Option<&Version> {
        match self {
            Self::Module { asked: Asked::Info(version) | Asked::Mod(version) | Asked::Zip(version), .. }
            | Self::Sumdb { asked: SumdbAsk::Lookup(_, version), .. } => Some(version),
            Self::Root | Self::Module { .. } | Self::Sumdb { .. } => None,
        }
    }

    /// The kind of target in one word, for metrics: one of eight.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Module { asked, .. } => match asked {
                Asked::List => "list",
                Asked::Latest => "latest",
                Asked::Query(_) => "query",
                Asked::Info(_) => "info",
                Asked::Mod(_) => "mod",
                Asked::Zip(_) => "zip",
            },
            Self::Sumdb { .. } => "sumdb",
        }
    }

    /// Whether an answer, once given, stays the answer for ever: what belongs to a canonical version, and tiles. Not
    /// a lookup, for it carries the database's latest signed tree.
    pub fn is_immutable(&self) -> bool {
        match self {
            Self::Root => false,
            Self::Module { asked, .. } => {
                matches!(asked, Asked::Info(_) | Asked::Mod(_) | Asked::Zip(_))
            }
            Self::Sumdb { asked, .. } => matches!(asked, SumdbAsk::Tile(_)),
        }
    }
}

impl SumdbAsk {
    /// The path below the database's own URL, without a leading slash, as the `go` command writes it.
    pub fn path(&self) -> String {
        match self {
            Self::Supported => "supported".into(),
            Self::Latest => "latest".into(),
            Self::Lookup(path, version) => {
                format!("lookup/{}@{}", path.escaped(), version.escaped())
            }
            Self::Tile(tile) => tile.as_str().into(),
        }
    }
}

/// What no element of any path may be. Without this, `/./` and `//` would only be refused as odd module paths.
fn check_elements(path: &str) -> Result<(), &'static str> {
    path.as_bytes().split(|&byte| byte == b'/').try_for_each(|element| match element {
        b"" => Err("double or trailing slash in the path"),
        b"." | b".." => Err("`.` or `..` in the path"),
        element if element.len() > MAX_ELEMENT => Err("path element too long"),
        _ => Ok(()),
    })
}

fn parse_module(path: &str) -> Result<Target, TargetError> {
    if let Some(module) = path.strip_suffix("/@latest") {
        return Ok(Target::Module { path: ModulePath::unescape(module)?, asked: Asked::Latest });
    }
    let Some((module, file)) = path.split_once("/@v/") else {
        return Err(TargetError::Unknown("neither `/@v/` nor `/@latest` in the path".into()));
    };
    let path = ModulePath::unescape(module)?;
    let asked = parse_file(&path, file)?;
    Ok(Target::Module { path, asked })
}

fn parse_file(path: &ModulePath, file: &str) -> Result<Asked, TargetError> {
    if file == "list" {
        return Ok(Asked::List);
    }
    match file.rsplit_once('.') {
        Some((version, "mod")) => Ok(Asked::Mod(Version::unescape(version)?)),
        Some((version, "zip")) => Ok(Asked::Zip(Version::unescape(version)?)),
        Some((version, "info")) => match Version::unescape(version) {
            Ok(version) if path.admits(&version) => Ok(Asked::Info(version)),
            _ => Ok(Asked::Query(Query::unescape(version)?)),
        },
        _ => Err(TargetError::Unknown("neither `list` nor .info, .mod or .zip after `/@v/`".into())),
    }
}

/// Parses what follows `/sumdb/`.
fn parse_sumdb(rest: &str, databases: &[DatabaseName]) -> Result<Target, TargetError> {
    let below =
        |name: &DatabaseName| rest.strip_prefix(&*name.0).is_some_and(|tail| tail.is_empty() || tail.starts_with('/'));
    let configured = databases.iter().filter(|name| below(name)).max_by_key(|name| name.0.len());
    let Some(name) = configured else {
        return Err(TargetError::UnknownDatabase(claimed_name(rest).into()));
    };
    let bad = |reason: &str| TargetError::BadSumdb(reason.into());
    let tail = rest.strip_prefix(&*name.0).and_then(|tail| tail.strip_prefix('/')).unwrap_or_default();
    check_elements(tail).map_err(bad)?;
    let asked = match tail {
        "supported" => SumdbAsk::Supported,
        "latest" => SumdbAsk::Latest,
        _ => match tail.strip_prefix("lookup/") {
            Some(lookup) => parse_lookup(lookup)?,
            None if tail.starts_with("tile/") => {
                Tile::parse(tail).map(SumdbAsk::Tile).ok_or_else(|| bad("invalid tile syntax"))?
            }
            None => return Err(bad("not a checksum database request")),
        },
    };
    Ok(Target::Sumdb { name: name.clone(), asked })
}

fn parse_lookup(lookup: &str) -> Result<SumdbAsk, TargetError> {
    let Some((path, version)) = lookup.split_once('@') else {
        return Err(TargetError::BadSumdb("invalid module@version syntax".into()));
    };
    let path = ModulePath::unescape(path).map_err(|error| TargetError::BadSumdb(error.to_string()))?;
    let version = Version::unescape(version).map_err(|error| TargetError::BadSumdb(error.to_string()))?;
    Ok(SumdbAsk::Lookup(path, version))
}

/// The database that a request for an unknown one seems to mean, for the error text.
fn claimed_name(rest: &str) -> &str {
    let end = ["/supported", "/latest", "/lookup/", "/tile/"].iter().filter_map(|end| rest.find(end)).min();
    end.and_then(|end| rest.get(..end)).unwrap_or(rest)
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
