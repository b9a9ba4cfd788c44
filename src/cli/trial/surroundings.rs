//! The environment in which the command runs: the developer's own, but for what leads it to the trial's gateway.

use super::{Args, Directory, GoSettings, ModuleCache, running::Access};
use std::ffi::OsString;

/// Variables to be set; nothing is unset.
pub(super) type Surroundings = Vec<(&'static str, OsString)>;

/// GOPRIVATE's value for nothing: an empty one would not hide what `go env -w` wrote.
const NONE: &str = "none";
/// What no proxy is for.
const LOOPBACK: &str = "127.0.0.1,localhost";
const PROXIES: [&str; 6] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"];

pub(super) fn of(args: &Args, go: &GoSettings, directory: &Directory, access: &Access) -> Surroundings {
    let mut set: Surroundings = vec![
        ("GOPROXY", access.url.clone().into()),
        ("NETRC", directory.netrc().into()),
        // `off`, or a command, would keep the go command from reading the netrc file.
        ("GOAUTH", "netrc".into()),
    ];
    if let Some(bundle) = &access.bundle {
        set.push(("SSL_CERT_FILE", bundle.into()));
    }
    if args.module_cache == ModuleCache::ThrowAway {
        set.push(("GOMODCACHE", directory.module_cache().into()));
        // So that other programs than ours can remove it.
        set.push(("GOFLAGS", format!("{} -modcacherw", go.flags).trim_start().into()));
    }
    if !args.bypass {
        let unsummed = if go.unsummed.text.is_empty() { NONE } else { &go.unsummed.text };
        set.extend([("GOPRIVATE", NONE.into()), ("GONOPROXY", NONE.into()), ("GONOSUMDB", unsummed.into())]);
    }
    set.extend(unproxied(|name| std::env::var(name).ok()));
    set
}

/// The go command never asks a proxy for loopback; other programs might.
fn unproxied(variable: impl Fn(&str) -> Option<String>) -> Surroundings {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if !PROXIES.iter().any(|name| set(name).is_some()) {
        return Surroundings::new();
    }
    let value = match set("NO_PROXY").or_else(|| set("no_proxy")) {
        Some(value) if value == "*" => return Surroundings::new(),
        Some(value) => format!("{value},{LOOPBACK}"),
        None => LOOPBACK.to_owned(),
    };
    vec![("NO_PROXY", value.clone().into()), ("no_proxy", value.into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_proxy(variables: &[(&str, &str)]) -> Option<String> {
        let found = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        let set = unproxied(found);
        assert!(set.iter().all(|(_, value)| Some(value) == set.first().map(|(_, value)| value)));
        set.into_iter().next().map(|(_, value)| value.into_string().unwrap())
    }

    #[test]
    fn loopback_is_reached_without_a_proxy() {
        let proxy = ("https_proxy", "http://proxy.test:3128");
        assert_eq!(no_proxy(&[]), None);
        assert_eq!(no_proxy(&[proxy]).as_deref(), Some("127.0.0.1,localhost"));
        assert_eq!(no_proxy(&[proxy, ("no_proxy", ".corp.test")]).as_deref(), Some(".corp.test,127.0.0.1,localhost"));
        assert_eq!(no_proxy(&[proxy, ("NO_PROXY", "*")]), None);
    }
}
