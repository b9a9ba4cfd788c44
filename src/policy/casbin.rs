//! The casbin crate as a second opinion.
//!
//! It loads the same files with the same model and is asked the same questions; the compiled index must say what it
//! says. It runs in `modgate policy check` and in the tests, never on the way of a request.
//!
//! * Two functions are registered. `modMatch` is GOPRIVATE's match, `verMatch` the version column's.
//! * Denies match also when letter case is ignored, which the model cannot express. So two enforcers are asked, one
//!   that minds case and one that does not, and both must allow: the first says whether some row allows as written, and
//!   given that, the second says whether no row denies in any case.
//! * A request goes by several names. For request N they become role links `g, req:N, NAME`, and `req:N` asks. That is
//!   one link more than the policy's own chains, so the role manager is told to go deeper than its usual ten.
use super::{
    compiled::{Policy, Request},
    decision::Effect,
    model,
    roles::LONGEST_CHAIN,
    subject::is_role,
    versions::VersionRange,
};
use crate::module::{Glob, Version};
use casbin::{
    CoreApi, DefaultModel, DefaultRoleManager, Enforcer, StringAdapter,
    function_map::{OperatorFunction, dynamic_to_str},
    rhai::Dynamic,
};
use futures_util::FutureExt;
use parking_lot::RwLock;
use std::sync::Arc;

/// Casbin, loaded with a policy's files.
pub struct Oracle {
    minding_case: Enforcer,
    ignoring_case: Enforcer,
    asked: u64,
}

/// Casbin cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("casbin: {0}")]
pub struct OracleError(#[from] casbin::Error);

impl Oracle {
    /// Loads the files that the policy was read from.
    pub fn load(policy: &Policy) -> Result<Self, OracleError> {
        let files = policy.sources.iter().map(|file| String::from_utf8_lossy(&file.content).replace('\r', ""));
        let text = files.collect::<Vec<_>>().join("\n");
        // Casbin's interface is asynchronous; with a model and rows in memory nothing ever waits.
        Self::load_text(&text)
            .now_or_never()
            .unwrap_or_else(|| Err(std::io::Error::other("loading from memory waits").into()))
            .map_err(OracleError)
    }

    async fn load_text(text: &str) -> Result<Self, casbin::Error> {
        Ok(Self {
            minding_case: enforcer(text, matches_as_written).await?,
            ignoring_case: enforcer(text, matches_in_any_case).await?,
            asked: 0,
        })
    }

    /// What Casbin says.
    pub fn ask(&mut self, policy: &Policy, request: &Request<'_>) -> Result<Effect, OracleError> {
        let name = format!("req:{}", self.asked);
        self.asked = self.asked.saturating_add(1);
        let private = policy.namespace(request.module).is_private();
        let namespace = if private { "private" } else { "public" };
        let version = request.version.map_or("", Version::as_str);
        let day = request.day.to_string();
        let mut allowed = true;
        for enforcer in [&self.minding_case, &self.ignoring_case] {
            let roles = enforcer.get_role_manager();
            for identity in request.identities.iter().filter(|identity| !is_role(identity)) {
                roles.write().add_link(&name, identity, None);
            }
            allowed &= enforcer.enforce((
                &*name,
                request.module.as_str(),
                version,
                request.action.as_str(),
                namespace,
                &*day,
            ))?;
        }
        Ok(if allowed { Effect::Allow } else { Effect::Deny })
    }
}

async fn enforcer(text: &str, mod_match: fn(Dynamic, Dynamic) -> Dynamic) -> Result<Enforcer, casbin::Error> {
    let model = DefaultModel::from_str(model::SHIPPED).await?;
    let mut enforcer = Enforcer::new(model, StringAdapter::new(text)).await?;
    enforcer.add_function("modMatch", OperatorFunction::Arg2(mod_match));
    enforcer.add_function("verMatch", OperatorFunction::Arg2(version_matches));
    let roles = DefaultRoleManager::new(LONGEST_CHAIN.saturating_add(2));
    enforcer.set_role_manager(Arc::new(RwLock::new(roles)))?;
    Ok(enforcer)
}

fn matches_as_written(path: Dynamic, pattern: Dynamic) -> Dynamic {
    let glob = Glob::parse(&dynamic_to_str(&pattern));
    glob.is_ok_and(|glob| glob.matches(&dynamic_to_str(&path))).into()
}

fn matches_in_any_case(path: Dynamic, pattern: Dynamic) -> Dynamic {
    let glob = Glob::parse(&dynamic_to_str(&pattern));
    glob.is_ok_and(|glob| glob.matches_ignoring_case(&dynamic_to_str(&path))).into()
}

fn version_matches(version: Dynamic, range: Dynamic) -> Dynamic {
    let version = Version::parse(&dynamic_to_str(&version)).ok();
    let range = VersionRange::parse(&dynamic_to_str(&range));
    range.is_ok_and(|range| range.contains(version.as_ref())).into()
}
