//! Who a row speaks of.
//!
//! ```text
//! anonymous              who sent no credential
//! authenticated          whoever proved who they are
//! user:ISSUER/SUBJECT    a person; ISSUER is the configured alias, `token` and `ldap` are built in
//! group:ISSUER/NAME      a group, as its issuer spells it
//! ci:ISSUER/…            a pipeline
//! role:NAME              a role, given by `g` rows and by nothing else
//! ```
//!
//! A bare name or a claim is refused: two issuers' `alice` are two people, and no claim can name a role.
use super::fault::Fault;

/// What a role's name begins with. No principal's identity does.
const ROLE: &str = "role:";

/// Whether `name` names a role.
pub(super) fn is_role(name: &str) -> bool {
    name.starts_with(ROLE)
}

/// Checks the subject of a `p` row or the member of a `g` row.
pub(super) fn check(name: &str) -> Result<(), Fault> {
    if matches!(name, "anonymous" | "authenticated") {
        return Ok(());
    }
    match name.split_once(':') {
        Some(("role", _)) => check_role(name),
        Some((kind @ ("user" | "group" | "ci"), rest)) => check_issued(name, kind, rest),
        _ => Err(unknown(name)),
    }
}

/// Checks the role of a `g` row.
pub(super) fn check_role(name: &str) -> Result<(), Fault> {
    let Some(short) = name.strip_prefix(ROLE) else {
        return Err(Fault::new(format!("`{name}` is not a role")).hint(format!(
            "a `g` row gives a role: write `role:{}`",
            name.rsplit([':', '/']).next().unwrap_or("NAME")
        )));
    };
    let starts_well = short.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && short.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Ok(());
    }
    Err(Fault::new(format!("malformed role `{name}`")).hint("letters, digits, `.`, `_` and `-` after `role:`"))
}

fn check_issued(name: &str, kind: &str, rest: &str) -> Result<(), Fault> {
    let Some((issuer, subject)) = rest.split_once('/') else {
        return Err(Fault::new(format!("`{name}` names no issuer")).hint(format!("write `{kind}:ISSUER/{rest}`")));
    };
    let is_alias = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if issuer.is_empty() || !issuer.chars().all(is_alias) {
        return Err(Fault::new(format!("malformed issuer `{issuer}` in `{name}`"))
            .hint("the issuer is its alias in the configuration, not its URL"));
    }
    if subject.is_empty() || subject.trim() != subject {
        return Err(Fault::new(format!("`{name}` names nobody")));
    }
    if subject == "*" {
        return Err(Fault::new(format!("`{name}`: there are no patterns for subjects")).hint("write `authenticated`"));
    }
    Ok(())
}

fn unknown(name: &str) -> Fault {
    let fault = Fault::new(format!("unknown subject `{name}`"));
    if name == "*" {
        return fault.hint("write `authenticated`, or `anonymous` for those without a credential, one row each");
    }
    let lower = name.to_ascii_lowercase();
    if lower != name && check(&lower).is_ok() {
        return fault.hint(format!("in lower case: `{lower}`"));
    }
    if name.contains(['@', '=', ':']) {
        return fault.hint("claims are no subjects: write `user:ISSUER/SUBJECT`, `group:ISSUER/NAME` or `ci:ISSUER/…`");
    }
    fault.hint(format!("write `user:ISSUER/{name}`, `group:ISSUER/{name}` or `role:{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_documented_forms() {
        for name in [
            "anonymous",
            "authenticated",
            "user:token/alice",
            "user:ldap/Alice Smith",
            "group:corp/platform",
            "group:corp/eng/platform",
            "ci:github/repo:corp/pay:ref:refs/heads/main",
            "role:developer",
            "role:team-a.dev_2",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn refuses_claims_bare_names_and_patterns_with_a_hint() {
        for name in [
            "*",
            "alice",
            "alice@corp.example",
            "sub:alice",
            "groups=dev",
            "user:alice",
            "user:/alice",
            "user:token/",
            "user:https://idp/alice",
            "user:token/*",
            "Role:admin",
            "role:",
            "role:a b",
            "role:-x",
            "Anonymous",
            "req:1",
        ] {
            let fault = check(name).expect_err(name);
            assert!(fault.hint.is_some() || name == "user:token/", "{name}: {fault:?}");
        }
        assert!(check_role("group:corp/dev").is_err());
    }
}
