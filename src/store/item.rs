//! What the store can be asked for: something about a module, from a public or a private source.

use crate::{
    goproxy::{Asked, Target},
    module::{ModulePath, Version},
};

/// The key of everything in memory. `private` is part of it, so an answer of a public source is never found by a
/// permit for a private path, nor the other way round.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Item {
    pub(super) path: ModulePath,
    pub(super) asked: Asked,
    pub(super) private: bool,
}

impl Item {
    /// None for targets that never go to the store.
    pub(super) fn of(target: &Target, private: bool) -> Option<Self> {
        match target {
            Target::Module { path, asked } => Some(Self { path: path.clone(), asked: asked.clone(), private }),
            Target::Root | Target::Sumdb { .. } => None,
        }
    }

    /// Another thing about the same module.
    pub(super) fn sibling(&self, asked: Asked) -> Self {
        Self { path: self.path.clone(), asked, private: self.private }
    }

    pub(super) fn target(&self) -> Target {
        Target::Module { path: self.path.clone(), asked: self.asked.clone() }
    }

    /// The shelf's key: the store's layout is GOPROXY's own.
    pub(super) fn key(&self) -> String {
        self.target().path().trim_start_matches('/').to_owned()
    }

    pub(super) fn is_zip(&self) -> bool {
        matches!(self.asked, Asked::Zip(_))
    }

    /// The version whose bytes the checksum database vouches for: of a `.mod` or `.zip`.
    pub(super) fn vouched_version(&self) -> Option<&Version> {
        match &self.asked {
            Asked::Mod(version) | Asked::Zip(version) => Some(version),
            Asked::List | Asked::Latest | Asked::Query(_) | Asked::Info(_) => None,
        }
    }

    /// Whether a body that someone else put on the shelf may become an entry: only what a version fixes. A list that
    /// was copied from a module cache names just the versions that were downloaded there.
    pub(super) fn adoptable(&self) -> bool {
        matches!(self.asked, Asked::Info(_) | Asked::Mod(_) | Asked::Zip(_))
    }
}
