//! The environment variables that stand for keys of the file.

/// Each key that has a variable, and the variable. A variable that is set and not empty wins over the file.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    ("data", "MODGATE_DATA"),
    ("mode", "MODGATE_MODE"),
    ("public_url", "MODGATE_PUBLIC_URL"),
    ("contact", "MODGATE_CONTACT"),
    ("instance", "MODGATE_INSTANCE"),
    ("listen.address", "MODGATE_LISTEN"),
    ("listen.insecure_http", "MODGATE_INSECURE_HTTP"),
    ("listen.trusted_proxies", "MODGATE_TRUSTED_PROXIES"),
    ("listen.max_connections", "MODGATE_MAX_CONNECTIONS"),
    ("listen.drain_delay", "MODGATE_DRAIN_DELAY"),
    ("listen.drain_timeout", "MODGATE_DRAIN_TIMEOUT"),
    ("tls.certificate", "MODGATE_TLS_CERTIFICATE"),
    ("tls.key", "MODGATE_TLS_KEY"),
    ("admin.address", "MODGATE_ADMIN"),
    ("policy.files", "MODGATE_POLICY_FILES"),
    ("upstream.list", "MODGATE_UPSTREAM"),
    ("upstream.roots", "MODGATE_UPSTREAM_ROOTS"),
    ("store.dir", "MODGATE_STORE_DIR"),
    ("store.memory", "MODGATE_STORE_MEMORY"),
    ("audit.dir", "MODGATE_AUDIT_DIR"),
    ("audit.index", "MODGATE_AUDIT_INDEX"),
    ("log.format", "MODGATE_LOG_FORMAT"),
    ("log.level", "MODGATE_LOG_LEVEL"),
];

/// Variables of ours that stand for no key.
pub(super) const OTHERS: &[&str] = &["MODGATE_CONFIG"];

/// The variable of a key.
pub(super) fn variable(key: &str) -> Option<&'static str> {
    VARIABLES.iter().find(|(named, _)| *named == key).map(|(_, variable)| *variable)
}

/// Whether a variable means anything to us.
pub(super) fn known(variable: &str) -> bool {
    OTHERS.contains(&variable) || VARIABLES.iter().any(|(_, known)| *known == variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_documented() {
        let page = include_str!("../../docs/configuration.md");
        for (key, variable) in VARIABLES {
            let key = key.rsplit('.').next().unwrap();
            assert!(page.contains(&format!("`{variable}`")), "{variable}");
            assert!(page.contains(&format!("`{key}`")), "{key}");
        }
    }
}
